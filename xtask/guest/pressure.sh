# Reclaim of the whole machine: kswapd, and threads that run out of pages. The kernel's own tracepoint says which thread
# wrote how many folios. Runs after lib.sh.
out=/out/pressure
mkdir -p $out
# A buffer of its own: on every kernel, and nobody else's events in it.
written=/sys/kernel/tracing/instances/written

# wrote FILE: "kswapd OTHERS" folios among its events.
wrote() { awk '/mm_vmscan_write_folio:/ { n[/^ *kswapd/]++ } END { print n[1] + 0, n[0] + 0 }' "$1"; }
enough() { # KSWAPD OTHERS
    # shellcheck disable=SC2046 # words are wanted
    set -- "$1" "$2" $(wrote $written/trace)
    [ "$3" -ge "$1" ] && [ "$4" -ge "$2" ]
}
pages_of() { sed -n "s/^$1: *\([0-9]*\) kB/\1/p" /proc/meminfo; }
# fill SEED: more than there is, by threads that want it at once.
fill() {
    local workers= seed
    for seed in "$1"1 "$1"2 "$1"3; do
        vswap-workload --pages 16000 --seed "$seed" --steps sleep:100 > /dev/null &
        workers="$workers $!"
    done
    for pid in $workers; do wait "$pid" || fail "pressure: workload"; done
}

echo never > /sys/kernel/mm/transparent_hugepage/enabled
echo N > /sys/module/zswap/parameters/enabled
devices_on || fail "pressure: swapon"
vswap record -o $out/trace.vswap 2> $out/record.err &
recorder=$!
until_true 120 grep -q 'recording to' $out/record.err || fail "pressure: $(cat $out/record.err)"
mkdir $written && echo 16384 > $written/buffer_size_kb &&
    echo 1 > $written/events/vmscan/mm_vmscan_write_folio/enable || fail "pressure: no events"
snapshot $out/before
# What nobody can reclaim leaves less than the workers want.
ballast=$((($(pages_of MemAvailable) - 112 * 1024) / 1024))
dd if=/dev/zero of=/tmp/ballast bs=1M count=$ballast 2> /dev/null || fail "pressure: ballast"

# kswapd works ahead of everybody.
for seed in 1 2 3 4 5; do
    fill $seed
    enough 2000 0 && break
done
# With next to nothing between where it begins and where others must help, they do.
echo 2048 > /proc/sys/vm/min_free_kbytes
echo 1 > /proc/sys/vm/watermark_scale_factor
for seed in 6 7 8 9 10 11 12 13 14 15; do
    enough 2000 500 && break
    fill $seed
done
rm /tmp/ballast
until_true 60 still || fail "pressure: the kernel does not come to rest"
snapshot $out/after
cat $written/trace > $out/written
cat $written/per_cpu/*/stats | awk '/overrun/ { n += $NF } END { exit n > 0 }' || fail "pressure: events overwritten"
kill -INT $recorder
wait $recorder
rc=$?
devices_off || fail "pressure: swapoff"
vswap report $out/trace.vswap > $out/report
told=$?
# More threads than copies of an exit are preempted in it at once: what the kernel skips then is told, and counted.
case $rc in
    0 | 3) [ $told -eq $rc ] || fail "pressure: record ended with $rc, report with $told" ;;
    *) fail "pressure: the recorder ended with $rc: $(cat $out/record.err)" ;;
esac
# What may be missing of the writeouts: records that their hooks lost.
missing=$(awk '/^Hooks that lost/ { on = 1 } /^$/ { on = 0 }
    on && ($1 == "writeout_exit" || $1 == "write") { gsub(",", ""); n += $3 + $4 + $5 + $6 } END { print n + 0 }' $out/report)
echo "pressure: ended with $rc, $missing writeouts lost"
# near WHAT KERNEL TOLD LEAST: as `same`, but for what was lost.
near() {
    echo "pressure: $1: kernel $2, told $3"
    [ "$3" -le "$2" ] && [ "$2" -le $(($3 + missing)) ] && [ "$3" -ge "$4" ] ||
        fail "pressure: $1: the kernel counts $2, told are $3 and $missing lost, wanted at least $4"
}
sed -n '/^Why/,$p' $out/report

grown() { echo $(($(sed -n "s/^$1 //p" $out/after/vmstat) - $(sed -n "s/^$1 //p" $out/before/vmstat))); }
# of RECLAIMER: pages it swapped out, wherever they went.
of() { echo $(($(column "$title" "$1" 2) + $(column "$title" "$1" 3) + $(column "$title" "$1" 4))); }
title='pages swapped out'
# shellcheck disable=SC2046 # words are wanted
set -- $(wrote $out/written)
near 'swapped out by kswapd' "$1" "$(of kswapd)" 2000
near 'swapped out by threads out of pages' "$2" "$(of direct)" 500
for by in memcg proactive pageout unknown; do
    same "swapped out by $by" 0 "$(of $by)" 0
done
# Whatever was swapped out had been looked at and reclaimed by the same.
for by in kswapd direct; do
    [ "$(of $by)" -le "$(grown pgscan_$by)" ] ||
        fail "pressure: $(of $by) pages went by $by, the kernel looked at $(grown pgscan_$by)"
    echo "pressure: $by: pgscan $(grown pgscan_$by), pgsteal $(grown pgsteal_$by)"
done
near 'swapped out in all' $(($(grown pswpout) + $(grown swpout_zero))) $(($(of kswapd) + $(of direct))) 2500
