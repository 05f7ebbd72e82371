#include "fields/vertical.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fields/threads.h"

enum { LEVELS_MOST = 10000, BLOCK = 256 /* columns that a thread takes at a time */ };

struct gwf_vertical {
    int source, target, columns, threads;
    bool bottom_up;   /* the source's order; inside, level 0 is the uppermost */
    double *source_p; /* ln p of the source: (source) or (source, columns), from the top down */
    double *target_p; /* ln p of the targets, (target, columns) */
    int *upper;       /* (target, columns): the source level above, counted from the top */
    double *fraction; /* (target, columns): 0 at that level, 1 at the next one */
};

gwf_status gwf_vertical_create(int source, int target, int columns, int threads,
                               gwf_vertical **vertical, gwf_error *err)
{
    *vertical = NULL;
    if (source < 2 || source > LEVELS_MOST || target < 1 || target > LEVELS_MOST || columns < 1)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "vertical interpolation: from %d to %d levels of %d columns, expected 2 to "
                        "%d levels",
                        source, target, columns, LEVELS_MOST);
    gwf_vertical *v = calloc(1, sizeof *v);
    if (!v) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for a vertical interpolation");
    *v = (gwf_vertical){source, target, columns, gwf_threads(threads), false, NULL,
                        NULL,   NULL,   NULL};
    const size_t from = (size_t)source * (size_t)columns, to = (size_t)target * (size_t)columns;
    v->source_p = calloc(from, sizeof *v->source_p);
    v->target_p = calloc(to, sizeof *v->target_p);
    v->upper = calloc(to, sizeof *v->upper);
    v->fraction = calloc(to, sizeof *v->fraction);
    *vertical = v;
    if (v->source_p && v->target_p && v->upper && v->fraction) return GWF_OK;
    gwf_vertical_free(vertical);
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d levels of %d columns", target,
                    columns);
}

void gwf_vertical_free(gwf_vertical **vertical)
{
    gwf_vertical *v = *vertical;
    if (!v) return;
    free(v->source_p);
    free(v->target_p);
    free(v->upper);
    free(v->fraction);
    free(v);
    *vertical = NULL;
}

const double *gwf_vertical_log_pressure(const gwf_vertical *vertical)
{
    return vertical->target_p;
}

/* --- bracketing ----------------------------------------------------------------------------- */

/* "source level 3, column 17: " or, where columns share the pressures, "source level 3: " */
static gwf_status bad_pressure(const char *which, int level, long column, double p, gwf_error *err)
{
    if (column < 0)
        return gwf_fail(err, GWF_ERR_DATA, "%s level %d: pressure %g Pa, expected above zero",
                        which, level, p);
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s level %d, column %ld: pressure %g Pa, expected above zero", which, level,
                    column, p);
}

static gwf_status not_monotone(int level, long column, double p, double before, gwf_error *err)
{
    char where[48] = "";
    if (column >= 0) snprintf(where, sizeof where, ", column %ld", column);
    return gwf_fail(err, GWF_ERR_DATA,
                    "source level %d%s: pressure %g Pa after %g Pa, expected all rising or all "
                    "falling",
                    level, where, p, before);
}

/* (levels, columns); shared: one column that stands for all. */
static gwf_status check_pressures(const char *which, const double *p, int levels, int columns,
                                  bool shared, gwf_error *err)
{
    for (int k = 0; k < levels; k++)
        for (int c = 0; c < columns; c++) {
            const double x = p[(size_t)k * (size_t)columns + (size_t)c];
            if (!(x > 0 && x < INFINITY)) return bad_pressure(which, k, shared ? -1 : c, x, err);
        }
    return GWF_OK;
}

static gwf_status check_order(const double *p, int levels, int columns, bool shared, gwf_error *err)
{
    const size_t n = (size_t)columns;
    const double sign = p[n] > p[0] ? 1 : -1;
    for (size_t k = 1; k < (size_t)levels; k++)
        for (size_t c = 0; c < n; c++) {
            const double x = p[k * n + c], before = p[(k - 1) * n + c];
            if (!(sign * (x - before) > 0))
                return not_monotone((int)k, shared ? -1 : (long)c, x, before, err);
        }
    return GWF_OK;
}

/* ln p of one column of the source, level k from the top. */
static double source_at(const gwf_vertical *v, bool per_column, int k, int c)
{
    return per_column ? v->source_p[(size_t)k * (size_t)v->columns + (size_t)c] : v->source_p[k];
}

