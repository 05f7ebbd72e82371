/* From fluxes to the tendencies of a host's layers: profiles whose divergence is known, random
 * columns under every option against the rules written out for one column, and their budget. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/drag.h"
#include "grid_case.h"

static const double gravity = 9.80665;

enum { N = 300 /* columns: more than two blocks */, NETWORK = 48, MOST = 400 /* host levels */ };

typedef struct drag_case {
    gwf_level network[GWF_LEVELS];
    int n_network, levels, n;
    double *p_half, *out[4]; /* du, dv, half_u, half_v */
    float *flux[2], *mask;
    gwf_drag_counters counters;
} drag_case;

static void *room(size_t n, size_t size)
{
    void *values = calloc(n, size);
    if (!values) abort();
    return values;
}

static drag_case make_case(int n_network, int levels, int n)
{
    drag_case a = {.n_network = n_network, .levels = levels, .n = n};
    const size_t most = (size_t)(levels + 1) * (size_t)n;
    a.p_half = room(most, sizeof(double));
    for (int i = 0; i < 4; i++) a.out[i] = room(most, sizeof(double));
    for (int i = 0; i < 2; i++) a.flux[i] = room((size_t)(n_network * n), sizeof(float));
    a.mask = room((size_t)n, sizeof(float));
    for (int c = 0; c < n; c++) a.mask[c] = 1;
    return a;
}

static void free_case(drag_case *a)
{
    free(a->p_half);
    for (int i = 0; i < 4; i++) free(a->out[i]);
    for (int i = 0; i < 2; i++) free(a->flux[i]);
    free(a->mask);
}

static const gwf_drag_options plain = {GWF_TOP_DEPOSIT, 0, 0, 1, 0};

static gwf_drag *make_drag(const drag_case *a, gwf_drag_options options, gwf_flux_kind kind)
{
    gwf_error err = {0};
    gwf_drag *drag = NULL;
    const gwf_drag_config config = {a->network, a->n_network, kind, a->levels, options, 2};
    CHECK_OK(gwf_drag_create(&config, &drag, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(drag);
    return drag;
}

static gwf_drag_columns columns_of(const drag_case *a)
{
    return (gwf_drag_columns){a->n,      a->p_half, a->flux[0], a->flux[1], a->mask,
                              a->out[0], a->out[1], a->out[2],  a->out[3]};
}

static void run(drag_case *a, gwf_drag_options options, gwf_flux_kind kind)
{
    gwf_drag *drag = make_drag(a, options, kind);
    const gwf_drag_columns columns = columns_of(a);
    int interface, column;
    CU_ASSERT_TRUE(gwf_drag_check(drag, &columns, &interface, &column));
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < (a->levels + 1) * a->n; k++) a->out[i][k] = NAN;
    gwf_drag_run(drag, &columns, &a->counters);
    gwf_drag_free(&drag);
    CU_ASSERT_PTR_NULL(drag);
}

/* --- a flux linear in p --------------------------------------------------------------------- */

/* F = slope p; both are short binary numbers at the network's levels, so that float32 has them. */
static const double slope[2] = {-0x1p-26, 0x1p-28};

/* Network levels from 1024 Pa to 1024 Pa above the ground, evenly spaced. */
static double spacing(int c)
{
    return 2048 + 64 * (c % 8);
}

static double surface(int c)
{
    return 2048 + 47 * spacing(c);
}

/* The host's layers get thicker downward, from p_top. */
static drag_case linear_case(int levels, double p_top)
{
    drag_case a = make_case(NETWORK, levels, N);
    for (int k = 0; k < NETWORK; k++)
        a.network[k] = (gwf_level){k + 1, 1024 - 2048 * k / 47.0, k / 47.0};
    for (int c = 0; c < N; c++) {
        for (int k = 0; k < NETWORK; k++)
            for (int i = 0; i < 2; i++)
                a.flux[i][k * N + c] = (float)(slope[i] * (1024 + k * spacing(c)));
        for (int k = 0; k <= levels; k++) {
            const double down = (double)k / levels;
            a.p_half[k * N + c] = p_top + (surface(c) - p_top) * down * down;
        }
    }
    return a;
}

/* The tendency of wind i in layer k is truth. */
static void check_layer(const drag_case *a, int i, int k, int c, double truth)
{
    const double x = a->out[i][k * N + c], scale = gravity * fabs(slope[i]);
    if (fabs(x - truth) <= 1e-6 * scale) return;
    fprintf(stderr, "\n  layer %d, column %d: %g, expected %g\n", k, c, x, truth);
    CU_FAIL("another tendency");
}

/* A westward flux that decays upward slows the wind, by g times its slope everywhere; with the
 * host's top at p = 0, "deposit" goes on with that slope. */
static void known_divergence(void)
{
    const int levels[3] = {12, 122, 400};
    for (int j = 0; j < 3; j++) {
        drag_case a = linear_case(levels[j], 0);
        run(&a, plain, GWF_RHO_UW);
        for (int k = 0; k < a.levels; k++)
            for (int c = 0; c < N; c++)
                for (int i = 0; i < 2; i++) check_layer(&a, i, k, c, gravity * slope[i]);
        CU_ASSERT_TRUE(a.out[0][0] < 0);
        for (int c = 0; c < N; c++) {
            CU_ASSERT_EQUAL(a.out[2][c], 0);
            CHECK_AT_MOST(fabs(a.out[2][a.levels * N + c] - slope[0] * surface(c)), 1e-15);
        }
        CHECK_AT_MOST(fabs(a.counters.largest - gravity * hypot(slope[0], slope[1])), 1e-15);
        free_case(&a);
    }
}

/* The same as u'omega' = -g rho u'w'; reported in Pa. */
static void other_flux_kind(void)
{
    drag_case a = linear_case(122, 0);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < NETWORK * N; k++) a.flux[i][k] *= -8;
    run(&a, plain, GWF_U_OMEGA);
    for (int k = 0; k < a.levels; k++)
        for (int c = 0; c < N; c++)
            for (int i = 0; i < 2; i++) check_layer(&a, i, k, c, 8 * slope[i]);
    for (int c = 0; c < N; c++)
        CHECK_AT_MOST(fabs(a.out[3][122 * N + c] - 8 / gravity * slope[1] * surface(c)), 1e-14);
    free_case(&a);
}

