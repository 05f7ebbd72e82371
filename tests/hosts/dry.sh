# For the tests of the dry model: a model file, and its runs.
# shellcheck shell=bash source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$gwflux" import "$source/tests/golden/unet.pt" -o model.nc --features uvtheta >/dev/null 2>&1

# dry RANKS NAME HOST-NAMELIST [OPTIONS]: writes NAME.bin
dry() {
    printf '&host path = "%s.bin", %s /\n&gwflux backend = "ref", threads = 1 %s /\n' "$2" "$3" "${4:-}" \
        >"$2.nml"
    works "$1" dry_host "$2.nml"
}
