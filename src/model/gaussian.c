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

void gwf_gaussian_latitudes(int n, double *degrees)
{
    for (int i = 0; i < n; i++) {
        double x = -cos(pi * (i + 0.75) / (n + 0.5)), value, slope;
        for (int step = 0; step < 10; step++) {
            legendre(n, x, &value, &slope);
            x -= value / slope;
        }
        degrees[i] = asin(x) * 180 / pi;
    }
}
