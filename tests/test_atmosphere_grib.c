/* GRIB files through the reader of reanalysis: messages made with ecCodes from its samples, whose
 * values follow from their coordinates (atmosphere_file.h), in any order. Without ecCodes: that
 * GRIB is recognised and refused. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atmosphere_check.h"
#include "model/model.h"

static void refuse(const char *path, gwf_status status, const char *words)
{
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1};
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), status, err, words);
    CU_ASSERT_PTR_NULL(a);
    gwf_atmosphere_close(&a);
}

#ifdef GWF_HAVE_ECCODES
#include <eccodes.h>

/* What a message is about; 0 and NULL: as in the sample. */
typedef struct message {
    const char *sample, *name, *level_type;
    long level, date, hour, minute, step;
    double pascal; /* that the values are for */
    double shift;
    bool south_first, westward, columns, missing_corner;
    double lon0;
    const double *pv;
    size_t n_pv;
} message;

enum { NI = 12, NJ = 7, STEP = 30 };

static void must(int rc, const char *key)
{
    if (rc == CODES_SUCCESS) return;
    fprintf(stderr, "test message: %s: %s\n", key, codes_get_error_message(rc));
    abort();
}

static void set(codes_handle *h, const char *key, long value)
{
    must(codes_set_long(h, key, value), key);
}

static void set_text(codes_handle *h, const char *key, const char *text)
{
    size_t n = strlen(text);
    if (text[0]) must(codes_set_string(h, key, text, &n), key);
}

static double lat_of(const message *m, int i)
{
    return m->south_first ? -90 + STEP * i : 90 - STEP * i;
}

static double lon_of(const message *m, int j)
{
    return m->lon0 + (m->westward ? -STEP : STEP) * j;
}

static void set_grid(codes_handle *h, const message *m)
{
    set(h, "Ni", NI);
    set(h, "Nj", NJ);
    set(h, "iScansNegatively", m->westward);
    set(h, "jScansPositively", m->south_first);
    set(h, "jPointsAreConsecutive", m->columns);
    must(codes_set_double(h, "latitudeOfFirstGridPointInDegrees", lat_of(m, 0)), "lat");
    must(codes_set_double(h, "latitudeOfLastGridPointInDegrees", lat_of(m, NJ - 1)), "lat");
    must(codes_set_double(h, "longitudeOfFirstGridPointInDegrees", lon_of(m, 0)), "lon");
    must(codes_set_double(h, "longitudeOfLastGridPointInDegrees", lon_of(m, NI - 1)), "lon");
    must(codes_set_double(h, "iDirectionIncrementInDegrees", STEP), "step");
    must(codes_set_double(h, "jDirectionIncrementInDegrees", STEP), "step");
}

/* Hours since 1970 of the values; dates of January 2005 (2005-01-23 is hour 307344). */
static double hour_of(const message *m)
{
    return 307344 + (double)(m->date - 20050123) * 24 + (double)(m->hour + m->step) +
           (double)m->minute / 60;
}

static void set_values(codes_handle *h, const message *m)
{
    double values[NI * NJ];
    for (int i = 0; i < NJ; i++)
        for (int j = 0; j < NI; j++)
            values[m->columns ? j * NJ + i : i * NI + j] =
                air_value(hour_of(m), m->pascal, lat_of(m, i), lon_of(m, j)) + m->shift;
    if (m->missing_corner) {
        set(h, "bitmapPresent", 1);
        must(codes_set_double(h, "missingValue", 1e20), "missing");
        values[0] = 1e20;
    }
    set(h, "bitsPerValue", 24);
    must(codes_set_double_array(h, "values", values, NI * NJ), "values");
}

static void write_message(FILE *file, codes_handle *h)
{
    const void *bytes;
    size_t n;
    must(codes_get_message(h, &bytes, &n), "message");
    fwrite(bytes, 1, n, file);
}

