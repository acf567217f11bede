# Head of the suite's script: one function per scenario kind. Everything the host checks goes to /out/NAME.

failed=0
# khugepaged brings pages back whenever it likes, also between two readings that must agree.
echo 3600000 > /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs

# How often programs run, how often zswap is told to forget a slot, and how often virtual slots want a physical one.
echo 1 > /proc/sys/kernel/bpf_stats_enabled
oracle() {
    grep -q " $2\$" /proc/kallsyms && echo "p:oracle/$1 $2" >> /sys/kernel/tracing/kprobe_events &&
        echo 1 > "/sys/kernel/tracing/events/oracle/$1/enable"
}
[ -d /sys/module/zswap ] && oracle invalidate zswap_invalidate
oracle realloc folio_realloc_swap

fail() {
    echo "VSWAP-SCENARIO-FAILED $*"
    failed=1
}

# until_true SECONDS COMMAND...: false when the time is over.
until_true() {
    local tenths=$(($1 * 10))
    shift
    until "$@"; do
        tenths=$((tenths - 1))
        [ $tenths -le 0 ] && return 1
        sleep 0.1
    done
}

# load_more: modules that not every boot needs, and where null_blk is configured.
load_more() {
    while read -r module; do
        insmod "/modules/$module" || fail "cannot load $module"
    done < /modules/more
    mount -t configfs configfs /sys/kernel/config
}

# size MODE KIB: large folios of this size always, madvise or never.
size() { echo "$1" > "/sys/kernel/mm/transparent_hugepage/hugepages-${2}kB/enabled"; }
# zram N SIZE, zram_off N: a device in memory, made and taken back.
zram() {
    [ -b "/dev/zram$1" ] || cat /sys/class/zram-control/hot_add > /dev/null
    echo "$2" > "/sys/block/zram$1/disksize"
}
# sizes MODE: all of them but huge pages, which have a line of their own.
sizes() { for kib in 16 32 64 128 256 512 1024 2048; do size "$1" $kib; done; }
# nullb MIB, nullb_off: the device n0 in memory, with blocks that can be made bad and that can be discarded.
nullb() {
    local n0=/sys/kernel/config/nullb/n0
    mkdir $n0
    echo "$1" > $n0/size
    for setting in memory_backed=1 discard=1 blocksize=4096 power=1; do
        echo ${setting#*=} > $n0/${setting%=*}
    done
    until_true 10 [ -b /dev/n0 ] || fail "no /dev/n0"
}
nullb_off() { rmdir /sys/kernel/config/nullb/n0; }
# file_system DEVICE, swap_file PATH MIB: a file that holds slots.
file_system() { mkdir -p /mnt && mke2fs -F -b 4096 "$1" > /dev/null && mount -t ext4 "$1" /mnt || fail "no file system"; }
swap_file() { dd if=/dev/zero of="$1" bs=1M count="$2" 2> /dev/null && chmod 600 "$1" && sync || fail "no swap file"; }
zram_off() { echo 1 > "/sys/block/zram$1/reset"; }

# swapped DIR PAGES: so many pages went to zswap since the snapshot in DIR.
swapped() {
    local before now
    before=$(sed -n 's/^zswpout //p' "$1/vmstat")
    now=$(sed -n 's/^zswpout //p' /proc/vmstat)
    [ $((now - before)) -ge "$2" ]
}

# One device a line: `PATH [PRIORITY|discard]`.
devices=/dev/vda
devices_on() {
    echo "$devices" | while read -r path priority; do
        case $priority in
            discard) set -- --discard ;;
            ?*) set -- --priority "$priority" ;;
            *) set -- ;;
        esac
        mkswap "$path" > /dev/null && vswap-workload --swapon "$path" "$@" || return 1
    done
}
devices_off() {
    echo "$devices" | while read -r path priority; do
        until_true 100 swapoff "$path" || return 1
    done
}

# What $out/report says of causes.
# told TITLE WORD [WORD]: sum of the last column of the report's rows that begin with the words.
told() {
    awk -v title="Why: $1" -v first="$2" -v second="$3" '
        index($0, title) == 1 { on = 1; next }
        /^$/ { on = 0 }
        on && $1 == first && (second == "" || $2 == second) { gsub(",", ""); n += $NF }
        END { print n + 0 }' $out/report
}
# column TITLE WORD N: the Nth column of the row of that word.
column() {
    awk -v title="Why: $1" -v first="$2" -v n="$3" '
        index($0, title) == 1 { on = 1; next }
        /^$/ { on = 0 }
        on && $1 == first { gsub(",", ""); sum += $n }
        END { print sum + 0 }' $out/report
}
# same WHAT KERNEL TOLD LEAST: equal, and enough to prove something.
same() {
    echo "${out##*/}: $1: kernel $2, told $3"
    [ "$2" -eq "$3" ] && [ "$3" -ge "$4" ] || fail "${out##*/}: $1: the kernel counts $2, told are $3, wanted at least $4"
}

