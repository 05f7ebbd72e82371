#!/usr/bin/env bash
# Jobs that are stopped, on a private Slurm: the signal before the time limit, the way back into the
# queue, going on where the first part ended. Arguments as for test_jobs.sh.
set -u
gwflux=$1 source=$2 programs=$3 scripts=$2/run/slurm
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/slurm/cluster.sh
. "$source/tests/slurm/cluster.sh"
trap 'slurm_stop; rm -rf "$scratch"' EXIT
chmod 755 "$scratch" # munge asks for it
mkdir cluster && slurm_start "$scratch/cluster"
mpi_settings
PATH=$(dirname "$gwflux"):$PATH

# prepare FOLDER STEPS: a copy of cpu.sbatch that is slow (0.2 s a step and rank).
prepare() {
    mkdir "$1"
    cp model.nc "$source/data/demo_windset.nc" "$1"
    { cat "$source/configs/slurm.yaml"; echo "backend: ref"; } > "$1/slurm.yaml"
    sed "s/^inputs=.*/inputs=($(printf 'demo_windset.nc %.0s' $(seq $(($2 / 2)))))/" \
        "$scripts/cpu.sbatch" > "$1/cpu.sbatch"
}
# submit FOLDER OPTIONS...: $job is its number.
submit() {
    local folder=$1
    shift
    job=$(cd "$folder" && sbatch --parsable --job-name=job --cpus-per-task=1 "$@" cpu.sbatch)
}
# Steps whose time is there, also while it is being written.
finished() {
    HDF5_USE_FILE_LOCKING=FALSE ncdump -v time "$1" 2> /dev/null |
        sed -n '/^ time = /,/;/p' | grep -o '[0-9]\+' | wc -l
}
has_steps() { [ "$(finished "$1")" -ge "$2" ]; } # has_steps FILE NUMBER
goes_on() { grep -q "going on with" "stop/job-$job.log"; }
is_back() { in_state "$1" PENDING && [ "$(field "$1" Restarts)" = "$2" ]; } # is_back JOB RESTARTS
is_gone() { ! squeue -h -j "$1" 2> /dev/null | grep -q .; }
# Else it waits two minutes. Not at once: a credential made in the second of the requeue counts as
# revoked, and the job fails.
start_now() {
    sleep 2
    scontrol update JobId="$1" TimeLimit=60 StartTime=now
}

"$gwflux" import "$source/data/demo_unet.pt" -o model.nc --features uvtheta > /dev/null 2>&1
prepare stop 60
prepare cancel 80
prepare once 80
sed -i 's/^restarts=.*/restarts=0/' once/cpu.sbatch

# Slurm's own signal, to something that only waits for it: less than 300 s are left from the
# beginning, so it comes when Slurm looks next, twice a minute.
mkdir limit
printf '#!/bin/bash\ntrap "exit 3" USR1\nwhile sleep 0.1; do :; done\n' > limit/wait
chmod +x limit/wait
sed 's|^gwflux=.*|gwflux=./wait|' "$scripts/cpu.sbatch" > limit/cpu.sbatch
submit limit --ntasks-per-node=1 --time=1
limit=$job

submit stop --ntasks-per-node=1 --nodes=2
works "finished steps" wait_for 90 has_steps stop/fluxes.nc.part 3
scancel --signal=USR1 "$job"
works "the signal sends the job back into the queue" wait_for 90 is_back "$job" 1
holds "what is finished has no name" test ! -e stop/fluxes.nc -a -e stop/fluxes.nc.part
says "gwflux was stopped" "stopped on request" "stop/job-$job.log"
steps=$(finished stop/fluxes.nc.part)
holds "some steps are finished, some are not" test "$steps" -ge 3 -a "$steps" -lt 60
works "the unfinished output is marked" "$programs/put_attribute" stop/fluxes.nc.part uw mark kept
start_now "$job"
works "the second part goes on" wait_for 90 goes_on
says "where the first one ended" "fluxes.nc: $steps of 60 steps are finished" "stop/job-$job.log"
works "and finishes more" wait_for 90 has_steps stop/fluxes.nc.part $((steps + 3))

scontrol update NodeName=n2 State=DOWN Reason=test
works "a node that fails sends the job back too" wait_for 90 is_back "$job" 2
scontrol update NodeName=n2 State=RESUME 2> /dev/null # it may have come back by itself
holds "finished steps are kept" has_steps stop/fluxes.nc.part $((steps + 3))
start_now "$job"
works "the third part completes it" ends_as "$job" COMPLETED
"$gwflux" predict -m model.nc -i "$source/data/demo_windset.nc" -o two.nc --backend ref \
    > /dev/null 2>&1
for step in 0 2 28 58; do
    works "steps $step, $((step + 1))" "$programs/compare_fluxes" stop/fluxes.nc $step two.nc 0 2 0
done
works "its header" ncdump -h stop/fluxes.nc
says "all steps" "time = UNLIMITED ; // (60 currently)" out
says "the steps of the first part were kept" 'uw:mark = "kept"' out

submit cancel --ntasks-per-node=1
works "finished steps" wait_for 90 has_steps cancel/fluxes.nc.part 3
scancel "$job"
works "a job that is cancelled" wait_for 90 in_state "$job" CANCELLED
works "ends" wait_for 90 is_gone "$job"
holds "and is not started again" test "$(field "$job" Restarts)" = 0

submit once --ntasks-per-node=1
works "finished steps" wait_for 90 has_steps once/fluxes.nc.part 3
scancel --signal=USR1 "$job"
works "restarts are limited" ends_as "$job" FAILED
holds "with gwflux's exit code" test "$(field "$job" ExitCode)" = 3:0
says "and words" "fluxes.nc is not complete (exit code 3)" "once/job-$job.log"

works "Slurm's own signal sends a job back" wait_for 120 is_back "$limit" 1
finish