static void put(FILE *file, const message *m)
{
    codes_handle *h = codes_handle_new_from_samples(NULL, m->sample);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h);
    if (m->pv) {
        set(h, "PVPresent", 1);
        must(codes_set_double_array(h, "pv", m->pv, m->n_pv), "pv");
    }
    set_text(h, "typeOfLevel", m->level_type);
    set_text(h, "shortName", m->name);
    set(h, "level", m->level);
    set(h, "dataDate", m->date);
    set(h, "dataTime", m->hour * 100 + m->minute);
    set(h, "step", m->step);
    set_grid(h, m);
    set_values(h, m);
    write_message(file, h);
    codes_handle_delete(h);
}

static FILE *begin(const char *path)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

static message wind(const char *sample)
{
    return (message){.sample = sample,
                     .name = "u",
                     .level_type = "isobaricInhPa",
                     .level = 500,
                     .date = 20050123,
                     .pascal = 50000};
}

static const char *const samples[2] = {"regular_ll_pl_grib1", "regular_ll_pl_grib2"};

/* Levels, times and variables mixed up, zeros between messages. */
static void test_pressure_levels(void)
{
    static const long levels[3] = {850, 10, 500}, times[2] = {12, 0};
    for (int edition = 0; edition < 2; edition++) {
        const char *path = test_scratch("p.grib");
        FILE *file = begin(path);
        for (int k = 0; k < 3; k++)
            for (int t = 0; t < 2; t++)
                for (int v = 0; v < 2; v++) {
                    message m = wind(samples[edition]);
                    m.name = v ? "v" : "u";
                    m.level = levels[k];
                    m.pascal = 100 * (double)levels[k];
                    m.hour = times[t];
                    m.minute = 30;
                    m.shift = v;
                    m.south_first = v; /* on the same grid after all */
                    m.westward = v;
                    m.lon0 = v ? 330 : 0;
                    put(file, &m);
                    for (int i = 0; i < 7; i++) fputc(0, file);
                }
        message m = wind(samples[edition]);
        m.name = "q"; /* something else */
        put(file, &m);
        fclose(file);
        gwf_atmosphere *a = open_one(path);
        const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
        CU_ASSERT_EQUAL_FATAL(h->nlev, 3);
        CU_ASSERT_EQUAL_FATAL(h->steps, 2);
        CU_ASSERT_EQUAL(h->level_kind, GWF_LEVELS_PRESSURE);
        CU_ASSERT_EQUAL(h->a[0], 1000);
        CU_ASSERT_EQUAL(h->a[2], 85000);
        CU_ASSERT_EQUAL(h->seconds[1], 307356 * 3600 + 1800);
        CU_ASSERT_EQUAL(h->time[0], 920952.5); /* hours since 1900 */
        CU_ASSERT_STRING_EQUAL(h->fields[GWF_U].units, "m s**-1");
        CU_ASSERT_EQUAL(h->nlat, NJ);
        CU_ASSERT_EQUAL(h->nlon, NI);
        CU_ASSERT_EQUAL(h->lat[0], -90);
        CU_ASSERT_EQUAL(h->lon[0], 0);
        CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
        CHECK_AT_MOST(worst(a, GWF_V, 1), 2e-4);
        gwf_atmosphere_close(&a);
    }
}

static void test_scanning(void)
{
    for (int code = 0; code < 32; code++) {
        message m = wind(samples[code / 16]);
        m.south_first = code & 1;
        m.westward = code & 2;
        m.columns = code & 4;
        m.lon0 = code & 8 ? 180 : m.westward ? 330 : 0;
        const char *path = test_scratch("scan.grib");
        FILE *file = begin(path);
        put(file, &m);
        fclose(file);
        gwf_atmosphere *a = open_one(path);
        CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->lon[NI - 1], 330);
        CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
        gwf_atmosphere_close(&a);
    }
}

