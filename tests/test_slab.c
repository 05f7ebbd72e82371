/* Pieces of variables in many layouts. Truth is what the test wrote, or what NetCDF-C reads. */
#include "io/slab.h"

#include <math.h>
#include <netcdf.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

enum { RANK = 5, PIECES = 40 };

/* --- files ---------------------------------------------------------------------------------- */

/* What is 0 is not asked for. */
typedef struct layout {
    const char *name;
    nc_type type;
    int rank;
    size_t shape[RANK], chunk[RANK]; /* chunk[0] 0: not chunked */
    int endian, shuffle, deflate, fletcher32;
    bool unlimited, has_fill;
    double scale, offset, fill;
    int format;
} layout;

static size_t values_of(const layout *l)
{
    size_t n = 1;
    for (int i = 0; i < l->rank; i++) n *= l->shape[i];
    return n;
}

static uint64_t mixed(uint64_t x)
{
    x = (x + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

/* Any bit pattern of the small types; of the others what double holds exactly. */
static double stored_at(const layout *l, size_t i)
{
    const uint64_t x = mixed(i);
    if (l->has_fill && i % 17 == 3) return l->fill;
    switch (l->type) {
    case NC_BYTE:
        return (int8_t)x;
    case NC_UBYTE:
        return (uint8_t)x;
    case NC_SHORT:
        return (int16_t)x;
    case NC_USHORT:
        return (uint16_t)x;
    case NC_INT:
        return (int32_t)x;
    case NC_UINT:
        return (uint32_t)x;
    case NC_INT64:
        return (double)((int64_t)x >> 12);
    case NC_UINT64:
        return (double)(x >> 11);
    case NC_FLOAT:
        return (float)(sin(0.01 * (double)i) + 1e-3 * (double)(x % 1000));
    default:
        return sin(0.01 * (double)i) + 1e-9 * (double)(x % 1000000);
    }
}

static float expected_of(const layout *l, double stored)
{
    if (l->has_fill && stored == l->fill) return NAN;
    return l->scale != 0 ? (float)(stored * l->scale + l->offset) : (float)stored;
}

static void define_layout(int file, const layout *l, int id)
{
    int rc = NC_NOERR;
    if (l->endian) rc |= nc_def_var_endian(file, id, l->endian);
    if (l->chunk[0]) rc |= nc_def_var_chunking(file, id, NC_CHUNKED, l->chunk);
    if (l->shuffle || l->deflate)
        rc |= nc_def_var_deflate(file, id, l->shuffle, l->deflate > 0, l->deflate);
    if (l->fletcher32) rc |= nc_def_var_fletcher32(file, id, 1);
    if (l->has_fill) rc |= nc_put_att_double(file, id, "_FillValue", l->type, 1, &l->fill);
    if (l->scale != 0) rc |= nc_put_att_double(file, id, "scale_factor", NC_DOUBLE, 1, &l->scale);
    if (l->scale != 0) rc |= nc_put_att_double(file, id, "add_offset", NC_DOUBLE, 1, &l->offset);
    CU_ASSERT_EQUAL(rc, NC_NOERR);
}

/* An open file with an empty variable v. */
static int create(const char *path, const layout *l, int *id)
{
    int file = -1, dims[RANK];
    const int format = l->format ? l->format : NC_NETCDF4;
    CU_ASSERT_EQUAL_FATAL(nc_create(path, format | NC_CLOBBER, &file), NC_NOERR);
    for (int i = 0; i < l->rank; i++) {
        const char name[2] = {(char)('a' + i), 0};
        const size_t length = i == 0 && l->unlimited ? NC_UNLIMITED : l->shape[i];
        CU_ASSERT_EQUAL(nc_def_dim(file, name, length, &dims[i]), NC_NOERR);
    }
    CU_ASSERT_EQUAL_FATAL(nc_def_var(file, "v", l->type, l->rank, dims, id), NC_NOERR);
    define_layout(file, l, *id);
    nc_enddef(file);
    return file;
}

static const char *make(const layout *l, double *stored)
{
    const size_t n = values_of(l), start[RANK] = {0};
    char name[80];
    int id = -1;
    snprintf(name, sizeof name, "%.60s.nc", l->name);
    const char *path = test_scratch(name);
    const int file = create(path, l, &id);
    for (size_t i = 0; i < n; i++) stored[i] = stored_at(l, i);
    CU_ASSERT_EQUAL(nc_put_vara_double(file, id, start, l->shape, stored), NC_NOERR);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    return path;
}

/* --- an open variable ------------------------------------------------------------------------- */

typedef struct opened {
    gwf_nc file;
    gwf_nc_variable v;
    gwf_slab *slab;
} opened;

static opened open_slab(const char *path, int threads)
{
    opened o = {.file = {.id = -1}};
    gwf_error err = {0};
    CHECK_OK(gwf_nc_open(path, &o.file, &err), err);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&o.file, "v", &o.v));
    CHECK_OK(gwf_slab_open(&o.file, &o.v, threads, &o.slab, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(o.slab);
    return o;
}

static void close_slab(opened *o)
{
    gwf_slab_close(&o->slab);
    CU_ASSERT_PTR_NULL(o->slab);
    gwf_nc_close(&o->file, NULL);
}

static bool same(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* Values of a piece that are not what they should be; stored: those of the whole variable. */
static size_t wrong_in(const layout *l, const double *stored, const size_t *start,
                       const size_t *count, const float *values)
{
    size_t n = 1, wrong = 0;
    for (int i = 0; i < l->rank; i++) n *= count[i];
    for (size_t k = 0; k < n; k++) {
        size_t rest = k, place = 0, stride = 1;
        for (int i = l->rank - 1; i >= 0; i--) {
            place += (start[i] + rest % count[i]) * stride;
            rest /= count[i];
            stride *= l->shape[i];
        }
        wrong += !same(values[k], expected_of(l, stored[place]));
    }
    return wrong;
}

static void check_piece(opened *o, const layout *l, const double *stored, const size_t *start,
                        const size_t *count, float *values)
{
    gwf_error err = {0};
    for (size_t i = 0; i < values_of(l); i++) values[i] = -12345;
    CHECK_OK(gwf_slab_read(o->slab, start, count, values, &err), err);
    const size_t wrong = wrong_in(l, stored, start, count, values);
    if (wrong) fprintf(stderr, "\n  %s: %zu values are wrong\n", l->name, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
}

/* The whole, pieces here and there, then one index after another forward and backward. */
static void check_pieces(opened *o, const layout *l, const double *stored, float *values)
{
    size_t start[RANK] = {0}, count[RANK] = {0};
    check_piece(o, l, stored, start, l->shape, values);
    for (size_t p = 0; p < PIECES; p++) {
        for (int i = 0; i < l->rank; i++) {
            start[i] = (size_t)(mixed(100 * p + (size_t)i) % l->shape[i]);
            count[i] = 1 + (size_t)(mixed(100 * p + 50 + (size_t)i) % (l->shape[i] - start[i]));
        }
        check_piece(o, l, stored, start, count, values);
    }
    for (int i = 0; i < l->rank; i++) start[i] = 0, count[i] = l->shape[i];
    count[0] = 1;
    for (size_t i = 0; i < l->shape[0]; i++)
        check_piece(o, l, stored, (start[0] = i, start), count, values);
    for (size_t i = l->shape[0]; i-- > 0;)
        check_piece(o, l, stored, (start[0] = i, start), count, values);
}

static bool has_filter(const layout *l)
{
    return l->shuffle || l->deflate || l->fletcher32;
}

static void check_how(const opened *o, bool direct, int threads)
{
    char words[64] = "NetCDF-C";
#ifdef GWF_HAVE_DIRECT_CHUNKS
    if (direct)
        snprintf(words, sizeof words, "chunks decoded by %d thread%s (", threads,
                 threads == 1 ? "" : "s");
#else
    (void)direct, (void)threads;
#endif
    const char *how = gwf_slab_how(o->slab);
    if (!strstr(how, words)) fprintf(stderr, "\n  %s: %s\n", o->file.path, how);
    CU_ASSERT_PTR_NOT_NULL(strstr(how, words));
}

static void check_layout(const layout *l)
{
    double *stored = malloc(values_of(l) * sizeof *stored);
    float *values = malloc(values_of(l) * sizeof *values);
    CU_ASSERT_TRUE_FATAL(stored && values);
    const char *path = make(l, stored);
    for (int threads = 1; threads <= 5; threads += threads) { /* 1, 2, 4 */
        opened o = open_slab(path, threads);
        check_how(&o, has_filter(l), threads);
        CU_ASSERT_STRING_EQUAL(gwf_slab_advice(o.slab), "");
        check_pieces(&o, l, stored, values);
        close_slab(&o);
    }
    free(values);
    free(stored);
}

/* --- layouts -------------------------------------------------------------------------------- */

static void types(void)
{
    static const nc_type all[] = {NC_BYTE, NC_UBYTE, NC_SHORT,  NC_USHORT, NC_INT,
                                  NC_UINT, NC_INT64, NC_UINT64, NC_FLOAT,  NC_DOUBLE};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (int endian = NC_ENDIAN_LITTLE; endian <= NC_ENDIAN_BIG; endian++)
            for (int shuffle = 0; shuffle < 2; shuffle++)
                check_layout(&(layout){.name = "types",
                                       .type = all[i],
                                       .rank = 3,
                                       .shape = {5, 9, 41},
                                       .chunk = {2, 4, 20},
                                       .endian = endian,
                                       .shuffle = shuffle,
                                       .deflate = 1});
}

static void packing(void)
{
    layout l = {.rank = 3, .shape = {5, 9, 41}, .chunk = {2, 9, 41}, .shuffle = 1, .deflate = 1};
    l.scale = 0.0125;
    l.offset = -273.15;
    l.has_fill = true;
    l.name = "packed_short";
    l.type = NC_SHORT;
    l.fill = -32767;
    check_layout(&l);
    l.name = "packed_ubyte";
    l.type = NC_UBYTE;
    l.fill = 255;
    check_layout(&l);
    l.name = "packed_float";
    l.type = NC_FLOAT;
    l.fill = -9999.900390625; /* a float */
    check_layout(&l);
    l.name = "packed_double_big";
    l.type = NC_DOUBLE;
    l.fill = -9999.9;
    l.endian = NC_ENDIAN_BIG;
    check_layout(&l);
}

static void filters(void)
{
    for (int shuffle = 0; shuffle < 2; shuffle++)
        for (int deflate = 0; deflate < 10; deflate += 3)
            for (int fletcher32 = 0; fletcher32 < 2; fletcher32++)
                for (int type = NC_SHORT; type <= NC_DOUBLE; type++)
                    check_layout(&(layout){.name = "filters",
                                           .type = type,
                                           .rank = 2,
                                           .shape = {13, 37},
                                           .chunk = {4, 7},
                                           .shuffle = shuffle,
                                           .deflate = deflate,
                                           .fletcher32 = fletcher32});
}

static void chunk_shapes(void)
{
    layout l = {.name = "shapes", .type = NC_FLOAT, .shuffle = 1, .deflate = 1};
    const layout shapes[] = {
        {.rank = 1, .shape = {1}, .chunk = {1}},
        {.rank = 1, .shape = {5000}, .chunk = {1024}},
        {.rank = 1, .shape = {100}, .chunk = {7}, .unlimited = true},
        {.rank = 1, .shape = {10}, .chunk = {64}, .unlimited = true},
        {.rank = 2, .shape = {30, 1}, .chunk = {4, 1}},
        {.rank = 2, .shape = {3, 4099}, .chunk = {3, 4099}},
        {.rank = 3, .shape = {6, 7, 8}, .chunk = {1, 1, 1}},
        {.rank = 4, .shape = {6, 7, 8, 16}, .chunk = {1, 7, 8, 16}, .unlimited = true},
        {.rank = 4, .shape = {13, 7, 8, 16}, .chunk = {6, 3, 8, 16}, .unlimited = true},
        {.rank = 4, .shape = {3, 5, 40, 50}, .chunk = {2, 3, 33, 50}},
        {.rank = 4, .shape = {3, 5, 40, 50}, .chunk = {3, 5, 40, 3}},
        {.rank = 5, .shape = {3, 2, 4, 5, 6}, .chunk = {2, 1, 3, 4, 5}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        l.rank = shapes[i].rank;
        l.unlimited = shapes[i].unlimited;
        memcpy(l.shape, shapes[i].shape, sizeof l.shape);
        memcpy(l.chunk, shapes[i].chunk, sizeof l.chunk);
        check_layout(&l);
    }
}

/* Through NetCDF-C. */
static void unfiltered(void)
{
    layout l = {.rank = 3, .shape = {5, 9, 41}, .scale = 0.5, .offset = 3, .has_fill = true};
    l.fill = -32767;
    l.type = NC_SHORT;
    l.name = "contiguous";
    check_layout(&l);
    l.name = "chunked";
    memcpy(l.chunk, (const size_t[]){2, 4, 20}, 3 * sizeof(size_t));
    check_layout(&l);
    l.chunk[0] = 0;
    l.name = "classic";
    l.format = NC_64BIT_OFFSET;
    check_layout(&l);
    l.name = "cdf5_float";
    l.format = NC_64BIT_DATA;
    l.type = NC_FLOAT;
    check_layout(&l);
}

/* More values than are converted at a time. */
static void large(void)
{
    check_layout(&(layout){
        .name = "large", .type = NC_SHORT, .rank = 3, .shape = {7, 1000, 200}, .scale = 0.5});
    check_layout(&(layout){.name = "large_packed",
                           .type = NC_SHORT,
                           .rank = 4,
                           .shape = {2, 3, 300, 200},
                           .chunk = {1, 2, 299, 200},
                           .shuffle = 1,
                           .deflate = 1,
                           .scale = 0.5});
}

static void scalar(void)
{
    int file, id;
    float value = 0;
    const short stored = 7;
    gwf_error err = {0};
    const char *path = test_scratch("scalar.nc");
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    nc_def_var(file, "v", NC_SHORT, 0, NULL, &id);
    nc_put_var_short(file, id, &stored);
    nc_close(file);
    opened o = open_slab(path, 2);
    CHECK_OK(gwf_slab_read(o.slab, NULL, NULL, &value, &err), err);
    CU_ASSERT_EQUAL(value, 7);
    close_slab(&o);
}

/* --- chunks that are not there ---------------------------------------------------------------- */

static const layout steps_of_floats = {.name = "steps",
                                       .type = NC_FLOAT,
                                       .rank = 3,
                                       .shape = {6, 4, 32},
                                       .chunk = {1, 4, 32},
                                       .shuffle = 1,
                                       .deflate = 1};

/* Steps 1 and 4 were written. */
static void never_written(void)
{
    layout l = steps_of_floats;
    float values[6 * 4 * 32], step[4 * 32];
    const size_t all[3] = {0}, count[3] = {1, 4, 32};
    gwf_error err = {0};
    for (int kind = 0; kind < 3; kind++) {
        int id = -1;
        l.type = kind == 1 ? NC_SHORT : NC_FLOAT;
        const char *path = test_scratch("never.nc");
        const int file = create(path, &l, &id);
        nc_redef(file);
        if (kind == 2) nc_def_var_fill(file, id, NC_NOFILL, NULL);
        nc_enddef(file);
        for (size_t i = 0; i < 4 * 32; i++) step[i] = (float)i;
        for (size_t s = 1; s < 6; s += 3) {
            const size_t start[3] = {s};
            CU_ASSERT_EQUAL(nc_put_vara_float(file, id, start, count, step), NC_NOERR);
        }
        CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
        opened o = open_slab(path, 2);
        CHECK_OK(gwf_slab_read(o.slab, all, l.shape, values, &err), err);
        size_t wrong = 0;
        for (size_t i = 0; i < 6 * 4 * 32; i++) {
            const size_t s = i / (4 * 32);
            wrong += !same(values[i], s % 3 == 1 ? step[i % (4 * 32)] : NAN);
        }
#ifndef GWF_HAVE_DIRECT_CHUNKS
        if (kind > 0) wrong = 0; /* nobody knows */
#endif
        CU_ASSERT_EQUAL(wrong, 0);
        close_slab(&o);
    }
}

/* Along an unlimited dimension a variable may be shorter than the file. */
static void shorter_than_its_dimension(void)
{
    layout l = steps_of_floats;
    double *stored = malloc(values_of(&l) * sizeof *stored);
    float values[4 * 32], last = 0;
    int file = -1, id = -1, other = -1, dim = 0;
    gwf_error err = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(stored);
    l.unlimited = true;
    l.name = "shorter";
    const char *path = make(&l, stored);
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_WRITE, &file), NC_NOERR);
    nc_redef(file);
    nc_def_var(file, "other", NC_INT, 1, &dim, &other);
    nc_enddef(file);
    nc_put_var1_int(file, other, (const size_t[]){9}, &id);
    nc_close(file);
    opened o = open_slab(path, 2);
    CU_ASSERT_EQUAL(o.v.shape[0], 10);
    CHECK_OK(
        gwf_slab_read(o.slab, (const size_t[]){5, 0, 0}, (const size_t[]){1, 4, 32}, values, &err),
        err);
    CU_ASSERT_EQUAL(values[7], (float)stored[5 * 128 + 7]);
    CHECK_OK(
        gwf_slab_read(o.slab, (const size_t[]){9, 3, 31}, (const size_t[]){1, 1, 1}, &last, &err),
        err);
    CU_ASSERT_TRUE(isnan(last));
    close_slab(&o);
    free(stored);
}

/* HDF5 knows such a variable by another name. */
static void named_like_a_dimension(void)
{
    int file, id, dims[2];
    float written[6 * 8], values[6 * 8];
    gwf_error err = {0};
    const char *path = test_scratch("named.nc");
    for (size_t i = 0; i < 48; i++) written[i] = (float)i;
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    nc_def_dim(file, "v", 8, &dims[1]);
    nc_def_dim(file, "time", 6, &dims[0]);
    nc_def_var(file, "v", NC_FLOAT, 2, dims, &id);
    nc_def_var_chunking(file, id, NC_CHUNKED, (const size_t[]){2, 8});
    nc_def_var_deflate(file, id, 1, 1, 1);
    CU_ASSERT_EQUAL(nc_put_var_float(file, id, written), NC_NOERR);
    nc_close(file);
    opened o = open_slab(path, 2);
    check_how(&o, true, 2);
    CHECK_OK(gwf_slab_read(o.slab, (const size_t[]){0, 0}, (const size_t[]){6, 8}, values, &err),
             err);
    CU_ASSERT_EQUAL(memcmp(values, written, sizeof values), 0);
    close_slab(&o);
}

static void requests(void)
{
    layout l = steps_of_floats;
    double *stored = malloc(values_of(&l) * sizeof *stored);
    float values[4 * 32];
    gwf_error err = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(stored);
    opened o = open_slab(make(&l, stored), 2);
    const size_t one[3] = {1, 4, 32}, beyond[3] = {6, 0, 0}, long_count[3] = {1, 5, 32};
    const size_t wraps[3] = {2, SIZE_MAX, 0}, two[3] = {1, 2, 32}, none[3] = {1, 0, 32};
    CHECK_FAILS(gwf_slab_read(o.slab, beyond, one, values, &err), GWF_ERR_ARGUMENT, err,
                "steps.nc: variable v: 1 values from 6 along a, which has 6");
    CHECK_FAILS(gwf_slab_read(o.slab, (const size_t[]){0, 0, 0}, long_count, values, &err),
                GWF_ERR_ARGUMENT, err, "5 values from 0 along b");
    CHECK_FAILS(gwf_slab_read(o.slab, wraps, two, values, &err), GWF_ERR_ARGUMENT, err, "along b");
    values[0] = 5;
    CHECK_OK(gwf_slab_read(o.slab, (const size_t[]){0, 0, 0}, none, values, &err), err);
    CU_ASSERT_EQUAL(values[0], 5);
    close_slab(&o);
    gwf_slab_close(&o.slab);
    free(stored);
}

static void refused(void)
{
    int file, id, dim;
    gwf_nc nc;
    gwf_nc_variable v;
    gwf_slab *slab = NULL;
    gwf_error err = {0};
    const char *path = test_scratch("text.nc");
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    nc_def_dim(file, "n", 4, &dim);
    nc_def_var(file, "v", NC_CHAR, 1, &dim, &id);
    nc_close(file);
    CHECK_OK(gwf_nc_open(path, &nc, &err), err);
    CU_ASSERT_TRUE_FATAL(gwf_nc_variable_find(&nc, "v", &v));
    CHECK_FAILS(gwf_slab_open(&nc, &v, 1, &slab, &err), GWF_ERR_FORMAT, err,
                "text.nc: variable v: does not hold numbers");
    CU_ASSERT_PTR_NULL(slab);
    gwf_nc_close(&nc, NULL);
}

/* --- what is kept --------------------------------------------------------------------------- */

/* Bytes this process has read so far. */
static unsigned long long bytes_read(void)
{
    unsigned long long bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    if (!f) return 0;
    if (fscanf(f, "rchar: %llu", &bytes) != 1) bytes = 0;
    fclose(f);
    return bytes;
}

/* Chunks of 4 steps and 8 levels, read level by level and step by step. */
static void decoded_once(void)
{
    const layout l = {.name = "once",
                      .type = NC_INT,
                      .rank = 4,
                      .shape = {12, 16, 32, 64},
                      .chunk = {4, 8, 32, 64},
                      .deflate = 1};
    double *stored = malloc(values_of(&l) * sizeof *stored);
    float *values = malloc(values_of(&l) * sizeof *values);
    CU_ASSERT_TRUE_FATAL(stored && values);
    const char *path = make(&l, stored);
    if (bytes_read() == 0) test_skip("chunks are fetched once: /proc/self/io is not there");
    for (int threads = 1; threads < 4 && bytes_read() > 0; threads++) {
        opened o = open_slab(path, threads);
        const unsigned long long before = bytes_read();
        for (size_t s = 0; s < l.shape[0]; s++)
            for (size_t k = 0; k < l.shape[1]; k++)
                check_piece(&o, &l, stored, (const size_t[]){s, k, 0, 0},
                            (const size_t[]){1, 1, 32, 64}, values);
        const double fetched = (double)(bytes_read() - before);
        CHECK_AT_MOST(fetched / (4 * (double)values_of(&l)), 1.05);
        close_slab(&o);
    }
    free(values);
    free(stored);
}

static void threads_change(void)
{
    const layout l = {.name = "threads",
                      .type = NC_FLOAT,
                      .rank = 3,
                      .shape = {20, 9, 64},
                      .chunk = {1, 9, 64},
                      .deflate = 1};
    double *stored = malloc(values_of(&l) * sizeof *stored);
    float *values = malloc(values_of(&l) * sizeof *values);
    CU_ASSERT_TRUE_FATAL(stored && values);
    opened o = open_slab(make(&l, stored), 1);
    for (size_t s = 0; s < 20; s++) {
        gwf_slab_set_threads(o.slab, (int)(s % 5));
        for (size_t again = 0; again < 3; again++)
            check_piece(&o, &l, stored, (const size_t[]){s - s % 3 * (s > 3), 0, 0},
                        (const size_t[]){1, 9, 64}, values);
    }
    gwf_slab_set_threads(o.slab, 1000000);
    check_how(&o, true, 64);
    close_slab(&o);
    free(values);
    free(stored);
}

/* --- damaged and unusual chunks --------------------------------------------------------------- */

#ifdef GWF_HAVE_DIRECT_CHUNKS
#include <hdf5.h>
#include <libdeflate.h>

enum { STEP_BYTES = 4 * 32 * 4, ROOM = 1 << 20 };

static size_t deflated(const void *bytes, size_t n, unsigned char *stream)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    const size_t size = libdeflate_zlib_compress(c, bytes, n, stream, ROOM);
    CU_ASSERT_TRUE(size > 0);
    libdeflate_free_compressor(c);
    return size;
}

/* Put `n` bytes in place of the chunk of step 3. */
static void write_chunk(const char *path, uint32_t mask, const void *bytes, size_t n)
{
    const hsize_t at[3] = {3, 0, 0};
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(file, "v", H5P_DEFAULT);
    CU_ASSERT_TRUE(H5Dwrite_chunk(dataset, H5P_DEFAULT, mask, at, n, bytes) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
}

/* Step 3 cannot be read, again and again; the others can, also where it is decoded ahead. */
static void check_damage(const layout *l, const char *path, const double *stored, const char *words)
{
    float values[6 * 4 * 32];
    const size_t count[3] = {1, 4, 32};
    gwf_error err = {0};
    for (int threads = 1; threads < 4; threads++) {
        opened o = open_slab(path, threads);
        for (size_t s = 0; s < 6; s++) {
            const size_t start[3] = {s};
            if (s != 3) {
                check_piece(&o, l, stored, start, count, values);
                continue;
            }
            for (int again = 0; again < 3; again++)
                CHECK_FAILS(gwf_slab_read(o.slab, start, count, values, &err), GWF_ERR_FORMAT, err,
                            words);
            CU_ASSERT_PTR_NOT_NULL(
                strstr(err.text, "steps.nc: variable v: the chunk at (3, 0, 0) is damaged: "));
        }
        CHECK_FAILS(gwf_slab_read(o.slab, (const size_t[]){0, 0, 0}, l->shape, values, &err),
                    GWF_ERR_FORMAT, err, words);
        close_slab(&o);
    }
}

typedef struct damage {
    int shuffle, deflate, fletcher32;
    uint32_t mask;
    size_t inflated; /* ones that were deflated; 0: `raw` random bytes as they are */
    size_t raw, cut; /* the last `cut` bytes of either are left out */
    const char *words;
} damage;

static void damaged(void)
{
    static const damage cases[] = {
        {1, 1, 0, 0, 0, 500, 0, "its deflate stream cannot be decoded"},
        {1, 1, 0, 0, 0, 1, 0, "its deflate stream cannot be decoded"},
        {1, 1, 0, 0, STEP_BYTES, 0, 5, "its deflate stream cannot be decoded"},
        {1, 1, 0, 0, STEP_BYTES, 0, 1, "its deflate stream cannot be decoded"},
        {1, 1, 0, 0, STEP_BYTES - 1, 0, 0, "it holds fewer values"},
        {1, 1, 0, 0, STEP_BYTES + 1, 0, 0, "it holds more values"},
        {0, 1, 0, 0, 1000 * STEP_BYTES, 0, 0, "it holds more values"},
        {1, 1, 0, 0, 0, 100000, 0, "more bytes than it can have"},
        {1, 1, 0, 2, STEP_BYTES, 0, 0,
         "it has not the size of a chunk"}, /* deflated all the same */
        {1, 1, 0, 2, 0, STEP_BYTES - 4, 0, "it has not the size of a chunk"},
        {1, 0, 0, 0, 0, STEP_BYTES + 1, 0, "it has not the size of a chunk"},
        {0, 0, 1, 0, 0, STEP_BYTES + 4, 0, "its checksum (fletcher32) does not fit"},
        {0, 0, 1, 0, 0, 3, 0, "its checksum (fletcher32) does not fit"},
        {0, 1, 1, 0, STEP_BYTES + 4, 0, 0, "its checksum (fletcher32) does not fit"},
        {1, 1, 1, 0, STEP_BYTES + 4, 0, 0, "its checksum (fletcher32) does not fit"},
        {1, 1, 1, 0, STEP_BYTES, 0, 0, "it holds fewer values"},
        {1, 1, 1, 1, STEP_BYTES + 4, 0, 0, "it holds more values"},
        {1, 1, 1, 4, 0, 1 << 10, 0, "it has not the size of a chunk"},
    };
    static unsigned char ones[1000 * STEP_BYTES], bytes[ROOM];
    double stored[6 * 4 * 32];
    memset(ones, 1, sizeof ones);
    ones[5] = 2; /* or the checksum would fit */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const damage *d = &cases[i];
        layout l = steps_of_floats;
        l.shuffle = d->shuffle;
        l.deflate = d->deflate;
        l.fletcher32 = d->fletcher32;
        const char *path = make(&l, stored);
        for (size_t k = 0; k < ROOM; k++) bytes[k] = (unsigned char)mixed(k);
        const size_t n = d->inflated ? deflated(ones, d->inflated, bytes) : d->raw;
        write_chunk(path, d->mask, bytes, n - d->cut);
        check_damage(&l, path, stored, d->words);
    }
}

static void read_by_netcdf(const char *path, float *values)
{
    int file = -1;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    CU_ASSERT_EQUAL(nc_get_var_float(file, 0, values), NC_NOERR);
    nc_close(file);
}

/* Filters that were not used on a chunk: NetCDF-C tells what it holds. */
static void masks(void)
{
    static unsigned char bytes[ROOM];
    layout l = steps_of_floats;
    float written[4 * 32], truth[6 * 4 * 32], values[6 * 4 * 32];
    double stored[6 * 4 * 32];
    gwf_error err = {0};
    for (size_t i = 0; i < 4 * 32; i++) written[i] = (float)i - 7.25f;
    static const uint32_t all[] = {1, 2, 3, UINT32_MAX};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *path = make(&l, stored);
        size_t n = sizeof written;
        memcpy(bytes, written, n);
        if (!(all[i] & 2)) n = deflated(written, sizeof written, bytes);
        write_chunk(path, all[i], bytes, n);
        read_by_netcdf(path, truth);
        opened o = open_slab(path, 2);
        CHECK_OK(gwf_slab_read(o.slab, (const size_t[]){0, 0, 0}, l.shape, values, &err), err);
        CU_ASSERT_EQUAL(memcmp(values, truth, sizeof values), 0);
        if (all[i] & 1) CU_ASSERT_EQUAL(memcmp(values + 3 * 128, written, sizeof written), 0);
        close_slab(&o);
    }
}

/* A dataset (12, 20) of ints that only HDF5 can make. */
static const char *make_by_hdf5(const char *name, hid_t list, int *written)
{
    const char *path = test_scratch(name);
    const hsize_t shape[2] = {12, 20};
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hid_t space = H5Screate_simple(2, shape, NULL);
    const hid_t dataset =
        H5Dcreate2(file, "v", H5T_STD_I32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    for (int i = 0; i < 240; i++) written[i] = 3 * i - 100;
    CU_ASSERT_TRUE(H5Dwrite(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, written) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(access);
    return path;
}

static void check_by_hdf5(const char *name, hid_t list, bool direct)
{
    int written[240];
    float values[240];
    gwf_error err = {0};
    const char *path = make_by_hdf5(name, list, written);
    H5Pclose(list);
    opened o = open_slab(path, 2);
    check_how(&o, direct, 2);
    CHECK_OK(gwf_slab_read(o.slab, (const size_t[]){0, 0}, (const size_t[]){12, 20}, values, &err),
             err);
    size_t wrong = 0;
    for (int i = 0; i < 240; i++) wrong += !same(values[i], (float)written[i]);
    CU_ASSERT_EQUAL(wrong, 0);
    close_slab(&o);
}

static hid_t chunked(void)
{
    const hsize_t chunk[2] = {5, 8};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CU_ASSERT_TRUE(H5Pset_chunk(list, 2, chunk) >= 0);
    return list;
}

static void other_pipelines(void)
{
    hid_t list = chunked();
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 1);
    check_by_hdf5("plain_hdf5.nc", list, true);
    list = chunked();
    H5Pset_shuffle(list);
    H5Pset_deflate(list, 1);
    H5Pset_fletcher32(list);
    check_by_hdf5("sum_last.nc", list, true);
    list = chunked();
    H5Pset_shuffle(list);
    H5Pset_fletcher32(list);
    H5Pset_deflate(list, 1);
    check_by_hdf5("sum_between.nc", list, true);
    list = chunked();
    H5Pset_scaleoffset(list, H5Z_SO_INT, 0);
    check_by_hdf5("scaleoffset.nc", list, false);
    list = chunked();
    H5Pset_deflate(list, 1);
    H5Pset_shuffle(list);
    check_by_hdf5("deflate_first.nc", list, false);
    list = chunked();
    H5Pset_deflate(list, 1);
    H5Pset_deflate(list, 1);
    check_by_hdf5("twice.nc", list, false);
    list = chunked();
    H5Pset_deflate(list, 1);
    H5Pset_chunk_opts(list, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS);
    check_by_hdf5("partial.nc", list, false);
}

/* --- quiet ---------------------------------------------------------------------------------- */

static void *read_cut_file(void *argument)
{
    const opened *o = argument;
    float values[4 * 32];
    gwf_error err = {0};
    for (size_t s = 0; s < 6; s++) {
        const size_t start[3] = {s}, count[3] = {1, 4, 32};
        const gwf_status status = gwf_slab_read(o->slab, start, count, values, &err);
        if (status != GWF_OK && status != GWF_ERR_FORMAT) return argument;
    }
    return err.text[0] ? NULL : argument;
}

/* In a thread of its own, in which HDF5 would speak, a file that loses its end is read. */
static void says_nothing(void)
{
    double stored[6 * 4 * 32];
    const layout l = steps_of_floats;
    const char *path = make(&l, stored);
    char copy[1024];
    pthread_t thread;
    void *result = NULL;
    snprintf(copy, sizeof copy, "%s", test_scratch("stderr.txt"));
    opened o = open_slab(path, 2);
    CU_ASSERT_EQUAL(truncate(path, 600), 0);
    fflush(stderr);
    const int before = dup(STDERR_FILENO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(copy, "w", stderr));
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, read_cut_file, &o), 0);
    pthread_join(thread, &result);
    fflush(stderr);
    const long said = lseek(STDERR_FILENO, 0, SEEK_END);
    dup2(before, STDERR_FILENO);
    close(before);
    CU_ASSERT_EQUAL(said, 0);
    CU_ASSERT_PTR_NULL(result);
    close_slab(&o);
}
#endif

int main(void)
{
    static const test_case cases[] = {
        {"types and byte orders", types},
        {"packing", packing},
        {"filters", filters},
        {"chunk shapes", chunk_shapes},
        {"through NetCDF-C", unfiltered},
        {"large", large},
        {"scalar", scalar},
        {"never written", never_written},
        {"shorter than its dimension", shorter_than_its_dimension},
        {"named like a dimension", named_like_a_dimension},
        {"requests", requests},
        {"refused", refused},
        {"decoded once", decoded_once},
        {"threads change", threads_change},
#ifdef GWF_HAVE_DIRECT_CHUNKS
        {"damaged chunks", damaged},
        {"filter masks", masks},
        {"other pipelines", other_pipelines},
        {"says nothing", says_nothing},
#endif
    };
    return test_run("slab", cases, sizeof cases / sizeof *cases);
}