/* The host's top lies between p = 0 and the network's uppermost level: down to there the flux that
 * is left falls to zero. */
static void deposit_above(void)
{
    drag_case a = linear_case(400, 512);
    run(&a, plain, GWF_RHO_UW);
    for (int k = 0; k < a.levels; k++)
        for (int c = 0; c < N; c++)
            for (int i = 0; i < 2; i++) {
                const double p = a.p_half[k * N + c], below = a.p_half[(k + 1) * N + c];
                if (below <= 1024) check_layer(&a, i, k, c, gravity * slope[i] * 1024 / 512);
                if (p >= 1024) check_layer(&a, i, k, c, gravity * slope[i]);
            }
    free_case(&a);
}

/* The host's top lies below the network's: three layers take what would leave, alike. */
static void deposit_below(void)
{
    const int levels[2] = {2, 60};
    for (int j = 0; j < 2; j++) {
        const int n = levels[j], third = n < 3 ? n : 3;
        drag_case a = linear_case(n, 5000);
        run(&a, plain, GWF_RHO_UW);
        for (int k = 0; k < n; k++)
            for (int c = 0; c < N; c++)
                for (int i = 0; i < 2; i++) {
                    const double mass = a.p_half[third * N + c] - 5000;
                    const double more = k < third ? 5000 / mass : 0;
                    check_layer(&a, i, k, c, gravity * slope[i] * (1 + more));
                }
        for (int c = 0; c < N; c++) CU_ASSERT_EQUAL(a.out[3][c], 0);
        free_case(&a);
    }
}