/* As ERA5's model levels: pv of half levels, lnsp and z on level 1, forecasts by their step. */
static void test_hybrid_levels(void)
{
    /* 3 levels: 4 a, 4 b; and counted from below */
    static const double pvs[2][8] = {{0, 2000, 20000, 0, 0, 0, 0.25, 1},
                                     {0, 20000, 2000, 0, 1, 0.25, 0, 0}};
    static const double a[3] = {1000, 11000, 10000}, b[3] = {0, 0.125, 0.625};
    for (int kind = 0; kind < 4; kind++) {
        const int edition = kind / 2, from_below = kind % 2;
        const char *path = test_scratch("ml.grib");
        FILE *file = begin(path);
        for (int k = 0; k < 5; k++) {
            message m = wind(samples[edition]);
            m.level_type = "hybrid";
            m.pv = pvs[from_below];
            m.n_pv = 8;
            m.step = 6;
            m.level = k >= 3 ? 1 : from_below ? 3 - k : k + 1;
            m.pascal = k < 3 ? a[k] + 1e5 * b[k] : 0;
            if (k >= 3) m.name = k == 3 ? "lnsp" : "z";
            if (k == 4) m.shift = -(hour_of(&m) - 1000 * floor(hour_of(&m) / 1000));
            put(file, &m);
        }
        fclose(file);
        gwf_atmosphere *atmosphere = open_one(path);
        const gwf_atmosphere_header *h = gwf_atmosphere_header_of(atmosphere);
        CU_ASSERT_EQUAL_FATAL(h->nlev, 3);
        CU_ASSERT_EQUAL(h->level_kind, GWF_LEVELS_HYBRID);
        for (int k = 0; k < 3; k++) CHECK_AT_MOST(fabs(h->a[k] - a[k]), 1e-3);
        for (int k = 0; k < 3; k++) CHECK_AT_MOST(fabs(h->b[k] - b[k]), 1e-6);
        CU_ASSERT_EQUAL(h->seconds[0], 307350 * 3600);
        CU_ASSERT_TRUE(h->fields[GWF_ZS].steady);
        CHECK_AT_MOST(worst(atmosphere, GWF_U, 0), 2e-4);
        CHECK_AT_MOST(worst(atmosphere, GWF_LNSP, 0), 2e-4);
        CHECK_AT_MOST(worst(atmosphere, GWF_ZS, 0), 2e-4);
        gwf_atmosphere_close(&atmosphere);
    }
}

static void test_missing(void)
{
    for (int edition = 0; edition < 2; edition++) {
        message m = wind(samples[edition]);
        m.missing_corner = true;
        const char *path = test_scratch("missing.grib");
        FILE *file = begin(path);
        put(file, &m);
        fclose(file);
        gwf_atmosphere *a = open_one(path);
        gwf_error err = {0};
        float values[NI * NJ];
        CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, values, &err), err);
        for (int i = 0; i < NI * NJ; i++) CU_ASSERT_EQUAL(!!isnan(values[i]), i == (NJ - 1) * NI);
        gwf_atmosphere_close(&a);
    }
}

/* Gaussian latitudes are those of the roots of the Legendre polynomial: N32, first ones from
 * ECMWF's table of Gaussian grids. GRIB 1 rounds the ends to thousandths of a degree. */
static void test_gaussian(void)
{
    static const char *const names[2] = {"regular_gg_pl_grib1", "regular_gg_pl_grib2"};
    for (int kind = 0; kind < 4; kind++) {
        const bool south_first = kind % 2;
        codes_handle *h = codes_handle_new_from_samples(NULL, names[kind / 2]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h);
        size_t n = 0;
        if (south_first) {
            set(h, "jScansPositively", 1);
            must(codes_set_double(h, "latitudeOfFirstGridPointInDegrees", -87.864), "lat");
            must(codes_set_double(h, "latitudeOfLastGridPointInDegrees", 87.864), "lat");
        }
        set_text(h, "shortName", "u");
        must(codes_get_size(h, "values", &n), "values");
        double *values = calloc(n, sizeof *values);
        for (size_t i = 0; i < n; i++) values[i] = (double)(i % 977);
        set(h, "bitsPerValue", 16);
        must(codes_set_double_array(h, "values", values, n), "values");
        const char *path = test_scratch("gg.grib");
        FILE *file = begin(path);
        write_message(file, h);
        fclose(file);
        codes_handle_delete(h);
        gwf_atmosphere *a = open_one(path);
        const gwf_atmosphere_header *header = gwf_atmosphere_header_of(a);
        CU_ASSERT_EQUAL_FATAL(header->nlat, 64);
        CU_ASSERT_EQUAL_FATAL(header->nlon, 128);
        CHECK_AT_MOST(fabs(header->lat[63] - 87.8638), 5e-5);
        CHECK_AT_MOST(fabs(header->lat[62] - 85.0965), 5e-5);
        CHECK_AT_MOST(fabs(header->lat[0] + 87.8638), 5e-5);
        CHECK_AT_MOST(fabs(header->lon[127] - 357.1875), 1e-9);
        float *map = malloc(n * sizeof *map);
        gwf_error err = {0};
        int wrong = 0;
        CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, map, &err), err);
        for (size_t i = 0; i < 64; i++)
            for (size_t j = 0; j < 128; j++)
                wrong += !(fabs(map[(south_first ? i : 63 - i) * 128 + j] - values[i * 128 + j]) <=
                           0.02);
        CU_ASSERT_EQUAL(wrong, 0);
        free(map);
        free(values);
        gwf_atmosphere_close(&a);
    }
}

