#include "io/packing.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "io/nc_internal.h"

/* --- attributes ----------------------------------------------------------------------------- */

typedef struct source {
    const gwf_nc *file;
    const gwf_nc_variable *v;
    nc_type stored;
} source;

static bool is_real(nc_type type)
{
    return type == NC_FLOAT || type == NC_DOUBLE;
}

static bool is_unsigned_integer(const source *s)
{
    char text[8];
    return gwf_nc_text(s->file, s->v, "_Unsigned", text, sizeof text) &&
           strcasecmp(text, "true") == 0;
}

static nc_type unsigned_of(nc_type type)
{
    switch (type) {
    case NC_BYTE:
        return NC_UBYTE;
    case NC_SHORT:
        return NC_USHORT;
    case NC_INT:
        return NC_UINT;
    case NC_INT64:
        return NC_UINT64;
    default:
        return type;
    }
}

/* 2 to the number of the type's bits: what a negative number of it lacks as an unsigned one. */
static double turn_of(nc_type type)
{
    switch (type) {
    case NC_BYTE:
        return 0x1p8;
    case NC_SHORT:
        return 0x1p16;
    case NC_INT:
        return 0x1p32;
    case NC_INT64:
        return 0x1p64;
    default:
        return 0;
    }
}

/* Up to `most` numbers, as stored values are meant (_Unsigned); 0 when there are none, or others
 * than numbers, or more. */
static int numbers(const source *s, const gwf_packing *p, const char *name, int most,
                   double *values, nc_type *type)
{
    size_t length = 0;
    if (nc_inq_att(s->file->id, s->v->id, name, type, &length) != NC_NOERR || length < 1 ||
        length > (size_t)most || !gwf_nc_is_number(*type) ||
        nc_get_att_double(s->file->id, s->v->id, name, values) != NC_NOERR)
        return 0;
    for (size_t i = 0; i < length && p->type != s->stored; i++)
        if (values[i] < 0) values[i] += turn_of(*type);
    return (int)length;
}

static void read_missing(const source *s, gwf_packing *p)
{
    nc_type type;
    p->n_missing = numbers(s, p, "_FillValue", 1, p->missing, &type);
    if (p->n_missing == 0 && is_real(s->stored)) {
        p->missing[0] = s->stored == NC_FLOAT ? (double)NC_FILL_FLOAT : NC_FILL_DOUBLE;
        p->n_missing = 1;
    }
    p->n_missing += numbers(s, p, "missing_value", GWF_PACKING_MISSING - p->n_missing,
                            p->missing + p->n_missing, &type);
}

static void read_bounds(const source *s, gwf_packing *p)
{
    nc_type type = NC_NAT, other = NC_NAT;
    double range[2] = {-INFINITY, INFINITY};
    if (numbers(s, p, "valid_range", 2, range, &type) != 2) {
        range[0] = -INFINITY;
        range[1] = INFINITY;
        numbers(s, p, "valid_min", 1, &range[0], &type);
        numbers(s, p, "valid_max", 1, &range[1], &other);
        if (type == NC_NAT) type = other;
    }
    p->low = range[0];
    p->high = range[1];
    p->bounded = range[0] > -INFINITY || range[1] < INFINITY;
    p->bounds_unpacked = is_real(type) && !is_real(s->stored);
}

gwf_status gwf_packing_read(const gwf_nc *file, const gwf_nc_variable *v, gwf_packing *packing,
                            gwf_error *err)
{
    const source s = {file, v, gwf_nc_type_of(file, v)};
    *packing = (gwf_packing){.type = s.stored, .scale = 1};
    if (!gwf_nc_is_number(s.stored) ||
        nc_inq_type(file->id, s.stored, NULL, &packing->size) != NC_NOERR)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: does not hold numbers", file->path,
                        v->name);
    if (is_unsigned_integer(&s)) packing->type = unsigned_of(s.stored);
    gwf_nc_number(file, v, "scale_factor", &packing->scale);
    gwf_nc_number(file, v, "add_offset", &packing->offset);
    read_missing(&s, packing);
    read_bounds(&s, packing);
    if (isfinite(packing->scale) && isfinite(packing->offset)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: scale_factor or add_offset not finite",
                    file->path, v->name);
}

