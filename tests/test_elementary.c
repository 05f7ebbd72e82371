/* The library's own logarithm, exponential and cube root against the C library's. */
#include "test.h"

#include <math.h>

#include "core/elementary.h"

enum { N = 100003 };

static double x[N], y[N];

/* From `first`, each the last times `ratio`. */
static void fill(double first, double ratio)
{
    x[0] = first;
    for (int i = 1; i < N; i++) x[i] = x[i - 1] * ratio;
}

GWF_LANES static void logs(const double *from, double *to, int n)
{
    for (int i = 0; i < n; i++) to[i] = gwf_ln(from[i]);
}

GWF_LANES static void exps(const double *from, double *to, int n)
{
    for (int i = 0; i < n; i++) to[i] = gwf_e_to(from[i]);
}

GWF_LANES static void roots(const double *from, double *to, int n)
{
    for (int i = 0; i < n; i++) to[i] = gwf_cube_root(from[i]);
}

static void check_logs(double first, double ratio)
{
    double most = 0, beside_one = 0;
    fill(first, ratio);
    logs(x, y, N);
    for (int i = 0; i < N; i++) {
        const double truth = log(x[i]), d = fabs(y[i] - truth);
        if (!(d <= most)) most = d;
        if (!(d <= beside_one * fabs(truth))) beside_one = d / fabs(truth);
        if (gwf_bits(y[i]) != gwf_bits(gwf_ln(x[i]))) CU_FAIL("other bits one at a time");
    }
    CHECK_AT_MOST(most, 1e-11);
    if (ratio < 1.0001) CHECK_AT_MOST(beside_one, 1e-10);
}

static void logarithm(void)
{
    check_logs(1e-300, 1.0138);
    check_logs(0.4999, 1.000014); /* 0.5 to 2 */
    CU_ASSERT_EQUAL(gwf_ln(1), 0);
}

static void exponential(void)
{
    double most = 0;
    for (int i = 0; i < N; i++) x[i] = 700.0 * (2.0 * i / (N - 1) - 1);
    exps(x, y, N);
    for (int i = 0; i < N; i++) {
        const double d = fabs(y[i] / exp(x[i]) - 1);
        if (!(d <= most)) most = d;
        if (gwf_bits(y[i]) != gwf_bits(gwf_e_to(x[i]))) CU_FAIL("other bits one at a time");
    }
    CHECK_AT_MOST(most, 1e-11);
    CU_ASSERT_EQUAL(gwf_e_to(0), 1);
}

static void cube_root(void)
{
    double most = 0;
    fill(1e-300, 1.0138);
    for (int i = 0; i < N; i += 2) x[i] = -x[i];
    roots(x, y, N);
    for (int i = 0; i < N; i++) {
        const double d = fabs(y[i] / cbrt(x[i]) - 1);
        if (!(d <= most)) most = d;
        if (gwf_bits(y[i]) != gwf_bits(gwf_cube_root(x[i]))) CU_FAIL("other bits one at a time");
    }
    CHECK_AT_MOST(most, 1e-10);
    CU_ASSERT_EQUAL(gwf_bits(gwf_cube_root(0.0)), gwf_bits(0.0));
    CU_ASSERT_EQUAL(gwf_bits(gwf_cube_root(-0.0)), gwf_bits(-0.0));
    CU_ASSERT_EQUAL(gwf_cube_root(INFINITY), INFINITY);
    CU_ASSERT_EQUAL(gwf_cube_root(-INFINITY), -INFINITY);
    CU_ASSERT_TRUE(isnan(gwf_cube_root(NAN)));
}

int main(void)
{
    static const test_case tests[] = {
        {"logarithm", logarithm},
        {"exponential", exponential},
        {"cube root", cube_root},
    };
    return test_run("elementary", tests, sizeof tests / sizeof *tests);
}
