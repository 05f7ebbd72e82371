/* Interpolation in ln p against profiles for which it is exact; pressure, theta, omega. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/vertical.h"

enum { SOURCE = 9, TARGET = 7, COLUMNS = 600 }; /* more columns than one block */

static double source_p[SOURCE * COLUMNS], target_p[TARGET * COLUMNS];
static float source[SOURCE * COLUMNS], target[TARGET * COLUMNS];

/* Levels from 50 hPa down, a little different in every column; targets beyond both ends too. */
static void fill_pressures(bool per_column, bool bottom_up)
{
    for (int k = 0; k < SOURCE; k++) {
        const int place = bottom_up ? SOURCE - 1 - k : k;
        const double p = 5000 * pow(1.4, k);
        if (!per_column) source_p[place] = p;
        for (int c = 0; c < COLUMNS && per_column; c++)
            source_p[place * COLUMNS + c] = p * (1 + 1e-4 * c);
    }
    static const double targets[TARGET] = {90000, 1000, 5000, 20000, 23456, 5000 * 1.4, 6000};
    for (int t = 0; t < TARGET; t++)
        for (int c = 0; c < COLUMNS; c++) target_p[t * COLUMNS + c] = targets[t] * (1 + 2e-4 * c);
}

static double pressure_of(bool per_column, int k, int c)
{
    return per_column ? source_p[k * COLUMNS + c] : source_p[k];
}

