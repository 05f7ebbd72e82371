#!/usr/bin/env bash
# The dry model has the same bits on any number of ranks, and whether interrupted or not; a plugin
# that only looks on changes nothing.
# shellcheck source-path=SCRIPTDIR source=dry.sh
. "$(dirname "${BASH_SOURCE[0]}")/dry.sh"

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
done_with dry_ranks