/* --- values --------------------------------------------------------------------------------- */

/* One per stored type. Through double, so that packed integers keep all their digits. */
#define UNPACK(name, ctype)                                                                        \
    static void unpack_##name(const gwf_packing *p, const ctype *stored, size_t n, float *values)  \
    {                                                                                              \
        const double scale = p->scale, offset = p->offset;                                         \
        for (size_t i = 0; i < n; i++) values[i] = (float)((double)stored[i] * scale + offset);    \
        for (int m = 0; m < p->n_missing; m++) {                                                   \
            const double missing = p->missing[m];                                                  \
            for (size_t i = 0; i < n; i++)                                                         \
                values[i] = (double)stored[i] == missing ? NAN : values[i];                        \
        }                                                                                          \
        if (!p->bounded) return;                                                                   \
        const double low = p->low, high = p->high;                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            const double x = p->bounds_unpacked ? (double)values[i] : (double)stored[i];           \
            values[i] = x >= low && x <= high ? values[i] : NAN;                                   \
        }                                                                                          \
    }

UNPACK(byte, int8_t)
UNPACK(ubyte, uint8_t)
UNPACK(short, int16_t)
UNPACK(ushort, uint16_t)
UNPACK(int, int32_t)
UNPACK(uint, uint32_t)
UNPACK(int64, int64_t)
UNPACK(uint64, uint64_t)
UNPACK(double, double)

/* Almost always none: to look costs less than to write all values once more. */
static void mark_missing(float missing, size_t n, float *values)
{
    int found = 0;
    for (size_t i = 0; i < n; i++) found |= values[i] == missing;
    for (size_t i = 0; found && i < n; i++) values[i] = values[i] == missing ? NAN : values[i];
}

/* In place: what is missing first, as stored. -9999.9 in double equals no stored float. */
static void unpack_floats(const gwf_packing *p, size_t n, float *values)
{
    for (int m = 0; m < p->n_missing; m++) mark_missing((float)p->missing[m], n, values);
    const float low = (float)p->low, high = (float)p->high;
    for (size_t i = 0; p->bounded && i < n; i++)
        values[i] = values[i] >= low && values[i] <= high ? values[i] : NAN;
    const double scale = p->scale, offset = p->offset;
    const bool packed = scale != 1 || offset != 0;
    for (size_t i = 0; packed && i < n; i++)
        values[i] = (float)((double)values[i] * scale + offset);
}

/* So many at a time that they stay in the nearest cache between the loops. */
enum { BLOCK = 1024 };

static void unpack_block(const gwf_packing *p, const void *stored, size_t n, float *values)
{
    switch (p->type) {
    case NC_BYTE:
        unpack_byte(p, stored, n, values);
        break;
    case NC_UBYTE:
        unpack_ubyte(p, stored, n, values);
        break;
    case NC_SHORT:
        unpack_short(p, stored, n, values);
        break;
    case NC_USHORT:
        unpack_ushort(p, stored, n, values);
        break;
    case NC_INT:
        unpack_int(p, stored, n, values);
        break;
    case NC_UINT:
        unpack_uint(p, stored, n, values);
        break;
    case NC_INT64:
        unpack_int64(p, stored, n, values);
        break;
    case NC_UINT64:
        unpack_uint64(p, stored, n, values);
        break;
    case NC_DOUBLE:
        unpack_double(p, stored, n, values);
        break;
    default:
        if (stored != values) memcpy(values, stored, n * sizeof *values);
        unpack_floats(p, n, values);
    }
}

void gwf_packing_unpack(const gwf_packing *packing, const void *stored, size_t n, float *values)
{
    const char *from = stored;
    for (size_t i = 0; i < n; i += BLOCK)
        unpack_block(packing, from + i * packing->size, n - i < BLOCK ? n - i : BLOCK, values + i);
}
