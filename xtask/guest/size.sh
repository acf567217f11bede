# Bytes for each event: `vswap record`, `trace-cmd record` and `perf record` of the same kernel functions, all at once,
# so that they see the same calls. The other two get a probe without arguments at each function: time, CPU, thread and
# function is all they write. Runs after lib.sh.
out=/out/size
mkdir -p $out
export LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu
tracing=/sys/kernel/tracing
echo 0 > $tracing/events/oracle/enable
echo > $tracing/kprobe_events
vswap doctor --json | awk '
    /"function":/ { sub(/.*"function": "/, ""); sub(/",?$/, ""); functions = $0 }
    /"state":/ && /"ok"/ { n = split(functions, f, " [+] "); for (i = 1; i <= n; i++) print f[i] }' | sort -u > $out/wanted
while read -r function; do
    [ -n "$function" ] || continue
    echo "p:sz/$function $function" >> $tracing/kprobe_events 2> /dev/null || echo "$function" >> $out/without
done < $out/wanted
[ "$(wc -l < $tracing/kprobe_events)" -ge 15 ] || fail "size: too few functions: $(cat $tracing/kprobe_events)"
hits() { awk '{ n += $2 } END { print n }' $tracing/kprobe_profile; }

echo Y > /sys/module/zswap/parameters/enabled
vswap record -o $out/size.vswap 2> $out/vswap.err &
recorder=$!
until_true 120 grep -q 'recording to' $out/vswap.err || fail "size: $(cat $out/vswap.err)"
trace-cmd record -q -b 32768 -e sz -o $out/size.dat > $out/trace-cmd.err 2>&1 &
trace_cmd=$!
until_true 120 grep -q 1 $tracing/events/sz/enable || fail "size: trace-cmd does not start: $(cat $out/trace-cmd.err)"
perf record -q -a -m 8192 -e 'sz:*' -o $out/plain.data > $out/perf.err 2>&1 &
plain=$!
perf record -q -z -a -m 8192 -e 'sz:*' -o $out/packed.data > $out/packed.err 2>&1 &
packed=$!
# Their buffers are mapped: then they record.
mapped() { grep -q perf_event /proc/"$1"/maps || gone "$1"; }
until_true 120 mapped $plain && until_true 120 mapped $packed
sleep 3
gone $plain && fail "size: perf record ended: $(cat $out/perf.err)"
before=$(hits)
mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "size: swapon"
workers=
for seed in 1 2; do
    vswap-workload --cgroup /sys/fs/cgroup/w$seed --set memory.max=16M --set memory.zswap.max=2M --pages 6000 \
        --seed $seed --steps random:12000,fork,touch-write:0-400,pageout:all,free:100-900 > /dev/null &
    workers="$workers $!"
done
for pid in $workers; do wait "$pid" || fail "size: workload"; done
until_true 60 still
after=$(hits)
for pid in $recorder $trace_cmd $plain $packed; do
    kill -INT "$pid"
    until_true 120 gone "$pid" || fail "size: a recorder does not end"
    wait "$pid"
done
swapoff /dev/vda
vswap report --json $out/size.vswap > $out/size.json || fail "size: report"
samples() { perf report --stats -i "$1" 2> /dev/null | awk '$1 == "SAMPLE" && $2 == "events:" { print $3; exit }'; }
{
    echo "calls $((after - before))"
    echo "vswap $(wc -c < $out/size.vswap) $(sed -n 's/^ *"events": \([0-9]*\),*$/\1/p' $out/size.json | head -n 1)"
    echo "trace-cmd $(wc -c < $out/size.dat) $(trace-cmd report -i $out/size.dat 2> /dev/null | grep -cE ': +\(')"
    echo "perf $(wc -c < $out/plain.data) $(samples $out/plain.data)"
    echo "perf-z $(wc -c < $out/packed.data) $(samples $out/packed.data)"
} > $out/figures
sed 's/^/VSWAP-SIZE /' $out/figures
# Whoever lost some has a smaller file for it.
awk '$1 == "calls" { calls = $2 } NF == 3 && $1 != "vswap" && ($3 < calls * 0.99 || $3 > calls * 1.01) { exit 1 }' $out/figures ||
    fail "size: a recorder has not seen every call: $(cat $out/figures)"
rm -f $out/*.data $out/*.dat
echo > $tracing/kprobe_events
