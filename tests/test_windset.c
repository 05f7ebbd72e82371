#include "io/windset.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/windset_internal.h"
#include "test.h"

/* --- inputs --------------------------------------------------------------------------------- */

enum { STEPS = 5, IDIM = 7, ODIM = 4, NLAT = 4, NLON = 6, MAP = NLAT * NLON };

/* How one input differs from a plain WINDSET file. */
typedef struct recipe {
    const char *variable;          /* default "features"                                */
    const char *dims[4];           /* default time, idim, lat, lon                      */
    int format, rank;              /* default NC_NETCDF4, 4                             */
    nc_type type;                  /* default NC_FLOAT                                  */
    size_t chunk[4];               /* default: not chosen                               */
    int deflate;                   /* default 0                                         */
    double scale, offset;          /* default 1, 0: no attributes                       */
    double fill, missing;          /* default: no attributes                            */
    double lat_factor, lon_factor; /* default 90, 360: what degrees are divided by */
    const char *lat_units;
    bool no_coordinates, no_output, no_time, nlat_wrong, southward;
} recipe;

static double value_at(size_t step, size_t channel, size_t point)
{
    return (double)step * 8 + (double)channel - (double)point / 32;
}

static int dimension(int file, const char *name, size_t length)
{
    int id = -1;
    if (nc_inq_dimid(file, name, &id) != NC_NOERR)
        CU_ASSERT_EQUAL(nc_def_dim(file, name, length, &id), NC_NOERR);
    return id;
}

static void put_axis(int file, const char *name, size_t n, double first, double step,
                     const char *units)
{
    int id, dim = dimension(file, n == 2 * NLAT ? "other" : name, n);
    CU_ASSERT_EQUAL(nc_def_var(file, name, NC_DOUBLE, 1, &dim, &id), NC_NOERR);
    if (units) nc_put_att_text(file, id, "units", strlen(units), units);
    nc_enddef(file);
    for (size_t i = 0; i < n; i++) {
        const double x = first + step * (double)i;
        CU_ASSERT_EQUAL(nc_put_var1_double(file, id, &i, &x), NC_NOERR);
    }
    nc_redef(file);
}

static void put_coordinates(int file, const recipe *r)
{
    const double lat = r->lat_factor > 0 ? r->lat_factor : 90;
    const double lon = r->lon_factor > 0 ? r->lon_factor : 360;
    const double sign = r->southward ? -1 : 1;
    if (r->no_coordinates) return;
    put_axis(file, "lat", r->nlat_wrong ? 2 * NLAT : NLAT, sign * -67.5 / lat, sign * 45 / lat,
             r->lat_units);
    put_axis(file, "lon", NLON, 0, 60 / lon, NULL);
    if (!r->no_time) put_axis(file, "time", STEPS, 100, 1, NULL);
}

static int define_features(int file, const recipe *r)
{
    static const char *const usual[4] = {"time", "idim", "lat", "lon"};
    static const size_t lengths[4] = {STEPS, IDIM, NLAT, NLON};
    const int rank = r->rank ? r->rank : 4;
    int dims[4], id;
    for (int i = 0; i < rank; i++)
        dims[i] = dimension(file, r->dims[i] ? r->dims[i] : usual[i], lengths[i]);
    CU_ASSERT_EQUAL(nc_def_var(file, r->variable ? r->variable : "features",
                               r->type ? r->type : NC_FLOAT, rank, dims, &id),
                    NC_NOERR);
    if (r->chunk[0]) CU_ASSERT_EQUAL(nc_def_var_chunking(file, id, NC_CHUNKED, r->chunk), 0);
    if (r->deflate) CU_ASSERT_EQUAL(nc_def_var_deflate(file, id, 1, 1, r->deflate), 0);
    nc_put_att_text(file, id, "long_name", 13, "u: (u-6.3955)");
    return id;
}

static void put_packing(int file, int id, const recipe *r)
{
    const nc_type type = r->type ? r->type : NC_FLOAT;
    if (r->scale != 0) nc_put_att_double(file, id, "scale_factor", NC_DOUBLE, 1, &r->scale);
    if (r->scale != 0) nc_put_att_double(file, id, "add_offset", NC_DOUBLE, 1, &r->offset);
    if (r->fill != 0) nc_put_att_double(file, id, "_FillValue", type, 1, &r->fill);
    if (r->missing != 0) nc_put_att_double(file, id, "missing_value", NC_DOUBLE, 1, &r->missing);
}