recording() { grep -q 'recording to' "$1/record.err" || ! kill -0 "$recorder" 2> /dev/null; }
scanned() { grep -q 'scanned' "$1/record.err"; }
# attached FILE: `vswap live` without a screen has said there that it watches, or is gone.
attached() { grep -q 'watching this host' "$1" || gone "$recorder"; }
# certain DIR: records were lost, and the tables were read again after the last of them. Where slots were in use at the
# start, they were read then as well.
certain() {
    grep -q 'records were lost' "$1/record.err" &&
        [ "$(grep -o 'records were lost\|scanned' "$1/record.err" | tail -n 1)" = scanned ]
}
gone() { ! kill -0 "$1" 2> /dev/null; }
# all_marked FILE COUNT: every worker has made its mark, or one has died.
all_marked() {
    for pid in $workers; do gone "$pid" && return 0; done
    [ "$(ls "$1".* 2> /dev/null | wc -l)" -eq "$2" ]
}

# What moves while the kernel still swaps: writeback under way, and the counters themselves.
pulse() {
    grep -E '^(pswp|zswp|swp|nr_writeback )' /proc/vmstat
    cat /proc/swaps
}
still() {
    grep -q '^nr_writeback 0$' /proc/vmstat || return 1
    local first
    first=$(pulse)
    sleep 0.5
    [ "$first" = "$(pulse)" ]
}

