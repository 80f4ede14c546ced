#!/usr/bin/env bash
# Stops the cluster that start.sh started, and every job on it, and takes back what start.sh changed outside its folder.
# The logs stay in the folder until the next start of the machine; --purge removes them.
set -uo pipefail
dir=/tmp/llast-slurm
running() { grep -qsE '\((munged|mariadbd|slurmdbd|slurmctld|unshare)\) [^Z]' "/proc/$1/stat"; }
for file in "$dir"/node*.pid "$dir"/slurmctld.pid "$dir"/slurmdbd.pid "$dir"/db/pid "$dir"/munge/pid; do
    [ -f "$file" ] || continue
    pid=$(cat "$file")
    [[ $file = */node*.pid ]] && signal=KILL || signal=TERM
    running "$pid" && kill -$signal "$pid"
    for _ in $(seq 100); do
        running "$pid" || break
        sleep 0.1
    done
    rm -f "$file"
done
find /sys/fs/cgroup/memory -depth -type d -path '*/slurm_node*' -exec rmdir {} + 2>/dev/null
[ "$(readlink /etc/slurm/slurm.conf)" != "$dir/slurm.conf" ] || rm -f /etc/slurm/slurm.conf
hosts=$(grep -v '# llast test cluster$' /etc/hosts) && echo "$hosts" >/etc/hosts
[ "${1:-}" != --purge ] || rm -rf "$dir"