/* Messages of more than 16 MiB, for which GRIB 1 has a trick of ECMWF's. */
static void test_large(void)
{
    enum { COLUMNS = 2400, ROWS = 2401 };
    for (int edition = 0; edition < 2; edition++) {
        codes_handle *h = codes_handle_new_from_samples(NULL, samples[edition]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h);
        double *values = malloc(sizeof *values * COLUMNS * ROWS);
        for (size_t i = 0; i < COLUMNS * ROWS; i++) values[i] = (double)(i % 100003);
        set_text(h, "shortName", "u");
        set(h, "Ni", COLUMNS);
        set(h, "Nj", ROWS);
        must(codes_set_double(h, "latitudeOfFirstGridPointInDegrees", 90), "lat");
        must(codes_set_double(h, "latitudeOfLastGridPointInDegrees", -90), "lat");
        must(codes_set_double(h, "longitudeOfFirstGridPointInDegrees", 0), "lon");
        must(codes_set_double(h, "longitudeOfLastGridPointInDegrees", 359.85), "lon");
        must(codes_set_double(h, "iDirectionIncrementInDegrees", 0.15), "step");
        must(codes_set_double(h, "jDirectionIncrementInDegrees", 0.075), "step");
        set(h, "bitsPerValue", 24);
        must(codes_set_double_array(h, "values", values, COLUMNS * ROWS), "values");
        const char *path = test_scratch("large.grib");
        FILE *file = begin(path);
        write_message(file, h);
        set_text(h, "shortName", "v"); /* one behind it is found */
        write_message(file, h);
        CU_ASSERT_TRUE(ftell(file) > 2 * 0x1000000);
        fclose(file);
        codes_handle_delete(h);
        gwf_atmosphere *a = open_one(path);
        float *map = malloc(sizeof *map * COLUMNS * ROWS);
        gwf_error err = {0};
        size_t wrong = 0;
        CHECK_OK(gwf_atmosphere_read(a, GWF_V, 0, 0, 1, map, &err), err);
        for (int i = 0; i < COLUMNS * ROWS; i++)
            if (!(fabs(map[(ROWS - 1 - i / COLUMNS) * COLUMNS + i % COLUMNS] - values[i]) <= 0.02))
                wrong++;
        CU_ASSERT_EQUAL(wrong, 0);
        free(map);
        free(values);
        gwf_atmosphere_close(&a);
    }
}

