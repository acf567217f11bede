# The dashboard on a terminal: it comes when swap is in use, and `v` holds its slot map against the kernel's tables. Runs
# after lib.sh.
out=/out/dashboard
sync=/tmp/dashboard
mkdir -p $out $sync /dev/pts
mount -t devpts devpts /dev/pts
echo "VSWAP-DASHBOARD begin"
echo Y > /sys/module/zswap/parameters/enabled
devices=/dev/vda
devices_on || fail "dashboard: swapon"
vswap-workload --cgroup /sys/fs/cgroup/wl --pages 4096 --seed 45 \
    --steps "pageout:all,mark:$sync/in-use,wait:$sync/seen,touch-read:0-999,touch-write:500-1499,free:2000-2499,\
pageout:all,mark:$sync/done,wait:$sync/end" 2> $out/worker.err &
worker=$!
until_true 120 [ -f $sync/in-use ] || fail "dashboard: nothing is swapped"
# What the views must say of the load when it rests, in the kernel's own numbers.
grouped() { echo "$1" | sed -e :a -e 's/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta'; }
(
    until_true 120 [ -f $sync/done ] || exit 1
    # Slots given up wait in per-CPU caches of 6.12, still charged; a swapoff empties these.
    if grep -q ' swapcache_free_entries$' /proc/kallsyms; then
        zram 0 4M
        mkswap /dev/zram0 > /dev/null && vswap-workload --swapon /dev/zram0 && swapoff /dev/zram0 ||
            fail "dashboard: the caches of slots are not emptied"
        zram_off 0
    fi
    slots=$(grouped $(($(cat /sys/fs/cgroup/wl/memory.swap.current) / 4096)))
    zswap=$(grouped "$(cat /sys/kernel/debug/zswap/stored_pages)")
    echo "zswap $zswap" > $sync/zswap
    # Virtual slots cost nothing, and the kernel does not say how many there are of whom.
    grep -q ' vswap_si$' /proc/kallsyms && slots=
    echo "wl ${slots:+$slots $zswap}" > $sync/wl
    echo "in use $slots" > $sync/used.new && mv $sync/used.new $sync/used
) &
# The load goes on when the scan is over, and rests before `v` is typed. View 8 says in words what was compared. Then
# every view is looked at, and those with sums must have the kernel's.
vswap-workload --terminal "100 % confirmed|mark:$sync/seen" --terminal "wait:$sync/used|8" --terminal 'first scan|v' \
    --terminal ' slots compared with|1' --terminal "text:$sync/used|" --terminal "text:$sync/zswap|4" \
    --terminal "text:$sync/wl|2" --terminal ' slots used|3' --terminal 'newest first|5' \
    --terminal 'Spread of in zero|6' --terminal 'Slots since the start|7' --terminal 'Model beside the kernel|q' \
    -- vswap live > $out/screen 2> $out/screen.err || {
        fail "dashboard: $(cat $out/screen.err)"
        echo "the kernel: $(cat $sync/used $sync/zswap $sync/wl /sys/fs/cgroup/wl/memory.swap.current /proc/swaps)"
    }
# The screen moves over blanks instead of drawing them.
tr -d ' \n' < $out/screen > $out/solid
grep -qE "[1-9][0-9.,]*[kM]?slotscomparedwiththekernel'stables,0differ" $out/solid ||
    fail "dashboard: v does not find the map right: $(grep -o '.*slotscompared.*' $out/solid | tail -c 300)"
touch $sync/end
wait $worker || fail "dashboard: the worker failed: $(cat $out/worker.err)"
devices_off || fail "dashboard: swapoff"
rmdir /sys/fs/cgroup/wl
echo "VSWAP-DASHBOARD end"
