#!/usr/bin/env bash
# gwflux bench with maps that stay on the GPU and with maps that travel, on the emulated one. Arguments:
# gwflux, the source folder, the folder of the emulated GPU.
set -u
gwflux=$1 source=$2 emulated=$3
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
export GWFLUX_BACKEND_DIR=$emulated
bench() { "$gwflux" bench -m model.nc --lat 16 --lon 32 --tune off --cache off "$@"; }

# A value of out.json, one key a line.
value() { tr ',{}' '\n' < out.json | sed -n "s/^ *\"$1\": *//p" | head -n 1; }
positive() { awk "BEGIN { exit !($(value "$1") > 0) }"; }

"$gwflux" import "$source/tests/golden/unet.pt" -o model.nc --features uvtheta > /dev/null 2>&1
for batch in 1 3; do
    works "resident, $batch at once" bench --backend cuda --batch "$batch" --steps 7 --resident --json out.json
    says "where maps are" "in the device's memory" out
    says "where maps are" '"memory": "device"' out.json
    says "the batch" "\"batch\": $batch" out.json
    holds "by the GPU's clock" positive median_map_s
    holds "layers too" positive s
    works "from the host, $batch at once" bench --backend cuda --batch "$batch" --steps 7 --json out.json
    says "where maps are" '"memory": "host"' out.json
    holds "by the host's clock" positive median_map_s
done
fails "nowhere but on a GPU" 1 "computes in the host's memory" bench --backend ref --steps 1 --resident
finish
