# Causes: each is forced by itself, and what the recording says of it is held against the kernel's own counters. One
# recording; the counters are read between the parts. Runs after lib.sh.
out=/out/causes
mkdir -p $out
zswap=/sys/module/zswap/parameters
debug=/sys/kernel/debug/zswap

value() { sed -n "s/^$1 //p" "$2/vmstat" 2> /dev/null; }
# grown COUNTER PART: by how much a counter of vmstat, or zswap.NAME of debugfs, grew in a part.
grown() {
    local a b
    case $1 in
        zswap.*) a=$(cat "$out/$2.before/$1") b=$(cat "$out/$2.after/$1") ;;
        *) a=$(value "$1" "$out/$2.before") b=$(value "$1" "$out/$2.after") ;;
    esac
    echo $((${b:-0} - ${a:-0}))
}
# begin PART, end PART
begin() { echo "VSWAP-CAUSES $1"; snapshot "$out/$1.before"; }
end() {
    until_true 60 still || fail "causes $1: the kernel does not come to rest"
    snapshot "$out/$1.after"
}
load() { # CGROUP OPTIONS...
    local cgroup=/sys/fs/cgroup/$1
    shift
    vswap-workload --cgroup "$cgroup" "$@" > /dev/null || fail "causes: workload in $cgroup"
}

echo Y > $zswap/enabled
echo N > $zswap/shrinker_enabled
vswap record -o $out/trace.vswap 2> $out/record.err &
recorder=$!
until_true 120 grep -q 'recording to' $out/record.err || fail "causes: $(cat $out/record.err)"
devices_on || fail "causes: swapon"

# 6.12 stores only what compresses, and that to next to nothing.
limit=1500K
case $(uname -r) in 6.12.*) limit=24K ;; esac
begin memcg
load limit --set memory.max=6M --set memory.zswap.max=$limit --pages 3300 --seed 21 --steps random:4500
end memcg

echo Y > $zswap/shrinker_enabled
begin shrinker
# The kernel lets its shrinker write back the more, the less of zswap is used again: it may take a few turns.
for seed in 31 32 33 34 35 36; do
    load shrink --set memory.max=6M --pages 4000 --seed $seed --steps pageout:all,random:3000,reclaim:2000
    before=$(value zswpwb $out/shrinker.before)
    [ $(($(sed -n 's/^zswpwb //p' /proc/vmstat) - ${before:-0})) -ge 300 ] && break
done
end shrinker
begin proactive
load asked --pages 6000 --pattern comp --seed 23 --steps reclaim:3000,reclaim:3000,reclaim:3000
end proactive
echo N > $zswap/shrinker_enabled

echo N > $zswap/enabled
begin disabled
load off --pages 1000 --seed 24 --steps pageout:all
end disabled
echo Y > $zswap/enabled

# Not compressible: since 6.18 such a page is stored as it is, unless its cgroup may not be written back.
begin rough
load rough --set memory.zswap.writeback=0 --pages 1000 --pattern rand --steps pageout:all
end rough
# What one compressor calls a failure is too little room to another; which does what differs between kernels.
before=$(cat $zswap/compressor)
echo deflate > $zswap/compressor || fail "causes: no other compressor"
begin poor
load poor --set memory.zswap.writeback=0 --pages 1000 --pattern rand --seed 30 --steps pageout:all
end poor
echo "$before" > $zswap/compressor

# starve CACHE PART SEED: no object of that slab cache for a while, where the kernel can be told to (CONFIG_FAILSLAB).
# Debian's cannot, and a store may use the memory that reclaim keeps for itself: their counters stay 0.
starve() {
    begin $2
    echo 1 | tee /sys/kernel/slab/$1/failslab > /dev/null && echo 100 > $failslab/probability ||
        fail "causes $2: no cache $1 that can fail"
    load starved --pages 1000 --pattern comp --seed $3 --steps pageout:all
    echo 0 > $failslab/probability
    echo 0 | tee /sys/kernel/slab/$1/failslab > /dev/null
    end $2
}
failslab=/sys/kernel/debug/failslab
starved=0
if [ -d $failslab ]; then
    starved=900
    echo Y > $failslab/cache-filter
    echo N > $failslab/ignore-gfp-wait
    echo -1 > $failslab/times
    echo 0 > $failslab/verbose
    starve "zs_handle*" no-handle 35
    starve "zswap_entry*" no-entry 36
fi

# A pool of no size is full whatever the pages compress to: its worker empties it, and it refuses what comes. The worker
# spares an entry once, gives up after 16, and is woken by the next refusal: few entries, and enough of those for it to
# come round.
begin pool
share=$(cat $zswap/max_pool_percent)
vswap-workload --cgroup /sys/fs/cgroup/pool --pages 8000 --seed 25 \
    --steps "pageout:0-999,mark:/tmp/causes-stored,wait:/tmp/causes-small,pageout:4000-7999,sleep:500,\
touch-write:4000-7999,pageout:4000-7999,sleep:500,touch-write:4000-7999,pageout:4000-7999" > /dev/null &
pool=$!
until_true 120 [ -f /tmp/causes-stored ] || fail "causes: nothing is stored"
echo 0 > $zswap/max_pool_percent
touch /tmp/causes-small
wait $pool || fail "causes: workload of the pool"
end pool
echo "$share" > $zswap/max_pool_percent

begin swapmax
load swapmax --set memory.swap.max=2M --pages 2000 --seed 26 --steps pageout:all
end swapmax
over=$(sed -n 's/^max //p' /sys/fs/cgroup/swapmax/memory.swap.events)
devices_off || fail "causes: swapoff"