/* Nothing in and above p_t, all from 2 p_t on; the flux at the ground stays. */
static void check_taper(int levels, double p_top)
{
    const double top = fmax(p_top, 1024);
    drag_case a = linear_case(levels, p_top);
    gwf_drag_options options = plain;
    options.top = GWF_TOP_TAPER;
    run(&a, options, GWF_RHO_UW);
    for (int k = 0; k < levels; k++)
        for (int c = 0; c < N; c++)
            for (int i = 0; i < 2; i++) {
                const double p = a.p_half[k * N + c], below = a.p_half[(k + 1) * N + c];
                const double part = fmin(fmax((p + below) / 2 / top - 1, 0), 1);
                if (below <= top) CU_ASSERT_EQUAL(a.out[i][k * N + c], 0);
                if (p >= top) check_layer(&a, i, k, c, gravity * slope[i] * part);
            }
    for (int c = 0; c < N; c++) {
        CHECK_AT_MOST(fabs(a.out[2][levels * N + c] - slope[0] * surface(c)), 1e-15);
        CU_ASSERT_TRUE(fabs(a.out[2][c]) > fabs(slope[0]) * top);
    }
    free_case(&a);
}

static void taper(void)
{
    check_taper(122, 0);
    check_taper(400, 300);
    check_taper(20, 5000);
}

/* No tendency beyond the limits, the divergence as it is between them. */
static void limits(void)
{
    drag_case a = linear_case(400, 0);
    const gwf_drag_options options = {GWF_TOP_DEPOSIT, 3000, 70000, 0.65, 0};
    run(&a, options, GWF_RHO_UW);
    for (int k = 0; k < a.levels; k++)
        for (int c = 0; c < N; c++) {
            const double p = a.p_half[k * N + c], below = a.p_half[(k + 1) * N + c];
            const double lowest = fmin(70000, 0.65 * surface(c));
            if (below <= 3000 || p >= lowest) CU_ASSERT_EQUAL(a.out[0][k * N + c], 0);
            if (p >= 3000 && below <= lowest) check_layer(&a, 0, k, c, gravity * slope[0]);
        }
    for (int c = 0; c < N; c++) {
        CHECK_AT_MOST(fabs(a.out[2][c] - slope[0] * 3000), 1e-15);
        CHECK_AT_MOST(fabs(a.out[2][400 * N + c] - slope[0] * fmin(70000, 0.65 * surface(c))),
                      1e-15);
    }
    free_case(&a);
}

/* A network that ends at 200 hPa says nothing of what is below. */
static void cut_network(void)
{
    drag_case a = make_case(60, 200, N);
    memcpy(a.network, gwf_level_at(0), 60 * sizeof *a.network);
    for (int c = 0; c < N; c++) {
        for (int k = 0; k <= 200; k++) a.p_half[k * N + c] = 101325 * k / 200.0;
        for (int k = 0; k < 60; k++)
            a.flux[0][k * N + c] = (float)(-1e-8 * gwf_level_pressure(&a.network[k], 101325));
    }
    run(&a, plain, GWF_RHO_UW);
    for (int k = 0; k < 200; k++)
        for (int c = 0; c < N; c++) {
            const double x = a.out[0][k * N + c], below = a.p_half[(k + 1) * N + c];
            if (a.p_half[k * N + c] >= 21200) CU_ASSERT_EQUAL(x, 0);
            if (below <= 20600) CHECK_AT_MOST(fabs(x + gravity * 1e-8), 1e-3 * gravity * 1e-8);
        }
    free_case(&a);
}

/* --- random columns ------------------------------------------------------------------------- */

/* On the 122 levels, of any surface pressure; fluxes without order, so that the cap is met. */
static drag_case random_case(int levels, double p_top, unsigned long long seed)
{
    drag_case a = make_case(GWF_LEVELS, levels, N);
    memcpy(a.network, gwf_level_at(0), GWF_LEVELS * sizeof *a.network);
    for (int c = 0; c < N; c++) {
        const double ps = 75000 + 30000 * case_random(&seed);
        for (int k = 0; k <= levels; k++) {
            const double even = k + (k > 0 && k < levels ? 0.4 * case_random(&seed) : 0);
            a.p_half[k * N + c] = p_top + (ps - p_top) * pow(even / levels, 3);
        }
        a.p_half[levels * N + c] = ps;
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < GWF_LEVELS; k++)
                a.flux[i][k * N + c] = (float)(2e-3 * case_random(&seed));
        a.mask[c] = (float)(c % 3) / 2;
    }
    return a;
}

