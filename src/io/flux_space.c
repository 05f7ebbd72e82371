#include "io/flux_internal.h"

#include "io/nc_internal.h"

static gwf_status failed(const gwf_nc *nc, const char *variable, int rc, gwf_error *err)
{
    return gwf_nc_fail(nc, variable, "making room for its steps failed", rc, GWF_ERR_IO, err);
}

/* HDF5 gives a chunk its place when its first value is written, and without a cache writes that
 * value only: a year of steps takes 0.1 s. */
static gwf_status make_field(gwf_nc *nc, const char *name, int id, size_t steps, gwf_error *err)
{
    const size_t one[4] = {1, 1, 1, 1};
    const float nothing = 0;
    int rc = gwf_nc_write_through(nc, id);
    for (size_t s = 0; s < steps && rc == NC_NOERR; s++) {
        const size_t start[4] = {s, 0, 0, 0};
        rc = GWF_NC(nc_put_vara_float(nc->id, id, start, one, &nothing));
    }
    return rc == NC_NOERR ? GWF_OK : failed(nc, name, rc, err);
}

/* A value in every chunk, and the last one. */
static gwf_status make_times(gwf_nc *nc, int id, size_t steps, gwf_error *err)
{
    double fill = 0; /* room for a value of any type */
    int rc = GWF_NC(nc_inq_var_fill(nc->id, id, NULL, &fill));
    for (size_t s = 0; s < steps && rc == NC_NOERR; s += GWF_FLUX_TIME_CHUNK) {
        const size_t end = s + GWF_FLUX_TIME_CHUNK, last = (end < steps ? end : steps) - 1;
        rc = GWF_NC(nc_put_var1(nc->id, id, &last, &fill));
    }
    return rc == NC_NOERR ? GWF_OK : failed(nc, "time", rc, err);
}

gwf_status gwf_flux_space_make(gwf_nc *nc, const gwf_flux_layout *layout,
                               const gwf_flux_variables *variables, gwf_error *err)
{
    GWF_TRY(make_field(nc, "uw", variables->uw, layout->steps, err));
    GWF_TRY(make_field(nc, "vw", variables->vw, layout->steps, err));
    if (layout->prediction_channels > 0)
        GWF_TRY(make_field(nc, "prediction", variables->prediction, layout->steps, err));
    return make_times(nc, variables->time, layout->steps, err);
}