# A device of 4 MiB: pages, then holes of a page each, then folios of 64 KiB.
size always 64
mkswap /dev/vda 4096 > /dev/null && vswap-workload --swapon /dev/vda || fail "causes: small device"
before=$(cat /sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/swpout_fallback)
vswap-workload --cgroup /sys/fs/cgroup/holes --pages 1000 --seed 27 \
    --steps "pageout:all,free:0-999/2,mark:/tmp/causes-holes,wait:/tmp/causes-end" > /dev/null &
holes=$!
until_true 60 [ -f /tmp/causes-holes ] || fail "causes: no holes"
load large --thp --pages 496 --block 16 --seed 28 --steps pageout:all
fallback=$(($(cat /sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/swpout_fallback) - before))
load full --pages 3000 --seed 29 --steps pageout:all
full=0
for cgroup in holes large full; do
    full=$((full + $(sed -n 's/^fail //p' /sys/fs/cgroup/$cgroup/memory.swap.events)))
done
touch /tmp/causes-end
wait $holes
size never 64
swapoff /dev/vda || fail "causes: swapoff of the small device"
rmdir /sys/fs/cgroup/*/ 2> /dev/null

kill -INT $recorder
wait $recorder
rc=$?
[ $rc -eq 0 ] || fail "causes: the recorder ended with $rc: $(cat $out/record.err)"
vswap report $out/trace.vswap > $out/report || fail "causes: report"
vswap report --json $out/trace.vswap > $out/report.json
sed -n '/^Why/,$p' $out/report

title='pages written back by zswap'
# Its worker does nothing for a pool as small as what 6.12 takes of this load.
least=500
case $(uname -r) in 6.12.*) least=0 ;; esac
same 'written back for a cgroup at its limit' "$(grown zswpwb memcg)" "$(told "$title" memcg_limit)" 20
same 'written back for the shrinker' $(($(grown zswpwb shrinker) + $(grown zswpwb proactive))) \
    "$(told "$title" shrinker)" 200
same 'written back for the full pool' "$(grown zswpwb pool)" "$(told "$title" pool_limit)" $least
same 'written back for no cause' 0 "$(told "$title" unknown)" 0
walks='entries that zswap looked at for writeback'
for cause in shrinker pool_limit memcg_limit; do
    same "walks of $cause wrote" "$(told "$title" $cause)" "$(column "$walks" $cause 3)" 0
done
asked=$(($(column 'pages swapped out' proactive 2) + $(column 'pages swapped out' proactive 3) + \
    $(column 'pages swapped out' proactive 4)))
[ $asked -ge 3000 ] || fail "causes: only $asked pages went because somebody asked"
# Whoever went was looked at before; kernels before 6.15 do not count that apart. The shrinker's part asks, too. Not all
# have it in vmstat: what a cgroup is asked for counts there as the cgroup's alone.
looked_at() { sed -n 's/^pgscan_proactive //p' "$out/$1/memory.stat"; }
if grep -q '^pgscan_proactive' $out/proactive.after/memory.stat; then
    looked=$(($(looked_at proactive.after) - $(looked_at shrinker.before)))
    [ $asked -le $looked ] || fail "causes: $asked pages went because somebody asked, the kernel looked at $looked"
fi

refused='refused by zswap'
same 'refused while off' "$(grown pswpout disabled)" "$(column "$refused" disabled 3)" 300
# What else reaches the device could not be compressed.
rough() { echo $(($(grown zswap.reject_compress_fail "$1") + $(grown zswap.reject_compress_poor "$1"))); }
same 'refused at the cgroup limit' $(($(grown pswpout memcg) - $(grown zswpwb memcg) - $(rough memcg))) \
    "$(column "$refused" memcg_limit 3)" 5
same 'refused by the full pool' $(($(grown pswpout pool) - $(grown zswpwb pool) - $(rough pool))) \
    "$(column "$refused" pool_limit 3)" 500
[ "$(grown zswap.pool_limit_hit pool)" -gt 0 ] || fail "causes: the pool never reached its limit"
for reason in compress_fail compress_poor; do
    least=900
    # Seen on 6.12: both compressors fail there, none compresses poorly.
    case $reason-$(uname -r) in compress_poor-6.12.*) least=0 ;; esac
    same "refused for $reason" "$(cat $debug/reject_$reason)" "$(column "$refused" $reason 2)" $least
done
same 'refused for alloc_fail' "$(cat $debug/reject_alloc_fail)" "$(column "$refused" alloc_fail 2)" $starved
same 'refused for entry_fail' "$(cat $debug/reject_kmemcache_fail)" "$(column "$refused" entry_fail 2)" $starved

slots='folios without slots'
if grep -q ' vswap_si$' /proc/kallsyms; then
    # Virtual slots are always there, and cost nothing before there is a physical one behind them.
    without=$(($(told "$slots" memcg_limit) + $(told "$slots" no_run) + $(told "$slots" no_space)))
    same 'no slot where slots are virtual' $((over + fallback + full)) $((without + $(told "$slots" unknown))) 0
else
    same 'no slot at memory.swap.max' "$over" "$(told "$slots" memcg_limit)" 500
    same 'large folios without slots' "$fallback" \
        "$(awk '/^Why: folios without/ { on = 1 } /^$/ { on = 0 } on && $2 == 4 { gsub(",", ""); n += $3 } END { print n + 0 }' $out/report)" 10
    [ "$(told "$slots" no_run)" -ge 10 ] || fail "causes: no folio lacked a run of slots"
    same 'no slot at all' "$full" $(($(told "$slots" no_space) + $(told "$slots" no_run) + $(told "$slots" unknown))) 500
    [ "$(told "$slots" no_space)" -ge 500 ] || fail "causes: the device was never full"
fi
