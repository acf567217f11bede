# Loss that is counted exactly: for each hook that has one record to each call, three counts agree - the tool's own,
# the kernel's count of program runs (kernel.bpf_stats_enabled), and the hits of a trace event of our own on the same
# function, which knows nothing of BPF. Runs after lib.sh.
out=/out/losses
mkdir -p $out
tracing=/sys/kernel/tracing
hooks='cache_add cache_del free write zswap_free cluster_move dup dup_direct put isolate alloc_enter'
least=8
case $(uname -r) in
    # Other hooks of it have several functions, or several records to a call.
    6.12.*) hooks='cache_del write zswap_free alloc_enter' least=4 ;;
    # References are counted by other functions, isolated clusters by one that the compiler renamed.
    6.18.*) least=7 ;;
esac
if grep -q ' vswap_si$' /proc/kallsyms; then
    # Of virtual swap other functions tell of the rest, too: physical slots taken, written to, given up and given back.
    hooks='cache_del zswap_free cluster_move dup dup_direct put isolate alloc_enter' least=5
fi

# "hook function" of those that this kernel has.
vswap doctor --json | awk -v wanted="$hooks" '
    BEGIN { n = split(wanted, w, " "); for (i = 1; i <= n; i++) want[w[i]] = 1 }
    /"hook":/ { gsub(/[",]/, ""); hook = $2 }
    /"function":/ { gsub(/[",]/, ""); function_name = $2 }
    /"state":/ { gsub(/[",]/, ""); if ($2 == "ok" && hook in want) print hook, function_name }' > $out/functions
[ "$(wc -l < $out/functions)" -ge $least ] || fail "losses: too few hooks: $(cat $out/functions)"
echo Y > /sys/module/zswap/parameters/enabled
echo 1 > /proc/sys/kernel/bpf_stats_enabled
while read -r hook function; do
    echo "p:oracle/$hook $function" >> $tracing/kprobe_events || fail "losses: no event on $function"
done < $out/functions
echo 1 > $tracing/events/oracle/enable

# counted NAME WANTED-RC OPTIONS...: the same load, every page of it between swapon and swapoff.
counted() {
    local name=$1 want=$2
    shift 2
    cp $tracing/kprobe_profile $out/$name.before
    vswap record -o $out/$name.vswap "$@" 2> $out/$name.err &
    recorder=$!
    until_true 120 grep -q 'recording to' $out/$name.err || fail "losses $name: $(cat $out/$name.err)"
    # What a kprobe itself missed is read from the links.
    grep -h '^missed:' /proc/$recorder/fdinfo/* > $out/$name.links
    mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "losses $name: swapon"
    workers=
    for seed in 1 2 3; do
        vswap-workload --cgroup /sys/fs/cgroup/w$seed --set memory.max=16M --set memory.zswap.max=2M --pages 5000 \
            --seed $seed --steps random:6000,fork,touch-write:0-400,pageout:all,free:100-900 > /dev/null &
        workers="$workers $!"
    done
    for pid in $workers; do wait "$pid" || fail "losses $name: workload"; done
    # A child of a worker may go after it: what is to come back to its cgroup finds no room there until then.
    until_true 60 swapoff /dev/vda || fail "losses $name: swapoff"
    rmdir /sys/fs/cgroup/w?
    kill -INT $recorder
    wait $recorder
    local rc=$?
    [ $rc -eq "$want" ] || fail "losses $name: ended with $rc, not $want: $(cat $out/$name.err)"
    cp $tracing/kprobe_profile $out/$name.after
    vswap report --json $out/$name.vswap > $out/$name.json
    # Lines "hook emitted gone runs misses": what reached the ring, what did not, and the kernel's own counts.
    awk '/"hook":/ { gsub(/[",]/, ""); hook = $2 }
        /"(emitted|lost|fault|map_full|recursion_misses|runs)":/ { gsub(/[",:]/, ""); v[$1] = $2 }
        /"runs"/ || $1 == "runs" { print hook, v["emitted"], v["lost"] + v["fault"] + v["map_full"], v["runs"], v["recursion_misses"] }' \
        $out/$name.json > $out/$name.counts
    local checked=0
    while read -r hook function; do
        set -- $(grep -m 1 "^$hook " $out/$name.counts)
        [ $# -eq 5 ] || { fail "losses $name: no counts of $hook"; continue; }
        [ "$4" -eq $(($2 + $3)) ] ||
            fail "losses $name: $hook ran $4 times, emitted $2 and lost $3 records"
        # "oracle-event hits misses", after less before.
        local calls
        calls=$(cat $out/$name.before $out/$name.after | awk -v hook="$hook" '
            $1 == hook { n = $2 + $3; calls = n - last; last = n } END { print calls + 0 }')
        [ "$calls" -eq $(($2 + $3 + $5)) ] ||
            fail "losses $name: $function was called $calls times; $hook emitted $2, lost $3, was skipped $5 times"
        [ "$calls" -gt 0 ] && checked=$((checked + 1))
        echo "$name $hook: calls $calls = emitted $2 + lost $3 + skipped $5" >> $out/equalities
    done < $out/functions
    [ $checked -ge $least ] || fail "losses $name: only $checked functions were called"
}
counted small 3 --ring-size 16384
[ "$(awk '{ n += $3 } END { print n }' $out/small.counts)" -gt 1000 ] || fail "losses small: the ring was large enough"
counted large 0
[ "$(awk '{ n += $3 + $5 } END { print n }' $out/large.counts)" -eq 0 ] || fail "losses large: records lost"
case $(uname -r) in
    6.12.*) ;; # before 6.17 the links do not tell
    *) [ "$(wc -l < $out/large.links)" -ge 5 ] || fail "losses: the links do not tell what kprobes missed" ;;
esac
echo 0 > $tracing/events/oracle/enable
echo > $tracing/kprobe_events
echo 0 > /proc/sys/kernel/bpf_stats_enabled