/* Channel 1 of step 1 starts with the fill and the missing value. */
static void put_values(int file, int id, const recipe *r)
{
    double map[MAP];
    for (size_t s = 0; s < STEPS; s++)
        for (size_t c = 0; c < IDIM; c++) {
            const size_t start[4] = {s, c, 0, 0}, count[4] = {1, 1, NLAT, NLON};
            for (size_t i = 0; i < MAP; i++)
                map[i] =
                    r->scale != 0 ? (value_at(s, c, i) - r->offset) / r->scale : value_at(s, c, i);
            if (s == 1 && c == 1 && r->fill != 0) map[0] = r->fill;
            if (s == 1 && c == 1 && r->missing != 0) map[1] = r->missing;
            CU_ASSERT_EQUAL(nc_put_vara_double(file, id, start, count, map), NC_NOERR);
        }
}

static const char *make(const char *name, const recipe *r)
{
    const char *path = test_scratch(name);
    int file;
    CU_ASSERT_EQUAL_FATAL(nc_create(path, (r->format ? r->format : NC_NETCDF4) | NC_CLOBBER, &file),
                          NC_NOERR);
    put_coordinates(file, r);
    const int id = define_features(file, r);
    if (!r->no_output && !r->rank && !r->dims[0]) {
        int output, dims[4] = {dimension(file, "time", STEPS), dimension(file, "odim", ODIM),
                               dimension(file, "lat", NLAT), dimension(file, "lon", NLON)};
        CU_ASSERT_EQUAL(nc_def_var(file, "output", NC_FLOAT, 4, dims, &output), NC_NOERR);
    }
    nc_put_att_text(file, NC_GLOBAL, "gwflux_recipe", 13, "era5-released");
    nc_put_att_text(file, NC_GLOBAL, "history", 4, "made");
    put_packing(file, id, r);
    nc_enddef(file);
    if (!r->rank && r->type != NC_CHAR) put_values(file, id, r);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    return path;
}

/* --- checks --------------------------------------------------------------------------------- */