/* One quantity from NetCDF, the other from GRIB. */
static void test_mixed_formats(void)
{
    static double lat[NJ], lon[NI];
    static const double level = 500, hour = 12, meant = 307356, pascal = 50000;
    for (int i = 0; i < NJ; i++) lat[i] = -90 + STEP * i;
    for (int j = 0; j < NI; j++) lon[j] = -180 + STEP * j;
    const air_file f = {
        .t = {"time", "hours since 2005-01-23", 1, &hour, &meant, 0, NULL},
        .z = {"plev", "hPa", 1, &level, &pascal, 0, NULL},
        .y = {"lat", "degrees_north", NJ, lat, NULL, 0, NULL},
        .x = {"lon", "degrees_east", NI, lon, NULL, 0, NULL},
    };
    const char *const paths[2] = {test_scratch("mixed.nc"), test_scratch("mixed.grib")};
    air_make(paths[0], &f, &AIR("t", "air_temperature", "K", "tzyx", .shift = 4));
    message m = wind(samples[1]);
    m.hour = 12;
    FILE *file = begin(paths[1]);
    put(file, &m);
    fclose(file);
    gwf_error err = {0};
    gwf_atmosphere *a = open_with(paths, 2, NULL, 0, &err);
    CU_ASSERT_STRING_EQUAL(gwf_atmosphere_header_of(a)->time_units, "hours since 2005-01-23");
    CHECK_AT_MOST(worst(a, GWF_T, 4), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

/* --- refusals ------------------------------------------------------------------------------- */

static const char *sample_file(const char *sample, const char *name)
{
    const char *path = test_scratch("sample.grib");
    codes_handle *h = codes_handle_new_from_samples(NULL, sample);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h);
    set_text(h, "shortName", name);
    FILE *file = begin(path);
    write_message(file, h);
    fclose(file);
    codes_handle_delete(h);
    return path;
}

/* --- cells ---------------------------------------------------------------------------------- */

static gwf_atmosphere *open_cells(const char *path, size_t cells)
{
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1, .cells = cells};
    CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    return a;
}

static void refuse_cells(const char *path, size_t cells, gwf_status status, const char *words)
{
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1, .cells = cells};
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), status, err, words);
    CU_ASSERT_PTR_NULL(a);
}

/* A regular grid in the order of the message, however it is scanned. */
static void test_regular_cells(void)
{
    const char *path = test_scratch("cells.grib");
    for (int scan = 0; scan < 8; scan++) {
        float values[NI * NJ];
        gwf_error err = {0};
        message m = wind(samples[1]);
        m.south_first = scan & 1;
        m.westward = scan & 2;
        m.columns = scan & 4;
        FILE *file = begin(path);
        put(file, &m);
        fclose(file);
        gwf_atmosphere *a = open_cells(path, NI * NJ);
        const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
        CU_ASSERT_TRUE(h->unstructured);
        CU_ASSERT_EQUAL(h->cells, NI * NJ);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h->cell_lat);
        CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, values, &err), err);
        for (int c = 0; c < NI * NJ; c++) {
            const double lat = lat_of(&m, m.columns ? c % NJ : c / NI);
            const double lon = lon_of(&m, m.columns ? c / NJ : c % NI);
            CHECK_AT_MOST(fabs(h->cell_lat[c] - lat), 1e-9);
            CHECK_AT_MOST(fabs(remainder(h->cell_lon[c] - lon, 360)), 1e-9);
            CHECK_AT_MOST(fabs(values[c] - air_value(hour_of(&m), m.pascal, lat, lon)), 2e-4);
        }
        gwf_atmosphere_close(&a);
    }
    refuse_cells(path, 85, GWF_ERR_MISMATCH, "message at byte 0: 84 cells, expected 85");
}

