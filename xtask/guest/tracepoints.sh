# The rung of tracepoints: its sums are the kernel's own, by number: those of each cgroup in memory.stat, of the machine
# in vmstat, of the device in pages swapped. Where the kernel missed calls, they are short by no more than these. Runs
# after lib.sh.
out=/out/tracepoints
mkdir -p $out
names='pswpin pswpout zswpin zswpout zswpwb swpin_zero swpout_zero'

# sums FILE CGROUP: lines "name n" of that cgroup.
sums() {
    awk -v want="\"$2\"," '/"cgroups": \[/ { on = 1 } /"unattributed"/ { on = 0 }
        on && $1 == "\"path\":" { path = $2 } on && path == want && $2 ~ /^[0-9]+,?$/ { gsub(/[":,]/, ""); print $1, $2 }' "$1"
}
# of NAME: its number in lines "name n", 0 if there is none.
of() { awk -v want="$1" '$1 == want { n = $2 } END { print n + 0 }'; }
ready() { grep -q 'not which slots' "$1" || gone "$recorder"; }
# missed FILE HOOK: calls that the kernel did not give to that program, as it counted them: a task preempted inside a
# program keeps others on its CPU from it.
missed() {
    awk -v want="\"$2\":" '/"missed": \{/ { on = 1 } on && $1 == want { n = $2 + 0 } on && /}/ { on = 0 } END { print n + 0 }' "$1"
}
# within TOLD TRUE MISSED: what is told is the truth, or short of it by no more than calls were missed, of a page each.
within() { [ "$1" -le "$2" ] && [ $(($2 - $1)) -le "$3" ]; }
# near TOLD TRUE MISSED: they differ by no more than calls were missed, whatever these would have told.
near() { within "$1" "$2" "$3" || within "$2" "$1" "$3"; }

# counted NAME ZSWAP AS: the same load, counted by whoever AS makes it.
counted() {
    local name=$1
    echo "$2" > /sys/module/zswap/parameters/enabled
    # shellcheck disable=SC2086 # words are wanted
    $3 vswap live --rung tracepoint --json > $out/$name.json 2> $out/$name.err &
    recorder=$!
    until_true 120 ready $out/$name.err
    gone $recorder && { fail "tracepoints $name: $(cat $out/$name.err)"; return; }
    grep -qE '^CapEff:[[:space:]]0+$' /proc/$recorder/status || fail "tracepoints $name: privileges left"
    mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "tracepoints $name: swapon"
    # A device that came is noticed at the next look.
    sleep 2
    workers=
    for seed in 1 2; do
        vswap-workload --cgroup /sys/fs/cgroup/w$seed --set memory.max=16M --set memory.zswap.max=2M --pages 5000 \
            --seed $seed --steps random:6000,fork,touch-write:0-400,pageout:all,touch-read:0-600,free:700-900 > /dev/null &
        workers="$workers $!"
    done
    for pid in $workers; do wait "$pid" || fail "tracepoints $name: workload"; done
    until_true 60 still || fail "tracepoints $name: the kernel does not come to rest"
    # The kernel brings memory.stat up to date every 2 s, and the totals look once a second.
    sleep 3
    for seed in 1 2; do
        cp /sys/fs/cgroup/w$seed/memory.stat $out/$name.w$seed
        # In pages, as our sums are.
        echo "charged $(($(cat /sys/fs/cgroup/w$seed/memory.swap.current) / 4096))" >> $out/$name.w$seed
        echo "in_zswap $(($(of zswapped < $out/$name.w$seed) / 4096))" >> $out/$name.w$seed
    done
    kill -INT $recorder
    until_true 60 gone $recorder || kill -9 $recorder
    wait $recorder
    local rc=$?
    local events state bio
    events=$(missed $out/$name.json t_events)
    state=$(missed $out/$name.json t_state)
    bio=$(missed $out/$name.json t_bio)
    echo "$name: missed calls: $events of events, $state of state, $bio of requests" >> $out/equalities
    swapoff /dev/vda || fail "tracepoints $name: swapoff"

    # Every row of the machine is what vmstat counted.
    awk '$1 == "\"total\":" { total = $2 + 0 } $1 == "\"counter\":" && $2 != "null" { print total, $2 + 0 }' $out/$name.json > $out/$name.rows
    [ "$(wc -l < $out/$name.rows)" -ge 7 ] || fail "tracepoints $name: few rows: $(cat $out/$name.json)"
    # A call missed that was about swap leaves a sum below the kernel's counter, and the exit code tells. Of calls missed
    # where the kernel counts nothing, nobody knows whether they were.
    local want=0
    awk '$1 < $2 { found = 1 } END { exit !found }' $out/$name.rows && want=3
    [ $rc -eq $want ] || fail "tracepoints $name: ended with $rc, not $want: $(grep -A3 '"missed"' $out/$name.json; cat $out/$name.rows $out/$name.err)"
    awk -v missed="$events" '$1 > $2 { bad = 1 } { short += $2 - $1 } END { exit bad || short > missed }' $out/$name.rows || fail "tracepoints $name: sums and vmstat differ: $(cat $out/$name.rows)"
    [ "$(awk '{ n += $1 } END { print n }' $out/$name.rows)" -gt 5000 ] || fail "tracepoints $name: the load does not swap"

    # Requests carry the pages that the device was swapped to and from.
    local pages bytes
    for way in read:pswpin written:pswpout; do
        pages=$(cat $out/$name.w1 $out/$name.w2 | awk -v want="${way#*:}" '$1 == want { n += $2 } END { print n + 0 }')
        case $(uname -r) in 6.12.*) pages=$(awk -v want="\"${way#*:}\":" '/"counted"/ { on = 1 } on && $1 == want { print $2 + 0; exit }' $out/$name.json) ;; esac
        bytes=$(sed -n "s/^ *\"${way%%:*}_bytes\": \([0-9]*\),/\1/p" $out/$name.json)
        within $((bytes / 4096)) "$pages" "$bio" || fail "tracepoints $name: $bytes bytes ${way%%:*}, $pages pages"
        echo "$name: ${way%%:*} $bytes bytes = $pages pages" >> $out/equalities
    done
    # Limits made it write.
    [ "$(awk '$1 == "\"by\":" && $2 == "\"cgroup\"," { on = 1 } on && $1 == "\"written\":" { print $2 + 0; exit }' $out/$name.json)" -gt 1000 ] ||
        fail "tracepoints $name: reclaim of cgroups is not seen"

    for cgroup in w1 w2; do
        sums $out/$name.json /$cgroup > $out/$name.$cgroup.sums
        case $(uname -r) in
            6.12.*) [ ! -s $out/$name.$cgroup.sums ] || fail "tracepoints $name: cgroups on a kernel that does not tell" ;;
            *)
                for n in $names; do
                    grep -q "^$n " $out/$name.$cgroup || continue
                    within "$(of $n < $out/$name.$cgroup.sums)" "$(of $n < $out/$name.$cgroup)" "$events" ||
                        fail "tracepoints $name: $n of $cgroup: $(of $n < $out/$name.$cgroup.sums), memory.stat: $(of $n < $out/$name.$cgroup)"
                    echo "$name $cgroup: $n $(of $n < $out/$name.$cgroup)" >> $out/equalities
                done
                # What came and did not go is what the kernel says is there. Its process is gone, but pages in the swap
                # cache keep their slots. Where slots are virtual only those of the device are charged: fewer.
                least=1000
                grep -q ' vswap_si$' /proc/kallsyms && least=100
                charged=$(of slots_charged < $out/$name.$cgroup.sums)
                back=$(of slots_uncharged < $out/$name.$cgroup.sums)
                [ "$charged" -gt $least ] && near $((charged - back)) "$(of charged < $out/$name.$cgroup)" "$state" ||
                    fail "tracepoints $name: slots of $cgroup: $charged - $back, memory.swap.current: $(of charged < $out/$name.$cgroup)"
                added=$(of zswap_added < $out/$name.$cgroup.sums)
                gone=$(of zswap_gone < $out/$name.$cgroup.sums)
                near $((added - gone)) "$(of in_zswap < $out/$name.$cgroup)" "$state" ||
                    fail "tracepoints $name: zswap of $cgroup: $added - $gone, memory.stat: $(of in_zswap < $out/$name.$cgroup)"
                echo "$name $cgroup: slots $charged - $back, zswap $added - $gone" >> $out/equalities
                ;;
        esac
        rmdir /sys/fs/cgroup/$cgroup
    done
    grep -q '"state": "blind"' $out/$name.json && [ "$(uname -r | cut -c1-4)" != 6.12 ] &&
        fail "tracepoints $name: not all attached: $(grep -B6 -A2 '"state": "blind"' $out/$name.json)"
}
counted zswap Y ""
counted device N "vswap-workload --as-user 1000 --caps cap_bpf,cap_perfmon --"
# Slots are not there on this rung, and it says so instead of pretending.
vswap live --rung tracepoint --check --headless --duration 1s 2> $out/model.err
[ $? -eq 2 ] && grep -q 'needs slots' $out/model.err || fail "tracepoints: the model without slots: $(cat $out/model.err)"
