# What vswap may do, what it gives up, and what it says when it may not. Runs after lib.sh.
out=/out/rights
mkdir -p $out
# Files of the recorder that is not root.
mkdir $out/user && chmod 0777 $out/user

# powerless PID: no thread of it has any capability left, nor a way to one.
powerless() {
    for status in /proc/"$1"/task/*/status; do
        grep -E '^(Cap...|NoNewPrivs):' "$status" >> $out/powerless
        [ "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):[[:space:]]0000000000000000$' "$status")" -eq 4 ] || return 1
        grep -qE '^NoNewPrivs:[[:space:]]1$' "$status" || return 1
    done
}
# attached to the kernel's functions: by the kernel's own lists.
hooked() {
    cat /sys/kernel/tracing/enabled_functions /sys/kernel/debug/kprobes/list 2> /dev/null | wc -l
}
started() { grep -q 'recording to' "$1" || gone "$recorder"; }
end_recorder() {
    kill -INT $recorder
    until_true 60 gone $recorder || kill -9 $recorder
    wait $recorder
}
# report TRACE WANTED-RC: lost records end it with 3, as they end the recording.
report() {
    vswap report --json "$1" > "$1.json" 2> "$1.err"
    local rc=$?
    [ $rc -eq "$2" ] || fail "rights: report of $1 ended with $rc: $(cat "$1.err")"
}
# number FILE NAME: the first member of that name.
number() { sed -n "s/^ *\"$2\": *\([0-9]*\),*$/\1/p" "$1" | head -n 1; }
load() {
    mkswap /dev/vda > /dev/null && swapon /dev/vda || fail "rights: swapon"
    vswap-workload --cgroup /sys/fs/cgroup/wl --pages 2048 --seed "$1" \
        --steps pageout:all,touch-read:0-255,free:300-600 > /dev/null || fail "rights: workload"
    swapoff /dev/vda || fail "rights: swapoff"
    rmdir /sys/fs/cgroup/wl
}

echo Y > /sys/module/zswap/parameters/enabled
before=$(hooked)

# recorded NAME WANTED-RC OPTIONS...: a load recorded by whoever $as makes it; powerless meanwhile, gone afterwards.
recorded() {
    local name=$1 want=$2
    shift 2
    # shellcheck disable=SC2086 # words are wanted
    $as vswap record -o $out/user/$name.vswap "$@" 2> $out/$name.err &
    recorder=$!
    until_true 120 started $out/$name.err
    gone $recorder && { fail "rights $name: $(cat $out/$name.err)"; return; }
    powerless $recorder || fail "rights $name: privileges left: $(grep -E '^(Cap|NoNew)' /proc/$recorder/status)"
    [ "$(hooked)" -gt "$before" ] || fail "rights $name: nothing attached"
    load 1
    end_recorder
    local rc=$?
    [ $rc -eq "$want" ] || fail "rights $name: ended with $rc, not $want: $(cat $out/$name.err)"
    [ "$(hooked)" -eq "$before" ] || fail "rights $name: hooks left in the kernel"
    report $out/user/$name.vswap "$want"
}
as=
recorded root 0
as="vswap-workload --as-user 1000 --caps cap_bpf,cap_perfmon --"
# Virtual slots have a device that only a variable of the kernel tells, and its address is shown to few.
if grep -q ' vswap_si$' /proc/kallsyms; then
    $as vswap record -o $out/user/address.vswap --duration 1s 2> $out/address.err
    rc=$?
    [ $rc -eq 6 ] && grep -q 'vswap_si.*CAP_SYSLOG' $out/address.err && [ ! -e $out/user/address.vswap ] ||
        fail "rights address: $rc $(cat $out/address.err)"
    as="vswap-workload --as-user 1000 --caps cap_bpf,cap_perfmon,cap_syslog --"
fi
# Some kernels keep kprobes from it (perf_event_paranoid 3 is a patch of Debian's): then it is said, not recorded
# without them.
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
$as vswap record -o $out/user/paranoid.vswap --duration 1s 2> $out/paranoid.err
case $? in
    0) ;;
    6)
        grep -q "kernel.perf_event_paranoid = $paranoid" $out/paranoid.err || fail "rights paranoid: $(cat $out/paranoid.err)"
        echo 2 > /proc/sys/kernel/perf_event_paranoid
        ;;
    *) fail "rights paranoid: $(cat $out/paranoid.err)" ;;
esac
recorded user 0
echo "$paranoid" > /proc/sys/kernel/perf_event_paranoid
grep -q 'not seen' $out/user.err $out/root.err && fail "rights: hooks missing: $(cat $out/user.err $out/root.err)"
# Both saw the same load.
for name in root user; do
    [ "$(number $out/user/$name.vswap.json lost)" = 0 ] || fail "rights $name: lost records"
    [ "$(number $out/user/$name.vswap.json events)" -gt 5000 ] || fail "rights $name: few events"
done
# Loss is counted in the kernel's maps, and they are read without a capability.
as=
recorded lossy 3 --ring-size 4096
[ "$(number $out/user/lossy.vswap.json lost)" -gt 0 ] || fail "rights lossy: no loss told"

# The dashboard has threads: none of them keeps anything.
vswap live --headless --json > $out/live.json 2> $out/live.err &
recorder=$!
until_true 120 attached $out/live.err || fail "rights live: does not attach"
until_true 30 powerless $recorder || fail "rights live: privileges left"
ls /proc/$recorder/task | wc -l > $out/live.threads
load 2
end_recorder
rc=$?
[ $rc -eq 0 ] || fail "rights live: ended with $rc: $(cat $out/live.err)"

# A command keeps the user's privileges, starts after the hooks are there, and inherits no descriptor of ours.
vswap record -o $out/command.vswap -- sh -c "grep -E '^(Cap|NoNew)' /proc/self/status; ls -l /proc/self/fd; \
    cat /sys/kernel/tracing/enabled_functions" > $out/command 2> $out/command.err
rc=$?
[ $rc -eq 0 ] || fail "rights command: ended with $rc: $(cat $out/command.err)"
grep -E '^(Cap...|NoNewPrivs):' /proc/self/status > $out/own
grep -E '^(Cap...|NoNewPrivs):' $out/command | cmp -s - $out/own || fail "rights command: other privileges"
grep -qE -- '-> .*(bpf|anon_inode|vswap$)' $out/command && fail "rights command: inherits descriptors"
[ "$(grep -c '(' $out/command)" -gt 5 ] || fail "rights command: ran before the hooks were attached"
vswap record -o $out/never.vswap -- no-such-program 2> $out/never.err
rc=$?
[ $rc -eq 1 ] && grep -q no-such-program $out/never.err && [ ! -e $out/never.vswap ] ||
    fail "rights: unknown command: $rc $(cat $out/never.err)"

# refused NAME WORD ABSENT CAPS: exit code 6 and the word in the message, the other word not.
refused() {
    vswap-workload --as-user 1000 $4 -- vswap record -o $out/user/no.vswap 2> $out/$1.err
    local rc=$?
    [ $rc -eq 6 ] && grep -q "$2" $out/$1.err || fail "rights $1: $rc $(cat $out/$1.err)"
    [ -n "$3" ] && grep -q "lacks.*$3" $out/$1.err && fail "rights $1: $(cat $out/$1.err)"
    [ ! -e $out/user/no.vswap ] || fail "rights $1: left a file"
}
# What remains without any privilege: totals, and they are the kernel's.
pages() { sed -n 's/^zswpout //p' /proc/vmstat; }
first=$(pages)
vswap-workload --as-user 1000 -- vswap live --totals --json > $out/totals.json 2> $out/totals.err &
recorder=$!
counting() { grep -q 'not which slots' $out/totals.err || gone "$recorder"; }
until_true 60 counting || fail "rights totals: does not start"
load 3
end_recorder || fail "rights totals: $? $(cat $out/totals.err)"
grep -q 'not which slots' $out/totals.json || fail "rights totals: does not say what it leaves out"
sed '1,/"counted"/d' $out/totals.json > $out/totals.counted
[ "$(number $out/totals.counted zswpout)" = $(($(pages) - first)) ] && [ "$(pages)" -gt $((first + 1000)) ] ||
    fail "rights totals: $(cat $out/totals.json), vmstat says $(($(pages) - first))"
refused none 'lacks CAP_BPF and CAP_PERFMON' '' ''
refused perfmon-only 'lacks CAP_BPF' CAP_PERFMON '--caps cap_perfmon'
refused bpf-only 'lacks CAP_PERFMON' CAP_BPF '--caps cap_bpf'
vswap-workload --as-user 1000 -- vswap doctor --json > $out/doctor.json || fail "rights doctor: $?"
grep -q '"CAP_BPF"' $out/doctor.json || fail "rights doctor: names no capability"
# The ladder: without privileges only totals are known, with them nearly everything is seen.
grep -q '"state": "seen"' $out/doctor.json && fail "rights doctor: sees without privileges"
grep -q '"zswpout in /proc/vmstat"' $out/doctor.json || fail "rights doctor: knows no totals"
vswap doctor --json > $out/doctor-root.json || fail "rights doctor as root: $?"
vswap doctor > $out/doctor-root.txt
least=16
# No references, no lists, no choices of the allocator.
case $(uname -r) in 6.12.*) least=15 ;; esac
[ "$(grep -c '"state": "seen"' $out/doctor-root.json)" -ge $least ] || fail "rights doctor: $(grep -A1 '"state"' $out/doctor-root.txt)"
[ "$(hooked)" -eq "$before" ] || fail "rights: hooks left in the kernel"
