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
bytes() { stat -c %s "$1" 2> /dev/null || echo 0; }
has_steps() { [ "$(bytes "$1")" -gt 20000000 ]; } # three are 24 MB
is_back() { in_state "$1" PENDING && [ "$(field "$1" Restarts)" = 1 ]; }
is_gone() { ! squeue -h -j "$1" 2> /dev/null | grep -q .; }
# Else it waits two minutes. Not at once: a credential made in the second of the requeue counts as
# revoked, and the job fails.
start_now() {
    sleep 2
    scontrol update JobId="$1" TimeLimit=60 StartTime=now
}

"$gwflux" import "$source/data/demo_unet.pt" -o model.nc --features uvtheta > /dev/null 2>&1
prepare limit 400
prepare stop 30
prepare cancel 400
prepare once 400
sed -i 's/^restarts=.*/restarts=0/' once/cpu.sbatch

# Less than 300 s are left from the beginning: Slurm sends the signal when it looks next.
submit limit --ntasks-per-node=1 --time=1
limit=$job

submit stop --ntasks-per-node=1 --nodes=2
works "finished steps" wait_for 30 has_steps stop/fluxes.nc.part
scancel --signal=USR1 "$job"
works "the signal sends the job back into the queue" wait_for 30 is_back "$job"
holds "what is finished has no name" test ! -e stop/fluxes.nc -a -e stop/fluxes.nc.part
says "gwflux was stopped" "stopped after" "stop/job-$job.log"
works "the unfinished output is marked" "$programs/put_attribute" stop/fluxes.nc.part uw mark kept
start_now "$job"
works "the second part completes it" ends_as "$job" COMPLETED
"$gwflux" predict -m model.nc -i "$source/data/demo_windset.nc" -o two.nc --backend ref \
    > /dev/null 2>&1
for step in 0 2 14 28; do
    works "steps $step, $((step + 1))" "$programs/compare_fluxes" stop/fluxes.nc $step two.nc 0 2 0
done
works "its header" ncdump -h stop/fluxes.nc
says "all steps" "time = UNLIMITED ; // (30 currently)" out
says "the steps of the first part were kept" 'uw:mark = "kept"' out

submit cancel --ntasks-per-node=1
works "finished steps" wait_for 30 has_steps cancel/fluxes.nc.part
scancel "$job"
works "a job that is cancelled" wait_for 30 in_state "$job" CANCELLED
works "ends" wait_for 30 is_gone "$job"
holds "and is not started again" test "$(field "$job" Restarts)" = 0

submit once --ntasks-per-node=1
works "finished steps" wait_for 30 has_steps once/fluxes.nc.part
scancel --signal=USR1 "$job"
works "restarts are limited" ends_as "$job" FAILED
holds "with gwflux's exit code" test "$(field "$job" ExitCode)" = 3:0
says "and words" "fluxes.nc is not complete (exit code 3)" "once/job-$job.log"

works "Slurm's own signal sends the job back" wait_for 60 is_back "$limit"
says "gwflux was stopped" "stopped after" "limit/job-$limit.log"
holds "finished steps are kept" has_steps limit/fluxes.nc.part
finish
