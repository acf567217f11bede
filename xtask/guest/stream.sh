# Head of a live script: the recorder writes to the port named vswap.live while the rest runs.
port=
for name in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$name" 2>/dev/null)" = vswap.live ] && port=/dev/$(basename "$(dirname "$name")")
done
if [ -z "$port" ]; then
    echo "VSWAP-GUEST-WARNING no virtio serial port (virtio_console missing)"
    exit 96
fi
mkdir -p /out
vswap record -o - 2> /out/record.err > "$port" &
recorder=$!
trap 'kill -INT $recorder 2>/dev/null; wait $recorder; cat /out/record.err' EXIT
i=0
until grep -q 'recording to' /out/record.err; do
    kill -0 $recorder 2>/dev/null || exit 95
    i=$((i + 1)); [ $i -gt 600 ] && exit 94
    sleep 0.1
done