/* One column, as the header has it. */
typedef struct column_case {
    double level[GWF_LEVELS], flux[GWF_LEVELS];
    double p[MOST + 1], half[MOST + 1];
} column_case;

static double on_network(const column_case *x, double p)
{
    const double *level = x->level;
    const double bottom = level[121] + (level[121] - level[120]) / 2;
    int k = 0;
    p = fmax(level[0], fmin(p, bottom));
    while (k < 120 && level[k + 1] < p) k++;
    return x->flux[k] + (x->flux[k + 1] - x->flux[k]) / (level[k + 1] - level[k]) * (p - level[k]);
}

static double within(const gwf_drag_options *o, double p, double ps)
{
    if (o->lowest > 0) p = fmin(p, o->lowest);
    if (o->boundary_layer < 1) p = fmin(p, o->boundary_layer * ps);
    return fmax(p, o->highest);
}

static void reference_flux(column_case *x, int levels, const gwf_drag_options *o)
{
    const double ps = x->p[levels], top = x->p[0], uppermost = x->level[0];
    const double depth = top < uppermost ? uppermost : x->p[3], left = on_network(x, top);
    double divergence[MOST];
    for (int k = 0; k <= levels; k++) {
        const double p = within(o, x->p[k], ps);
        x->half[k] = on_network(x, p);
        if (o->top == GWF_TOP_DEPOSIT && p < depth)
            x->half[k] -= left * (depth - p) / (depth - top);
    }
    if (o->top == GWF_TOP_DEPOSIT) return;
    for (int k = 0; k < levels; k++) {
        const double part = (x->p[k] + x->p[k + 1]) / 2 / fmax(top, uppermost) - 1;
        divergence[k] = (x->half[k + 1] - x->half[k]) * fmin(fmax(part, 0), 1);
    }
    for (int k = levels - 1; k >= 0; k--) x->half[k] = x->half[k + 1] - divergence[k];
}

static void take_column(const drag_case *a, int wind, int c, column_case *x)
{
    for (int k = 0; k <= a->levels; k++) x->p[k] = a->p_half[k * N + c];
    for (int k = 0; k < GWF_LEVELS; k++) {
        x->level[k] = gwf_level_pressure(&a->network[k], x->p[a->levels]);
        x->flux[k] = (double)a->mask[c] * (double)a->flux[wind][k * N + c];
    }
}

/* Without a cap. */
static void check_rules(const drag_case *a, const gwf_drag_options *o)
{
    double most = 0;
    for (int c = 0; c < N; c++)
        for (int wind = 0; wind < 2; wind++) {
            column_case x;
            take_column(a, wind, c, &x);
            reference_flux(&x, a->levels, o);
            for (int k = 0; k <= a->levels; k++) {
                const double d = fabs(x.half[k] - a->out[2 + wind][k * N + c]);
                if (!(d <= most)) most = d;
            }
        }
    CHECK_AT_MOST(most, 2e-3 * 1e-11);
}

/* What a column gains is the flux at its bottom less that at its top; so does every layer. */
static void check_budget(const drag_case *a)
{
    double most = 0, layer = 0;
    for (int c = 0; c < N; c++)
        for (int wind = 0; wind < 2; wind++) {
            const double *half = a->out[2 + wind];
            double gained = 0, size = 1e-300;
            for (int k = 0; k < a->levels; k++) {
                const int at = k * N + c;
                const double mass = (a->p_half[at + N] - a->p_half[at]) / gravity;
                const double part = mass * a->out[wind][at], d = part - (half[at + N] - half[at]);
                gained += part;
                size = fmax(size, fmax(fabs(half[at]), fabs(half[at + N])));
                if (!(fabs(d) <= layer * size)) layer = fabs(d) / size;
            }
            const double d = gained - (half[a->levels * N + c] - half[c]);
            if (!(fabs(d) <= most * size)) most = fabs(d) / size;
        }
    CHECK_AT_MOST(most, 1e-12);
    CHECK_AT_MOST(layer, 1e-12);
}