/* x = 3 + (1 + c) ln p is met exactly, and is constant beyond the ends. */
static void check_exact(bool per_column, bool bottom_up)
{
    gwf_error err = {0};
    gwf_vertical *v = NULL;
    fill_pressures(per_column, bottom_up);
    CHECK_OK(gwf_vertical_create(SOURCE, TARGET, COLUMNS, 2, &v, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    CHECK_OK(gwf_vertical_bracket(v, source_p, per_column, target_p, &err), err);
    for (int k = 0; k < SOURCE; k++)
        for (int c = 0; c < COLUMNS; c++)
            source[k * COLUMNS + c] =
                (float)(3 + (1 + 0.01 * c) * log(pressure_of(per_column, k, c)));
    gwf_vertical_apply(v, source, target);
    double most = 0;
    for (int t = 0; t < TARGET; t++)
        for (int c = 0; c < COLUMNS; c++) {
            const int at = t * COLUMNS + c, top = bottom_up ? SOURCE - 1 : 0;
            const double low = pressure_of(per_column, top, c);
            const double high = pressure_of(per_column, SOURCE - 1 - top, c);
            const double p = fmin(fmax(target_p[at], low), high);
            const double d = fabs(target[at] - (3 + (1 + 0.01 * c) * log(p))) / 80;
            if (!(d <= most)) most = d;
        }
    CHECK_AT_MOST(most, 1.5e-7);
    gwf_vertical_free(&v);
    CU_ASSERT_PTR_NULL(v);
}

static void exact_in_ln_p(void)
{
    for (int i = 0; i < 4; i++) check_exact(i & 1, i & 2);
}

/* A level at the target itself stands alone; a missing one spoils only what lies beside it. */
static void missing_levels(void)
{
    gwf_error err = {0};
    gwf_vertical *v = NULL;
    const double from[3] = {10000, 20000, 40000}, to[5] = {5000, 10000, 15000, 20000, 50000};
    const float x[3] = {1, NAN, 3};
    float y[5];
    CHECK_OK(gwf_vertical_create(3, 5, 1, 1, &v, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    CHECK_OK(gwf_vertical_bracket(v, from, false, to, &err), err);
    gwf_vertical_apply(v, x, y);
    CU_ASSERT_EQUAL(y[0], 1);
    CU_ASSERT_EQUAL(y[1], 1);
    CU_ASSERT_TRUE(isnan(y[2]));
    CU_ASSERT_TRUE(isnan(y[3]));
    CU_ASSERT_EQUAL(y[4], 3);
    gwf_vertical_free(&v);
}

static void refuse(const double *from, bool per_column, const double *to, const char *words)
{
    gwf_error err = {0};
    gwf_vertical *v = NULL;
    CHECK_OK(gwf_vertical_create(3, 2, 2, 1, &v, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    CHECK_FAILS(gwf_vertical_bracket(v, from, per_column, to, &err), GWF_ERR_DATA, err, words);
    gwf_vertical_free(&v);
}

static void refusals(void)
{
    gwf_error err = {0};
    gwf_vertical *v = NULL;
    const double to[4] = {1, 1, 2, 2}, from[3] = {1, 2, 3};
    CHECK_FAILS(gwf_vertical_create(1, 2, 2, 1, &v, &err), GWF_ERR_ARGUMENT, err, "from 1 to 2");
    CHECK_FAILS(gwf_vertical_create(3, 2, 0, 1, &v, &err), GWF_ERR_ARGUMENT, err, "0 columns");
    CU_ASSERT_PTR_NULL(v);
    refuse((double[]){1, 3, 2}, false, to, "source level 2: pressure 2 Pa after 3 Pa");
    refuse((double[]){3, 2, 2}, false, to, "source level 2: pressure 2 Pa after 2 Pa");
    refuse((double[]){1, 1, 2, 2, 3, 1.5}, true, to,
           "source level 2, column 1: pressure 1.5 Pa after 2 Pa");
    refuse((double[]){1, 3, 2, 2, 3, 1}, true, to,
           "source level 1, column 1: pressure 2 Pa after 3");
    refuse((double[]){0, 1, 2}, false, to, "source level 0: pressure 0 Pa");
    refuse((double[]){1, 1, 2, NAN, 3, 3}, true, to, "source level 1, column 1: pressure nan");
    refuse(from, false, (double[]){1, 1, 2, -2}, "target level 1, column 1: pressure -2 Pa");
    refuse(from, false, (double[]){1, INFINITY, 2, 2}, "target level 0, column 1: pressure inf");
}

/* What the level table's authors give for a surface pressure of 1013.25 hPa. */
static void hybrid_levels(void)
{
    static const int channels[] = {0, 13, 20, 32, 44, 58, 80, 98};
    static const double hectopascals[] = {1.45, 9.8, 19.9, 49.6, 98.4, 197.3, 508, 850};
    static const double half_digit[] = {0.005, 0.05, 0.05, 0.05, 0.05, 0.05, 0.5, 0.5};
    const double ps[2] = {101325, 50000};
    double p[2 * GWF_LEVELS];
    gwf_hybrid_pressure(gwf_level_at(0), GWF_LEVELS, ps, 2, p);
    for (int i = 0; i < 8; i++)
        CHECK_AT_MOST(fabs(p[2 * channels[i]] / 100 - hectopascals[i]), half_digit[i]);
    CHECK_AT_MOST(fabs(p[2 * 121 + 1] - 0.9990234375 * 50000), 1);
}

static void theta_and_omega(void)
{
    const double p[3] = {100000, 50000, 200}, log_p[3] = {log(p[0]), log(p[1]), log(p[2])};
    const float t[3] = {288.15f, 250, 265}, w[3] = {0.01f, -0.02f, 0};
    double factor[3];
    float theta[3], back[3], omega[3];
    gwf_theta_factor(log_p, factor, 3);
    for (int i = 0; i < 3; i++) theta[i] = (float)(t[i] * factor[i]);
    gwf_temperature(theta, log_p, back, 3);
    gwf_omega(w, t, p, omega, 3);
    CU_ASSERT_EQUAL(theta[0], 288.15f);
    CHECK_AT_MOST(fabs(theta[1] - 250 * pow(2, 0.286)), 2e-5);
    CHECK_AT_MOST(fabs(theta[2] - 265 * pow(500, 0.286)), 1e-4);
    for (int i = 0; i < 3; i++) CHECK_AT_MOST(fabsf(back[i] - t[i]), 4e-5f);
    /* air at 500 hPa and 250 K: 0.69674 kg m-3; upward is towards lower pressure */
    CHECK_AT_MOST(fabs(omega[1] - 0.69674 * 9.80665 * 0.02), 1e-6);
    CHECK_AT_MOST(fabs(omega[0] + 1.20899 * 9.80665 * 0.01), 1e-6);
}

int main(void)
{
    static const test_case tests[] = {
        {"exact in ln p, constant beyond", exact_in_ln_p},
        {"missing levels", missing_levels},
        {"what is refused", refusals},
        {"hybrid levels", hybrid_levels},
        {"theta and omega", theta_and_omega},
    };
    return test_run("vertical", tests, sizeof tests / sizeof *tests);
}
