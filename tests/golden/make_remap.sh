#!/usr/bin/env bash
# The files remap_*.nc: a random field, weights and remapped fields by CDO 2.1.1 (Debian 12's cdo).
set -euo pipefail
cd "$(dirname "$0")"
grid=$(mktemp)
trap 'rm -f "$grid"' EXIT
cat >"$grid" <<END
gridtype = lonlat
xsize = 12
ysize = 7
xfirst = -180
xinc = 30
yfirst = 90
yinc = -30
END
export CDO_HISTORY_INFO=0
cdo -s -O -f nc -b F64 -setname,x "-random,$grid,5" remap_random.nc
cdo -s -O -f nc -b F64 gencon,n4 remap_random.nc remap_weights.nc
cdo -s -O -f nc -b F64 remap,n4,remap_weights.nc remap_random.nc remap_conservative.nc
cdo -s -O -f nc -b F64 remapbil,n4 remap_random.nc remap_bilinear.nc