# snapshot DIR: every counter of the kernel that the trace must agree with.
snapshot() {
    mkdir -p "$1"
    # CPUs add what they counted to the sums.
    cat /proc/sys/vm/stat_refresh > /dev/null
    cat /proc/vmstat > "$1/vmstat"
    cat /proc/swaps > "$1/swaps"
    # Of all cgroups, removed ones too.
    cat /sys/fs/cgroup/memory.stat > "$1/memory.stat"
    for cgroup in /sys/fs/cgroup/*/; do
        [ -f "$cgroup/memory.swap.current" ] || continue
        cat "$cgroup/memory.swap.current" > "$1/$(basename "$cgroup").swap.current"
        cat "$cgroup/memory.swap.events" > "$1/$(basename "$cgroup").swap.events"
    done
    for size in /sys/kernel/mm/transparent_hugepage/hugepages-*; do
        (cd "$size/stats" && grep '' swpout zswpout) > "$1/$(basename "$size").stats" 2> /dev/null
    done
    local event counts
    while read -r event counts; do
        echo "$event $counts" > "$1/$event"
    done < /sys/kernel/tracing/kprobe_profile
    [ -d /sys/module/zswap ] || touch "$1/no-zswap"
    for disk in /sys/block/*/stat; do
        echo "$disk $(cat "$disk")" >> "$1/disks"
    done
    for file in /sys/kernel/debug/zswap/* /sys/kernel/debug/vswap/*; do
        [ -f "$file" ] && cat "$file" > "$1/$(basename "$(dirname "$file")").$(basename "$file")"
    done
    return 0
}

# The recorder is asked to end, and does.
wait_for_end() {
    kill -INT $recorder
    until_true 120 gone $recorder || kill -9 $recorder
    wait $recorder
    echo $? > "$1/record.rc"
}
# record: starts the recorder of the scenario whose variables these are; false if it does not record.
record() {
    # shellcheck disable=SC2086 # words are wanted
    vswap record -o "$dir/trace.vswap" $record_args 2> "$dir/record.err" &
    recorder=$!
    until_true 120 recording "$dir" || { fail "$name: the recorder does not start recording"; kill -9 $recorder; return 1; }
    gone $recorder || return 0
    wait $recorder
    echo $? > "$dir/record.rc"
    fail "$name: the recorder ended: $(cat "$dir/record.err")"
    return 1
}

# scenario NAME ZSWAP RECORD_ARGS END WORKER...
#   ZSWAP: Y or N. END: int (clean end), kill (kill -9 while the load runs), live (`vswap live --check` instead of a
#   recorder, clean end), off (swapoff while the load runs, then a clean end), late (the
#   recorder comes when every worker has made its mark /tmp/NAME/in-use.N, while they go on; /tmp/NAME/recording tells
#   them that it has read the tables; clean end), rescan (workers overflow the ring and make their marks
#   /tmp/NAME/lost.N; /tmp/NAME/certain tells them that the recorder has read the tables again; clean end).
#   WORKER: 'OPTIONS|STEPS' of vswap-workload. Workers run at the same time and tell the truth together, when all
#   have done their steps and the kernel has come to rest.
scenario() {
    local name=$1 zswap=$2 record_args=$3 end=$4
    shift 4
    local dir=/out/$name sync=/tmp/$name
    mkdir -p "$dir" "$sync"
    if [ "$end" = live ] && [ "$(cat /sys/kernel/debug/vswap/used 2> /dev/null || echo 0)" -gt 0 ]; then
        # The model's virtual layer begins empty: the host is told that this was left out.
        echo "with slots left on the virtual device" > "$dir/skipped"
        return
    fi
    if [ ! -d /sys/module/zswap ] && [ "$zswap" = Y ]; then
        echo "without zswap" > "$dir/skipped"
        return
    fi
    echo "VSWAP-SCENARIO $name"
    [ ! -d /sys/module/zswap ] || echo "$zswap" > /sys/module/zswap/parameters/enabled
    snapshot "$dir/before"
    recorder=
    if [ "$end" = live ]; then
        vswap live --check --headless --json > "$dir/live.json" 2> "$dir/record.err" &
        recorder=$!
        until_true 120 attached "$dir/record.err" || { fail "$name: vswap live does not attach"; kill -9 $recorder; return; }
        gone $recorder && { fail "$name: vswap live ended: $(cat "$dir/record.err")"; return; }
    elif [ "$end" != late ]; then
        record || return
    fi
    devices_on || { fail "$name: swapon"; return; }
    local count=0
    workers=
    for worker in "$@"; do
        # shellcheck disable=SC2086 # words are wanted
        vswap-workload ${worker%%|*} \
            --steps "${worker#*|},mark:$sync/done.$count,wait:$sync/tell,truth,mark:$sync/told.$count,wait:$sync/end" \
            > "$dir/truth.$count" 2> "$dir/worker.$count.err" &
        workers="$workers $!"
        count=$((count + 1))
    done
    if [ "$end" = late ]; then
        until_true 300 all_marked "$sync/in-use" $count || fail "$name: workers do not get to their mark"
        record || return
        until_true 120 scanned "$dir" || fail "$name: the recorder does not scan"
        touch "$sync/recording"
    fi
    if [ "$end" = rescan ]; then
        until_true 600 all_marked "$sync/lost" $count || fail "$name: workers do not get to their mark"
        until_true 240 certain "$dir" || fail "$name: the recorder does not read the tables again: $(tail -n 3 "$dir/record.err")"
        touch "$sync/certain"
    fi
    if [ "$end" = off ]; then
        until_true 120 swapped "$dir/before" 4000 || fail "$name: the load does not swap"
        devices_off || fail "$name: swapoff under load"
        # shellcheck disable=SC2086 # words are wanted
        kill $workers
        # Virtual slots go with them, which is still to be told.
        # shellcheck disable=SC2086 # words are wanted
        wait $workers
        until_true 60 still || fail "$name: the kernel does not come to rest after swapoff"
        wait_for_end "$dir"
        snapshot "$dir/after"
        cat /proc/swaps > "$dir/swaps.end"
        # They were ended before they could tell anything.
        rm "$dir"/truth.*
        rmdir /sys/fs/cgroup/*/ 2> /dev/null
        echo "VSWAP-SCENARIO-END $name"
        return
    fi
    if [ "$end" = kill ]; then
        sleep 5
        kill -9 $recorder
        wait $recorder
        echo $? > "$dir/record.rc"
    fi
    until_true 600 all_marked "$sync/done" $count || fail "$name: workers do not end"
    until_true 60 still || fail "$name: the kernel does not come to rest"
    touch "$sync/tell"
    until_true 60 all_marked "$sync/told" $count || fail "$name: workers do not tell"
    until_true 60 still || fail "$name: the kernel does not come to rest after the truth"
    snapshot "$dir/after"
    if [ "$end" = rescan ]; then
        until_true 240 certain "$dir" || fail "$name: the recorder does not read the tables again: $(tail -n 3 "$dir/record.err")"
    fi
    [ "$end" = kill ] || wait_for_end "$dir"
    cat /proc/swaps > "$dir/swaps.end"
    touch "$sync/end"
    for pid in $workers; do
        # Whoever the kernel killed says nothing: the kernel does.
        wait "$pid" || fail "$name: a worker failed: $(cat "$dir"/worker.*.err) $(dmesg | grep 'Killed process')"
    done
    dmesg > "$dir/dmesg"
    [ "$end" = off ] || devices_off || fail "$name: swapoff"
    rmdir /sys/fs/cgroup/*/ 2> /dev/null
    echo "VSWAP-SCENARIO-END $name"
}
