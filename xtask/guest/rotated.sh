# A recorder that is killed under load, in a recording over several files: what it wrote is whole up to its last block,
# held against the kernel's own counters at that instant; the next recorder goes on under the same name, and in the end
# its slot map is the kernel's. Runs after lib.sh; load_seconds may be set before.
load_seconds=${load_seconds:-60}
out=/out/rotated
mkdir -p $out
counters='zswpout zswpin zswpwb pswpout pswpin swpout_zero swpin_zero'
# Pages that CPUs have counted and not told yet, or the other way round: a few folios on each.
slack=64
flush_ms=1000

# sample: lines "uptime counter value", the time read before (upper bounds) and after (lower bounds).
sample() {
    local a b
    read -r a _ < /proc/uptime
    grep -E '^(zswp|pswp|swp)' /proc/vmstat > /tmp/sample
    read -r b _ < /proc/uptime
    awk -v a="$a" -v b="$b" '{ print a, b, $1, $2 }' /tmp/sample >> $out/samples
}
sampler() {
    while [ ! -e /tmp/rotated.end ]; do
        sample
        sleep 0.2
    done
}
# worker SEED: swaps until it is told to stop; every page that comes back is compared.
worker() {
    while [ ! -e /tmp/rotated.stop ]; do
        vswap-workload --cgroup "/sys/fs/cgroup/w$1" --set memory.max=20M --set memory.zswap.max=3M --pages 9000 \
            --seed "$1" --steps random:8000,pageout:0-2000,touch-read:0-500 > /dev/null 2>> $out/worker.err ||
            { echo "worker $1 failed" >> $out/worker.err; return 1; }
    done
}
# start NAME OPTIONS...
start() {
    local name=$1
    shift
    vswap record -o $out/r.vswap --rotate-time $((load_seconds / 12))s "$@" 2> $out/$name.err &
    recorder=$!
    until_true 120 grep -q 'recording to' $out/$name.err || fail "rotated: $(cat $out/$name.err)"
}
# totals FILE...: lines "counter value", sums over the files.
totals() {
    for file in "$@"; do
        cat "$file.json"
    done | awk -v names="$counters" '
        BEGIN { n = split(names, name, " "); for (i = 1; i <= n; i++) sum[name[i]] = 0 }
        /"totals": \{/ { inside = 1; next } inside && /\}/ { inside = 0 }
        inside { gsub(/[",:]/, ""); if ($1 in sum) sum[$1] += $2 }
        END { for (c in sum) print c, sum[c] }'
}
# lost FILE.json: records that did not reach the file, and calls that the kernel gave to no program because a task was
# preempted inside it: the second is the kernel's doing and has only to be told, of the first there may be none.
lost() {
    awk '/^  "hooks":/ { on = 1 } /^  "trailer":/ { on = 0 }
        on && /"(lost|fault|map_full)":/ { gsub(/[",:]/, ""); gone += $2 }
        on && /"recursion_misses":/ { gsub(/[",:]/, ""); missed += $2 }
        END { print gone + 0, missed + 0 }' "$1"
}
# hooks_of FILE.json: the hooks that lost some, with how many and why.
hooks_of() {
    awk '/"hook":/ { hook = $2 } /"(lost|fault|map_full|recursion_misses)":/ && $2 + 0 { print hook, $1, $2 }' "$1" | sort -u
}
number() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$2" | head -n 1; }
# at COUNTER TIME lower|upper: the counter at the last sample that ended before TIME, or the first that began after it.
at() {
    awk -v counter="$1" -v time="$2" -v side="$3" '
        $3 != counter { next }
        side == "lower" && $2 <= time { value = $4 }
        side == "upper" && $1 >= time { print $4; found = 1; exit }
        END { if (side == "lower") print value + 0; else if (!found) print $4 + 0 }' $out/samples
}

echo Y > /sys/module/zswap/parameters/enabled
# The last readings before the first record.
sample
awk '{ print $3, $4 }' $out/samples > $out/before
start first
mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "rotated: swapon"
sampler &
sampling=$!
# What is in swap to the end, so that there is something to compare then.
vswap-workload --cgroup /sys/fs/cgroup/w0 --pages 4000 --seed 9 --steps pageout:all,wait:/tmp/rotated.leave > /dev/null &
keeper=$!
workers=
for seed in 1 2; do
    worker $seed &
    workers="$workers $!"
done
# Both swap well before the half is over.
until_true 120 sh -c "[ \$(sed -n 's/^zswpout //p' /proc/vmstat) -gt 4000 ]" || fail "rotated: the load does not swap"
sleep $((load_seconds / 2))
read -r killed_at _ < /proc/uptime
kill -9 $recorder
wait $recorder
first_files=$(ls $out/r-*.vswap)
sleep 2
read -r again_from _ < /proc/uptime
start second --verify
until_true 120 grep -q scanned $out/second.err || fail "rotated: the second recorder does not scan"
read -r again_at _ < /proc/uptime
sleep $((load_seconds / 2))
touch /tmp/rotated.stop
alone() { for pid in $workers; do gone "$pid" || return 1; done; }
until_true 120 alone || fail "rotated: the workers do not end"
until_true 60 still || fail "rotated: the kernel does not come to rest"
touch /tmp/rotated.end
wait $sampling
sample
awk '{ v[$3] = $4 } END { for (c in v) print c, v[c] }' $out/samples > $out/after
kill -INT $recorder
wait $recorder
second_rc=$?
compared=$(sed -n 's/^vswap: compared \([0-9]*\) slots.*: 0 differ$/\1/p' $out/second.err)
[ "${compared:-0}" -ge 2000 ] || fail "rotated: not compared: $(cat $out/second.err)"
touch /tmp/rotated.leave
wait $keeper || fail "rotated: the worker that stays failed"
[ ! -s $out/worker.err ] || fail "rotated: $(cat $out/worker.err)"

# Every file alone.
all=$(ls $out/r-*.vswap)
last_of_first=$(echo "$first_files" | tail -n 1)
missed_by_first=0
missed_by_second=0
for file in $all; do
    vswap report --json "$file" > "$file.json" 2> "$file.err"
    rc=$?
    told=$(number lost "$file.json")
    read -r gone missed <<EOF
$(lost "$file.json")
EOF
    want=0
    [ "$told" -gt 0 ] && want=3
    if [ "$file" = "$last_of_first" ]; then
        # Without its last block it cannot say which hook it was.
        want=5
        missed=$told
    fi
    [ "$gone" -eq 0 ] && [ "$told" -eq "$missed" ] ||
        fail "rotated: $file: $told lost, $gone of them did not reach the file, $missed calls missed: $(hooks_of "$file.json")"
    [ "$told" -eq 0 ] || echo "$file: $told calls missed by the kernel: $(hooks_of "$file.json" | tr '\n' ' ')" >> $out/equalities
    case " $(echo $first_files) " in
        *" $file "*) missed_by_first=$((missed_by_first + told)) ;;
        *) missed_by_second=$((missed_by_second + told)) ;;
    esac
    [ $rc -eq $want ] || fail "rotated: report of $file ended with $rc, not $want: $(cat "$file.err")"
    [ "$(number events "$file.json")" -gt 0 ] || fail "rotated: $file has no events"
    for what in contradictions undecodable; do
        [ "$(number $what "$file.json")" -eq 0 ] || fail "rotated: $file: $what $(number $what "$file.json")"
    done
    vswap slots "$file" > /tmp/rotated.slots 2> /dev/null
    [ $? -eq $want ] || fail "rotated: slots of $file"
    # 0 is nobody: a slot that is not charged yet.
    nameless=$(grep -m 1 '"memcg":"#[1-9]' /tmp/rotated.slots)
    [ -z "$nameless" ] || fail "rotated: $file has no names: $nameless"
done
[ $second_rc -eq $((missed_by_second > 0 ? 3 : 0)) ] ||
    fail "rotated: the second recorder ended with $second_rc, $missed_by_second calls missed: $(cat $out/second.err)"
[ "$(echo "$first_files" | wc -l)" -ge 4 ] || fail "rotated: only $(echo "$first_files" | wc -l) files before the kill"

# What the killed recorder left: everything until its last record, and that is not long before its end.
vswap export "$last_of_first" --format csv -o /tmp/rotated.csv 2> /dev/null
last=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "ts") c = i } NR > 1 { if ($c > m) m = $c } END { printf "%.2f", m / 1e9 }' /tmp/rotated.csv)
gone=$(awk -v a="$killed_at" -v b="$last" 'BEGIN { printf "%d", (a - b) * 1000 }')
# A flush, a drain that takes a while on a busy machine, and the hundredths of uptime.
[ "$gone" -le $((flush_ms + 1500)) ] || fail "rotated: the last record is $gone ms older than the kill"
# shellcheck disable=SC2086 # words are wanted
totals $first_files > $out/first.totals
while read -r counter have; do
    base=$(awk -v c="$counter" '$1 == c { print $2 }' $out/before)
    low=$(($(at "$counter" "$last" lower) - base - missed_by_first))
    high=$(($(at "$counter" "$last" upper) - base))
    echo "killed recorder $counter: $low <= $have <= $high" >> $out/equalities
    [ "$have" -ge $((low - slack)) ] && [ "$have" -le $((high + slack)) ] ||
        fail "rotated: $counter of the files until $last is $have; the kernel had counted $low to $high"
done < $out/first.totals
[ "$(awk '$1 == "zswpout" { print $2 }' $out/first.totals)" -gt 4000 ] || fail "rotated: the load was too weak"

# What the next one has: from its beginning to the end at rest.
second_files=$(for file in $all; do echo "$first_files" | grep -qx "$file" || echo "$file"; done)
# shellcheck disable=SC2086 # words are wanted
totals $second_files > $out/second.totals
while read -r counter have; do
    end=$(awk -v c="$counter" '$1 == c { print $2 }' $out/after)
    low=$((end - $(at "$counter" "$again_at" upper) - missed_by_second))
    high=$((end - $(at "$counter" "$again_from" lower)))
    echo "second recorder $counter: $low <= $have <= $high" >> $out/equalities
    [ "$have" -ge $((low - slack)) ] && [ "$have" -le $((high + slack)) ] ||
        fail "rotated: $counter of the second recorder is $have; the kernel counted $low to $high"
done < $out/second.totals
events=$(for file in $all; do number events "$file.json"; done | awk '{ n += $1 } END { print n }')
bytes=$(cat $all | wc -c)
echo "VSWAP-ROTATED files $(echo "$all" | wc -l), events $events, bytes $bytes, last record $gone ms before the kill, ${compared:-no} slots compared at the end, $((missed_by_first + missed_by_second)) calls missed by the kernel"
swapoff /dev/vda || fail "rotated: swapoff"
rmdir /sys/fs/cgroup/w? 2> /dev/null
