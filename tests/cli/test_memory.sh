#!/usr/bin/env bash
# A long file needs no more memory than a short one. Arguments as for test_import.sh; a fourth is how
# many MB the command may take (more under a sanitizer).
set -u
gwflux=$1 source=$2 programs=$3 limit=$4
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() {
    "$programs/peak_memory" "$limit" "$gwflux" predict -m unet.nc -i "$1" -o out.nc --overwrite
}
peak() { sed -n 's/^peak \([0-9]*\) MB$/\1/p' out; }

"$gwflux" import "$source/tests/golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$programs/make_windset" short.nc --steps 4 --idim 491 --no-output
"$programs/make_windset" long.nc --steps 48 --idim 491 --no-output # 773 MB
works "a short file stays below $limit MB" predict short.nc
short=$(peak)
works "so does a long one" predict long.nc
long=$(peak)
echo "peak: $short MB for 4 steps, $long MB for 48"
holds "and takes no more" test "$long" -le $((short + 40))
"$programs/make_windset" chunked.nc --steps 12 --idim 491 --no-output --deflate 1 --chunk-steps 6
works "chunks of 6 steps (97 MB) fit" "$programs/peak_memory" $((limit + 200)) \
    "$gwflux" predict -m unet.nc -i chunked.nc -o out.nc --overwrite
finish
