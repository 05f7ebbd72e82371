/* Coordinates of a feature file, looked at once when it is opened. */
#include "io/windset_internal.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

static bool in_degrees(const gwf_nc *file, const gwf_nc_variable *v)
{
    char units[64];
    return gwf_nc_text(file, v, "units", units, sizeof units) &&
           strncasecmp(units, "degree", 6) == 0;
}

static bool all_within(const double *values, size_t count, double bound)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(values[i]) <= bound)) return false;
    return true;
}

static gwf_status check_axis(const gwf_nc *file, const char *name, const double *values,
                             size_t count, double full, gwf_error *err)
{
    if (!all_within(values, count, full * 1.0001))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: expected degrees up to %g, or fractions of %g",
                        file->path, name, full, full);
    for (size_t i = 1; i < count; i++)
        if (!(values[i] > values[i - 1]))
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "%s: variable %s: must increase (south to north, eastward); "
                            "value %zu is %g after %g",
                            file->path, name, i, values[i], values[i - 1]);
    return GWF_OK;
}

gwf_status gwf_windset_axis(const gwf_nc *file, const char *const names[2], size_t count,
                            double full, double **values, gwf_error *err)
{
    gwf_nc_variable v;
    if (!gwf_nc_variable_find(file, names[0], &v) && !gwf_nc_variable_find(file, names[1], &v))
        return GWF_OK;
    if (v.rank != 1 || v.shape[0] != count)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: %d-dimensional with %zu values, expected %zu values as "
                        "in the features",
                        file->path, v.name, v.rank, v.rank > 0 ? v.shape[0] : 1, count);
    *values = malloc(count * sizeof **values);
    if (!*values) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    GWF_TRY(gwf_nc_get_double(file, &v, count, *values, err));
    if (all_within(*values, count, 1.0001) && !in_degrees(file, &v))
        for (size_t i = 0; i < count; i++) (*values)[i] *= full;
    return check_axis(file, v.name, *values, count, full, err);
}