static gwf_windset *opened(const char *path)
{
    gwf_error err = {0};
    gwf_windset *file = NULL;
    CHECK_OK(gwf_windset_open(path, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

/* All channels of all steps, in an order with two runs and a repeated channel. */
static void check_fields(const char *path, double tolerance)
{
    static const int index[8] = {3, 4, 5, 6, 0, 1, 2, 2};
    gwf_error err = {0};
    gwf_windset *file = opened(path);
    float values[8 * MAP];
    for (size_t s = 0; s < STEPS; s++) {
        double worst = 0;
        CHECK_OK(gwf_windset_read(file, s, index, 8, values, &err), err);
        for (size_t i = 0; i < 8 * MAP; i++) {
            const double truth = value_at(s, (size_t)index[i / MAP], i % MAP);
            const double difference = fabs(values[i] - truth);
            if (!(difference <= worst)) worst = difference;
        }
        CHECK_AT_MOST(worst, tolerance);
    }
    gwf_windset_close(&file);
    CU_ASSERT_PTR_NULL(file);
}

static void check_refused(const char *name, const recipe *r, const char *words)
{
    gwf_error err = {0};
    gwf_windset *file = NULL;
    CHECK_FAILS(gwf_windset_open(make(name, r), &file, &err), GWF_ERR_FORMAT, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, name));
    CU_ASSERT_PTR_NULL(file);
}

/* --- cases ---------------------------------------------------------------------------------- */

static void header(void)
{
    gwf_error err = {0};
    double time = 0;
    gwf_windset *file = opened(make("header.nc", &(recipe){0}));
    const gwf_windset_header *h = gwf_windset_header_of(file);
    CU_ASSERT_EQUAL(h->steps, STEPS);
    CU_ASSERT_EQUAL(h->idim, IDIM);
    CU_ASSERT_EQUAL(h->odim, ODIM);
    CU_ASSERT_EQUAL(h->nlat, NLAT);
    CU_ASSERT_EQUAL(h->nlon, NLON);
    CU_ASSERT_TRUE_FATAL(h->coordinates);
    CHECK_AT_MOST(fabs(h->lat[0] + 67.5), 1e-12);
    CHECK_AT_MOST(fabs(h->lat[3] - 67.5), 1e-12);
    CHECK_AT_MOST(fabs(h->lon[5] - 300), 1e-12);
    CU_ASSERT_STRING_EQUAL(h->recipe, "era5-released");
    CU_ASSERT_PTR_NOT_NULL(strstr(h->text, "file: header.nc"));
    CU_ASSERT_PTR_NOT_NULL(strstr(h->text, "u: (u-6.3955)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(h->text, "history: made"));
    CU_ASSERT_STRING_EQUAL(h->advice, "");
    CHECK_OK(gwf_windset_time(file, 2, &time, &err), err);
    CU_ASSERT_EQUAL(time, 102);
    CHECK_FAILS(gwf_windset_time(file, STEPS, &time, &err), GWF_ERR_ARGUMENT, err, "step 5");
    gwf_windset_close(&file);
}

static void degrees(void)
{
    gwf_windset *file = opened(make("degrees.nc", &(recipe){.lat_factor = 1, .lon_factor = 1}));
    CHECK_AT_MOST(fabs(gwf_windset_header_of(file)->lat[0] + 67.5), 1e-12);
    CHECK_AT_MOST(fabs(gwf_windset_header_of(file)->lon[1] - 60), 1e-12);
    gwf_windset_close(&file);
    /* a small region around the equator, in degrees */
    file = opened(make("small.nc", &(recipe){.lat_factor = 90, .lat_units = "degrees_north"}));
    CHECK_AT_MOST(fabs(gwf_windset_header_of(file)->lat[0] + 0.75), 1e-12);
    gwf_windset_close(&file);
}

static void storage(void)
{
    check_fields(make("float.nc", &(recipe){0}), 0);
    check_fields(make("double.nc", &(recipe){.type = NC_DOUBLE}), 0);
    check_fields(make("chunks.nc", &(recipe){.chunk = {2, 3, 3, 4}}), 0);
    check_fields(make("deflated.nc", &(recipe){.chunk = {3, 2, 4, 5}, .deflate = 4}), 0);
    check_fields(make("classic.nc", &(recipe){.format = NC_64BIT_OFFSET}), 0);
    check_fields(make("cdf5.nc", &(recipe){.format = NC_64BIT_DATA}), 0);
    check_fields(make("no_output.nc", &(recipe){.no_output = true}), 0);
}

static void packed(void)
{
    const recipe shorts = {.type = NC_SHORT, .scale = 1e-2, .offset = 3, .fill = -32768};
    check_fields(make("double_packed.nc", &(recipe){.type = NC_DOUBLE, .scale = 0.5, .offset = 7}),
                 0);
    check_fields(make("float_packed.nc", &(recipe){.scale = 0.5, .offset = 7}), 1e-5);
    gwf_error err = {0};
    gwf_windset *file = opened(make("short.nc", &shorts));
    float values[IDIM * MAP];
    const int index[IDIM] = {0, 1, 2, 3, 4, 5, 6};
    CHECK_OK(gwf_windset_read(file, 1, index, IDIM, values, &err), err);
    CU_ASSERT_TRUE(isnan(values[MAP]));
    values[MAP] = (float)value_at(1, 1, 0);
    for (size_t i = 0; i < IDIM * MAP; i++) /* cut to hundredths when it was packed */
        CHECK_AT_MOST(fabs(values[i] - value_at(1, i / MAP, i % MAP)), 0.0100001);
    gwf_windset_close(&file);
}

static void check_missing(const char *name, const recipe *r, bool second)
{
    gwf_error err = {0};
    const int index[2] = {0, 1};
    float values[2 * MAP];
    gwf_windset *file = opened(make(name, r));
    CHECK_OK(gwf_windset_read(file, 1, index, 2, values, &err), err);
    CU_ASSERT_EQUAL(values[0], (float)value_at(1, 0, 0));
    CU_ASSERT_TRUE(isnan(values[MAP]));
    CU_ASSERT_EQUAL(isnan(values[MAP + 1]), second);
    CU_ASSERT_EQUAL(values[MAP + 2], (float)value_at(1, 1, 2));
    gwf_windset_close(&file);
}

static void missing_values(void)
{
    check_missing("fill.nc", &(recipe){.fill = -9999.9}, false);
    check_missing("missing.nc", &(recipe){.fill = -1e30, .missing = -9999.9}, true);
    check_missing("double.nc", &(recipe){.type = NC_DOUBLE, .fill = -9999.9, .missing = 1e300},
                  true);
}

/* What was never written holds the default fill value. */
static void unwritten(void)
{
    gwf_error err = {0};
    int id, var, dims[4], channel = 0;
    float value = 0;
    const char *path = test_scratch("unwritten.nc");
    CU_ASSERT_EQUAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &id), NC_NOERR);
    for (int i = 0; i < 4; i++) dims[i] = dimension(id, (const char *[]){"a", "b", "c", "d"}[i], 1);
    nc_def_var(id, "features", NC_FLOAT, 4, dims, &var);
    nc_close(id);
    gwf_windset *file = opened(path);
    CU_ASSERT_FALSE(gwf_windset_header_of(file)->coordinates);
    CHECK_OK(gwf_windset_read(file, 0, &channel, 1, &value, &err), err);
    CU_ASSERT_TRUE(isnan(value));
    gwf_windset_close(&file);
}

static void without_coordinates(void)
{
    gwf_error err = {0};
    double time = -1;
    const recipe r = {.variable = "__xarray_dataarray_variable__",
                      .dims = {"dim_0", "dim_1", "dim_2", "dim_3"},
                      .no_coordinates = true,
                      .type = NC_DOUBLE};
    const char *path = make("xarray.nc", &r);
    check_fields(path, 0);
    gwf_windset *file = opened(path);
    const gwf_windset_header *h = gwf_windset_header_of(file);
    CU_ASSERT_FALSE(h->coordinates);
    CU_ASSERT_EQUAL(h->odim, 0);
    CU_ASSERT_EQUAL(h->nlat, NLAT);
    CHECK_OK(gwf_windset_time(file, 3, &time, &err), err);
    CU_ASSERT_EQUAL(time, 3);
    CU_ASSERT_PTR_NULL(gwf_windset_time_variable(file));
    gwf_windset_close(&file);
}

static void refused(void)
{
    check_refused("order.nc",
                  &(recipe){.dims = {"time", "lat", "lon", "idim"}, .no_coordinates = 1},
                  "features(time, lat, lon, idim), expected dimensions (time, idim, lat, lon)");
    check_refused("rank.nc",
                  &(recipe){.dims = {"time", "idim", "lat"}, .rank = 3, .no_coordinates = 1},
                  "features(time, idim, lat), expected");
    check_refused("other.nc", &(recipe){.variable = "temperature"},
                  "no variable features(time, idim, lat, lon); found lat(lat), lon(lon), "
                  "time(time), temperature(time, idim, lat, lon)");
    check_refused("char.nc", &(recipe){.type = NC_CHAR}, "features: does not hold numbers");
    check_refused("nlat.nc", &(recipe){.nlat_wrong = true, .format = NC_64BIT_OFFSET},
                  "variable lat: 1-dimensional with 8 values, expected 4");
    check_refused("south.nc", &(recipe){.southward = true}, "variable lat: must increase");
    check_refused("range.nc", &(recipe){.lat_factor = 0.5}, "variable lat: expected degrees");
    check_refused("scale.nc", &(recipe){.scale = INFINITY}, "scale_factor");
}

static void refused_empty(void)
{
    gwf_error err = {0};
    int id, var, dims[4];
    gwf_windset *file = NULL;
    const char *path = test_scratch("steps.nc");
    CHECK_FAILS(gwf_windset_open(test_scratch("none.nc"), &file, &err), GWF_ERR_NOT_FOUND, err,
                "none.nc");
    CU_ASSERT_EQUAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &id), NC_NOERR);
    nc_close(id);
    CHECK_FAILS(gwf_windset_open(path, &file, &err), GWF_ERR_FORMAT, err, "found no variables");
    CU_ASSERT_EQUAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &id), NC_NOERR);
    nc_def_dim(id, "time", NC_UNLIMITED, &dims[0]);
    for (int i = 1; i < 4; i++) dims[i] = dimension(id, (const char *[]){"", "x", "y", "z"}[i], 2);
    nc_def_var(id, "features", NC_FLOAT, 4, dims, &var);
    nc_close(id);
    CHECK_FAILS(gwf_windset_open(path, &file, &err), GWF_ERR_FORMAT, err,
                "dimension time has length 0");
}

