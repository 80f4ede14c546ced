#!/usr/bin/env bash
# Starts a real Slurm cluster of four pretend nodes on this machine, on loopback only, and prints where its slurm.conf is.
#
#     LLAST_TEST_SLURM=1 tests/slurm/cluster/start.sh     # as root, on Debian; stop.sh ends it
#
# A second call starts what is not running: a node that lost its power comes back. Everything it writes is in $DIR, but
# for /etc/slurm/slurm.conf (a link: Snakemake's jobs drop SLURM_CONF, so the commands must find it in the default place)
# and a line in /etc/hosts. It refuses to run where a Slurm is installed that is not its own.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
dir=/tmp/llast-slurm # short: a socket's path has 107 letters at most
config=/etc/slurm/slurm.conf
export SLURM_CONF=$dir/slurm.conf

refuse() {
    echo "start.sh: $*" >&2
    exit 2
}
[ "${LLAST_TEST_SLURM:-}" = 1 ] || refuse "starts a test cluster on this machine only if LLAST_TEST_SLURM=1"
[ "$(id -u)" = 0 ] || refuse "needs root: slurmd starts jobs and pretend nodes"
if [ -e $config ] || [ -L $config ]; then
    [ "$(readlink $config)" = "$SLURM_CONF" ] || refuse "$config is not that of a test cluster: this machine has a Slurm"
elif pgrep --exact --runstates R,S,D slurmd >/dev/null || pgrep --exact --runstates R,S,D slurmctld >/dev/null; then
    refuse "a Slurm is running here that is not a test cluster"
fi

wait_for() { # seconds command...
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "start.sh: not in $1 s: ${*:2}" >&2; "${@:2}" >&2 || return 1; }
        sleep 0.1
    done
}
# A daemon that ended can stay a zombie for minutes where process 1 is slow to reap, so kill -0 is no test.
running() { [ -f "$1" ] && grep -qsE '\((munged|mariadbd|slurmdbd|slurmctld|unshare)\) [^Z]' "/proc/$(cat "$1")/stat"; }
all_up() { [ "$(timeout 5 sinfo -h -N -t idle,mixed,allocated -o %N | sort -u | wc -l)" = 4 ]; }

mkdir -p "$dir"
exec 9>"$dir/start.lock"
flock 9 # two test processes may call at the same time; the daemons below close 9
if running "$dir/slurmctld.pid" && all_up; then
    echo "$SLURM_CONF"
    exit
fi

packages=(munge slurmctld slurmd slurm-client slurmdbd mariadb-server-core mariadb-client-core)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    policy=/usr/sbin/policy-rc.d # says no to packages that want to start their daemons
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && trap "rm -f $policy" EXIT; }
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "${packages[@]}" >/dev/null
fi

mkdir -p "$dir"/{ctld,dev,munge,db,spool/node{1,2,3,4}}
chmod 711 "$dir/munge"
# Eight pretend GPUs a node: null devices, so that Slurm sets CUDA_VISIBLE_DEVICES.
for gpu in {0..7}; do [ -e "$dir/dev/nvidia$gpu" ] || mknod "$dir/dev/nvidia$gpu" c 1 3; done
echo "Name=gpu File=$dir/dev/nvidia[0-7]" >"$dir/gres.conf"
if [ -w /sys/fs/cgroup/memory/cgroup.procs ]; then # cgroup v1: the kernel kills, the job ends OUT_OF_MEMORY
    memory=TaskPlugin=task/cgroup
    printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainRAMSpace=yes\n' >"$dir/cgroup.conf"
else # Slurm looks every second and kills, the job ends FAILED
    memory='TaskPlugin=task/none\nJobAcctGatherParams=OverMemoryKill'
    echo CgroupAutomount=no >"$dir/cgroup.conf"
fi
if ! running "$dir/slurmctld.pid"; then
    sed "s|@DIR@|$dir|g; s|@HOST@|$(hostname -s)|g; s|@MEMORY@|$memory|; s|@ID@|$(($(date +%s) % 60000000))|" \
        "$here/slurm.conf" >"$SLURM_CONF"
fi
mkdir -p /etc/slurm
ln -sfn "$SLURM_CONF" $config
# The nodes' names resolve, for MASTER_ADDR.
grep -q '# llast test cluster$' /etc/hosts || echo "127.0.0.1 node1 node2 node3 node4 # llast test cluster" >>/etc/hosts

if ! running "$dir/munge/pid"; then
    [ -f "$dir/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --seed-file="$dir/munge/seed" \
        --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" 9>&-
fi

if ! running "$dir/db/pid"; then
    [ -d "$dir/db/data/mysql" ] || mariadb-install-db --no-defaults --user=root --datadir="$dir/db/data" \
        --auth-root-authentication-method=socket --skip-test-db >/dev/null
    setsid mariadbd --no-defaults --user=root --datadir="$dir/db/data" --socket="$dir/db/socket" \
        --pid-file="$dir/db/pid" --log-error="$dir/db/log.err" --skip-networking \
        --innodb-flush-log-at-trx-commit=0 </dev/null >/dev/null 2>&1 9>&- &
    wait_for 60 mariadb --no-defaults --socket="$dir/db/socket" -e 'select 1'
fi
if ! running "$dir/slurmdbd.pid"; then
    cat >"$dir/slurmdbd.conf" <<END
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
CommunicationParameters=NoInAddrAny
SlurmUser=root
PidFile=$dir/slurmdbd.pid
LogFile=$dir/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
END
    chmod 600 "$dir/slurmdbd.conf"
    MYSQL_UNIX_PORT="$dir/db/socket" slurmdbd 9>&-
    wait_for 60 timeout 5 sacctmgr -n show cluster
    sacctmgr -Qi add cluster llasttest >/dev/null || true
    sacctmgr -Qi add account test >/dev/null || true
    sacctmgr -Qi add user root account=test >/dev/null || true
fi

running "$dir/slurmctld.pid" || slurmctld 9>&-
# Each node has its own host name and its own process tree: kill -9 $(cat $dir/node1.pid) is a node that loses power.
# (bash as process 1 reaps what the jobs leave.)
for n in 1 2 3 4; do
    running "$dir/node$n.pid" && continue
    setsid unshare --uts --pid --fork --kill-child --mount-proc \
        bash -c "hostname node$n; slurmd -D -N node$n & wait" </dev/null >/dev/null 2>&1 9>&- &
    echo $! >"$dir/node$n.pid"
done
wait_for 60 all_up
echo "$SLURM_CONF"
