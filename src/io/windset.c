#include "io/windset.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/atmosphere.h"
#include "io/nc_internal.h"
#include "io/slab.h"
#include "io/windset_internal.h"

enum { AXIS_LIMIT = 1 << 16 };
static const char expected[] = "(time, idim, lat, lon)";

struct gwf_windset {
    gwf_nc nc;
    gwf_windset_header header;
    gwf_nc_variable features, time, pressure;
    bool has_time;
    gwf_slab *slab, *pressure_slab; /* the second NULL where there is no pressure */
};

const gwf_windset_header *gwf_windset_header_of(const gwf_windset *file)
{
    return &file->header;
}

const char *gwf_windset_path(const gwf_windset *file)
{
    return file->nc.path;
}

const gwf_nc *gwf_windset_nc(const gwf_windset *file)
{
    return &file->nc;
}

const gwf_nc_variable *gwf_windset_time_variable(const gwf_windset *file)
{
    return file->has_time ? &file->time : NULL;
}

/* --- finding the features ------------------------------------------------------------------- */

/* snprintf at the end of text. */
static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
}

/* "features(time, idim, lat, lon)" */
static void append_signature(char *text, size_t size, const gwf_nc_variable *v)
{
    append(text, size, "%.64s(", v->name);
    for (int i = 0; i < v->rank; i++) append(text, size, "%s%.64s", i ? ", " : "", v->dims[i]);
    append(text, size, ")");
}

static gwf_status no_features(const gwf_nc *nc, gwf_error *err)
{
    char found[512] = "";
    int count = 0;
    GWF_TRY(gwf_nc_variable_count(nc, &count, err));
    for (int i = 0; i < count && strlen(found) < 400; i++) {
        gwf_nc_variable v;
        if (gwf_nc_variable_at(nc, i, &v, NULL) != GWF_OK) continue;
        if (found[0]) append(found, sizeof found, ", ");
        append_signature(found, sizeof found, &v);
    }
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: no variable features%s; found %s", nc->path, expected,
                    count ? found : "no variables");
}

/* Names that belong to one place. Generic ones (dim_0, x) may stand anywhere. */
static bool dims_in_order(const gwf_nc_variable *v)
{
    static const struct {
        const char *name;
        int place;
    } known[] = {{"time", 0}, {"idim", 1},     {"lat", 2},
                 {"lon", 3},  {"latitude", 2}, {"longitude", 3}};
    for (int i = 0; i < v->rank; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (strcmp(v->dims[i], known[k].name) == 0 && known[k].place != i) return false;
    return true;
}

static gwf_status wrong_shape(const gwf_windset *file, gwf_error *err)
{
    char found[640] = "";
    append_signature(found, sizeof found, &file->features);
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s, expected dimensions %s", file->nc.path,
                    found, expected);
}

static gwf_status check_lengths(const gwf_windset *file, gwf_error *err)
{
    const gwf_nc_variable *v = &file->features;
    for (int i = 0; i < 4; i++) {
        const size_t most = i == 0 ? INT_MAX : AXIS_LIMIT;
        if (v->shape[i] < 1 || v->shape[i] > most)
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "%s: variable %s: dimension %s has length %zu, expected 1 to %zu",
                            file->nc.path, v->name, v->dims[i], v->shape[i], most);
    }
    return GWF_OK;
}

static bool look_for_features(const gwf_nc *nc, gwf_nc_variable *v)
{
    return gwf_nc_variable_find(nc, "features", v) ||
           gwf_nc_variable_find(nc, "__xarray_dataarray_variable__", v);
}

static gwf_status find_features(gwf_windset *file, gwf_error *err)
{
    gwf_nc_variable *v = &file->features;
    if (!look_for_features(&file->nc, v)) return no_features(&file->nc, err);
    if (v->rank != 4 || !dims_in_order(v)) return wrong_shape(file, err);
    return check_lengths(file, err);
}

/* --- what stands around them ---------------------------------------------------------------- */

