/* The reader of reanalysis without ecCodes: GRIB files are recognised and refused. */
#ifndef GWF_HAVE_ECCODES
#include "io/atmosphere_internal.h"

gwf_status gwf_atm_grib_scan(gwf_atmosphere *atmosphere, size_t file, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "%s: is GRIB, and this build has no ecCodes: convert it with cdo -f nc4 copy",
                    atmosphere->files[file].path);
}

gwf_status gwf_atm_grib_start(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, gwf_error *err)
{
    return gwf_atm_grib_scan(atmosphere, cursor->piece->file, err);
}

void gwf_atm_grib_stop(gwf_atm_cursor *cursor)
{
    (void)cursor;
}

gwf_status gwf_atm_grib_read(gwf_atmosphere *atmosphere, gwf_atm_cursor *cursor, size_t step,
                             size_t level, size_t levels, float *values, gwf_error *err)
{
    (void)step, (void)level, (void)levels, (void)values;
    return gwf_atm_grib_scan(atmosphere, cursor->piece->file, err);
}
#else
typedef int gwf_eccodes_is_there;
#endif
