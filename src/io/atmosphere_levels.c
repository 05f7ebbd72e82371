/* Levels of a NetCDF variable: pressures, or the a and b of p = a + b * surface pressure. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/l137.h"
#include "core/log.h"
#include "io/atmosphere_internal.h"

static const double standard_surface = 1e5; /* Pa: levels are put in order there */
static const double most_pressure = 2e5;

/* --- what does not depend on the file ------------------------------------------------------- */

double gwf_atm_pressure_unit(const char *units)
{
    static const struct {
        const char *names;
        double pascals;
    } known[] = {
        {" pa pascal pascals ", 1},
        {" hpa hectopascal hectopascals mb mbar mbars millibar millibars ", 100},
        {" kpa kilopascal kilopascals ", 1000},
        {" bar bars ", 1e5},
    };
    char word[32];
    size_t n = 0;
    word[n++] = ' ';
    for (; *units && !isspace((unsigned char)*units) && n + 2 < sizeof word; units++)
        word[n++] = (char)tolower((unsigned char)*units);
    word[n++] = ' ';
    word[n] = '\0';
    for (size_t i = 0; n > 2 && i < sizeof known / sizeof *known; i++)
        if (strstr(known[i].names, word)) return known[i].pascals;
    return 0;
}

gwf_status gwf_atm_levels_alloc(gwf_atm_levels *levels, size_t n, const char *where, gwf_error *err)
{
    *levels = (gwf_atm_levels){.n = n};
    if (n < 1 || n > GWF_ATM_LEVELS)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: %zu levels, expected 1 to %d", where, n,
                        GWF_ATM_LEVELS);
    levels->a = calloc(n, sizeof *levels->a);
    levels->b = calloc(n, sizeof *levels->b);
    if (levels->a && levels->b) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", where);
}

void gwf_atm_levels_free(gwf_atm_levels *levels)
{
    free(levels->a);
    free(levels->b);
    *levels = (gwf_atm_levels){0};
}

static double pressure_at(const gwf_atm_levels *levels, size_t k)
{
    return levels->a[k] + levels->b[k] * standard_surface;
}

static void reverse(double *x, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const double other = x[n - 1 - i];
        x[n - 1 - i] = x[i];
        x[i] = other;
    }
}

gwf_status gwf_atm_levels_order(gwf_atm_levels *levels, const char *where, gwf_error *err)
{
    for (size_t k = 0; k < levels->n; k++) {
        const double p = pressure_at(levels, k);
        if (!(p > 0 && p < most_pressure))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: level %zu is at %g Pa, expected more than 0 and less than %g",
                            where, k, p, most_pressure);
    }
    levels->bottom_up = levels->n > 1 && pressure_at(levels, 1) < pressure_at(levels, 0);
    for (size_t k = 1; k < levels->n; k++) {
        const double p = pressure_at(levels, k), before = pressure_at(levels, k - 1);
        if (!(levels->bottom_up ? p < before : p > before))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: levels must go one way, level %zu is at %g Pa after %g", where, k,
                            p, before);
    }
    if (levels->bottom_up) {
        reverse(levels->a, levels->n);
        reverse(levels->b, levels->n);
    }
    return GWF_OK;
}

gwf_status gwf_atm_levels_compare(const gwf_atm_levels *a, const char *where_a,
                                  const gwf_atm_levels *b, const char *where_b, gwf_error *err)
{
    static const char *const kinds[] = {"no", "pressure", "hybrid"};
    if (a->kind != b->kind)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %s levels, but %s has %s levels", where_b,
                        kinds[b->kind], where_a, kinds[a->kind]);
    if (a->n != b->n)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %zu levels, but %s has %zu", where_b, b->n,
                        where_a, a->n);
    for (size_t k = 0; k < a->n; k++) {
        const double pa = pressure_at(a, k), pb = pressure_at(b, k);
        if (!(fabs(pa - pb) <= 1e-5 * pa) || !(fabs(a->b[k] - b->b[k]) <= 1e-5))
            return gwf_fail(err, GWF_ERR_MISMATCH,
                            "%s: level %zu from the top is at %g Pa, but %g Pa in %s", where_b, k,
                            pb, pa, where_a);
    }
    return GWF_OK;
}

/* --- the level dimension of a variable ------------------------------------------------------ */