static double speed(const drag_case *a, int k, int c)
{
    return hypot(a->out[0][k * N + c], a->out[1][k * N + c]);
}

/* The flux at both ends is that without the cap, no layer but the lowest has more than the cap, one
 * that hands on has all of it, in the direction it had if nothing was handed to it; above the first
 * of these nothing is changed. */
static void check_cap(const drag_case *a, const drag_case *free_of, double cap)
{
    const int ground = a->levels * N;
    long capped = 0, over = 0, wrong = 0;
    for (int c = 0; c < N; c++) {
        bool handed = false;
        for (int i = 2; i < 4; i++)
            wrong += a->out[i][c] != free_of->out[i][c] ||
                     a->out[i][ground + c] != free_of->out[i][ground + c];
        for (int k = 0; k < a->levels; k++) {
            const int at = k * N + c;
            const bool lowest = k == a->levels - 1, full = speed(a, k, c) >= cap * (1 - 1e-12);
            const double u = free_of->out[0][at], v = free_of->out[1][at];
            const double across = a->out[0][at] * v - a->out[1][at] * u;
            capped += full && !lowest;
            over += full && lowest;
            wrong += !lowest && !(speed(a, k, c) <= cap * (1 + 1e-12));
            wrong += !handed && !full && (a->out[0][at] != u || a->out[1][at] != v);
            wrong += !handed && full && !lowest && !(fabs(across) <= 1e-12 * cap * hypot(u, v));
            handed |= full;
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(a->counters.capped, capped);
    CU_ASSERT_EQUAL(a->counters.over, over);
    CU_ASSERT_TRUE(capped > 10);
}

static void every_option(void)
{
    static const double tops[4] = {0, 50, 226, 3000};
    static const int levels[4] = {30, 122, 137, 350};
    unsigned long long seed = 5;
    for (int i = 0; i < 64; i++) {
        const gwf_drag_options options = {i & 1 ? GWF_TOP_TAPER : GWF_TOP_DEPOSIT, i & 2 ? 1500 : 0,
                                          i & 4 ? 60000 : 0, i & 8 ? 0.9 : 1, 0};
        gwf_drag_options with_cap = options;
        drag_case a = random_case(levels[i / 16], tops[(i / 16 + i / 8) % 4], seed++);
        drag_case capped = random_case(levels[i / 16], tops[(i / 16 + i / 8) % 4], seed - 1);
        run(&a, options, GWF_RHO_UW);
        check_rules(&a, &options);
        check_budget(&a);
        CU_ASSERT_EQUAL(a.counters.capped, 0);
        with_cap.cap = a.counters.largest / 5;
        run(&capped, with_cap, GWF_RHO_UW);
        check_budget(&capped);
        check_cap(&capped, &a, with_cap.cap);
        free_case(&a);
        free_case(&capped);
    }
}

/* Three layers of 1000 kg m-2; the upper one is to get (4, 3) mm s-2, the cap is 1 mm s-2. */
static void cap_by_hand(void)
{
    drag_case a = make_case(2, 3, 1);
    a.network[0] = (gwf_level){1, 1000 * gravity, 0};
    a.network[1] = (gwf_level){2, 3000 * gravity, 0};
    for (int k = 0; k <= 3; k++) a.p_half[k] = 1000 * gravity * k;
    for (int k = 0; k < 2; k++) {
        a.flux[0][k] = 4;
        a.flux[1][k] = 3;
    }
    gwf_drag_options options = plain;
    options.cap = 1e-3;
    run(&a, options, GWF_RHO_UW);
    const double u[3] = {0.8e-3, 0.8e-3, 2.4e-3}, v[3] = {0.6e-3, 0.6e-3, 1.8e-3};
    for (int k = 0; k < 3; k++) {
        CHECK_AT_MOST(fabs(a.out[0][k] - u[k]), 1e-15);
        CHECK_AT_MOST(fabs(a.out[1][k] - v[k]), 1e-15);
    }
    CHECK_AT_MOST(fabs(a.out[2][1] - 0.8) + fabs(a.out[2][2] - 1.6) + fabs(a.out[2][3] - 4), 1e-12);
    CU_ASSERT_EQUAL(a.counters.capped, 2);
    CU_ASSERT_EQUAL(a.counters.over, 1);
    CHECK_AT_MOST(fabs(a.counters.largest - 5e-3), 1e-15);
    free_case(&a);
}

/* --- columns apart -------------------------------------------------------------------------- */

/* Columns first .. first + n - 1 of a case, alone. */
static void run_part(const drag_case *whole, int first, int n, gwf_drag_options options)
{
    drag_case a = make_case(whole->n_network, whole->levels, n);
    memcpy(a.network, whole->network, sizeof a.network);
    for (int k = 0; k <= a.levels; k++)
        memcpy(a.p_half + k * n, whole->p_half + k * N + first, (size_t)n * sizeof(double));
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < a.n_network; k++)
            memcpy(a.flux[i] + k * n, whole->flux[i] + k * N + first, (size_t)n * sizeof(float));
    memcpy(a.mask, whole->mask + first, (size_t)n * sizeof(float));
    run(&a, options, GWF_RHO_UW);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < a.levels + (i > 1); k++)
            CU_ASSERT_EQUAL(
                memcmp(a.out[i] + k * n, whole->out[i] + k * N + first, (size_t)n * sizeof(double)),
                0);
    free_case(&a);
}

