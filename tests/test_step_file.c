/* Files of steps whose content is declared: what stands in them, read by plain NetCDF calls. */
#include "io/step_file.h"

#include <string.h>

#include "step_case.h"

static const char *const dims_of[FIELDS] = {"time lev lat lon", "time idim lat lon", "time lat lon",
                                            "time idim", "time"};

/* --- what is in the file ---------------------------------------------------------------------- */

static void check_text(int file, const char *variable, const char *name, const char *expected)
{
    char text[256] = "";
    size_t length = 0;
    int id = NC_GLOBAL;
    if (variable) CU_ASSERT_EQUAL(nc_inq_varid(file, variable, &id), NC_NOERR);
    if (nc_inq_attlen(file, id, name, &length) == NC_NOERR && length < sizeof text)
        nc_get_att_text(file, id, name, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

/* Dimensions by name, one step a chunk, not compressed, float32. */
static int check_field(int file, int f)
{
    int id = -1, rank = 0, dims[8], storage = -1, deflate = -1;
    size_t chunk[8] = {0}, product = 1;
    char names[256] = "";
    nc_type type = NC_NAT;
    CU_ASSERT_EQUAL_FATAL(nc_inq_varid(file, fields[f].name, &id), NC_NOERR);
    nc_inq_var(file, id, NULL, &type, &rank, dims, NULL);
    nc_inq_var_chunking(file, id, &storage, chunk);
    nc_inq_var_deflate(file, id, NULL, &deflate, NULL);
    for (int i = 0; i < rank; i++) {
        char name[NC_MAX_NAME + 1];
        nc_inq_dimname(file, dims[i], name);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", name);
        product *= chunk[i];
    }
    CU_ASSERT_STRING_EQUAL(names, dims_of[f]);
    CU_ASSERT_EQUAL(type, NC_FLOAT);
    CU_ASSERT_EQUAL(storage, NC_CHUNKED);
    CU_ASSERT_EQUAL(deflate, 0);
    CU_ASSERT_EQUAL(chunk[0], 1);
    CU_ASSERT_EQUAL(product, lengths[f]);
    return id;
}

static void check_steady(int file)
{
    double found[LAT] = {0};
    int numbers[LEV] = {0}, id, rank = 0;
    char text[WORDS * WIDTH] = "";
    nc_type type = NC_NAT;
    nc_inq_varid(file, "lat", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, found), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(found, lat, sizeof lat), 0);
    nc_inq_varid(file, "number", &id);
    nc_inq_vartype(file, id, &type);
    CU_ASSERT_EQUAL(type, NC_INT);
    CU_ASSERT_EQUAL(nc_get_var_int(file, id, numbers), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(numbers, number, sizeof number), 0);
    nc_inq_varid(file, "word", &id);
    nc_inq_var(file, id, NULL, &type, &rank, NULL, NULL);
    CU_ASSERT_TRUE(type == NC_CHAR && rank == 2);
    CU_ASSERT_EQUAL(nc_get_var_text(file, id, text), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(text, words, sizeof words), 0);
}

static void test_contents(void)
{
    gwf_error err = {0};
    int file, id;
    float fill = 0;
    double time = 0;
    gwf_step_layout l = layout();
    l.time_units = "days since 2000-01-01";
    l.time_calendar = "noleap";
    const char *path = test_scratch("contents.nc");
    gwf_step_file *steps = created(path, &l);
    CU_ASSERT_TRUE(gwf_step_file_writes(steps));
    for (size_t s = STEPS; s-- > 0;) CHECK_OK(write_step(steps, s, -1, &err), err);
    CHECK_OK(gwf_step_file_finish(&steps, &err), err);
    CU_ASSERT_PTR_NULL(steps);
    CU_ASSERT_FALSE(there(part_of(path)));
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    check_steady(file);
    for (int f = 0; f < FIELDS; f++) {
        id = check_field(file, f);
        for (size_t s = 0; s < STEPS; s++) check_values(file, f, s);
        const bool has_fill = nc_get_att_float(file, id, "_FillValue", &fill) == NC_NOERR;
        CU_ASSERT_EQUAL(has_fill, fields[f].may_miss);
    }
    CU_ASSERT_EQUAL(fill, GWF_STEP_MISSING);
    CU_ASSERT_EQUAL(fill, NC_FILL_FLOAT);
    nc_inq_varid(file, "time", &id);
    for (size_t s = 0; s < STEPS; s++) {
        CU_ASSERT_EQUAL(nc_get_var1_double(file, id, &s, &time), NC_NOERR);
        CU_ASSERT_EQUAL(time, 0.5 + (double)s);
    }
    check_text(file, NULL, "title", "ours");
    check_text(file, NULL, "Conventions", "CF-1.10");
    check_text(file, "lat", "axis", "Y");
    check_text(file, "flux", "long_name", "a flux");
    nc_close(file);
}

/* A calendar makes time a real number with what CF asks for. */
static void test_time(void)
{
    gwf_error err = {0};
    static const nc_type types[2] = {NC_INT, NC_DOUBLE};
    for (int i = 0; i < 2; i++) {
        int file, id;
        nc_type type = NC_NAT;
        gwf_step_layout l = layout();
        const char *path = test_scratch(i ? "calendar.nc" : "numbers.nc");
        if (i) l.time_units = "hours since 1900-01-01", l.time_calendar = "360_day";
        gwf_step_file *steps = created(path, &l);
        CHECK_OK(write_step(steps, 2, -1, &err), err);
        CU_ASSERT_EQUAL(gwf_step_file_abandon(&steps), 1);
        CU_ASSERT_EQUAL_FATAL(nc_open(part_of(path), NC_NOWRITE, &file), NC_NOERR);
        nc_inq_varid(file, "time", &id);
        nc_inq_vartype(file, id, &type);
        CU_ASSERT_EQUAL(type, types[i]);
        check_text(file, "time", "axis", "T");
        check_text(file, "time", "units", i ? "hours since 1900-01-01" : "");
        check_text(file, "time", "calendar", i ? "360_day" : "");
        check_text(file, "time", "standard_name", i ? "time" : "");
        check_text(file, "time", "long_name", i ? "time" : "step of the input, from 0");
        nc_close(file);
    }
}

/* Room is asked for, but a hole until it is written, also where a _FillValue is declared. */
static void test_sparse(void)
{
    static const gwf_step_dimension large[] = {{"x", 1 << 18}};
    static const gwf_step_field field[] = {{"ps", "x", NULL, true}};
    gwf_step_layout l = {.steps = 16, .dimensions = large, .n_dimensions = 1};
    struct stat info = {0};
    const char *path = test_scratch("sparse.nc");
    l.fields = field;
    l.n_fields = 1;
    gwf_step_file *steps = created(path, &l);
    CU_ASSERT_EQUAL(stat(part_of(path), &info), 0);
    CU_ASSERT_TRUE(info.st_size > 15 << 20);
    CHECK_AT_MOST((double)info.st_blocks * 512, 1 << 20);
    CU_ASSERT_EQUAL(gwf_step_file_abandon(&steps), 0);
    CU_ASSERT_FALSE(there(part_of(path)));
}

static void test_missing_fields(void)
{
    gwf_error err = {0};
    const gwf_step_layout l = layout();
    gwf_step_file *file = created(test_scratch("missing.nc"), &l);
    for (int f = 0; f < FIELDS; f++) {
        char text[64];
        snprintf(text, sizeof text, "missing.nc: step 1 of 5 has no %s", fields[f].name);
        CHECK_FAILS(write_step(file, 1, f, &err), GWF_ERR_ARGUMENT, err, text);
    }
    CHECK_OK(write_step(file, 1, -1, &err), err);
    CHECK_FAILS(write_step(file, 1, -1, &err), GWF_ERR_ARGUMENT, err, "cannot be written (again)");
    CHECK_FAILS(write_step(file, STEPS, -1, &err), GWF_ERR_ARGUMENT, err, "step 5 of 5 cannot");
    CHECK_FAILS(gwf_step_file_finish(&file, &err), GWF_ERR_INTERNAL, err, "1 of 5 steps");
}

/* --- declarations that make no sense ---------------------------------------------------------- */

static void check_refused(const gwf_step_layout *l, const char *text)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    const char *path = test_scratch("refused.nc");
    CHECK_FAILS(gwf_step_file_create(path, l, &file, &err), GWF_ERR_ARGUMENT, err, text);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(there(part_of(path)));
}