/* What the functions below look at. */
typedef struct level_axis {
    const gwf_nc *file;
    const char *dim;
    size_t n;
    bool has_values;
    gwf_nc_variable v; /* the coordinate, if any */
    double *values;    /* n, owned */
    char units[64], standard_name[128], positive[16];
    char where[GWF_ERROR_TEXT / 2];
    const gwf_log *log;
} level_axis;

static gwf_status look_at(const gwf_nc *file, const gwf_nc_variable *v, int dim, level_axis *axis,
                          gwf_error *err)
{
    axis->file = file;
    axis->dim = v->dims[dim];
    axis->n = v->shape[dim];
    snprintf(axis->where, sizeof axis->where, "%s: levels %.64s of variable %.64s", file->path,
             axis->dim, v->name);
    axis->has_values = gwf_atm_nc_coordinate(file, v, dim, &axis->v);
    if (!axis->has_values) return GWF_OK;
    gwf_nc_text(file, &axis->v, "units", axis->units, sizeof axis->units);
    gwf_nc_text(file, &axis->v, "standard_name", axis->standard_name, sizeof axis->standard_name);
    gwf_nc_text(file, &axis->v, "positive", axis->positive, sizeof axis->positive);
    return gwf_atm_nc_axis(file, &axis->v, axis->n, &axis->values, err);
}

/* --- coefficients in the file --------------------------------------------------------------- */

/* "ap: hyam b: hybm ps: sp": the name behind a term. */
static bool formula_term(const char *terms, const char *term, char *name, size_t size)
{
    const size_t length = strlen(term);
    for (const char *at = terms; (at = strstr(at, term)); at += length) {
        const bool starts = at == terms || isspace((unsigned char)at[-1]);
        if (!starts || at[length] != ':') continue;
        at += length + 1;
        while (isspace((unsigned char)*at)) at++;
        size_t n = 0;
        while (at[n] && !isspace((unsigned char)at[n])) n++;
        if (n == 0 || n >= size) return false;
        memcpy(name, at, n);
        name[n] = '\0';
        return true;
    }
    return false;
}

/* A number that stands alone in a variable: p0, ptop. */
static bool single_number(const gwf_nc *file, const char *name, double *value)
{
    gwf_nc_variable v;
    size_t n = 1;
    if (!gwf_nc_variable_find(file, name, &v)) return false;
    for (int i = 0; i < v.rank; i++) n *= v.shape[i];
    char units[64];
    if (n != 1 || gwf_nc_get_double(file, &v, 1, value, NULL) != GWF_OK) return false;
    gwf_nc_text(file, &v, "units", units, sizeof units);
    const double unit = gwf_atm_pressure_unit(units);
    if (unit > 0) *value *= unit;
    return isfinite(*value) && *value >= 0;
}

/* Which coefficient belongs to which level. */
typedef enum placing { PLACE_NONE, PLACE_DIRECT, PLACE_NUMBER } placing;

/* The axis counts levels 1 .. of `count`. */
static bool are_numbers(const level_axis *axis, size_t count)
{
    if (!axis->values) return false;
    for (size_t k = 0; k < axis->n; k++)
        if (!(axis->values[k] >= 1 && axis->values[k] <= (double)count) ||
            axis->values[k] != floor(axis->values[k]))
            return false;
    return true;
}

static placing place(const level_axis *axis, const gwf_nc_variable *coefficients, bool half)
{
    const size_t have = coefficients->shape[0];
    if (have < 1 + (size_t)half || coefficients->rank != 1) return PLACE_NONE;
    const size_t full = have - half;
    if (!half && strcmp(coefficients->dims[0], axis->dim) == 0) return PLACE_DIRECT;
    if (gwf_atm_pressure_unit(axis->units) == 0 && are_numbers(axis, full)) return PLACE_NUMBER;
    return full == axis->n ? PLACE_DIRECT : PLACE_NONE;
}

/* from_end: level 1 belongs to the last one. */
static gwf_status coefficients_of(const level_axis *axis, const gwf_nc_variable *v, bool half,
                                  bool from_end, double *values, gwf_error *err)
{
    double *all = NULL;
    const placing how = place(axis, v, half);
    if (how == PLACE_NONE)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: %zu levels, but variable %.64s has %zu values: it cannot be told "
                        "which belong together",
                        axis->where, axis->n, v->name, v->rank > 0 ? v->shape[0] : 1);
    GWF_TRY(gwf_atm_nc_axis(axis->file, v, v->shape[0], &all, err));
    for (size_t k = 0; k < axis->n; k++) {
        size_t at = how == PLACE_NUMBER ? (size_t)axis->values[k] - 1 : k;
        if (from_end) at = v->shape[0] - half - 1 - at;
        values[k] = half ? (all[at] + all[at + 1]) / 2 : all[at];
    }
    free(all);
    return GWF_OK;
}

