#include "fields/vertical.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fields/bracket.h"
#include "fields/threads.h"

enum { LEVELS_MOST = 10000 };

struct gwf_vertical {
    int source, target, columns, threads, blocks;
    bool bottom_up;     /* the source's order; in a bracket, level 0 is the uppermost */
    gwf_bracket *block; /* (blocks), coordinate ln p */
};

/* --- making --------------------------------------------------------------------------------- */

static gwf_status make_blocks(gwf_vertical *v, gwf_error *err)
{
    v->block = calloc((size_t)v->blocks, sizeof *v->block);
    if (!v->block)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d levels of %d columns", v->target,
                        v->columns);
    for (int b = 0; b < v->blocks; b++)
        GWF_TRY(gwf_bracket_create(v->source, v->target, true, &v->block[b], err));
    return GWF_OK;
}

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
    const int blocks = columns / GWF_BLOCK + (columns % GWF_BLOCK > 0);
    *v = (gwf_vertical){source, target, columns, gwf_threads(threads), blocks, false, NULL};
    *vertical = v;
    const gwf_status status = make_blocks(v, err);
    if (status != GWF_OK) gwf_vertical_free(vertical);
    return status;
}

void gwf_vertical_free(gwf_vertical **vertical)
{
    gwf_vertical *v = *vertical;
    if (!v) return;
    for (int b = 0; b < v->blocks && v->block; b++) gwf_bracket_free(&v->block[b]);
    free(v->block);
    free(v);
    *vertical = NULL;
}

/* --- pressures ------------------------------------------------------------------------------ */

GWF_LANES static int count_faults(const double *restrict p, const double *restrict before,
                                  double sign, int n)
{
    int faults = 0;
    for (int c = 0; c < n; c++)
        faults += !(p[c] > 0) | !(p[c] < INFINITY) | !(sign * (p[c] - before[c]) > 0);
    return faults;
}

GWF_LANES static int count_bad(const double *restrict p, int n)
{
    int faults = 0;
    for (int c = 0; c < n; c++) faults += !(p[c] > 0) | !(p[c] < INFINITY);
    return faults;
}

int gwf_pressure_fault(const double *p, const double *before, double sign, int n)
{
    int c = 0;
    if ((before ? count_faults(p, before, sign, n) : count_bad(p, n)) == 0) return n;
    while (p[c] > 0 && p[c] < INFINITY && (!before || sign * (p[c] - before[c]) > 0)) c++;
    return c;
}

gwf_status gwf_pressure_refuse(const char *where, double p, double before, gwf_error *err)
{
    if (!(p > 0 && p < INFINITY) || isnan(before))
        return gwf_fail(err, GWF_ERR_DATA, "%s: pressure %g Pa, expected above zero", where, p);
    return gwf_fail(err, GWF_ERR_DATA,
                    "%s: pressure %g Pa after %g Pa, expected all rising or all falling", where, p,
                    before);
}

/* p (levels, columns) is to rise (sign 1) or fall (-1); 0: any order. */
static gwf_status check_pressures(const char *which, const double *p, int levels, int columns,
                                  double sign, bool shared, gwf_error *err)
{
    for (int k = 0; k < levels; k++) {
        const double *row = p + (size_t)k * (size_t)columns;
        const double *before = sign != 0 && k > 0 ? row - columns : NULL;
        const int c = gwf_pressure_fault(row, before, sign, columns);
        char where[64];
        if (c == columns) continue;
        if (shared)
            snprintf(where, sizeof where, "%s level %d", which, k);
        else
            snprintf(where, sizeof where, "%s level %d, column %d", which, k, c);
        return gwf_pressure_refuse(where, row[c], before ? before[c] : NAN, err);
    }
    return GWF_OK;
}

GWF_LANES void gwf_ln_row(const double *restrict x, double *restrict log_x, int n)
{
    for (int c = 0; c < n; c++) log_x[c] = gwf_ln(x[c]);
}

/* --- bracketing ----------------------------------------------------------------------------- */

/* The source's level that is k-th from the top. */
static int file_level(const gwf_vertical *v, int k)
{
    return v->bottom_up ? v->source - 1 - k : k;
}