static void test_refused_dimensions(void)
{
    gwf_step_layout l = layout();
    gwf_step_dimension d[DIMENSIONS];
    l.dimensions = d;
    memcpy(d, dimensions, sizeof d);
    d[1].length = 0;
    check_refused(&l, "its layout is not complete");
    memcpy(d, dimensions, sizeof d);
    d[1].name = NULL;
    check_refused(&l, "its layout is not complete");
    memcpy(d, dimensions, sizeof d);
    d[4].name = "lat";
    check_refused(&l, "its layout has two dimensions lat");
    d[4].name = "time";
    check_refused(&l, "its layout has two dimensions time");
    d[4].name = "other";
    check_refused(&l,
                  "variable word: dimensions \"words width\", expected up to 7 of its layout's");
    memcpy(d, dimensions, sizeof d);
    d[0].length = (size_t)1 << 62;
    l.n_steady = 1;
    check_refused(&l, "a step is too large");
    l.n_steady = STEADY;
    check_refused(&l, "variable number: is too large");
}

static void test_refused_variables(void)
{
    gwf_step_layout l = layout();
    gwf_step_field f[GWF_STEP_FIELDS + 1];
    gwf_step_steady s[STEADY];
    for (int i = 0; i <= GWF_STEP_FIELDS; i++) f[i] = fields[0];
    l.fields = f;
    l.n_fields = 0;
    check_refused(&l, "its layout is not complete");
    l.n_fields = GWF_STEP_FIELDS + 1;
    check_refused(&l, "its layout is not complete");
    l.n_fields = 1;
    f[0].dims = "lev lat lone";
    check_refused(&l, "variable flux: dimensions \"lev lat lone\"");
    f[0].dims = "lev la lon";
    check_refused(&l, "variable flux: dimensions \"lev la lon\"");
    f[0].dims = "lat lat lat lat lat lat lat lat";
    check_refused(&l, "expected up to 7 of its layout's");
    f[0].dims = NULL;
    check_refused(&l, "its layout is not complete");
    l = layout();
    l.steady = s;
    memcpy(s, steady, sizeof s);
    s[1].values = NULL;
    check_refused(&l, "its layout is not complete");
    memcpy(s, steady, sizeof s);
    s[1].type = GWF_NC_FLOAT;
    check_refused(&l, "its layout is not complete");
}

static void test_refused_calendars(void)
{
    gwf_step_layout l = layout();
    l.time_calendar = "standard";
    check_refused(&l, "has a calendar of time, which goes with units");
}

int main(void)
{
    static const test_case cases[] = {
        {"contents", test_contents},
        {"time", test_time},
        {"room is a hole", test_sparse},
        {"fields that are missing", test_missing_fields},
        {"refused: dimensions", test_refused_dimensions},
        {"refused: variables", test_refused_variables},
        {"refused: calendars", test_refused_calendars},
    };
    return test_run("step_file", cases, sizeof cases / sizeof *cases);
}