static gwf_status read_header(gwf_windset *file, gwf_error *err)
{
    static const char *const lat[2] = {"lat", "latitude"}, *const lon[2] = {"lon", "longitude"};
    gwf_windset_header *h = &file->header;
    gwf_nc_variable output;
    h->steps = file->features.shape[0];
    h->idim = file->features.shape[1];
    h->nlat = file->features.shape[2];
    h->nlon = file->features.shape[3];
    if (gwf_nc_variable_find(&file->nc, "output", &output) && output.rank == 4)
        h->odim = output.shape[1];
    GWF_TRY(gwf_windset_axis(&file->nc, lat, h->nlat, 90.0, &h->lat, err));
    GWF_TRY(gwf_windset_axis(&file->nc, lon, h->nlon, 360.0, &h->lon, err));
    h->coordinates = h->lat && h->lon;
    gwf_nc_text(&file->nc, NULL, "gwflux_recipe", h->recipe, sizeof h->recipe);
    return GWF_OK;
}

static void find_time(gwf_windset *file)
{
    gwf_nc_variable *t = &file->time;
    file->has_time = gwf_nc_variable_find(&file->nc, file->features.dims[0], t) && t->rank == 1 &&
                     t->shape[0] == file->header.steps &&
                     gwf_nc_is_number(gwf_nc_type_of(&file->nc, t));
    char units[96] = "", calendar[32] = "";
    if (!file->has_time) return;
    const nc_type type = gwf_nc_type_of(&file->nc, t);
    gwf_nc_text(&file->nc, t, "units", units, sizeof units);
    gwf_nc_text(&file->nc, t, "calendar", calendar, sizeof calendar);
    snprintf(file->header.time, sizeof file->header.time, "%s, units '%s', calendar '%s'",
             type == NC_FLOAT || type == NC_DOUBLE ? "real" : "integer", units, calendar);
}

/* Only what says that it is in Pa. */
static gwf_status find_pressure(gwf_windset *file, gwf_error *err)
{
    gwf_nc_variable *v = &file->pressure;
    static const int places[3] = {0, 2, 3};
    char units[8] = "";
    if (!gwf_nc_variable_find(&file->nc, "ps", v) || v->rank != 3 ||
        !gwf_nc_is_number(gwf_nc_type_of(&file->nc, v)) ||
        !gwf_nc_text(&file->nc, v, "units", units, sizeof units) || strcmp(units, "Pa") != 0)
        return GWF_OK;
    for (int i = 0; i < 3; i++)
        if (strcmp(v->dims[i], file->features.dims[places[i]]) != 0) return GWF_OK;
    file->header.surface_pressure = true;
    return gwf_slab_open(&file->nc, v, 1, &file->pressure_slab, err);
}

/* All text attributes of one variable (NULL: global), one a line. */
static void append_attributes(gwf_windset *file, const gwf_nc_variable *v)
{
    char *text = file->header.text;
    const size_t size = sizeof file->header.text;
    char name[NC_MAX_NAME + 1], value[1024];
    const int id = v ? v->id : NC_GLOBAL;
    for (int i = 0; nc_inq_attname(file->nc.id, id, i, name) == NC_NOERR; i++)
        if (gwf_nc_text(&file->nc, v, name, value, sizeof value))
            append(text, size, "%s: %s\n", name, value);
}

static void gather_text(gwf_windset *file)
{
    const char *slash = strrchr(file->nc.path, '/');
    append(file->header.text, sizeof file->header.text, "file: %s\n",
           slash ? slash + 1 : file->nc.path);
    append_attributes(file, &file->features);
    append_attributes(file, NULL);
}

static gwf_status inspect(gwf_windset *file, gwf_error *err)
{
    GWF_TRY(find_features(file, err));
    GWF_TRY(read_header(file, err));
    GWF_TRY(gwf_slab_open(&file->nc, &file->features, 1, &file->slab, err));
    snprintf(file->header.advice, sizeof file->header.advice, "%s", gwf_slab_advice(file->slab));
    find_time(file);
    GWF_TRY(find_pressure(file, err));
    gather_text(file);
    return GWF_OK;
}

gwf_status gwf_windset_open(const char *path, gwf_windset **file, gwf_error *err)
{
    *file = calloc(1, sizeof **file);
    if (!*file) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    gwf_status status = gwf_nc_open(path, &(*file)->nc, err);
    if (status == GWF_OK) status = inspect(*file, err);
    if (status != GWF_OK) gwf_windset_close(file);
    return status;
}

