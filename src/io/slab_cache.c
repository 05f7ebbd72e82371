/* How a variable is chunked, and NetCDF-C's chunk cache for those that are read through it. */
#include <stdio.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"
#include "io/slab_internal.h"

#include <netcdf_filter.h> /* leans on netcdf.h */

static const size_t direct_bytes = GWF_MIB / 16;   /* of one chunk's share in a step */
static const size_t decode_limit = 1024 * GWF_MIB; /* a damaged or hostile file may ask for 4 GB */

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
static void measure_row(const gwf_nc_variable *v, gwf_chunking *c)
{
    c->row = c->bytes;
    c->slots = 1;
    for (int i = 1; i < v->rank; i++) {
        const size_t n = v->shape[i] > 0 ? (v->shape[i] - 1) / c->shape[i] + 1 : 1;
        size_t power = 1;
        while (power < n) power *= 2;
        if (!gwf_size_mul(c->row, n, &c->row)) c->row = SIZE_MAX;
        if (!gwf_size_mul(c->slots, power, &c->slots)) c->slots = SIZE_MAX;
    }
}

/* c->chunked stays false where there is nothing to choose. */
static void look(const gwf_nc *file, const gwf_nc_variable *v, gwf_chunking *c)
{
    int storage = NC_CONTIGUOUS;
    size_t element = 0;
    *c = (gwf_chunking){0};
    if (v->rank < 1 || nc_inq_var_chunking(file->id, v->id, &storage, c->shape) != NC_NOERR ||
        storage != NC_CHUNKED ||
        nc_inq_type(file->id, gwf_nc_type_of(file, v), NULL, &element) != NC_NOERR)
        return;
    for (int i = 0; i < v->rank; i++)
        if (c->shape[i] == 0) return;
    if (!gwf_size_product(c->shape, v->rank, &c->bytes) ||
        !gwf_size_mul(c->bytes, element, &c->bytes))
        c->bytes = SIZE_MAX;
    c->chunked = true;
    c->filtered = is_filtered(file, v->id);
    measure_row(v, c);
}

gwf_status gwf_chunking_read(const gwf_nc *file, const gwf_nc_variable *v, gwf_chunking *c,
                             gwf_error *err)
{
    look(file, v, c);
    if (!c->filtered || c->bytes <= decode_limit) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "%s: variable %s: compressed chunks of %.1f GB, at most %.1f GB can be read; "
                    "rewrite it with nccopy -c %s/1",
                    file->path, v->name, (double)c->bytes / 1e9, (double)decode_limit / 1e9,
                    v->dims[0]);
}

/* NetCDF-C 4.9.0 opens a variable by its name to give it another cache, and the dimension of that
 * name where there is one. */
static bool may_be_tuned(const gwf_nc *file, const gwf_nc_variable *v)
{
    size_t length = 0;
    return strcmp(v->dims[0], v->name) == 0 || !gwf_nc_dimension_find(file, v->name, &length);
}

gwf_status gwf_chunking_tune(const gwf_nc *file, const gwf_nc_variable *v, const gwf_chunking *c,
                             gwf_error *err)
{
    if (!c->chunked || !may_be_tuned(file, v)) return GWF_OK;
    /* What is stored as it is can be read in part, past the cache, which beats whole chunks unless
     * the parts are tiny. */
    const bool direct =
        !c->filtered && (c->row > GWF_SLAB_ROW_LIMIT || c->bytes / c->shape[0] >= direct_bytes);
    const size_t most_slots = 4 * GWF_MIB;
    const size_t bytes = direct ? 1 : c->row <= GWF_SLAB_ROW_LIMIT ? c->row : GWF_SLAB_ROW_LIMIT;
    const size_t slots = c->slots < most_slots ? c->slots : most_slots;
    const int rc = GWF_NC(nc_set_var_chunk_cache(file->id, v->id, bytes, slots, 0.75f));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(file, v->name, "its chunk cache cannot be set", rc, GWF_ERR_IO, err);
}

void gwf_chunking_advice(const gwf_nc_variable *v, const gwf_chunking *c, char *advice, size_t size)
{
    if (size > 0) advice[0] = '\0';
    if (c->filtered && c->row > GWF_SLAB_ROW_LIMIT && c->shape[0] > 1)
        snprintf(advice, size,
                 "chunks span %zu steps and are decoded again for each: slow; "
                 "nccopy -c %.64s/1 makes a copy that reads faster",
                 c->shape[0], v->dims[0]);
}