static void parts(void)
{
    static const int sizes[] = {1, 2, 127, 128, 40, 2};
    for (int top = GWF_TOP_DEPOSIT; top <= GWF_TOP_TAPER; top++) {
        const gwf_drag_options options = {(gwf_top)top, 0, 0, 0.95, 1e-4};
        drag_case a = random_case(70, 50, 3);
        run(&a, options, GWF_RHO_UW);
        for (int i = 0, first = 0; first < N; first += sizes[i++])
            run_part(&a, first, sizes[i], options);
        free_case(&a);
    }
    drag_case none = make_case(2, 3, 0);
    run(&none, plain, GWF_RHO_UW);
    CU_ASSERT_EQUAL(none.counters.largest, 0);
    free_case(&none);
}

/* A flux or a pressure that is no number spoils its own column alone. */
static void not_finite(void)
{
    const gwf_drag_options options = {GWF_TOP_TAPER, 100, 90000, 0.95, 1e-4};
    drag_case a = random_case(70, 50, 9), b = random_case(70, 50, 9);
    gwf_drag *drag = make_drag(&b, options, GWF_RHO_UW);
    gwf_drag_columns columns = columns_of(&b);
    run(&a, options, GWF_RHO_UW);
    for (int k = 0; k < GWF_LEVELS; k++) b.flux[0][k * N + 7] = NAN;
    b.p_half[70 * N + 150] = NAN;
    b.flux[1][60 * N + 299] = INFINITY;
    b.mask[299] = 1;
    gwf_drag_run(drag, &columns, &b.counters);
    long wrong = 0;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 70; k++)
            for (int c = 0; c < N; c++)
                if (c != 7 && c != 150 && c != 299)
                    wrong += a.out[i][k * N + c] != b.out[i][k * N + c];
    CU_ASSERT_EQUAL(wrong, 0);
    double sum = 0;
    for (int k = 0; k < 70; k++) {
        CU_ASSERT_FALSE(isfinite(b.out[0][k * N + 7]));
        sum += b.out[1][k * N + 299];
    }
    CU_ASSERT_FALSE(isfinite(b.out[0][69 * N + 150]));
    CU_ASSERT_FALSE(isfinite(sum));
    columns.half_u = columns.half_v = NULL; /* not wanted */
    gwf_drag_run(drag, &columns, &b.counters);
    CU_ASSERT_EQUAL(a.out[1][69 * N + 3], b.out[1][69 * N + 3]);
    gwf_drag_free(&drag);
    gwf_drag_free(&drag);
    free_case(&a);
    free_case(&b);
}

/* --- heating -------------------------------------------------------------------------------- */

