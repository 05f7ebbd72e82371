/* Links: copies to the bit, answers that do not depend on which destinations are made together nor
 * on where sources lie, constants, winds over the poles; against remapping whole maps. */
#include "fields/links.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "fields/remap.h"
#include "grid_case.h"
#include "test.h"

static int cells_of(const gwf_grid *grid)
{
    return grid->nlat * grid->nlon;
}

static void *make(size_t n, size_t size)
{
    void *values = calloc(n ? n : 1, size);
    if (!values) abort();
    return values;
}

static int *all_cells(int n)
{
    int *id = make((size_t)n, sizeof *id);
    for (int i = 0; i < n; i++) id[i] = i;
    return id;
}

/* --- maps whose cells lie somewhere --------------------------------------------------------- */

/* Values of the wanted sources, spread over memory in pieces of their own strides. */
typedef struct spread {
    float *values;
    gwf_route_place *places;
    size_t n;
} spread;

/* piece 0: all in order, side by side; else pieces of so many, last first, with gaps. */
static spread spread_out(const gwf_links *links, const float *map, size_t n_source, int rows,
                         int piece)
{
    int n;
    const int *wanted = gwf_links_wanted(links, &n);
    const int each = piece ? piece : n, pieces = n ? (n + each - 1) / each : 0;
    const size_t stride = (size_t)each + (piece ? 3 : 0), size = stride * (size_t)rows + 5;
    spread s = {make(size * (size_t)pieces, sizeof *s.values),
                make((size_t)n + 1, sizeof *s.places), size * (size_t)pieces};
    for (size_t i = 0; i < s.n; i++) s.values[i] = NAN;
    for (int i = 0; i < n; i++) {
        const size_t first = (size_t)(pieces - 1 - i / each) * size + (size_t)(i % each);
        s.places[i] = (gwf_route_place){first, stride, 1};
        for (int k = 0; k < rows; k++)
            s.values[first + (size_t)k * stride] = map[(size_t)k * n_source + (size_t)wanted[i]];
    }
    return s;
}

static void free_spread(spread *s)
{
    free(s->values);
    free(s->places);
}

/* Half of the rows are u, half v, or all are scalars; to: (rows, n). */
static void apply(gwf_links *links, const float *map, size_t n_source, int rows, int n, bool wind,
                  int piece, float *to)
{
    gwf_error err = {0};
    spread s = spread_out(links, map, n_source, rows, piece);
    CHECK_OK(gwf_links_bind(links, s.places, piece ? 3 : 1, &err), err);
    const int half = rows / 2;
    const gwf_rows uv[2] = {{s.values, 0, half}, {s.values, half, half}};
    const long before = test_allocations();
    if (wind)
        gwf_links_apply_wind(links, uv, (float *const[2]){to, to + half * n}, (size_t)n);
    else
        gwf_links_apply(links, (gwf_rows){s.values, 0, rows}, to, (size_t)n);
    CU_ASSERT_EQUAL(test_allocations(), before);
    free_spread(&s);
}

static float *random_map(size_t n, int rows)
{
    unsigned long long seed = 11;
    float *x = make(n * (size_t)rows, sizeof *x);
    for (size_t i = 0; i < n * (size_t)rows; i++) x[i] = (float)case_random(&seed) + 2;
    return x;
}

/* --- copies --------------------------------------------------------------------------------- */

