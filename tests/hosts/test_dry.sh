#!/usr/bin/env bash
# The dry model: stable for 1000 steps with the drag; the same bits on any number of ranks, and
# whether interrupted or not; unchanged by a plugin that only looks on.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$gwflux" import "$source/tests/golden/unet.pt" -o model.nc --features uvtheta >/dev/null 2>&1

# dry RANKS NAME HOST-NAMELIST [OPTIONS]: writes NAME.bin
dry() {
    printf '&host path = "%s.bin", %s /\n&gwflux backend = "ref", threads = 1 %s /\n' "$2" "$3" "${4:-}" \
        >"$2.nml"
    works "$1" dry_host "$2.nml"
}

dry 1 long "steps = 1000" ", interval = 10000"
holds "all steps were coupled" grep -q "1000 steps with gwflux, 20 of them computed" host.out

dry 1 alone "steps = 35, gw = .false."
dry 2 silent "steps = 35" ", interval = 2000, piggyback = 'on'"
holds "who only looks on changes nothing" cmp silent.bin alone.bin

often=", interval = 2000"
for ranks in 1 2 3; do
    dry "$ranks" "r$ranks" "steps = 35" "$often"
    holds "$ranks ranks" cmp r1.bin "r$ranks.bin"
done
holds "the drag matters" test "$(cmp -s r1.bin alone.bin; echo $?)" = 1
dry 2 part "steps = 14, save = 'half'" "$often"
dry 3 rest "steps = 21, restart = 'half'" "$often"
holds "interrupted between two computed steps, and on more ranks" cmp r1.bin rest.bin

dry 1 late "steps = 35, lagged = .true." "$often"
holds "a step late is not the same" test "$(cmp -s r1.bin late.bin; echo $?)" = 1
dry 3 late3 "steps = 35, lagged = .true." "$often"
holds "a step late on three ranks" cmp late.bin late3.bin
dry 1 late_part "steps = 11, lagged = .true., save = 'late_half'" "$often"
dry 2 late_rest "steps = 24, lagged = .true., restart = 'late_half'" "$often"
holds "interrupted with a step under way" cmp late.bin late_rest.bin
done_with dry