/* An explicit step takes kinetic energy out of the wind; the heat is the same energy. */
static void heating(void)
{
    enum { VALUES = 1001 };
    static double u[VALUES], v[VALUES], du[VALUES], dv[VALUES], dt[VALUES];
    const double step = 1800;
    unsigned long long seed = 21;
    for (int i = 0; i < VALUES; i++) {
        u[i] = 60 * case_random(&seed);
        v[i] = 30 * case_random(&seed);
        du[i] = 5e-3 * case_random(&seed);
        dv[i] = 5e-3 * case_random(&seed);
    }
    gwf_drag_heating(VALUES, u, v, du, dv, step, dt);
    for (int i = 0; i < VALUES; i++) {
        const double x = u[i] + step * du[i], y = v[i] + step * dv[i];
        const double before = (u[i] * u[i] + v[i] * v[i]) / 2, after = (x * x + y * y) / 2;
        const double heat = 1004.64 * step * dt[i];
        CHECK_AT_MOST(fabs(before - after - heat), 1e-14 * (before + after));
    }
    /* slowed: warmer */
    const double wind = 20, none = 0, slowed = -1e-4;
    double warm;
    gwf_drag_heating(1, &wind, &none, &slowed, &none, 0, &warm);
    CHECK_AT_MOST(fabs(warm - 20 * 1e-4 / 1004.64), 1e-20);
}

/* --- refusals ------------------------------------------------------------------------------- */

static void refuse(gwf_drag_config config, const char *words)
{
    gwf_error err = {0};
    gwf_drag *drag = NULL;
    CHECK_FAILS(gwf_drag_create(&config, &drag, &err), GWF_ERR_ARGUMENT, err, words);
    CU_ASSERT_PTR_NULL(drag);
}

static void check_refused(int at, double value, int interface, int column)
{
    drag_case a = linear_case(20, 0);
    gwf_drag *drag = make_drag(&a, plain, GWF_RHO_UW);
    const gwf_drag_columns columns = columns_of(&a);
    int k = -1, c = -1;
    a.p_half[at] = value;
    CU_ASSERT_FALSE(gwf_drag_check(drag, &columns, &k, &c));
    CU_ASSERT_EQUAL(k, interface);
    CU_ASSERT_EQUAL(c, column);
    gwf_drag_free(&drag);
    free_case(&a);
}

static void refusals(void)
{
    const gwf_drag_config good = {gwf_level_at(0), GWF_LEVELS, GWF_RHO_UW, 10, plain, 1};
    gwf_drag_config config = good;
    config.levels = 0;
    refuse(config, "0 levels of the host");
    config = good;
    config.n_network = 1;
    refuse(config, "1 levels of the network");
    config = good;
    config.options.cap = NAN;
    refuse(config, "cap nan");
    config = good;
    config.options.boundary_layer = 1.1;
    refuse(config, "boundary-layer 1.1");
    config = good;
    config.options.highest = 5000;
    config.options.lowest = 4000;
    refuse(config, "highest 5000 Pa, lowest 4000 Pa");
    check_refused(5, -1, 0, 5);
    check_refused(N - 1, NAN, 0, N - 1);
    check_refused(7 * N + 3, 8000, 7, 3);
    check_refused(20 * N + 200, NAN, 20, 200);
    check_refused(20 * N + 1, 130000, 20, 1);
    check_refused(19 * N + 2, INFINITY, 19, 2);
}

int main(void)
{
    static const test_case tests[] = {
        {"a known divergence", known_divergence},
        {"u'omega'", other_flux_kind},
        {"deposit, the host's top above the network's", deposit_above},
        {"deposit, the host's top below the network's", deposit_below},
        {"taper", taper},
        {"limits", limits},
        {"a network that ends above the ground", cut_network},
        {"every option on random columns", every_option},
        {"the cap by hand", cap_by_hand},
        {"parts of the columns", parts},
        {"not finite", not_finite},
        {"heating", heating},
        {"what is refused", refusals},
    };
    return test_run("drag", tests, sizeof tests / sizeof *tests);
}
