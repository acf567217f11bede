# Probes in place of trampolines: what doctor says of them, and that calls which the kernel skips are told. Runs after
# lib.sh.
out=/out/probes-own
mkdir -p $out
vswap doctor --rung kprobe --json > $out/doctor.json || fail "probes doctor: $?"
vswap doctor --rung kprobe > $out/doctor.txt
grep -q '"rung": "kprobe",$' $out/doctor.json || fail "probes doctor: $(cat $out/doctor.txt)"
grep -qE '"how": "f(entry|exit)' $out/doctor.json && fail "probes doctor: trampolines in use: $(cat $out/doctor.txt)"
least=16
case $(uname -r) in 6.12.*) least=15 ;; esac
[ "$(grep -c '"state": "seen"' $out/doctor.json)" -ge $least ] || fail "probes doctor: $(cat $out/doctor.txt)"

# Completions of I/O interrupt other probes, which the kernel then does not run: either all was seen, or it is said.
echo N > /sys/module/zswap/parameters/enabled
cp /sys/kernel/tracing/enabled_functions $out/before 2> /dev/null
vswap record --rung kprobe -o $out/device.vswap 2> $out/device.err &
recorder=$!
until_true 120 grep -q 'recording to' $out/device.err
gone $recorder && fail "probes device: $(cat $out/device.err)"
grep -c . /sys/kernel/debug/kprobes/list > $out/kprobes
mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "probes device: swapon"
vswap-workload --cgroup /sys/fs/cgroup/wl --set memory.max=16M --pages 5000 --seed 4 \
    --steps pageout:all,touch-read:0-2000,touch-write:0-2000,pageout:all > /dev/null || fail "probes device: workload"
swapoff /dev/vda || fail "probes device: swapoff"
rmdir /sys/fs/cgroup/wl
kill -INT $recorder
until_true 60 gone $recorder || kill -9 $recorder
wait $recorder
rc=$?
vswap report --json $out/device.vswap > $out/device.json
told=$?
lost=$(sed -n 's/^ *"lost": \([0-9]*\),*$/\1/p' $out/device.json | head -n 1)
[ $rc -eq $told ] || fail "probes device: record ended with $rc, report with $told"
case $rc in
    0) [ "$lost" = 0 ] || fail "probes device: $lost lost, ended with 0" ;;
    3) [ "$lost" -gt 0 ] || fail "probes device: nothing lost, ended with 3" ;;
    *) fail "probes device: ended with $rc: $(cat $out/device.err)" ;;
esac
echo "lost $lost, ended with $rc" > $out/result
[ "$(grep -c '"how": "f' $out/device.json)" -eq 0 ] || fail "probes device: trampolines in use"
