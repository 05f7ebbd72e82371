#!/usr/bin/env bash
# One rank, one GPU, on emulated ones. Arguments: gwflux, the source folder, the folder of the test
# programs, mpiexec, the flag for the number of ranks, further words.
set -u
gwflux=$1 source=$2 programs=$3 launcher=("${@:4}")
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
# shellcheck source=tests/cli/ranks.sh
. "$source/tests/cli/ranks.sh"
export GWFLUX_BACKEND_DIR=$programs/cuda/emulated GWFLUX_CACHE=off
predict() { # predict RANKS OUTPUT OPTIONS...
    ranks "$1" "${each[@]}" "$gwflux" predict -m model.nc -i in.nc -o "$2" --backend cuda --tune=off "${@:3}"
}
each=()

"$gwflux" import "$source/tests/golden/ann_1x1.pt" -o model.nc --features uvtheta \
    --vertical stratosphere_update > /dev/null 2>&1
"$programs/make_windset" in.nc --steps 4 --idim 369 --nlat 16 --nlon 32 --no-output
"$gwflux" predict -m model.nc -i in.nc -o truth.nc --backend cuda --tune=off > /dev/null 2>&1

fails "two ranks, one GPU" 1 "2 ranks of this node see 1 device, 1 rank may share one" predict 2 no.nc
works "that may be shared" predict 2 shared.nc --ranks-per-device 2
holds "the fluxes" same shared.nc truth.nc
# backend auto: all ranks take the same one.
both() {
    ranks 2 "$gwflux" predict -m model.nc -i in.nc -o "$1" --backend auto --tune=off "${@:2}"
}
"$gwflux" predict -m model.nc -i in.nc -o cpu.nc --backend cpu --tune=off > /dev/null 2>&1
works "auto, one GPU for two ranks" both auto.nc
says "why it is not taken" "2 ranks of this node see 1 device" err
says "by whom" "all ranks take the next backend" err
says "what is taken" "backend cpu" err
holds "the fluxes" same auto.nc cpu.nc
works "auto in tiles" both tiles.nc --tiles 1x2
says "what is taken" "backend cpu" err
works "auto, one GPU that may be shared" both shared_auto.nc --ranks-per-device 2
says "what is taken" "backend cuda" err
export GWF_EMU_DEVICES=2
works "auto, two GPUs" both auto2.nc
says "what is taken" "backend cuda" err
holds "the fluxes" same auto2.nc truth.nc
works "two ranks, two GPUs" predict 2 two.nc
holds "the fluxes" same two.nc truth.nc
fails "three ranks, two GPUs" 1 "3 ranks of this node see 2 devices" predict 3 no.nc
works "a GPU by its number" predict 1 number.nc --device 1
says "which it is" "(device 1)" err
fails "one that is not there" 1 "there is no device 2, this process sees 2" predict 1 no.nc --device 2

# A launcher that shows each rank a GPU of its own.
cat > own_gpu << 'END'
#!/usr/bin/env bash
CUDA_VISIBLE_DEVICES=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}} exec "$@"
END
chmod +x own_gpu
each=("$PWD/own_gpu")
works "a GPU each" predict 2 own.nc
holds "the fluxes" same own.nc truth.nc
finish