static void requests(void)
{
    gwf_error err = {0};
    float values[MAP];
    const int beyond = IDIM, negative = -1;
    gwf_windset *file = opened(make("requests.nc", &(recipe){0}));
    CHECK_FAILS(gwf_windset_read(file, 0, &beyond, 1, values, &err), GWF_ERR_MISMATCH, err,
                "channel 7, the file has 7");
    CHECK_FAILS(gwf_windset_read(file, 0, &negative, 1, values, &err), GWF_ERR_MISMATCH, err,
                "channel -1");
    CHECK_FAILS(gwf_windset_read(file, STEPS, &beyond, 0, values, &err), GWF_ERR_ARGUMENT, err,
                "requests.nc: step 5, the file has 5");
    gwf_windset_close(&file);
    gwf_windset_close(&file);
}

static void cut_short(void)
{
    gwf_error err = {0};
    gwf_windset *file = NULL;
    const char *path = make("cut.nc", &(recipe){0});
    struct stat info;
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    CU_ASSERT_EQUAL(truncate(path, info.st_size * 2 / 3), 0);
    CHECK_FAILS(gwf_windset_open(path, &file, &err), GWF_ERR_FORMAT, err, "cut.nc: cannot be read");
    CU_ASSERT_PTR_NULL(file);
}

