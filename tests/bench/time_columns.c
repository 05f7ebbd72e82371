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
#include "fields/prepare.h"

enum { NLAT = 64, NLON = 128, N = NLAT * NLON, LEVELS = 122, MOST_ROUNDS = 999 };

typedef struct host {
    double a[LEVELS], b[LEVELS];
    float *u, *v, *t, *omega, *ps;
#ifdef OLD_PREPARE
    double *p;
#endif
} host;

static void check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "time_columns: %s\n", what);
    exit(1);
}

static float *field(double mean, double range)
{
    float *x = malloc(sizeof *x * LEVELS * N);
    check(x != NULL, "out of memory");
    for (int i = 0; i < LEVELS * N; i++)
        x[i] = (float)(mean + range * sin(0.37 * i + 0.011 * (i % N)));
    return x;
}

/* Levels midway between the network's; surface pressures from 520 to 1030 hPa, smooth as on a
 * coarse grid. */
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
    h->ps = malloc(sizeof *h->ps * N);
    check(h->ps != NULL, "out of memory");
    for (int c = 0; c < N; c++)
        h->ps[c] =
            (float)(103000 - 51000 * pow(sin(0.05 * (c % NLON)) * sin(0.05 * (c / NLON)), 4));
#ifdef OLD_PREPARE
    h->p = malloc(sizeof *h->p * LEVELS * N);
    for (int i = 0; i < LEVELS * N; i++) h->p[i] = h->a[i / N] + h->b[i / N] * h->ps[i % N];
#endif
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    return ms[n / 2];
}

static void time_prepare(const host *h, const char *features, int threads, int rounds)
{
    static double lat[NLAT], lon[NLON], ms[MOST_ROUNDS];
    gwf_error err = {0};
    gwf_model model = {.nlat = NLAT, .nlon = NLON, .lat = lat, .lon = lon};
    gwf_prepare *prepare = NULL;
    gwf_gaussian_latitudes(NLAT, lat);
    gwf_status status =
        gwf_channels_in(features, "global", 0, gwf_recipe_find("era5-released"), &model.in, &err);
    check(status == GWF_OK, err.text);
    float *x = malloc(sizeof *x * (size_t)model.in.count * N);
    check(x != NULL, "out of memory");
#ifdef OLD_PREPARE
    status = gwf_prepare_create(&model, LEVELS, threads, &prepare, &err);
    const gwf_state state = {.u = h->u,
                             .v = h->v,
                             .temperature = h->t,
                             .omega = h->omega,
                             .pressure = h->p,
                             .pressure_per_column = true,
                             .surface_pressure = h->ps};
#else
    status = gwf_prepare_create(&model, NULL, LEVELS, threads, &prepare, &err);
    const gwf_state state = {.u = h->u,
                             .v = h->v,
                             .temperature = h->t,
                             .omega = h->omega,
                             .a = h->a,
                             .b = h->b,
                             .surface_pressure = h->ps};
#endif
    check(status == GWF_OK, err.text);
    for (int i = -2; i < rounds; i++) {
        const double start = gwf_now();
        status = gwf_prepare_run(prepare, &state, x, &err);
        if (i >= 0) ms[i] = 1e3 * (gwf_now() - start);
        check(status == GWF_OK, err.text);
    }
    const double middle = median(ms, rounds); /* sorts */
    printf("prepare, %d channels, %d thread%s: %.2f ms (best %.2f)\n", model.in.count, threads,
           threads > 1 ? "s" : "", middle, ms[0]);
    gwf_prepare_free(&prepare);
    gwf_channel_table_free(&model.in);
    free(x);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 21;
    host h;
    check(rounds > 0 && rounds < MOST_ROUNDS, "1 to 998 rounds");
    fill(&h);
    for (int threads = 1; threads <= 2; threads++) {
        time_prepare(&h, "uvthetaw", threads, rounds);
        time_prepare(&h, "uvtheta", threads, rounds);
    }
    return 0;
}
