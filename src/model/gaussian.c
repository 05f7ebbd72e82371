#include <math.h>

#include "model/model.h"

static const double pi = 3.14159265358979323846;

/* P_n(x) and P_n'(x) by the three-term recurrence. */
static void legendre(int n, double x, double *value, double *slope)
{
    double before = 1, at = x;
    for (int k = 2; k <= n; k++) {
        const double next = ((2 * k - 1) * x * at - (k - 1) * before) / k;
        before = at;
        at = next;
    }
    *value = at;
    *slope = n * (x * at - before) / (x * x - 1);
}

/* The i-th zero x of P_n from the south, by Newton's method, and P_n'(x). */
static double zero(int n, int i, double *slope)
{
    double x = -cos(pi * (i + 0.75) / (n + 0.5)), value;
    for (int step = 0; step < 10; step++) {
        legendre(n, x, &value, slope);
        x -= value / *slope;
    }
    return x;
}

void gwf_gaussian_latitudes(int n, double *degrees)
{
    double slope;
    for (int i = 0; i < n; i++) degrees[i] = asin(zero(n, i, &slope)) * 180 / pi;
}

void gwf_gaussian_weights(int n, double *weights)
{
    double slope;
    for (int i = 0; i < n; i++) {
        const double x = zero(n, i, &slope);
        weights[i] = 2 / ((1 - x * x) * slope * slope);
    }
}