/* Cut while it is open: the libraries would give zeros for what is gone. One that is removed stays
 * readable. */
static void cut_while_open(void)
{
    static const recipe recipes[] = {
        {0}, {.chunk = {1, IDIM, NLAT, NLON}}, {.format = NC_64BIT_OFFSET}};
    gwf_error err = {0};
    const int index[2] = {1, 2};
    float values[2 * MAP];
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        const char *path = make("open.nc", &recipes[i]);
        struct stat info;
        gwf_windset *file = opened(path);
        CHECK_OK(gwf_windset_read(file, 0, index, 2, values, &err), err);
        CU_ASSERT_EQUAL(stat(path, &info), 0);
        CU_ASSERT_EQUAL(truncate(path, info.st_size - 1), 0);
        CHECK_FAILS(gwf_windset_read(file, STEPS - 1, index, 2, values, &err), GWF_ERR_IO, err,
                    "open.nc: has become shorter while it was read");
        gwf_windset_close(&file);
        file = opened(make("open.nc", &recipes[i]));
        CU_ASSERT_EQUAL(unlink(path), 0);
        CHECK_OK(gwf_windset_read(file, STEPS - 1, index, 2, values, &err), err);
        CU_ASSERT_EQUAL(values[0], (float)value_at(STEPS - 1, 1, 0));
        gwf_windset_close(&file);
    }
}

/* A damaged compressed chunk is found when its step is read. */
static void damaged_chunk(void)
{
    static unsigned char bytes[1 << 18];
    gwf_error err = {0};
    const int index[IDIM] = {0, 1, 2, 3, 4, 5, 6};
    float values[IDIM * MAP];
    const char *path = make("damaged.nc", &(recipe){.chunk = {1, IDIM, NLAT, NLON}, .deflate = 1});
    FILE *f = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    for (size_t i = 0; i + 8 < size; i++) /* what a zlib stream starts with, and no text does */
        if (bytes[i] == 0x78 && bytes[i + 1] == 0x01) memset(bytes + i + 2, 0xff, 6);
    rewind(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, f), size);
    fclose(f);
    gwf_windset *file = opened(path);
    CHECK_FAILS(gwf_windset_read(file, 2, index, IDIM, values, &err), GWF_ERR_FORMAT, err,
                "damaged.nc: variable features: ");
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, " at (2, 0, 0, 0) "));
    gwf_windset_close(&file);
}

