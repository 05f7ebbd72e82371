#!/usr/bin/env bash
# The dry model is stable for 1000 steps with the drag.
# shellcheck source-path=SCRIPTDIR source=dry.sh
. "$(dirname "${BASH_SOURCE[0]}")/dry.sh"

dry 1 long "steps = 1000" ", interval = 10000"
holds "all steps were coupled" grep -q "1000 steps with gwflux, 20 of them computed" host.out
done_with dry
