/* How long the column work of a coupled step takes beside the network: from host fields to
 * normalised channels, and from fluxes to tendencies. 8192 columns of 122 host levels, hybrid ones
 * that are not the network's.
 *
 *   time_columns [ROUNDS]
 *
 * Printed are the median and the best of the rounds, on 1 and 2 threads. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "fields/drag.h"
#include "fields/prepare.h"

enum { NLAT = 64, NLON = 128, N = NLAT * NLON, LEVELS = 122, MOST_ROUNDS = 999 };

/* Fields on (LEVELS, N). */
typedef struct host {
    double a[LEVELS], b[LEVELS];
    float *u, *v, *t, *omega, *ps, *flux[2];
    double *p_half, *out[4]; /* (LEVELS + 1, N) */
} host;

static void check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "time_columns: %s\n", what);
    exit(1);
}

static void *room(size_t n, size_t size)
{
    void *values = calloc(n, size);
    check(values != NULL, "out of memory");
    return values;
}

static float *field(double mean, double range)
{
    float *x = room(LEVELS * N, sizeof *x);
    for (int i = 0; i < LEVELS * N; i++)
        x[i] = (float)(mean + range * sin(0.37 * i + 0.011 * (i % N)));
    return x;
}

/* Levels midway between the network's; surface pressures from 520 to 1030 hPa, smooth as on a
 * coarse grid. Interfaces midway between the levels. */
static void fill(host *h)
{
    for (int k = 0; k < LEVELS; k++) {
        const gwf_level *above = gwf_level_at(k - 1), *below = gwf_level_at(k);
        h->a[k] = above ? (above->a + below->a) / 2 : below->a / 2;
        h->b[k] = above ? (above->b + below->b) / 2 : below->b / 2;
    }
    h->u = field(5, 30);
    h->v = field(0, 20);
    h->t = field(250, 30);
    h->omega = field(0, 0.2);
    for (int i = 0; i < 2; i++) h->flux[i] = field(0, 1e-3);
    h->ps = room(N, sizeof *h->ps);
    h->p_half = room((LEVELS + 1) * N, sizeof *h->p_half);
    for (int i = 0; i < 4; i++) h->out[i] = room((LEVELS + 1) * N, sizeof *h->out[i]);
    for (int c = 0; c < N; c++) {
        const double hill = sin(0.05 * (c % NLON)) * sin(0.05 * (c / NLON));
        h->ps[c] = (float)(103000 - 51000 * pow(hill, 4));
        for (int k = 1; k < LEVELS; k++)
            h->p_half[k * N + c] =
                (h->a[k - 1] + h->a[k] + (h->b[k - 1] + h->b[k]) * (double)h->ps[c]) / 2;
        h->p_half[LEVELS * N + c] = (double)h->ps[c];
    }
}

static void free_host(host *h)
{
    free(h->u);
    free(h->v);
    free(h->t);
    free(h->omega);
    free(h->ps);
    for (int i = 0; i < 2; i++) free(h->flux[i]);
    free(h->p_half);
    for (int i = 0; i < 4; i++) free(h->out[i]);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const char *what, int threads, double *ms, int rounds)
{
    qsort(ms, (size_t)rounds, sizeof *ms, by_size);
    printf("%s, %d thread%s: %.2f ms (best %.2f)\n", what, threads, threads > 1 ? "s" : "",
           ms[rounds / 2], ms[0]);
}

static void time_prepare(const host *h, const char *features, int threads, int rounds)
{
    static double lat[NLAT], lon[NLON], ms[MOST_ROUNDS];
    char what[64];
    gwf_error err = {0};
    gwf_model model = {.nlat = NLAT, .nlon = NLON, .lat = lat, .lon = lon};
    gwf_prepare *prepare = NULL;
    gwf_gaussian_latitudes(NLAT, lat);
    gwf_status status =
        gwf_channels_in(features, "global", 0, gwf_recipe_find("era5-released"), &model.in, &err);
    check(status == GWF_OK, err.text);
    float *x = room((size_t)model.in.count * N, sizeof *x);
    status = gwf_prepare_create(&model, NULL, LEVELS, threads, &prepare, &err);
    check(status == GWF_OK, err.text);
    const gwf_state state = {.u = h->u,
                             .v = h->v,
                             .temperature = h->t,
                             .omega = h->omega,
                             .a = h->a,
                             .b = h->b,
                             .surface_pressure = h->ps};
    for (int i = -2; i < rounds; i++) {
        const double start = gwf_now();
        status = gwf_prepare_run(prepare, &state, x, &err);
        if (i >= 0) ms[i] = 1e3 * (gwf_now() - start);
        check(status == GWF_OK, err.text);
    }
    snprintf(what, sizeof what, "prepare, %d channels", model.in.count);
    tell(what, threads, ms, rounds);
    gwf_prepare_free(&prepare);
    gwf_channel_table_free(&model.in);
    free(x);
}

static void time_drag(const host *h, gwf_top top, int threads, int rounds)
{
    static double ms[MOST_ROUNDS];
    gwf_error err = {0};
    gwf_drag *drag = NULL;
    gwf_drag_counters counters;
    const gwf_drag_config config = {
        gwf_level_at(0), GWF_LEVELS, GWF_RHO_UW, LEVELS, {top, 0, 0, 1, 400.0 / 86400}, threads};
    const gwf_drag_columns columns = {N,         h->p_half, h->flux[0], h->flux[1], NULL,
                                      h->out[0], h->out[1], h->out[2],  h->out[3]};
    int interface, column;
    const gwf_status status = gwf_drag_create(&config, &drag, &err);
    check(status == GWF_OK, err.text);
    for (int i = -2; i < rounds; i++) {
        const double start = gwf_now();
        check(gwf_drag_check(drag, &columns, &interface, &column), "interfaces out of order");
        gwf_drag_run(drag, &columns, &counters);
        if (i >= 0) ms[i] = 1e3 * (gwf_now() - start);
    }
    tell(top == GWF_TOP_DEPOSIT ? "drag, deposit" : "drag, taper", threads, ms, rounds);
    gwf_drag_free(&drag);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 101;
    host h;
    check(rounds > 0 && rounds <= MOST_ROUNDS, "1 to 999 rounds");
    fill(&h);
    for (int threads = 1; threads <= 2; threads++) {
        time_prepare(&h, "uvthetaw", threads, rounds);
        time_prepare(&h, "uvtheta", threads, rounds);
        time_drag(&h, GWF_TOP_DEPOSIT, threads, rounds);
        time_drag(&h, GWF_TOP_TAPER, threads, rounds);
    }
    free_host(&h);
    return 0;
}