/* N32: 6114 points in 64 rows of pl points each. */
static void test_reduced_cells(void)
{
    static const char *const reduced[2] = {"reduced_gg_pl_32_grib1", "reduced_gg_pl_32_grib2"};
    enum { ROWS = 64, POINTS = 6114 };
    for (int edition = 0; edition < 2; edition++) {
        const char *path = test_scratch("reduced.grib");
        double rows[ROWS], put_values[POINTS];
        float values[POINTS];
        long pl[ROWS];
        size_t n = ROWS;
        gwf_error err = {0};
        codes_handle *h = codes_handle_new_from_samples(NULL, reduced[edition]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h);
        set_text(h, "shortName", "u");
        must(codes_get_long_array(h, "pl", pl, &n), "pl");
        for (int i = 0; i < POINTS; i++) put_values[i] = i;
        if (edition) set_text(h, "packingType", "grid_ccsds"); /* what ECMWF writes now */
        set(h, "bitsPerValue", 24);
        must(codes_set_double_array(h, "values", put_values, POINTS), "values");
        FILE *file = begin(path);
        write_message(file, h);
        fclose(file);
        codes_handle_delete(h);
        gwf_atmosphere *a = open_cells(path, POINTS);
        const gwf_atmosphere_header *header = gwf_atmosphere_header_of(a);
        CU_ASSERT_PTR_NOT_NULL_FATAL(header->cell_lat);
        CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, values, &err), err);
        gwf_gaussian_latitudes(ROWS, rows);
        size_t c = 0;
        for (int i = 0; i < ROWS; i++)
            for (long j = 0; j < pl[i]; j++, c++) {
                CHECK_AT_MOST(fabs(header->cell_lat[c] - rows[ROWS - 1 - i]), 1e-3);
                CHECK_AT_MOST(fabs(header->cell_lon[c] - 360 * (double)j / (double)pl[i]), 1e-3);
                CHECK_AT_MOST(fabs(values[c] - (double)c), 1e-2);
            }
        CU_ASSERT_EQUAL(c, POINTS);
        gwf_atmosphere_close(&a);
        refuse_cells(path, 8192, GWF_ERR_MISMATCH, "6114 cells, expected 8192");
    }
    refuse_cells(sample_file("sh_ml_grib2", "t"), 84, GWF_ERR_UNSUPPORTED, "grid sh: spectral");
    refuse_cells(sample_file("rotated_ll_pl_grib2", "u"), 84, GWF_ERR_UNSUPPORTED, "rotated_ll");
}

static void test_other_grids(void)
{
    refuse(sample_file("sh_ml_grib1", "t"), GWF_ERR_UNSUPPORTED, "cdo sp2gpl");
    refuse(sample_file("sh_ml_grib2", "t"), GWF_ERR_UNSUPPORTED, "grid sh: spectral");
    refuse(sample_file("reduced_gg_pl_32_grib1", "u"), GWF_ERR_UNSUPPORTED,
           "a reduced grid: convert it with cdo setgridtype,regular");
    refuse(sample_file("reduced_gg_pl_32_grib2", "u"), GWF_ERR_UNSUPPORTED, "a reduced grid");
    refuse(sample_file("rotated_ll_pl_grib2", "u"), GWF_ERR_UNSUPPORTED, "grid rotated_ll");
    refuse(sample_file("regular_ll_pl_grib2", "q"), GWF_ERR_FORMAT, "found q(isobaricInhPa)");
}

static void put_two(const message *a, const message *b, const char *path)
{
    FILE *file = begin(path);
    put(file, a);
    if (b) put(file, b);
    fclose(file);
}

static void test_what_does_not_fit(void)
{
    const char *path = test_scratch("bad.grib");
    message m = wind(samples[1]), other = m;
    put_two(&m, &m, path);
    refuse(path, GWF_ERR_MISMATCH, "level 500 of 2005-01-23 00:00:00 is there twice");
    other.level = 850;
    other.hour = 12;
    put_two(&m, &other, path);
    refuse(path, GWF_ERR_MISMATCH,
           "at 2005-01-23 12:00:00 are not those of its first time: level "
           "850 where 500 was expected");
    other = m;
    other.hour = 12;
    other.lon0 = 180;
    put_two(&m, &other, path);
    refuse(path, GWF_ERR_MISMATCH, "u on another grid than before it");
    other = m;
    other.level_type = "hybrid";
    other.level = 3;
    put_two(&m, &other, path);
    refuse(path, GWF_ERR_MISMATCH, "u on levels hybrid, before it on isobaricInhPa");
    static const double pv[4] = {0, 0, 0, 1};
    other.pv = pv;
    other.n_pv = 4;
    put_two(&other, NULL, path);
    refuse(path, GWF_ERR_FORMAT, "hybrid level 3, but the coefficients (pv) are those of 1 levels");
    other = m;
    other.name = "v";
    other.hour = 6;
    put_two(&m, &other, path);
    refuse(path, GWF_ERR_MISMATCH, "step 0: 2005-01-23 06:00:00, but 2005-01-23 00:00:00");
}

