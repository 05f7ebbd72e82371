/* Unit conversion: the factors are those of the SI brochure and the definitions of the bar, the
 * degree Celsius and so on. */
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fields/units.h"

static void check(const char *from, const char *to, double scale, double offset)
{
    gwf_error err = {0};
    double s = NAN, o = NAN;
    CHECK_OK(gwf_units_convert(from, to, &s, &o, &err), err);
    CHECK_AT_MOST(fabs(s - scale), 1e-12 * fabs(scale));
    CHECK_AT_MOST(fabs(o - offset), 1e-12 * fabs(offset));
}

static void usual_units(void)
{
    check("m s-1", "m s-1", 1, 0);
    check("cm/s", "m s-1", 0.01, 0);
    check("knot", "m s-1", 1852.0 / 3600, 0);
    check("degC", "K", 1, 273.15);
    check("degF", "K", 5.0 / 9, 459.67 * 5 / 9);
    check("hPa", "Pa", 100, 0);
    check("hPa day-1", "Pa s-1", 100.0 / 86400, 0);
    check("%", "1", 0.01, 0);
    check("m2/s2", "m2 s-2", 1, 0);
    check("degrees", "radians", acos(-1) / 180, 0);
}

static void spellings_of_files(void)
{
    check("m s**-1", "m s-1", 1, 0);
    check("Pa s**-1", "Pa s-1", 1, 0);
    check("m**2 s**-2", "m2 s-2", 1, 0);
    check("millibars", "Pa", 100, 0);
    check("mb", "Pa", 100, 0);
    check("mb/s", "Pa s-1", 100, 0);
    check("s-1 mb", "Pa s-1", 100, 0);
    check("pascals", "Pa", 1, 0);
    check("deg_k", "K", 1, 0);
    check("deg K", "K", 1, 0);
    check("C", "K", 1, 273.15);
    check("deg C", "K", 1, 273.15);
    check("m/sec", "m s-1", 1, 0);
    check("Pa/sec", "Pa s-1", 1, 0);
    check("gpm", "m", 1, 0);
    check("(0 - 1)", "1", 1, 0);
    check("none", "1", 1, 0);
    check("", "1", 1, 0);
    check("  K ", "K", 1, 0);
    check("degrees_N", "degrees_north", 1, 0);
}

static void refusals(void)
{
    gwf_error err = {0};
    double s, o;
    char text[2000];
    CHECK_FAILS(gwf_units_convert("K", "m s-1", &s, &o, &err), GWF_ERR_MISMATCH, err,
                "units \"K\" cannot become \"m s-1\"");
    CHECK_FAILS(gwf_units_convert("furlongs per blink", "m s-1", &s, &o, &err), GWF_ERR_MISMATCH,
                err, "\"furlongs per blink\" is not a unit");
    CHECK_FAILS(gwf_units_convert("K", "quux", &s, &o, &err), GWF_ERR_MISMATCH, err,
                "\"quux\" is not a unit");
    CHECK_FAILS(gwf_units_convert("lg(re 1 mW)", "W", &s, &o, &err), GWF_ERR_MISMATCH, err,
                "more than a factor");
    CHECK_FAILS(gwf_units_convert("s @ 2000-01-01", "m", &s, &o, &err), GWF_ERR_MISMATCH, err,
                "cannot become \"m\"");
    memset(text, 'm', sizeof text);
    text[sizeof text - 1] = '\0';
    CHECK_FAILS(gwf_units_convert(text, "m", &s, &o, &err), GWF_ERR_MISMATCH, err, "is not a unit");
    memset(text, ' ', 1000);
    snprintf(text + 1000, 100, "K");
    CHECK_OK(gwf_units_convert(text, "K", &s, &o, &err), err);
    CHECK_FAILS(gwf_units_convert("mb mb mb \n\1", "m", &s, &o, &err), GWF_ERR_MISMATCH, err, "mb");
}

static void *convert_often(void *wrong)
{
    for (int i = 0; i < 200; i++) {
        double s = 0, o = 0;
        if (gwf_units_convert(i % 2 ? "mb" : "degC", i % 2 ? "Pa" : "K", &s, &o, NULL) != GWF_OK ||
            !(fabs(s - (i % 2 ? 100 : 1)) < 1e-9) || !(fabs(o - (i % 2 ? 0 : 273.15)) < 1e-9))
            ++*(int *)wrong;
    }
    return NULL;
}

static void threads(void)
{
    pthread_t thread[4];
    int wrong[4] = {0};
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(pthread_create(&thread[i], NULL, convert_often, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        CU_ASSERT_EQUAL(wrong[i], 0);
    }
}

int main(void)
{
    static const test_case tests[] = {
        {"four threads", threads},
        {"units and their factors", usual_units},
        {"spellings found in files", spellings_of_files},
        {"what is refused, with both units", refusals},
    };
    return test_run("units", tests, sizeof tests / sizeof *tests);
}