static void bracket_block(const gwf_vertical *v, int b, const double *source_p, bool per_column,
                          const double *target_p)
{
    gwf_bracket *const bracket = &v->block[b];
    const int first = b * GWF_BLOCK, left = v->columns - first;
    const int n = left < GWF_BLOCK ? left : GWF_BLOCK;
    for (int k = 0; k < v->source; k++) {
        const int level = file_level(v, k);
        double *row = gwf_row(bracket->from, k);
        if (per_column)
            gwf_ln_row(source_p + (size_t)level * (size_t)v->columns + first, row, n);
        else
            for (int c = 0; c < n; c++) row[c] = gwf_ln(source_p[level]);
    }
    for (int t = 0; t < v->target; t++)
        gwf_ln_row(target_p + (size_t)t * (size_t)v->columns + first, gwf_row(bracket->to, t), n);
    gwf_bracket_find(bracket, n);
}

gwf_status gwf_vertical_bracket(gwf_vertical *vertical, const double *source_p, bool per_column,
                                const double *target_p, gwf_error *err)
{
    gwf_vertical *v = vertical;
    const int columns = per_column ? v->columns : 1;
    v->bottom_up = source_p[columns] < source_p[0];
    GWF_TRY(check_pressures("source", source_p, v->source, columns, v->bottom_up ? -1 : 1,
                            !per_column, err));
    GWF_TRY(check_pressures("target", target_p, v->target, v->columns, 0, false, err));
    GWF_PARALLEL(v->threads)
    for (int b = 0; b < v->blocks; b++) bracket_block(v, b, source_p, per_column, target_p);
    return GWF_OK;
}

/* --- applying ------------------------------------------------------------------------------- */

static void apply_block(const gwf_vertical *v, int b, const float *source, float *target)
{
    const gwf_bracket *bracket = &v->block[b];
    const ptrdiff_t columns = v->columns, first = (ptrdiff_t)b * GWF_BLOCK;
    const gwf_block_field field = {source + file_level(v, 0) * columns + first,
                                   v->bottom_up ? -columns : columns};
    double value[GWF_BLOCK];
    for (int t = 0; t < v->target; t++) {
        float *row = target + t * columns + first;
        gwf_bracket_apply(bracket, t, field, value);
        for (int c = 0; c < bracket->columns; c++) row[c] = (float)value[c];
    }
}

void gwf_vertical_apply(const gwf_vertical *vertical, const float *source, float *target)
{
    const gwf_vertical *v = vertical;
    GWF_PARALLEL(v->threads)
    for (int b = 0; b < v->blocks; b++) apply_block(v, b, source, target);
}

/* --- what depends on pressure --------------------------------------------------------------- */

GWF_LANES void gwf_hybrid_pressure(const gwf_level *levels, int count,
                                   const double *restrict surface_pressure, int columns,
                                   double *restrict p)
{
    for (int k = 0; k < count; k++)
        for (int c = 0; c < columns; c++)
            p[(size_t)k * (size_t)columns + (size_t)c] =
                levels[k].a + levels[k].b * surface_pressure[c];
}

/* (p / reference)^exponent */
static inline double power(double log_p, double exponent)
{
    return gwf_e_to(exponent * (log_p - gwf_ln(GWF_P_REFERENCE)));
}

GWF_LANES void gwf_theta_factor(const double *restrict log_p, double *restrict factor, int n)
{
    for (int i = 0; i < n; i++) factor[i] = power(log_p[i], -GWF_THETA_KAPPA);
}

GWF_LANES void gwf_temperature(const float *theta, const double *log_p, float *temperature,
                               size_t n)
{
    for (size_t i = 0; i < n; i++)
        temperature[i] = (float)(theta[i] * power(log_p[i], GWF_THETA_KAPPA));
}

GWF_LANES void gwf_omega(const float *w, const float *temperature, const double *p, float *omega,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double rho = p[i] / (GWF_R_DRY * temperature[i]);
        omega[i] = (float)(-rho * GWF_GRAVITY * w[i]);
    }
}