/* --- chunk cache ---------------------------------------------------------------------------- */

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

/* float features(steps, channels, 8, 16), not compressible. */
static const char *make_spanning(const char *name, const size_t shape[4], const size_t chunk[4],
                                 int deflate)
{
    const char *path = test_scratch(name);
    static const char *const names[4] = {"time", "idim", "lat", "lon"};
    int file, id, dims[4];
    const size_t n = shape[1] * shape[2] * shape[3];
    float *values = malloc(n * sizeof *values);
    CU_ASSERT_PTR_NOT_NULL_FATAL(values);
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file), NC_NOERR);
    for (int i = 0; i < 4; i++) dims[i] = dimension(file, names[i], shape[i]);
    nc_def_var(file, "features", NC_FLOAT, 4, dims, &id);
    nc_def_var_chunking(file, id, NC_CHUNKED, chunk);
    if (deflate) nc_def_var_deflate(file, id, 0, 1, deflate);
    nc_set_var_chunk_cache(file, id, 256 << 20, 1009, 0.75f);
    unsigned state = 1;
    for (size_t s = 0; s < shape[0]; s++) {
        const size_t start[4] = {s, 0, 0, 0}, count[4] = {1, shape[1], shape[2], shape[3]};
        for (size_t i = 0; i < n; i++) {
            state = state * 1664525u + 1013904223u;
            values[i] = (float)(state >> 8);
        }
        CU_ASSERT_EQUAL(nc_put_vara_float(file, id, start, count, values), NC_NOERR);
    }
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    free(values);
    return path;
}

/* Read every step in two runs; how often the features were fetched from the file, on average. */
static double times_fetched(const char *path)
{
    gwf_error err = {0};
    gwf_windset *file = opened(path);
    const gwf_windset_header *h = gwf_windset_header_of(file);
    const size_t map = h->nlat * h->nlon;
    const int n = (int)h->idim;
    int *index = malloc((size_t)n * sizeof *index);
    float *values = malloc((size_t)n * map * sizeof *values);
    CU_ASSERT_TRUE_FATAL(index && values);
    for (int i = 0; i < n; i++) index[i] = (i + n / 3) % n;
    const unsigned long long before = bytes_read();
    for (size_t s = 0; s < h->steps; s++)
        CHECK_OK(gwf_windset_read(file, s, index, n, values, &err), err);
    const double fetched = (double)(bytes_read() - before);
    const double stored = (double)h->steps * (double)n * (double)map * sizeof(float);
    free(values);
    free(index);
    gwf_windset_close(&file);
    return fetched / stored;
}

/* 24 MB rows: more than NetCDF-C's own default would keep. */
static void chunk_spans_steps(void)
{
    const size_t shape[4] = {16, 96, 64, 64}, chunk[4] = {8, 16, 33, 64}, one[4] = {16, 96, 64, 64};
    if (bytes_read() == 0) {
        test_skip("chunks that span steps: /proc/self/io is not there");
        return;
    }
    CHECK_AT_MOST(times_fetched(make_spanning("spanning.nc", shape, chunk, 1)), 1.05);
    CHECK_AT_MOST(times_fetched(make_spanning("spanning_plain.nc", shape, chunk, 0)), 1.05);
    CHECK_AT_MOST(times_fetched(make_spanning("one_chunk.nc", shape, one, 1)), 1.05);
}

