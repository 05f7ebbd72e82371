/* A declared file of steps whose every value follows from its place. */
#ifndef GWF_TESTS_STEP_CASE_H
#define GWF_TESTS_STEP_CASE_H

#include <netcdf.h>
#include <stdio.h>
#include <sys/stat.h>

#include "io/step_file.h"
#include "test.h"

enum { STEPS = 5, LEV = 3, LAT = 4, LON = 6, IDIM = 7, WORDS = 2, WIDTH = 4, FIELDS = 5 };

static const gwf_step_dimension dimensions[] = {{"lev", LEV},   {"lat", LAT},     {"lon", LON},
                                                {"idim", IDIM}, {"words", WORDS}, {"width", WIDTH}};
enum { DIMENSIONS = sizeof dimensions / sizeof *dimensions };

static const double lat[LAT] = {-67.5, -22.5, 22.5, 67.5};
static const int number[LEV] = {16, 60, 137};
static const char words[WORDS][WIDTH] = {"uwnd", "ps"}; /* the first has no '\0' */
static const gwf_attribute lat_words[] = {{"units", "degrees_north"}, {"axis", "Y"}, {0}};
static const gwf_step_steady steady[] = {
    {"lat", "lat", GWF_NC_DOUBLE, lat, lat_words},
    {"number", "lev", GWF_NC_INT, number, NULL},
    {"word", "words width", GWF_NC_CHAR, words, NULL},
};
enum { STEADY = sizeof steady / sizeof *steady };

static const gwf_attribute flux_words[] = {{"units", "Pa"}, {"long_name", "a flux"}, {0}};
static const gwf_step_field fields[FIELDS] = {{"flux", "lev lat lon", flux_words, false},
                                              {"features", "idim  lat lon", NULL, false},
                                              {"ps", "lat lon", NULL, true},
                                              {"outside", "idim", NULL, false},
                                              {"mean", "", NULL, false}};
static const size_t lengths[FIELDS] = {LEV * LAT * LON, IDIM *LAT *LON, LAT *LON, IDIM, 1};
static const gwf_attribute globals[] = {{"title", "ours"}, {"kind", "a"}, {"gwflux_job", "five"}};
static const char *const agree[] = {"kind"};

static inline gwf_step_layout layout(void)
{
    return (gwf_step_layout){.steps = STEPS,
                             .dimensions = dimensions,
                             .n_dimensions = DIMENSIONS,
                             .steady = steady,
                             .n_steady = STEADY,
                             .fields = fields,
                             .n_fields = FIELDS,
                             .title = "a default",
                             .globals = globals,
                             .n_globals = 3,
                             .agree = agree,
                             .n_agree = 1};
}

/* Tells field, step and place. */
static inline float value(int field, size_t step, size_t i)
{
    return (float)(10000 * (field + 1)) + (float)(1000 * step) + (float)i;
}

static inline gwf_status write_step(gwf_step_file *file, size_t step, int missing_field,
                                    gwf_error *err)
{
    static float values[FIELDS][IDIM * LAT * LON];
    const float *list[FIELDS];
    for (int f = 0; f < FIELDS; f++) {
        for (size_t i = 0; i < lengths[f]; i++) values[f][i] = value(f, step, i);
        list[f] = f == missing_field ? NULL : values[f];
    }
    return gwf_step_file_write(file, step, 0.5 + (double)step, list, err);
}

static inline gwf_step_file *created(const char *path, const gwf_step_layout *l)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    CHECK_OK(gwf_step_file_create(path, l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

static inline const char *part_of(const char *path)
{
    static char part[1100];
    snprintf(part, sizeof part, "%s.part", path);
    return part;
}

static inline bool there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static inline void check_values(int file, int f, size_t step)
{
    static float found[IDIM * LAT * LON];
    int id, rank, dims[8];
    size_t start[8] = {step}, count[8], wrong = 0;
    nc_inq_varid(file, fields[f].name, &id);
    nc_inq_var(file, id, NULL, NULL, &rank, dims, NULL);
    for (int i = 0; i < rank; i++) nc_inq_dimlen(file, dims[i], &count[i]);
    count[0] = 1;
    CU_ASSERT_EQUAL(nc_get_vara_float(file, id, start, count, found), NC_NOERR);
    for (size_t i = 0; i < lengths[f]; i++) wrong += !(found[i] == value(f, step, i));
    CU_ASSERT_EQUAL(wrong, 0);
}

#endif
