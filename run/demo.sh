#!/usr/bin/env bash
# A first result from a fresh clone: sets up, builds, imports the bundled checkpoint, predicts
# fluxes from the bundled states of the atmosphere and draws a map. Can be repeated.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=build/demo

# show COMMAND...: as the reader would type it, with its output.
show() {
    printf '\n$ %s\n' "$*"
    "$@" || die "failed: $*"
}

for file in data/demo_unet.pt data/demo_windset.nc; do
    [ -f "$file" ] || die "$PWD/$file is not there; is the clone complete?"
done
run/setup.sh
build build gwflux_command -DCMAKE_BUILD_TYPE=Release
rm -rf "$folder"
mkdir -p "$folder"

say "From a PyTorch checkpoint to fluxes on disk"
show build/gwflux import data/demo_unet.pt -o "$folder/model.nc" --features uvtheta
show build/gwflux predict -m "$folder/model.nc" -i data/demo_windset.nc -o "$folder/fluxes.nc"
show build/gwflux info "$folder/fluxes.nc"
show build/gwflux plot "$folder/fluxes.nc" --variable uw --level 10 -o "$folder/uw_10hPa.png"

say "Made in $PWD/$folder"
cat <<END
model.nc      the network: weights, channels, levels, where it came from (ncdump -h tells)
fluxes.nc     uw and vw, the vertical fluxes of eastward and northward momentum in Pa
uw_10hPa.png  a map of uw at 10 hPa
END
echo "Network and states are synthetic, to show the way only: see data/README.md."
