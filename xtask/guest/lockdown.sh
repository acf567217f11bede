# A kernel locked down to confidentiality: refused with code 6 and a reason, whether securityfs is there or not.
out=/out/lockdown
mkdir -p $out
refused() {
    vswap record -o $out/no.vswap 2> "$out/$1.err"
    local rc=$?
    [ $rc -eq 6 ] && grep -q "lockdown 'confidentiality'" "$out/$1.err" && grep -q 'lockdown=integrity' "$out/$1.err" ||
        fail "lockdown $1: $rc $(cat "$out/$1.err")"
    [ ! -e $out/no.vswap ] || fail "lockdown $1: left a file"
}
refused unmounted
mount -t securityfs securityfs /sys/kernel/security
cat /sys/kernel/security/lockdown > $out/lockdown
grep -q '\[confidentiality\]' $out/lockdown || fail "lockdown: the kernel is not locked down: $(cat $out/lockdown)"
refused mounted
# Asking the kernel all the same gives the same reason.
vswap doctor --json > $out/doctor.json
rc=$?
[ $rc -eq 0 ] && grep -q "lockdown 'confidentiality'" $out/doctor.json || fail "lockdown doctor: $rc"