static void take_source_logs(gwf_vertical *v, const double *p, int columns)
{
    const int n = v->source;
    GWF_PARALLEL(v->threads)
    for (int k = 0; k < n; k++) {
        const size_t from = (size_t)(v->bottom_up ? n - 1 - k : k) * (size_t)columns;
        for (int c = 0; c < columns; c++)
            v->source_p[(size_t)k * (size_t)columns + (size_t)c] = log(p[from + (size_t)c]);
    }
}

/* The place of x between the levels of a column; the search begins at k. */
static int find_upper(const gwf_vertical *v, bool per_column, int c, double x, int k)
{
    while (k < v->source - 2 && source_at(v, per_column, k + 1, c) <= x) k++;
    while (k > 0 && source_at(v, per_column, k, c) > x) k--;
    return k;
}

static void bracket_block(gwf_vertical *v, const double *target_p, bool per_column, int first,
                          int end)
{
    int start[BLOCK] = {0};
    for (int t = 0; t < v->target; t++)
        for (int c = first; c < end; c++) {
            const size_t at = (size_t)t * (size_t)v->columns + (size_t)c;
            const double x = log(target_p[at]);
            const int k = find_upper(v, per_column, c, x, start[c - first]);
            const double a = source_at(v, per_column, k, c), b = source_at(v, per_column, k + 1, c);
            start[c - first] = k;
            v->target_p[at] = x;
            v->upper[at] = k;
            v->fraction[at] = fmin(fmax((x - a) / (b - a), 0), 1);
        }
}

gwf_status gwf_vertical_bracket(gwf_vertical *vertical, const double *source_p, bool per_column,
                                const double *target_p, gwf_error *err)
{
    gwf_vertical *v = vertical;
    const int columns = per_column ? v->columns : 1;
    GWF_TRY(check_pressures("source", source_p, v->source, columns, !per_column, err));
    GWF_TRY(check_order(source_p, v->source, columns, !per_column, err));
    GWF_TRY(check_pressures("target", target_p, v->target, v->columns, false, err));
    v->bottom_up = source_p[columns] < source_p[0];
    take_source_logs(v, source_p, columns);
    const int blocks = (v->columns + BLOCK - 1) / BLOCK;
    GWF_PARALLEL(v->threads)
    for (int b = 0; b < blocks; b++) {
        const int end = (b + 1) * BLOCK;
        bracket_block(v, target_p, per_column, b * BLOCK, end < v->columns ? end : v->columns);
    }
    return GWF_OK;
}

/* --- applying ------------------------------------------------------------------------------- */

void gwf_vertical_apply(const gwf_vertical *vertical, const float *source, float *target)
{
    const gwf_vertical *v = vertical;
    const int n = v->columns;
    GWF_PARALLEL(v->threads)
    for (int t = 0; t < v->target; t++)
        for (int c = 0; c < n; c++) {
            const size_t at = (size_t)t * (size_t)n + (size_t)c;
            const int upper = v->bottom_up ? v->source - 1 - v->upper[at] : v->upper[at];
            const int lower = v->bottom_up ? upper - 1 : upper + 1;
            const double f = v->fraction[at];
            const double a = source[(size_t)upper * (size_t)n + (size_t)c];
            const double b = source[(size_t)lower * (size_t)n + (size_t)c];
            target[at] = (float)(f == 0 ? a : f == 1 ? b : a + (b - a) * f);
        }
}

/* --- what depends on pressure --------------------------------------------------------------- */

void gwf_hybrid_pressure(const gwf_level *levels, int count, const double *surface_pressure,
                         int columns, double *p)
{
    for (int k = 0; k < count; k++)
        for (int c = 0; c < columns; c++)
            p[(size_t)k * (size_t)columns + (size_t)c] =
                gwf_level_pressure(&levels[k], surface_pressure[c]);
}

/* (p / reference)^exponent */
static double power(double log_p, double exponent)
{
    return exp(exponent * (log_p - log(GWF_P_REFERENCE)));
}

void gwf_theta(const float *temperature, const double *log_p, float *theta, size_t n)
{
    for (size_t i = 0; i < n; i++)
        theta[i] = (float)(temperature[i] * power(log_p[i], -GWF_THETA_KAPPA));
}

void gwf_temperature(const float *theta, const double *log_p, float *temperature, size_t n)
{
    for (size_t i = 0; i < n; i++)
        temperature[i] = (float)(theta[i] * power(log_p[i], GWF_THETA_KAPPA));
}

void gwf_omega(const float *w, const float *temperature, const double *p, float *omega, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double rho = p[i] / (GWF_R_DRY * temperature[i]);
        omega[i] = (float)(-rho * GWF_GRAVITY * w[i]);
    }
}