static void copies(void)
{
    gwf_error err = {0};
    gwf_links *links = NULL;
    const int id[] = {3, 4, 5, 9, 2, 0, 1}, wanted[] = {0, 1, 2, 3, 4, 5, 9};
    float x[2][10], y[2][7];
    int n;
    for (int i = 0; i < 10; i++) x[0][i] = (float)i, x[1][i] = -(float)i;
    x[0][4] = -0.0f;
    x[1][9] = NAN;
    CHECK_OK(gwf_links_copies((gwf_cells){7, id}, &links, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(links);
    CU_ASSERT_EQUAL(memcmp(gwf_links_wanted(links, &n), wanted, sizeof wanted), 0);
    CU_ASSERT_EQUAL(n, 7);
    for (int piece = 0; piece < 4; piece++)
        for (int wind = 0; wind < 2; wind++) {
            apply(links, x[0], 10, 2, 7, wind, piece, y[0]);
            for (int i = 0; i < 7; i++) {
                CU_ASSERT_EQUAL(memcmp(&y[0][i], &x[0][id[i]], sizeof(float)), 0);
                CU_ASSERT_EQUAL(memcmp(&y[1][i], &x[1][id[i]], sizeof(float)), 0);
            }
        }
    gwf_links_free(&links);
    CU_ASSERT_PTR_NULL(links);
    CHECK_OK(gwf_links_copies((gwf_cells){0, NULL}, &links, &err), err);
    gwf_links_wanted(links, &n);
    CU_ASSERT_EQUAL(n, 0);
    apply(links, NULL, 0, 2, 0, false, 0, NULL);
    gwf_links_free(&links);
    gwf_links_free(&links);
}

/* Neighbours in one row, but not in the next. */
static void strides(void)
{
    gwf_error err = {0};
    gwf_links *links = NULL;
    const int id[] = {0, 1};
    const gwf_route_place places[2] = {{0, 2, 1}, {1, 4, 1}};
    const float x[6] = {1, 2, 3, 4, 5, 6}, truth[4] = {1, 2, 3, 6};
    float y[4];
    CHECK_OK(gwf_links_copies((gwf_cells){2, id}, &links, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(links);
    CHECK_OK(gwf_links_bind(links, places, 1, &err), err);
    gwf_links_apply(links, (gwf_rows){x, 0, 2}, y, 2);
    CU_ASSERT_EQUAL(memcmp(y, truth, sizeof truth), 0);
    gwf_links_free(&links);
}

/* What lies as it is wanted is only looked at. */
static void views(void)
{
    gwf_error err = {0};
    gwf_links *links = NULL;
    const int id[] = {4, 5, 6};
    const gwf_route_place together[] = {{2, 9, 1}, {3, 9, 1}, {4, 9, 1}};
    const gwf_route_place apart[] = {{2, 9, 1}, {3, 9, 1}, {5, 9, 1}};
    const float x[40] = {0};
    size_t stride = 0;
    CHECK_OK(gwf_links_copies((gwf_cells){3, id}, &links, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(links);
    CHECK_OK(gwf_links_bind(links, together, 1, &err), err);
    CU_ASSERT_PTR_EQUAL(gwf_links_view(links, (gwf_rows){x, 2, 1}, &stride), x + 2 + 2 * 9);
    CU_ASSERT_EQUAL(stride, 9);
    CHECK_OK(gwf_links_bind(links, apart, 1, &err), err);
    CU_ASSERT_PTR_NULL(gwf_links_view(links, (gwf_rows){x, 2, 1}, &stride));
    gwf_links_free(&links);
}

/* Copies are the same bits alone and among sums. */
static void copies_among_sums(void)
{
    gwf_error err = {0};
    gwf_links *links[2] = {NULL, NULL};
    gwf_grid from = case_regular(19, -90, 10, 36, 0, 10), to = case_regular(19, -90, 10, 72, 0, 5);
    int *all = all_cells(19 * 72), some[18 * 36];
    float *x = random_map(19 * 36, 2), *whole = make(2 * 19 * 72, sizeof *whole), few[2 * 18 * 36];
    for (int i = 0; i < 18 * 36; i++) some[i] = (i / 36 + 1) * 72 + i % 36 * 2; /* no south pole */
    for (int i = 0; i < 19 * 36; i++) x[i] = -0.0f;
    x[19 * 36 + 100] = NAN;
    for (int wind = 0; wind < 2; wind++) {
        const gwf_cells one = {19 * 72, all}, other = {(18 - wind) * 36, some}; /* nor north */
        for (int k = 0; k < 2; k++)
            CHECK_OK(
                gwf_links_grids(GWF_REMAP_BILINEAR, &from, &to, k ? other : one, &links[k], &err),
                err);
        apply(links[0], x, 19 * 36, 2, one.n, wind, 7, whole);
        apply(links[1], x, 19 * 36, 2, other.n, wind, 7, few);
        for (int i = 0; i < other.n; i++)
            for (int c = 0; c < 2; c++) {
                const float *given = &x[c * 19 * 36 + some[i] / 72 * 36 + some[i] % 72 / 2];
                CU_ASSERT_EQUAL(memcmp(&few[c * other.n + i], given, sizeof *given), 0);
                CU_ASSERT_EQUAL(memcmp(&whole[c * one.n + some[i]], given, sizeof *given), 0);
            }
        gwf_links_free(&links[0]);
        gwf_links_free(&links[1]);
    }
    case_free(&from);
    case_free(&to);
    free(all);
    free(x);
    free(whole);
}

/* --- any destinations, anywhere ------------------------------------------------------------- */

typedef struct pair {
    gwf_grid from, to;
} pair;

enum { PAIRS = 4 };

static pair pair_of(int i)
{
    switch (i) {
    case 0: /* with rows at the poles */
        return (pair){case_regular(31, 90, -6, 60, -180, 6), case_gaussian(16, 32)};
    case 1: /* coarse to fine: beyond the last row */
        return (pair){case_gaussian(16, 32), case_regular(37, -90, 5, 72, 0, 5)};
    case 2:
        return (pair){case_gaussian(16, 32), case_gaussian(16, 32)};
    default:
        return (pair){case_regular(18, 85, -10, 36, 5, 10), case_regular(12, -82.5, 15, 24, 7, 15)};
    }
}

static gwf_links *link(gwf_remap_kind kind, const pair *p, int n, const int *id)
{
    gwf_error err = {0};
    gwf_links *links = NULL;
    CHECK_OK(gwf_links_grids(kind, &p->from, &p->to, (gwf_cells){n, id}, &links, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(links);
    return links;
}

static const gwf_remap_kind kinds[2] = {GWF_REMAP_CONSERVATIVE, GWF_REMAP_BILINEAR};

/* A part of the destinations in another order, sources elsewhere: the same bits. */
static void check_part(gwf_remap_kind kind, const pair *p, bool wind)
{
    enum { ROWS = 36 };
    const int n = cells_of(&p->to), part = n / 3, n_source = cells_of(&p->from);
    int *id = all_cells(n), *some = make((size_t)part, sizeof *some), different = 0;
    float *x = random_map((size_t)n_source, ROWS);
    float *y = make((size_t)(n * ROWS), sizeof *y), *z = make((size_t)(part * ROWS), sizeof *z);
    for (int i = 0; i < part; i++) some[i] = (i * 7 + 5) % n;
    gwf_links *whole = link(kind, p, n, id), *few = link(kind, p, part, some);
    apply(whole, x, (size_t)n_source, ROWS, n, wind, 0, y);
    apply(few, x, (size_t)n_source, ROWS, part, wind, 13, z);
    for (int i = 0; i < part; i++)
        for (int k = 0; k < ROWS; k++)
            different += memcmp(&z[k * part + i], &y[k * n + some[i]], sizeof(float)) != 0;
    CU_ASSERT_EQUAL(different, 0);
    gwf_links_free(&whole);
    gwf_links_free(&few);
    free(id);
    free(some);
    free(x);
    free(y);
    free(z);
}

/* Scalars as whole maps are remapped; in the last row a constant, as it is. */
static void check_scalars(gwf_remap_kind kind, const pair *p)
{
    enum { ROWS = 36 };
    gwf_error err = {0};
    const int n = cells_of(&p->to), n_source = cells_of(&p->from), last = (ROWS - 1) * n;
    int *id = all_cells(n);
    float *x = random_map((size_t)n_source, ROWS), *y = make((size_t)(n * ROWS), sizeof *y),
          *truth = make((size_t)(n * ROWS), sizeof *truth);
    for (int i = 0; i < n_source; i++) x[(ROWS - 1) * n_source + i] = 273.15f;
    gwf_links *links = link(kind, p, n, id);
    gwf_remap *remap = NULL;
    CHECK_OK(gwf_remap_create(kind, &p->from, &p->to, 1, &remap, &err), err);
    gwf_remap_apply(remap, x, truth, ROWS);
    apply(links, x, (size_t)n_source, ROWS, n, false, 11, y);
    CHECK_AT_MOST(test_relative_l2(y, truth, (size_t)(n * ROWS)), 1e-7);
    for (int i = last; i < last + n; i++) CU_ASSERT_EQUAL(y[i], 273.15f);
    gwf_remap_free(&remap);
    gwf_links_free(&links);
    free(id);
    free(x);
    free(y);
    free(truth);
}

static void any_destinations(void)
{
    for (int i = 0; i < PAIRS; i++) {
        pair p = pair_of(i);
        for (int k = 0; k < 2; k++) {
            check_scalars(kinds[k], &p);
            check_part(kinds[k], &p, false);
            check_part(kinds[k], &p, true);
        }
        case_free(&p.from);
        case_free(&p.to);
    }
}

/* To the grid they come from, values are copied. */
static void same_grid(void)
{
    pair p = pair_of(2);
    const int n = cells_of(&p.to);
    int *id = all_cells(n), wanted;
    float *x = random_map((size_t)n, 2), *y = make((size_t)n * 2, sizeof *y);
    for (int k = 0; k < 2; k++) {
        gwf_links *links = link(kinds[k], &p, n, id);
        gwf_links_wanted(links, &wanted);
        CU_ASSERT_EQUAL(wanted, n);
        for (int wind = 0; wind < 2; wind++) {
            apply(links, x, (size_t)n, 2, n, wind, 0, y);
            CU_ASSERT_EQUAL(memcmp(x, y, 2 * (size_t)n * sizeof *x), 0);
        }
        gwf_links_free(&links);
    }
    free(id);
    free(x);
    free(y);
    case_free(&p.from);
    case_free(&p.to);
}

/* --- winds ---------------------------------------------------------------------------------- */

static float *rotation(const gwf_grid *grid, const double axis[3])
{
    const int n = cells_of(grid);
    float *uv = make((size_t)n * 2, sizeof *uv);
    for (int i = 0; i < n; i++) {
        double u, v;
        case_rotation(axis, grid->lat[i / grid->nlon], grid->lon[i % grid->nlon], &u, &v);
        uv[i] = (float)u;
        uv[n + i] = (float)v;
    }
    return uv;
}

/* What is no vector, in the rows next to the poles. */
static void spoil(const gwf_grid *grid, float *uv)
{
    const int n = cells_of(grid), nlon = grid->nlon;
    for (int j = 0; j < nlon; j++) {
        uv[j] = 5;
        uv[n + j] = (float)j;
        uv[n - 1 - j] = uv[2 * n - 1 - j] = 0;
    }
}

/* Largest error of a rotation (speed 1), over axes from pole to equator. */
static double wind_error(gwf_remap_kind kind, const pair *p, bool spoilt)
{
    const int n = cells_of(&p->to);
    int *id = all_cells(n);
    float *y = make((size_t)n * 2, sizeof *y);
    double most = 0;
    gwf_links *links = link(kind, p, n, id);
    for (int tilt = 0; tilt <= 90; tilt += 15) {
        const double a = tilt * case_pi / 180, axis[3] = {sin(a) * 0.8, sin(a) * 0.6, cos(a)};
        float *x = rotation(&p->from, axis), *truth = rotation(&p->to, axis);
        if (spoilt) spoil(&p->from, x);
        apply(links, x, (size_t)cells_of(&p->from), 2, n, true, 100, y);
        for (int i = 0; i < n; i++) {
            const double d =
                hypot((double)y[i] - (double)truth[i], (double)y[n + i] - (double)truth[n + i]);
            if (!(d <= most)) most = d;
        }
        free(x);
        free(truth);
    }
    gwf_links_free(&links);
    free(id);
    free(y);
    return most;
}

/* A vortex over the pole, beside it, and flow straight across. What is left are the differences
 * between a cell's mean and its centre. */
static void wind_over_the_poles(void)
{
    const gwf_remap_kind area = GWF_REMAP_CONSERVATIVE, line = GWF_REMAP_BILINEAR;
    const gwf_grid t42 = case_gaussian(64, 128);
    const gwf_grid poles = case_regular(121, 90, -1.5, 240, 0, 1.5);
    const gwf_grid rising = case_regular(91, -90, 2, 180, 10, 2);
    const gwf_grid no_poles = case_regular(120, -89.25, 1.5, 240, -180, 1.5);
    CHECK_AT_MOST(wind_error(area, &(pair){poles, t42}, false), 3e-3);
    CHECK_AT_MOST(wind_error(area, &(pair){poles, t42}, true), 3e-3);
    CHECK_AT_MOST(wind_error(area, &(pair){rising, t42}, true), 4.5e-3);
    CHECK_AT_MOST(wind_error(area, &(pair){no_poles, t42}, false), 3.2e-3);
    CHECK_AT_MOST(wind_error(line, &(pair){poles, t42}, true), 3e-4);
    CHECK_AT_MOST(wind_error(line, &(pair){poles, no_poles}, true), 3e-4);
    CHECK_AT_MOST(wind_error(line, &(pair){t42, poles}, false), 1e-3);
    CHECK_AT_MOST(wind_error(line, &(pair){t42, no_poles}, false), 1e-3);
    CHECK_AT_MOST(wind_error(line, &(pair){no_poles, rising}, false), 3e-4);
    const gwf_grid grids[] = {t42, poles, rising, no_poles};
    for (int i = 0; i < 4; i++) case_free(&(gwf_grid){.lat = grids[i].lat, .lon = grids[i].lon});
}

/* --- missing values, parts of the globe ----------------------------------------------------- */

/* A missing source makes exactly those destinations missing that it overlaps. */
static void missing_values(void)
{
    pair p = pair_of(3);
    const int n = cells_of(&p.to), n_source = cells_of(&p.from);
    int *id = all_cells(n), missing = 0;
    float *x = random_map((size_t)n_source, 1), *y = make((size_t)n, sizeof *y);
    gwf_links *links = link(GWF_REMAP_CONSERVATIVE, &p, n, id);
    x[8 * 36 + 10] = NAN; /* 0..10 N, 100..110 E: in 0..15 N, 89.5..104.5 and ..119.5 E */
    apply(links, x, (size_t)n_source, 1, n, false, 0, y);
    for (int i = 0; i < n; i++) missing += isnan(y[i]) != 0;
    CU_ASSERT_EQUAL(missing, 2);
    CU_ASSERT_TRUE(isnan(y[6 * 24 + 6]) && isnan(y[6 * 24 + 7]));
    gwf_links_free(&links);
    free(id);
    free(x);
    free(y);
    case_free(&p.from);
    case_free(&p.to);
}

static void refusals(void)
{
    gwf_error err = {0};
    gwf_links *links = NULL;
    gwf_grid part = case_regular(81, 80, -1, 360, 0, 1), to = case_gaussian(64, 128);
    const int id[] = {0};
    CHECK_FAILS(
        gwf_links_grids(GWF_REMAP_CONSERVATIVE, &part, &to, (gwf_cells){1, id}, &links, &err),
        GWF_ERR_DATA, err, "latitudes 80 to 0 do not cover the cell at latitude -87.86");
    CU_ASSERT_PTR_NULL(links);
    ((double *)part.lat)[3] = NAN;
    CHECK_FAILS(gwf_links_grids(GWF_REMAP_BILINEAR, &part, &to, (gwf_cells){1, id}, &links, &err),
                GWF_ERR_DATA, err, "source grid: latitude 3 is nan");
    case_free(&part);
    case_free(&to);
}

int main(void)
{
    static const test_case tests[] = {
        {"copies", copies},
        {"strides", strides},
        {"views", views},
        {"copies among sums", copies_among_sums},
        {"any destinations, sources anywhere", any_destinations},
        {"to the same grid", same_grid},
        {"wind over the poles", wind_over_the_poles},
        {"missing values", missing_values},
        {"refusals", refusals},
    };
    return test_run("links", tests, sizeof tests / sizeof *tests);
}