static void cache_bounds(void)
{
    gwf_error err = {0};
    size_t bytes = 0, slots = 0;
    int id, dims[4], file_id;
    const char *path = test_scratch("bounds.nc");
    const size_t big[4] = {50, 100, 64, 128};
    for (int deflate = 0; deflate < 2; deflate++) {
        CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file_id), NC_NOERR);
        for (int i = 0; i < 4; i++)
            dims[i] = dimension(file_id, (const char *[]){"time", "idim", "lat", "lon"}[i],
                                (const size_t[]){100, 491, 64, 128}[i]);
        nc_def_var(file_id, "features", NC_FLOAT, 4, dims, &id);
        nc_def_var_chunking(file_id, id, NC_CHUNKED, big);
        if (deflate) nc_def_var_deflate(file_id, id, 1, 1, 1);
        CU_ASSERT_EQUAL(nc_close(file_id), NC_NOERR); /* nothing was written: a small file */
        gwf_windset *file = opened(path);
        nc_get_var_chunk_cache(gwf_windset_nc(file)->id, 0, &bytes, &slots, NULL);
        CU_ASSERT_TRUE(bytes <= (size_t)256 << 20);
        CU_ASSERT_EQUAL(strstr(gwf_windset_header_of(file)->advice, "nccopy") != NULL, deflate);
        gwf_windset_close(&file);
    }
    const size_t enormous[4] = {100, 491, 64, 128};
    gwf_windset *file = NULL;
    CU_ASSERT_EQUAL_FATAL(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file_id), NC_NOERR);
    for (int i = 0; i < 4; i++)
        dims[i] =
            dimension(file_id, (const char *[]){"time", "idim", "lat", "lon"}[i], enormous[i]);
    nc_def_var(file_id, "features", NC_FLOAT, 4, dims, &id);
    nc_def_var_chunking(file_id, id, NC_CHUNKED, enormous);
    nc_def_var_deflate(file_id, id, 1, 1, 1);
    CU_ASSERT_EQUAL(nc_close(file_id), NC_NOERR);
    CHECK_FAILS(gwf_windset_open(path, &file, &err), GWF_ERR_FORMAT, err, "nccopy -c time/1");
}

/* --- a real file ---------------------------------------------------------------------------- */

static void reanalysis(void)
{
    enum { FIRST = 3, COUNT = 366, POINTS = 64 * 128 };
    const char *path = test_shared("data/windset_uvtheta_2005-01-23.nc");
    if (!path) {
        test_skip("the reanalysis map: not here");
        return;
    }
    gwf_error err = {0};
    int id, var, index[COUNT];
    const size_t start[4] = {0, FIRST, 0, 0}, count[4] = {1, COUNT, 64, 128};
    float *truth = malloc((size_t)COUNT * POINTS * sizeof *truth);
    float *values = malloc((size_t)COUNT * POINTS * sizeof *values);
    CU_ASSERT_TRUE_FATAL(truth && values);
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &id), NC_NOERR);
    nc_inq_varid(id, "features", &var);
    CU_ASSERT_EQUAL(nc_get_vara_float(id, var, start, count, truth), NC_NOERR);
    nc_close(id);
    gwf_windset *file = opened(path);
    const gwf_windset_header *h = gwf_windset_header_of(file);
    for (int i = 0; i < COUNT; i++) index[i] = FIRST + i;
    CHECK_OK(gwf_windset_read(file, 0, index, COUNT, values, &err), err);
    CU_ASSERT_EQUAL(memcmp(values, truth, (size_t)COUNT * POINTS * sizeof *values), 0);
    CU_ASSERT_EQUAL(h->idim, 369);
    CU_ASSERT_EQUAL(h->odim, 0);
    CHECK_AT_MOST(fabs(h->lat[0] + 87.8638), 1e-3);
    CHECK_AT_MOST(fabs(h->lon[127] - 357.1875), 1e-3);
    CU_ASSERT_PTR_NOT_NULL(strstr(h->text, "6.395471175756457"));
    gwf_windset_close(&file);
    free(values);
    free(truth);
}

int main(void)
{
    const test_case cases[] = {
        {"header", header},
        {"degrees", degrees},
        {"storage", storage},
        {"packed", packed},
        {"missing values", missing_values},
        {"unwritten", unwritten},
        {"without coordinates", without_coordinates},
        {"refused", refused},
        {"refused: empty", refused_empty},
        {"requests", requests},
        {"cut short", cut_short},
        {"cut while open", cut_while_open},
        {"damaged chunk", damaged_chunk},
        {"chunk spans steps", chunk_spans_steps},
        {"cache bounds", cache_bounds},
        {"reanalysis", reanalysis},
    };
    return test_run("windset", cases, sizeof cases / sizeof *cases);
}
