# A load worth watching: a cgroup of 64 MiB with three times as much memory, zswap at a limit that forces writeback.
mkswap /dev/vda > /dev/null && swapon /dev/vda || exit 1
echo Y > /sys/module/zswap/parameters/enabled
n=0
while [ $n -lt 1000 ]; do
    n=$((n + 1))
    vswap-workload --cgroup /sys/fs/cgroup/wl --set memory.max=64M --set memory.zswap.max=16M --pages 49152 \
        --seed $n --steps random:100000,free:0-20000,random:50000 || exit 1
done