gwf_status gwf_windset_recognise(const char *path, bool *features, gwf_error *err)
{
    gwf_nc nc;
    gwf_nc_variable v;
    *features = false;
    GWF_TRY(gwf_nc_check_local(path, err));
    if (gwf_is_grib(path)) return GWF_OK;
    GWF_TRY(gwf_nc_open(path, &nc, err));
    *features = look_for_features(&nc, &v);
    return gwf_nc_close(&nc, err);
}

void gwf_windset_close(gwf_windset **file)
{
    if (!*file) return;
    gwf_slab_close(&(*file)->slab);
    gwf_slab_close(&(*file)->pressure_slab);
    gwf_nc_close(&(*file)->nc, NULL);
    free((*file)->header.lat);
    free((*file)->header.lon);
    free(*file);
    *file = NULL;
}

void gwf_windset_set_threads(gwf_windset *file, int threads)
{
    gwf_slab_set_threads(file->slab, threads);
}

const char *gwf_windset_how(const gwf_windset *file)
{
    return gwf_slab_how(file->slab);
}

/* --- reading -------------------------------------------------------------------------------- */

static gwf_status check_request(const gwf_windset *file, size_t step, const int *index, int count,
                                gwf_error *err)
{
    const gwf_windset_header *h = &file->header;
    if (step >= h->steps)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: step %zu, the file has %zu", file->nc.path,
                        step, h->steps);
    for (int i = 0; i < count; i++)
        if (index[i] < 0 || (size_t)index[i] >= h->idim)
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s: variable %s: channel %d, the file has %zu",
                            file->nc.path, file->features.name, index[i], h->idim);
    return GWF_OK;
}

gwf_status gwf_windset_read(gwf_windset *file, size_t step, const int *index, int count,
                            float *values, gwf_error *err)
{
    const size_t nlat = file->header.nlat, nlon = file->header.nlon;
    GWF_TRY(check_request(file, step, index, count, err));
    for (int i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && index[i + n] == index[i] + n;) n++;
        const size_t start[4] = {step, (size_t)index[i], 0, 0};
        const size_t size[4] = {1, (size_t)n, nlat, nlon};
        float *run = values + (size_t)i * nlat * nlon;
        GWF_TRY(gwf_slab_read(file->slab, start, size, run, err));
    }
    return GWF_OK;
}

bool gwf_windset_find(const gwf_windset *file, size_t step, const int *index, int count,
                      gwf_planes *planes)
{
    return check_request(file, step, index, count, NULL) == GWF_OK &&
           gwf_slab_find_planes(file->slab, step, index, count, planes);
}

/* Nowhere on Earth beyond these, Pa. */
static gwf_status check_pressure(const gwf_windset *file, size_t step, const float *ps,
                                 gwf_error *err)
{
    const gwf_windset_header *h = &file->header;
    const double least = 20000, most = 120000;
    for (size_t i = 0; i < h->nlat * h->nlon; i++)
        if (!(ps[i] >= least && ps[i] <= most))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: variable ps: step %zu, row %zu, column %zu: %g Pa, expected %g to "
                            "%g",
                            file->nc.path, step, i / h->nlon, i % h->nlon, (double)ps[i], least,
                            most);
    return GWF_OK;
}

gwf_status gwf_windset_pressure(gwf_windset *file, size_t step, float *ps, gwf_error *err)
{
    const size_t start[3] = {step}, count[3] = {1, file->header.nlat, file->header.nlon};
    GWF_TRY(check_request(file, step, NULL, 0, err));
    if (!file->header.surface_pressure)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: has no surface pressure (ps in Pa)",
                        file->nc.path);
    GWF_TRY(gwf_slab_read(file->pressure_slab, start, count, ps, err));
    return check_pressure(file, step, ps, err);
}

gwf_status gwf_windset_time(gwf_windset *file, size_t step, double *time, gwf_error *err)
{
    GWF_TRY(check_request(file, step, NULL, 0, err));
    *time = (double)step;
    if (!file->has_time) return GWF_OK;
    const int rc = GWF_NC(nc_get_var1_double(file->nc.id, file->time.id, &step, time));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(&file->nc, file->time.name, "reading failed", rc, GWF_ERR_IO, err);
}
