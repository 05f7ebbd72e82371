#!/usr/bin/env bash
# The same atmosphere in the arrays of three hosts: bands in windows (FMS), scattered columns in
# chunks (CAM), columns dealt out (CCPP). Whatever the layout and the number of ranks, the
# tendencies are the same bit for bit; each host checks its columns' budgets.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$programs/make_model" "$source/tests/golden/unet.pt" model.nc >/dev/null

# input FILE HOST-NAMELIST [OPTIONS]: the network reads omega too
input() {
    printf '&host steps = 1, %s /\n&gwflux backend = "ref", threads = 1 %s /\n' "$2" "${3:-}" >"$1"
}

for ranks in 1 3; do
    input fms.nml "path = 'fms.bin', nx = $ranks, ny = 2"
    works "$ranks" fms_windows fms.nml
    [ "$ranks" = 1 ] && mv fms.bin all.bin && continue
    holds "windows on $ranks ranks" cmp all.bin fms.bin
done
for ranks in 1 2; do
    input cam.nml "path = 'cam.bin', pcols = $((ranks * 5 + 8))"
    works "$ranks" cam_chunks cam.nml
    holds "chunks on $ranks ranks" cmp all.bin cam.bin
done
for ranks in 2 3; do
    input ccpp.nml "path = 'ccpp.bin', extent = $((ranks * 77))"
    works "$ranks" ccpp_driver ccpp.nml
    holds "parts on $ranks ranks" cmp all.bin ccpp.bin
done

input one.nml "path = 'one.bin'" ', ranks = 1'
works 2 fms_windows one.nml
holds "one rank computes for two" cmp all.bin one.bin
holds "there is something in it" test "$(stat -c %s all.bin)" -eq $((2 * 40 * 64 * 128 * 8))

input wrong.nml "path = 'wrong.bin'" ", colour = 'red'"
fails "colour" 1 fms_windows wrong.nml
fails "colour" 2 ccpp_driver wrong.nml
input wrong.nml "path = 'wrong.bin', model = 'none.nc'"
fails "none.nc" 2 cam_chunks wrong.nml
done_with layouts