/* a in Pa from what the file calls a: pressures, or fractions of p0. */
static gwf_status scale_a(const level_axis *axis, const gwf_nc_variable *a, const char *p0_name,
                          double *values, gwf_error *err)
{
    char units[64];
    double p0 = 0, largest = 0;
    gwf_nc_text(axis->file, a, "units", units, sizeof units);
    double unit = gwf_atm_pressure_unit(units);
    for (size_t k = 0; k < axis->n; k++) largest = fmax(largest, fabs(values[k]));
    if (unit == 0 && largest > 10) unit = 1; /* without units: no fraction is that large */
    if (unit == 0 && !single_number(axis->file, p0_name, &p0))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %.64s has no unit of pressure, and there is no reference "
                        "pressure %.64s",
                        axis->where, a->name, p0_name);
    for (size_t k = 0; k < axis->n; k++) values[k] *= unit > 0 ? unit : p0;
    return GWF_OK;
}

/* cdo invertlev turns the coefficients round with the levels, which keep their numbers: levels n to
 * 1 would then be upside down, the lowest one at the lowest pressure. */
static bool is_upside_down(const level_axis *axis, const gwf_nc_variable *a, bool half,
                           const gwf_atm_levels *levels)
{
    const size_t last = axis->n - 1;
    return place(axis, a, half) == PLACE_NUMBER && axis->values[0] > axis->values[last] &&
           strcmp(axis->positive, "up") != 0 && pressure_at(levels, 0) < pressure_at(levels, last);
}

static gwf_status take_hybrid(const level_axis *axis, const char *names[2], const char *p0_name,
                              bool half, gwf_atm_levels *levels, gwf_error *err)
{
    gwf_nc_variable v[2];
    for (int i = 0; i < 2; i++)
        if (!gwf_nc_variable_find(axis->file, names[i], &v[i]))
            return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %.64s of the formula is not there",
                            axis->where, names[i]);
    levels->kind = GWF_LEVELS_HYBRID;
    for (int from_end = 0; from_end < 2; from_end++) {
        GWF_TRY(coefficients_of(axis, &v[0], half, from_end, levels->a, err));
        GWF_TRY(coefficients_of(axis, &v[1], half, from_end, levels->b, err));
        GWF_TRY(scale_a(axis, &v[0], p0_name, levels->a, err));
        if (!is_upside_down(axis, &v[0], half, levels)) break;
    }
    return GWF_OK;
}

/* CF's atmosphere_sigma_coordinate: p = ptop + sigma (ps - ptop). */
static gwf_status take_sigma(const level_axis *axis, const char *terms, gwf_atm_levels *levels,
                             gwf_error *err)
{
    char name[GWF_NC_NAME];
    double top = 0;
    if (!axis->values || !formula_term(terms, "ptop", name, sizeof name) ||
        !single_number(axis->file, name, &top))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: sigma levels need ptop, which is not there",
                        axis->where);
    levels->kind = GWF_LEVELS_HYBRID;
    for (size_t k = 0; k < axis->n; k++) {
        levels->a[k] = top * (1 - axis->values[k]);
        levels->b[k] = axis->values[k];
    }
    return GWF_OK;
}

static gwf_status take_formula(const level_axis *axis, const char *terms, gwf_atm_levels *levels,
                               gwf_error *err)
{
    char a[GWF_NC_NAME], b[GWF_NC_NAME], p0[GWF_NC_NAME] = "p0";
    if (strcmp(axis->standard_name, "atmosphere_sigma_coordinate") == 0)
        return take_sigma(axis, terms, levels, err);
    const bool has_a =
        formula_term(terms, "ap", a, sizeof a) || formula_term(terms, "a", a, sizeof a);
    if (!has_a || !formula_term(terms, "b", b, sizeof b))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: formula_terms '%.200s': expected a (or ap) and b of hybrid levels",
                        axis->where, terms);
    formula_term(terms, "p0", p0, sizeof p0);
    return take_hybrid(axis, (const char *[2]){a, b}, p0, false, levels, err);
}

/* Coefficients that stand beside the variable under a usual name. */
static const struct {
    const char *a, *b;
    bool half;
} usual[] = {
    {"hyam", "hybm", false},
    {"hyai", "hybi", true},
    {"pk", "bk", true},
};

