/* Going on with a declared file of steps: what must be the same. */
#include <string.h>

#include "step_case.h"

static void begin(const char *path, const gwf_step_layout *l)
{
    gwf_error err = {0};
    gwf_step_file *file = created(path, l);
    CHECK_OK(write_step(file, 3, -1, &err), err);
    CU_ASSERT_EQUAL(gwf_step_file_abandon(&file), 1);
}

static void check_other(const char *path, const gwf_step_layout *l, gwf_status status,
                        const char *text)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    CHECK_FAILS(gwf_step_file_resume(path, l, done, &complete, &file, &err), status, err, text);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(complete);
}

static void test_resume(void)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    const gwf_step_layout l = layout();
    const char *path = test_scratch("resume.nc");
    begin(path, &l);
    CHECK_OK(gwf_step_file_resume(path, &l, done, &complete, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_FALSE(complete);
    for (size_t s = 0; s < STEPS; s++) {
        CU_ASSERT_EQUAL(done[s], s == 3);
        if (!done[s]) CHECK_OK(write_step(file, s, -1, &err), err);
    }
    CHECK_OK(gwf_step_file_finish(&file, &err), err);
    int id;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &id), NC_NOERR);
    for (int f = 0; f < FIELDS; f++)
        for (size_t s = 0; s < STEPS; s++) check_values(id, f, s);
    nc_close(id);
    CHECK_FAILS(gwf_step_file_resume(path, &l, done, &complete, &file, &err), GWF_ERR_EXISTS, err,
                "resume.nc: is complete");
    CU_ASSERT_TRUE(complete);
    gwf_step_layout other = layout(); /* the same words for a file of another kind */
    gwf_step_field f[FIELDS];
    memcpy(f, fields, sizeof f);
    f[2].name = "sp";
    other.fields = f;
    check_other(path, &other, GWF_ERR_EXISTS, "resume.nc: exists, from another job");
}

static void test_other_steady(void)
{
    static const double other_lat[LAT] = {-67.5, -22.5, 22.5, 67.25};
    static const int other_number[LEV] = {16, 61, 137};
    static const char other_words[WORDS][WIDTH] = {"uwnd", "pt"};
    const gwf_step_layout l = layout();
    gwf_step_layout o = l;
    gwf_step_steady s[STEADY];
    const char *path = test_scratch("steady.nc");
    begin(path, &l);
    o.steady = s;
    memcpy(s, steady, sizeof s);
    s[0].values = other_lat;
    check_other(path, &o, GWF_ERR_MISMATCH, "its lat[3] is 67.5, here it is 67.25");
    memcpy(s, steady, sizeof s);
    s[1].values = other_number;
    check_other(path, &o, GWF_ERR_MISMATCH, "its number[1] is 60, here it is 61");
    memcpy(s, steady, sizeof s);
    s[2].values = other_words;
    check_other(path, &o, GWF_ERR_MISMATCH, "its word[1] is \"ps\", here it is \"pt\"");
    memcpy(s, steady, sizeof s);
    s[0].dims = "words width";
    check_other(path, &o, GWF_ERR_FORMAT, "variable lat is not there as gwflux writes it");
    memcpy(s, steady, sizeof s);
    s[1] = (gwf_step_steady){"number", "lev", GWF_NC_DOUBLE, lat, NULL};
    check_other(path, &o, GWF_ERR_FORMAT, "variable number is not there as gwflux writes it");
    memcpy(s, steady, sizeof s);
    s[1].name = "level";
    check_other(path, &o, GWF_ERR_FORMAT, "variable level is not there as gwflux writes it");
    o.n_steady = 1;
    o.steady = steady;
    check_other(path, &o, GWF_ERR_MISMATCH, "its variable number is there, here it is absent");
}

static void test_other_fields(void)
{
    const gwf_step_layout l = layout();
    gwf_step_layout o = l;
    gwf_step_field f[FIELDS + 1];
    const char *path = test_scratch("fields.nc");
    begin(path, &l);
    o.fields = f;
    memcpy(f, fields, sizeof fields);
    f[2].name = "sp";
    check_other(path, &o, GWF_ERR_MISMATCH, "its variable sp is absent, here it is there");
    memcpy(f, fields, sizeof fields);
    o.n_fields = FIELDS - 1;
    check_other(path, &o, GWF_ERR_MISMATCH, "its variable mean is there, here it is absent");
    o.n_fields = FIELDS;
    f[2].dims = "lon lat";
    check_other(path, &o, GWF_ERR_FORMAT, "variable ps is not there as gwflux writes it");
    f[2].dims = "lat";
    check_other(path, &o, GWF_ERR_FORMAT, "variable ps is not there as gwflux writes it");
    f[2].dims = "lat lon lev";
    check_other(path, &o, GWF_ERR_FORMAT, "variable ps is not there as gwflux writes it");
    memcpy(f, fields, sizeof fields);
    f[0].name = "lat";
    check_other(path, &o, GWF_ERR_FORMAT, "variable lat is not there as gwflux writes it");
}

static void test_other_job(void)
{
    gwf_step_layout l = layout();
    gwf_step_dimension d[DIMENSIONS + 1];
    gwf_attribute g[3];
    const char *path = test_scratch("job.nc");
    l.time_units = "days since 2000-01-01";
    l.time_calendar = "noleap";
    begin(path, &l);
    gwf_step_layout o = l;
    memcpy(d, dimensions, sizeof dimensions);
    o.dimensions = d;
    d[3].length = IDIM + 1;
    check_other(path, &o, GWF_ERR_MISMATCH, "its dimension idim is 7, here it is 8");
    d[3].length = IDIM;
    d[DIMENSIONS] = (gwf_step_dimension){"odim", 2};
    o.n_dimensions = DIMENSIONS + 1;
    check_other(path, &o, GWF_ERR_MISMATCH, "its dimension odim is 0, here it is 2");
    o = l, o.globals = g;
    memcpy(g, globals, sizeof g);
    g[0].text = "another title";
    g[1].text = "b";
    check_other(path, &o, GWF_ERR_MISMATCH, "its kind is \"a\", here it is \"b\"");
    memcpy(g, globals, sizeof g);
    g[2].text = "six";
    check_other(path, &o, GWF_ERR_MISMATCH, "its gwflux_job is \"five\", here it is \"six\"");
    o = l, o.time_units = "days since 2001-01-01";
    check_other(path, &o, GWF_ERR_MISMATCH, "its units of time is \"days since 2000-01-01\"");
    o = l, o.time_calendar = "standard";
    check_other(path, &o, GWF_ERR_MISMATCH, "its calendar of time is \"noleap\"");
    const double times[STEPS] = {0.5, 1.5, 2.5, 3.25, 4.5};
    o = l, o.times = times;
    check_other(path, &o, GWF_ERR_MISMATCH, "its time of step 3 is 3.5, here it is 3.25");
}

int main(void)
{
    static const test_case cases[] = {
        {"going on", test_resume},
        {"other steady variables", test_other_steady},
        {"other fields", test_other_fields},
        {"another job", test_other_job},
    };
    return test_run("step_resume", cases, sizeof cases / sizeof *cases);
}
