#include "io/nc_internal.h"
#include "io/step_internal.h"

static gwf_status failed(const gwf_nc *nc, const char *variable, int rc, gwf_error *err)
{
    return gwf_nc_fail(nc, variable, "making room for its steps failed", rc, GWF_ERR_IO, err);
}

/* HDF5 gives a chunk its place when its first value is written, and without a cache writes that
 * value only: a year of steps takes 0.1 s. */
static gwf_status make_field(gwf_nc *nc, const gwf_step_variable *v, size_t steps, gwf_error *err)
{
    const size_t one[GWF_NC_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    const float nothing = 0;
    int rc = gwf_nc_write_through(nc, v->id);
    for (size_t s = 0; s < steps && rc == NC_NOERR; s++) {
        const size_t start[GWF_NC_RANK] = {s};
        rc = GWF_NC(nc_put_vara_float(nc->id, v->id, start, one, &nothing));
    }
    return rc == NC_NOERR ? GWF_OK : failed(nc, v->name, rc, err);
}

/* A value in every chunk, and the last one. */
static gwf_status make_times(gwf_nc *nc, int id, size_t steps, gwf_error *err)
{
    double fill = 0; /* room for a value of any type */
    int rc = GWF_NC(nc_inq_var_fill(nc->id, id, NULL, &fill));
    for (size_t s = 0; s < steps && rc == NC_NOERR; s += GWF_STEP_TIME_CHUNK) {
        const size_t end = s + GWF_STEP_TIME_CHUNK, last = (end < steps ? end : steps) - 1;
        rc = GWF_NC(nc_put_var1(nc->id, id, &last, &fill));
    }
    return rc == NC_NOERR ? GWF_OK : failed(nc, "time", rc, err);
}

gwf_status gwf_step_space_make(gwf_nc *nc, size_t steps, const gwf_step_variables *variables,
                               gwf_error *err)
{
    for (int i = 0; i < variables->n_fields; i++)
        GWF_TRY(make_field(nc, &variables->fields[i], steps, err));
    return make_times(nc, variables->time, steps, err);
}
