/* Coordinates and chunks of a feature file, looked at once when it is opened. */
#include "io/windset_internal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/size.h"
#include "io/nc_internal.h"

#include <netcdf_filter.h> /* leans on netcdf.h */

/* --- coordinates ---------------------------------------------------------------------------- */

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

/* --- chunks --------------------------------------------------------------------------------- */

#define MIB ((size_t)1 << 20)
static const size_t cache_limit = 256 * MIB;
static const size_t direct_bytes = MIB / 16;   /* of one chunk's share in a step */
static const size_t decode_limit = 1024 * MIB; /* a damaged or hostile file may ask for 4 GB */

typedef struct chunking {
    size_t shape[4];
    size_t bytes; /* of one chunk, decoded          */
    size_t row;   /* of all chunks that cover a step */
    size_t slots; /* of the hash table that keeps the row apart */
    bool filtered;
} chunking;

/* Compressed, shuffled or with checksums: only whole chunks can be read. */
static bool is_filtered(const gwf_nc *file, int id)
{
    size_t filters = 0;
    int shuffle = 0, deflate = 0, level = 0, checksum = 0;
    nc_inq_var_filter_ids(file->id, id, &filters, NULL);
    nc_inq_var_deflate(file->id, id, &shuffle, &deflate, &level);
    nc_inq_var_fletcher32(file->id, id, &checksum);
    return filters > 0 || shuffle || deflate || checksum;
}

/* HDF5 keeps one chunk per slot and shifts the chunk numbers together by powers of two, so as many
 * slots as there are shifted numbers keep all chunks of a row apart. */
static void measure_row(const gwf_nc_variable *v, chunking *c)
{
    c->row = c->bytes;
    c->slots = 1;
    for (int i = 1; i < 4; i++) {
        const size_t n = (v->shape[i] - 1) / c->shape[i] + 1;
        size_t power = 1;
        while (power < n) power *= 2;
        if (!gwf_size_mul(c->row, n, &c->row)) c->row = SIZE_MAX;
        if (!gwf_size_mul(c->slots, power, &c->slots)) c->slots = SIZE_MAX;
    }
}

/* False: not chunked, nothing to choose. */
static bool get_chunking(const gwf_nc *file, const gwf_nc_variable *v, chunking *c)
{
    int storage = NC_CONTIGUOUS;
    size_t element = 0;
    if (nc_inq_var_chunking(file->id, v->id, &storage, c->shape) != NC_NOERR ||
        storage != NC_CHUNKED ||
        nc_inq_type(file->id, gwf_nc_type_of(file, v), NULL, &element) != NC_NOERR)
        return false;
    for (int i = 0; i < 4; i++)
        if (c->shape[i] == 0) return false;
    if (!gwf_size_product(c->shape, 4, &c->bytes) || !gwf_size_mul(c->bytes, element, &c->bytes))
        c->bytes = SIZE_MAX;
    c->filtered = is_filtered(file, v->id);
    measure_row(v, c);
    return true;
}

gwf_status gwf_windset_tune_cache(const gwf_nc *file, const gwf_nc_variable *features, char *advice,
                                  size_t size, gwf_error *err)
{
    chunking c = {0};
    advice[0] = '\0';
    if (!get_chunking(file, features, &c)) return GWF_OK;
    if (c.filtered && c.bytes > decode_limit)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: compressed chunks of %.1f GB, at most %.1f GB can be "
                        "read; rewrite it with nccopy -c %s/1",
                        file->path, features->name, (double)c.bytes / 1e9,
                        (double)decode_limit / 1e9, features->dims[0]);
    /* What is stored as it is can be read in part, past the cache, which beats whole chunks unless
     * the parts are tiny. */
    const bool direct =
        !c.filtered && (c.row > cache_limit || c.bytes / c.shape[0] >= direct_bytes);
    size_t bytes = direct ? 1 : c.row, slots = c.slots;
    const size_t most_slots = 4 * MIB;
    if (bytes > cache_limit) {
        bytes = cache_limit;
        if (c.shape[0] > 1)
            snprintf(advice, size,
                     "chunks span %zu steps and are decoded again for each: slow; "
                     "nccopy -c %.64s/1 makes a copy that reads faster",
                     c.shape[0], features->dims[0]);
    }
    if (slots > most_slots) slots = most_slots;
    const int rc = GWF_NC(nc_set_var_chunk_cache(file->id, features->id, bytes, slots, 0.75f));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(file, features->name, "its chunk cache cannot be set", rc, GWF_ERR_IO, err);
}
