# Instructions that the kernel's verifier walks for each program: printed, and bounded. The kernel gives up at a million.
mkdir -p /out/verified
vswap doctor --json > /out/verified/doctor.json
awk '/"verified": \{/ { inside = 1; next } /\}/ { inside = 0 } inside { gsub(/[",:]/, ""); print $2, $1 }' \
    /out/verified/doctor.json | sort -rn > /out/verified/programs
[ "$(wc -l < /out/verified/programs)" -ge 25 ] || fail "verified: only $(wc -l < /out/verified/programs) programs"
while read -r instructions program; do
    # A hook is a few reads and one record; completions go through a batch of 32 folios; scans walk tables.
    case $program in
        scan*) limit=250000 ;;
        *_end) limit=40000 ;;
        *) limit=5000 ;;
    esac
    [ "$instructions" -gt 0 ] && [ "$instructions" -le $limit ] ||
        fail "verified: $program takes $instructions instructions, at most $limit"
done < /out/verified/programs
echo "VSWAP-VERIFIED $(awk '{ printf "%s %s, ", $2, $1 }' /out/verified/programs)"