static bool beside(const level_axis *axis, size_t i, gwf_nc_variable *a)
{
    gwf_nc_variable b;
    return gwf_nc_variable_find(axis->file, usual[i].a, a) &&
           gwf_nc_variable_find(axis->file, usual[i].b, &b) &&
           place(axis, a, usual[i].half) != PLACE_NONE;
}

static gwf_status take_beside(const level_axis *axis, size_t i, gwf_atm_levels *levels,
                              gwf_error *err)
{
    gwf_nc_variable p0;
    const char *const name = gwf_nc_variable_find(axis->file, "P0", &p0) ? "P0" : "p0";
    return take_hybrid(axis, (const char *[2]){usual[i].a, usual[i].b}, name, usual[i].half, levels,
                       err);
}

/* --- pressures and numbers ------------------------------------------------------------------ */

/* Pascals of the unit, also where the name alone tells it. */
static double unit_of(const level_axis *axis)
{
    const double unit = gwf_atm_pressure_unit(axis->units);
    if (unit > 0 || axis->units[0]) return unit;
    if (strcmp(axis->dim, "isobaricInPa") == 0) return 1;
    if (strcmp(axis->dim, "isobaricInhPa") == 0 || strcmp(axis->dim, "pressure_level") == 0)
        return 100;
    return 0;
}

static void take_pressures(const level_axis *axis, double unit, gwf_atm_levels *levels)
{
    levels->kind = GWF_LEVELS_PRESSURE;
    for (size_t k = 0; k < axis->n; k++) levels->a[k] = axis->values[k] * unit;
}

/* Levels counted from 1 without a gap that end before 137 may be another model's. */
static bool may_be_l137(const level_axis *axis)
{
    if (!are_numbers(axis, GWF_L137)) return false;
    const double lowest = fmax(axis->values[0], axis->values[axis->n - 1]);
    const double highest = fmin(axis->values[0], axis->values[axis->n - 1]);
    return lowest == GWF_L137 || highest > 1;
}

static gwf_status take_numbers(const level_axis *axis, gwf_atm_levels *levels, gwf_error *err)
{
    if (!may_be_l137(axis))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: neither in a unit of pressure (units '%s') nor with coefficients "
                        "(formula_terms, hyam and hybm) nor numbers of ECMWF's 137 levels",
                        axis->where, axis->units);
    levels->kind = GWF_LEVELS_HYBRID;
    for (size_t k = 0; k < axis->n; k++) {
        const gwf_level *level = gwf_l137_level((int)axis->values[k]);
        levels->a[k] = level->a;
        levels->b[k] = level->b;
    }
    gwf_log_line(axis->log, "%s: taken as numbers of ECMWF's 137 levels", axis->where);
    return GWF_OK;
}

static gwf_status take(const level_axis *axis, gwf_atm_levels *levels, gwf_error *err)
{
    char terms[512] = "";
    gwf_nc_variable a;
    if (axis->has_values) gwf_nc_text(axis->file, &axis->v, "formula_terms", terms, sizeof terms);
    if (terms[0]) return take_formula(axis, terms, levels, err);
    const double unit = axis->values ? unit_of(axis) : 0;
    const bool hybrid_name = strncmp(axis->standard_name, "atmosphere_", 11) == 0;
    /* FMS: pfull is a rough pressure of hybrid levels, pk and bk say what they are. */
    const bool rough = hybrid_name || strcmp(axis->dim, "pfull") == 0;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (beside(axis, i, &a) && (unit == 0 || rough || strcmp(a.dims[0], axis->dim) == 0))
            return take_beside(axis, i, levels, err);
    if (unit > 0 && !hybrid_name) {
        take_pressures(axis, unit, levels);
        return GWF_OK;
    }
    return take_numbers(axis, levels, err);
}

gwf_status gwf_atm_levels_read(const gwf_nc *file, const gwf_nc_variable *v, int dim,
                               const gwf_log *log, gwf_atm_levels *levels, gwf_error *err)
{
    level_axis axis = {.log = log};
    gwf_status status = look_at(file, v, dim, &axis, err);
    if (status == GWF_OK) status = gwf_atm_levels_alloc(levels, axis.n, axis.where, err);
    if (status == GWF_OK) status = take(&axis, levels, err);
    if (status == GWF_OK) status = gwf_atm_levels_order(levels, axis.where, err);
    free(axis.values);
    return status;
}
