#!/usr/bin/env bash
# The outputs open in the programs that scientists have: CDO, NCO, xarray, NetCDF's own; and pass a
# CF checker where one is installed. What is not there is skipped with a message. Arguments as for
# test_import.sh.
set -u
gwflux=$1 source=$2 programs=$3
python=${PYTHON:-/usr/bin/python3}
# shellcheck source=tests/cli/check.sh
. "$source/tests/cli/check.sh"
predict() { "$gwflux" predict -m unet.nc "$@"; }

"$gwflux" import "$source/tests/golden/unet.pt" -o unet.nc --features uvtheta > /dev/null 2>&1
"$programs/make_reanalysis" in.nc
"$programs/make_reanalysis" year.nc --calendar 360_day --time "6 days since 2000-02-29"
"$programs/make_windset" windset.nc --steps 2 --idim 369 --no-output
works "model levels" predict -i in.nc -o model.nc --tendency
works "pressure levels" predict -i in.nc -o plev.nc --tendency --levels 10,50,1000hPa
works "the input's grid" predict -i in.nc -o grid.nc --levels 10,50hPa --grid input
works "360-day calendar" predict -i year.nc -o days.nc --levels 10hPa
works "from features" predict -i windset.nc -o hours.nc --time-units "hours since 2004-12-31 23:00" \
    --normalised
works "features" "$gwflux" prepare -m unet.nc -i in.nc -o features.nc
outputs="model plev grid days hours features"

# --- NetCDF's own --------------------------------------------------------------------------------
for name in $outputs; do
    works "nccopy: $name" nccopy -k nc6 "$name.nc" classic.nc
    works "ncdump -t: $name" ncdump -t -v time "$name.nc"
done
works "dates of a 360-day calendar" ncdump -t -v time days.nc
says "as they are" '"2000-02-29", "2000-02-29 06"' out

# --- CDO -----------------------------------------------------------------------------------------
if command -v cdo > /dev/null; then
    for name in $outputs; do works "cdo sinfo: $name" cdo -s sinfo "$name.nc"; done
    works "grid and levels of the model" cdo -s sinfo model.nc
    says "grid" "gaussian                 : points=8192 (128x64)" out
    says "longitudes" "lon : 0 to 357.1875 by 2.8125 degrees_east  circular" out
    says "levels" "lev : 1.45375 to 1012.26 hPa" out
    says "times" "2005-01-23 00:00:00  2005-01-23 06:00:00" out
    works "pressure levels" cdo -s sinfo plev.nc
    says "are pressures" "plev : 1000 to 100000 Pa" out
    works "the input's grid" cdo -s sinfo grid.nc
    says "is regular" "lat : -90 to 90 by 5.625 degrees_north" out
    works "the grid of features" cdo -s sinfo features.nc
    says "is Gaussian" "gaussian                 : points=8192 (128x64)" out
    works "missing values are known" cdo -s outputtab,value,nohead -selvar,uw -seltimestep,1 \
        -setmisstoc,-7 -sellevel,100000 plev.nc
    holds "where the ground is higher" test "$(grep -cx ' *-7 *' out)" -gt 1000
    holds "and only there" test "$(grep -cvx ' *-7 *' out)" -gt 1000
else
    echo "skipped: CDO is not there"
fi

# --- NCO -----------------------------------------------------------------------------------------
if command -v ncks > /dev/null; then
    for name in $outputs; do
        works "ncks: $name" ncks -O -d time,1 "$name.nc" cut.nc
        works "ncra: $name" ncra -O "$name.nc" mean.nc
    done
    works "ncap2 knows the fields" ncap2 -O -v -s 'drag=utend*86400' model.nc drag.nc
    works "its result" ncks -m -v drag drag.nc
else
    echo "skipped: NCO is not there"
fi

# --- xarray --------------------------------------------------------------------------------------
if "$python" -c 'import xarray, netCDF4' 2> /dev/null; then
    cat > open.py << 'END'
import sys

import netCDF4
import numpy as np
import xarray

for name in sys.argv[1:]:
    with xarray.open_dataset(name, use_cftime="days" in name or None) as data, netCDF4.Dataset(name) as raw:
        field = data["features" if "features" in name else "uw"]
        raw.set_auto_mask(False)
        values = raw[field.name][:]
        values = np.where(values > 1e36, np.nan, values)
        assert field.shape == values.shape, (field.shape, values.shape)
        assert np.array_equal(field.values, values, equal_nan=True), name
        assert field.sizes["time"] == 2 and "time" in field.coords, name
        south = field.sel(lat=-33, method="nearest").lat
        assert -40 < float(south) < -30, south
        hours = (data.time[1] - data.time[0]).values
        print(name, field.dims, data.time.values[0], hours)
END
    works "xarray" "$python" -W error::UserWarning open.py model.nc plev.nc grid.nc hours.nc days.nc features.nc
    says "dates" "model.nc ('time', 'lev', 'lat', 'lon') 2005-01-23T00:00:00" out
    says "dates with --time-units" "hours.nc ('time', 'lev', 'lat', 'lon') 2005-01-01T00:00:00" out
    says "dates of a calendar that is not ours" "days.nc ('time', 'plev', 'lat', 'lon') 2000-02-29 00:00:00" out
else
    echo "skipped: xarray is not there"
fi

# --- CF ------------------------------------------------------------------------------------------
if command -v compliance-checker > /dev/null; then
    for name in $outputs; do
        works "CF: $name" compliance-checker -t cf:1.10 -c strict "$name.nc"
        says "CF: $name" "All tests passed!" out
    done
else
    echo "skipped: compliance-checker is not there"
fi
finish
