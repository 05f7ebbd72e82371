#!/usr/bin/env bash
# The batch scripts of run/slurm/ as they are, on a private Slurm: one and two nodes, GPUs, a job
# array, the table of the scaling study, and jobs that fail. Arguments: gwflux, the source folder,
# the folder of the test programs.
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
small=(--ntasks-per-node=2 --cpus-per-task=1) # the scripts ask for more than there is
PATH=$(dirname "$gwflux"):$PATH

# submit FOLDER SCRIPT OPTIONS...: from that folder; $job is its number.
submit() {
    local folder=$1 script=$2
    shift 2
    job=$(cd "$folder" && sbatch --parsable --job-name=job "${small[@]}" "$@" "$scripts/$script")
}
compare() { "$programs/compare_fluxes" "$@"; }

"$gwflux" import "$source/data/demo_unet.pt" -o model.nc --features uvtheta > /dev/null 2>&1
"$programs/make_windset" features.nc --steps 8 --idim 369 --nlat 32 --nlon 64 --no-output
"$gwflux" predict -m model.nc -i features.nc -o truth.nc > /dev/null 2>&1
for folder in one two gpu months bad; do
    mkdir $folder
    cp model.nc features.nc "$source/configs/slurm.yaml" $folder
done

submit one cpu.sbatch
one=$job
submit two cpu.sbatch --nodes=2
two=$job
sed 's/^backend=.*/backend=auto/' "$scripts/gpu.sbatch" > gpu/auto.sbatch # the GPUs are pretended
no_cuda=--export=ALL,GWFLUX_BACKEND_DIR=/nowhere
gpu=$(cd gpu && sbatch --parsable --job-name=job "${small[@]}" $no_cuda auto.sbatch)
works "cpu.sbatch" ends_as "$one" COMPLETED
works "the fluxes" compare one/fluxes.nc 0 truth.nc 0 8 1e-5
says "the log" "fluxes.nc is complete" "one/job-$one.log"
says "two ranks" "fluxes.nc: 8 steps in" "one/job-$one.log"
says "two ranks" " on 2 ranks, " "one/job-$one.log"
says "a thread each" ", 1 thread, " "one/job-$one.log"
works "cpu.sbatch on two nodes" ends_as "$two" COMPLETED
says "four ranks" " on 4 ranks, " "two/job-$two.log"
works "the fluxes" compare two/fluxes.nc 0 truth.nc 0 8 1e-5
works "gpu.sbatch" ends_as "$gpu" COMPLETED
works "the fluxes" compare gpu/fluxes.nc 0 truth.nc 0 8 1e-5
says "a GPU each" "rank 0: node n1, GPU 0" "gpu/job-$gpu.log"
says "a GPU each" "rank 1: node n1, GPU 1" "gpu/job-$gpu.log"

submit gpu gpu.sbatch $no_cuda
works "gpu.sbatch without the cuda backend" ends_as "$job" FAILED
says "says why" "backend cuda: libgwflux_cuda.so is not installed" "gpu/job-$job.log"
submit one cpu.sbatch
works "once more" ends_as "$job" COMPLETED
says "nothing is left to do" "fluxes.nc: is complete, nothing to do" "one/job-$job.log"
works "the fluxes stay" compare one/fluxes.nc 0 truth.nc 0 8 1e-5

mkdir months/features
for month in 01 02 03; do
    "$programs/make_windset" "months/features/$month.nc" --steps 2 --idim 369 --nlat 32 --nlon 64 \
        --no-output --seed "1$month"
    "$gwflux" predict -m model.nc -i "months/features/$month.nc" -o "$month.nc" > /dev/null 2>&1
done
(cd months && printf '%s\n' features/*.nc > months.txt)
submit months months.sbatch --array=1-4%2
for task in 1 2 3; do
    works "months.sbatch, task $task" ends_as "${job}_$task" COMPLETED
    works "its fluxes" compare "months/fluxes/0$task.nc" 0 "0$task.nc" 0 2 1e-5
done
works "a task beyond the list" ends_as "${job}_4" FAILED
says "is told" "months.txt has no file in line 4" "months/job-${job}_4.log"

submit one scaling.sbatch --nodes=2
works "scaling.sbatch" ends_as "$job" COMPLETED
works "a table" cat "one/job-$job.log"
holds "one rank" grep -Eq '^ +1 +1 +1 +[0-9.]+ +1.00 +100%$' out
holds "two ranks on one node" grep -Eq '^ +2 +1 +1 +[0-9.]+ +[0-9.]+ +[0-9]+%$' out
holds "four ranks on two" grep -Eq '^ +4 +2 +1 +[0-9.]+ +[0-9.]+ +[0-9]+%$' out
holds "and no more" test "$(wc -l < out)" -eq 4
holds "nothing is left of it" test -z "$(find one -name 'scaling.*')"

rm bad/model.nc
submit bad cpu.sbatch
works "a job that cannot work" ends_as "$job" FAILED
holds "has the exit code of gwflux" test "$(field "$job" ExitCode)" = 1:0
says "says why" "model.nc" "bad/job-$job.log"
says "says that it is not complete" "fluxes.nc is not complete (exit code 1)" "bad/job-$job.log"
holds "and is not started again" test "$(field "$job" Restarts)" = 0
sed 's/^gwflux=.*/gwflux=true/' "$scripts/cpu.sbatch" > bad/true.sbatch # as srun may end
job=$(cd bad && sbatch --parsable --job-name=job "${small[@]}" true.sbatch)
works "a job that ends well without an output" ends_as "$job" FAILED
says "says that it is not complete" "fluxes.nc is not complete (exit code 0)" "bad/job-$job.log"
submit bad scaling.sbatch --nodes=1
works "a study that cannot work" ends_as "$job" FAILED
says "says why" "model.nc" "bad/job-$job.log"
finish
