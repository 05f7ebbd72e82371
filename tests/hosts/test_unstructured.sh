#!/usr/bin/env bash
# Hosts on an unstructured grid with weight files both ways: a host in C, and the plugin for ICON in
# what stands here for ICON. The tendencies do not depend on the number of ranks, one of which has no
# columns.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$gwflux" import "$source/tests/golden/unet.pt" -o model.nc --features uvtheta >/dev/null 2>&1
"$examples/make_weights" to to.nc
"$examples/make_weights" back back.nc

for ranks in 1 2 3; do
    works "$ranks" c_unstructured model.nc to.nc back.nc "c$ranks.bin"
    holds "the host in C on $ranks ranks" cmp c1.bin "c$ranks.bin"
done
fails "back.nc" 2 c_unstructured model.nc back.nc to.nc wrong.bin
fails "none.nc" 1 c_unstructured none.nc to.nc back.nc wrong.bin

[ -e "$examples/comin_host" ] || { done_with unstructured; exit; }
plugin=$(echo "$examples"/libgwflux_comin.*)
options() {
    printf '&gwflux_comin model = "%s" /\n&gwflux backend = "ref", threads = 1, interval = 900,\n' "$1"
    printf ' weights = "to.nc", weights_back = "back.nc" /\n'
}
options model.nc >comin.nml
for ranks in 1 2 3; do
    works "$ranks" comin_host "$plugin" comin.nml "i$ranks.bin" 4
    holds "ICON's plugin on $ranks ranks" cmp i1.bin "i$ranks.bin"
done
options none.nc >wrong.nml
fails "none.nc" 2 comin_host "$plugin" wrong.nml wrong.bin 1
fails "no namelist gwflux_comin" 1 comin_host "$plugin" none.nml wrong.bin 1
done_with unstructured