/* A file cut anywhere is refused or, between two messages, has a message less. */
static void test_cut_short(void)
{
    const char *path = test_scratch("cut.grib");
    for (int edition = 0; edition < 2; edition++) {
        message m = wind(samples[edition]), other = m;
        other.hour = 12;
        put_two(&m, &other, path);
        FILE *file = fopen(path, "r");
        fseek(file, 0, SEEK_END);
        const long size = ftell(file);
        fclose(file);
        for (long n = size - 1; n > 4; n -= n > 40 ? 13 : 1) {
            CU_ASSERT_EQUAL(truncate(path, n), 0);
            if (n != size / 2) refuse(path, GWF_ERR_FORMAT, "cut.grib: message at byte");
        }
        put_two(&m, &other, path);
        file = fopen(path, "r+");
        fseek(file, -1, SEEK_END);
        fputc('8', file);
        fclose(file);
        refuse(path, GWF_ERR_FORMAT, "has no end");
        put_two(&m, &other, path);
        file = fopen(path, "a");
        fputs("more", file);
        fclose(file);
        refuse(path, GWF_ERR_FORMAT, "cut short");
        file = fopen(path, "a");
        fputs(" than nothing at all", file);
        fclose(file);
        refuse(path, GWF_ERR_FORMAT, "is not GRIB");
    }
}

/* A message with one field more, as GRIB 2 allows. */
static void test_several_fields(void)
{
    const char *path = test_scratch("multi.grib");
    message m = wind(samples[1]);
    codes_handle *h = codes_handle_new_from_samples(NULL, m.sample);
    set_text(h, "shortName", "u");
    codes_multi_handle *multi = codes_grib_multi_handle_new(NULL);
    must(codes_grib_multi_handle_append(h, 4, multi), "append");
    set_text(h, "shortName", "v");
    must(codes_grib_multi_handle_append(h, 4, multi), "append");
    FILE *file = begin(path);
    must(codes_grib_multi_handle_write(multi, file), "write");
    fclose(file);
    codes_grib_multi_handle_delete(multi);
    codes_handle_delete(h);
    refuse(path, GWF_ERR_FORMAT, "several fields in one message");
}

static void test_changed(void)
{
    const char *path = test_scratch("changed.grib");
    message m = wind(samples[0]);
    put_two(&m, NULL, path);
    gwf_atmosphere *a = open_one(path);
    gwf_error err = {0};
    float values[NI * NJ];
    CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, values, &err), err);
    FILE *file = fopen(path, "a");
    fputc(0, file);
    fclose(file);
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, values, &err), GWF_ERR_DATA, err,
                "changed since it was opened");
    gwf_atmosphere_close(&a);
}

static const test_case tests[] = {
    {"regular grids as cells", test_regular_cells},
    {"reduced grids as cells", test_reduced_cells},
    {"pressure levels", test_pressure_levels},
    {"ways of scanning", test_scanning},
    {"hybrid levels", test_hybrid_levels},
    {"missing values", test_missing},
    {"Gaussian latitudes", test_gaussian},
    {"large messages", test_large},
    {"GRIB and NetCDF", test_mixed_formats},
    {"other grids", test_other_grids},
    {"messages that do not fit", test_what_does_not_fit},
    {"files cut short", test_cut_short},
    {"several fields in a message", test_several_fields},
    {"a file that changes", test_changed},
};
#else
static void test_refused(void)
{
    const char *path = test_scratch("x.grib");
    FILE *file = fopen(path, "w");
    fputs("GRIB and so on", file);
    fclose(file);
    refuse(path, GWF_ERR_UNSUPPORTED, "x.grib: is GRIB, and this build has no ecCodes");
    const air_file f = era5();
    path = test_scratch("x.nc");
    air_make(path, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    gwf_atmosphere *a = open_one(path);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    gwf_error err = {0};
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_U, 9, 0, 1, NULL, &err), GWF_ERR_ARGUMENT, err, "step");
    gwf_atmosphere_close(&a);
    const char *const paths[1] = {path};
    a = open_with(paths, 1, NULL, 0, &err);
    gwf_atmosphere_close(&a);
}

static const test_case tests[] = {{"GRIB is refused", test_refused}};
#endif

int main(void)
{
    return test_run("atmosphere_grib", tests, sizeof tests / sizeof *tests);
}
