# A private Slurm on this host for tests; sourced. Two nodes (n1, n2: two daemons on this machine) of
# two cores and two GPUs, which are /dev/null. No system service, no root, no cgroups; nothing
# outside $cluster is touched. Slurm cannot be installed or started: exit 77, which CTest shows as
# skipped.
# shellcheck shell=bash

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

# What the batch scripts' programs need here: ranks of both nodes share one machine, so that shared
# memory would mix them up, and there are more of them than cores.
mpi_settings() {
    export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,tcp OMPI_MCA_mpi_yield_when_idle=1
    export OMPI_MCA_btl_tcp_if_include=lo
}

# Four ports from a random number on that nobody listens at.
free_ports() {
    local port hex
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 10000))
        hex=$(printf ':%04X |:%04X |:%04X ' "$port" $((port + 1)) $((port + 2)))
        grep -qE "$hex" /proc/net/tcp /proc/net/tcp6 2> /dev/null || { echo "$port"; return; }
    done
    return 1
}

write_configuration() { # write_configuration FIRST-PORT
    local host user node
    host=$(hostname -s)
    user=$(id -un)
    cat > "$cluster/slurm.conf" << END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/munge.socket
StateSaveLocation=$cluster/state
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdPidFile=$cluster/slurmd.%n.pid
SlurmdLogFile=$cluster/slurmd.%n.log
SlurmdSpoolDir=$cluster/spool.%n
TmpFS=$cluster/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
KillWait=5
MailProg=/bin/true
GresTypes=gpu
END
    for node in 1 2; do
        mkdir -p "$cluster/spool.n$node" "$cluster/tmp.n$node"
        echo "NodeName=n$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$(($1 + node))" \
            "CPUs=2 RealMemory=2000 Gres=gpu:2" >> "$cluster/slurm.conf"
        for gpu in 0 1; do # a device file is asked for; /dev/null is one
            ln -s /dev/null "$cluster/gpu$node$gpu"
            echo "NodeName=n$node Name=gpu Flags=nvidia_gpu_env File=$cluster/gpu$node$gpu" \
                >> "$cluster/gres.conf"
        done
    done
    echo "PartitionName=all Nodes=n[1-2] Default=YES MaxTime=INFINITE" >> "$cluster/slurm.conf"
}

start_daemons() {
    munged --key-file="$cluster/munge/key" --socket="$cluster/munge.socket" --num-threads=1 \
        --pid-file="$cluster/munge/munged.pid" --log-file="$cluster/munge/log" \
        --seed-file="$cluster/munge/seed" &&
        slurmctld -c && slurmd -N n1 && slurmd -N n2
}

# slurm_start FOLDER: an empty one that every user may enter.
slurm_start() {
    local port program
    PATH=$PATH:/usr/sbin:/sbin # where the daemons are
    for program in munged slurmctld slurmd sbatch srun; do
        command -v "$program" > /dev/null || skip "$program is not installed"
    done
    cluster=$1
    chmod 755 "$cluster"
    mkdir -m 700 "$cluster/munge" "$cluster/state"
    head -c 1024 /dev/urandom > "$cluster/munge/key"
    chmod 600 "$cluster/munge/key"
    port=$(free_ports) || skip "no free ports"
    write_configuration "$port"
    export SLURM_CONF=$cluster/slurm.conf
    start_daemons > "$cluster/start.log" 2>&1 ||
        skip "Slurm does not start here: $(tail -n 1 "$cluster/start.log")"
    for _ in $(seq 100); do
        [ "$(sinfo -h -N -o %T 2> /dev/null | grep -c idle)" -eq 2 ] && return
        sleep 0.1
    done
    skip "Slurm's nodes do not come up: $(sinfo -h -N -o '%N %T %E' 2>&1 | tr '\n' ' ')"
}

is_running() { # zombies are not, though kill -0 finds them
    [ -r "/proc/$1/status" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status"
}

# Ends the daemons of this cluster, by the process numbers that they wrote.
slurm_stop() {
    local file pid
    [ -n "${cluster:-}" ] || return 0
    if [ -n "$(squeue -h 2> /dev/null)" ]; then
        scancel --full --user="$(id -un)" 2> /dev/null
        for _ in $(seq 50); do [ -n "$(squeue -h 2> /dev/null)" ] && sleep 0.1; done
    fi
    for file in "$cluster"/slurmd.n?.pid "$cluster/slurmctld.pid" "$cluster/munge/munged.pid"; do
        pid=$(cat "$file" 2> /dev/null) || continue
        kill "$pid" 2> /dev/null
        for _ in $(seq 100); do is_running "$pid" && sleep 0.05; done
        is_running "$pid" && kill -KILL "$pid"
    done
    cluster=
}

# field JOB NAME: what scontrol says, "JobState" for example.
field() {
    scontrol -o show job "$1" 2> /dev/null | head -n 1 | sed -n "s/.* $2=\([^ ]*\).*/\1/p"
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local tries=$(($1 * 10))
    shift
    for _ in $(seq "$tries"); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

in_state() { [[ $(field "$1" JobState) =~ ^($2)$ ]]; } # in_state JOB STATES

# ends_as JOB STATE: within a minute.
ends_as() {
    wait_for 180 in_state "$1" 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL'
    in_state "$1" "$2" && return
    scontrol show job "$1"
    return 1
}
