/* coupling MODEL.nc [STEPS [LEVELS]]: what a plugin costs a host on the network's own grid, in
 * latitude bands over all ranks: milliseconds of each part, and how much of it gwf_start() hides
 * beside the host's own work. Prints one JSON object. Options of the engine by the environment:
 * GWFLUX_BENCH "backend=cpu precision=fp32 threads=1". */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "coupling/plugin_internal.h"

enum { MOST_STEPS = 1000 };
static const char *const names[] = {"u", "v", "t", "omega", "p"};
static const char *const units[] = {"m s-1", "m s-1", "K", "Pa s-1", "Pa"};
enum { NAMES = 5 };

typedef struct bench {
    gwf_plugin *plugin;
    int levels, n, steps;
    double *field[NAMES], *p_half, *zs, *du, *dv;
} bench;

static void check(gwf_status status, const gwf_plugin *plugin)
{
    if (status == GWF_OK) return;
    fprintf(stderr, "coupling: %s\n", gwf_plugin_message(plugin));
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void set_options(gwf_options *options)
{
    char text[512], *save = NULL;
    const char *given = getenv("GWFLUX_BENCH");
    snprintf(text, sizeof text, "%s", given ? given : "");
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        if (!value) continue;
        *value++ = '\0';
        if (gwf_options_set(options, word, value) != GWF_OK) {
            fprintf(stderr, "coupling: %s\n", gwf_options_message(options));
            MPI_Abort(MPI_COMM_WORLD, 2);
        }
    }
}

/* Interface k of the host: even in sigma from 1 Pa on. */
static double interface_at(const bench *b, int k)
{
    const double s = (double)k / b->levels;
    return 1 + 101324 * s * s * s;
}

static void fill(bench *b, int first)
{
    for (int k = 0; k <= b->levels; k++)
        for (int i = 0; i < b->n; i++) {
            const size_t at = (size_t)k * (size_t)b->n + (size_t)i;
            const double x = 0.049 * ((first + i) % 128), z = 0.1 * k, wave = sin(x + z);
            b->p_half[at] = interface_at(b, k) * (1 + 0.01 * sin(x));
            if (k == b->levels) continue;
            b->field[0][at] = 20 * wave;
            b->field[1][at] = 5 * cos(2 * x - z);
            b->field[2][at] = 250 + 20 * cos(x) + z;
            b->field[3][at] = 0.1 * wave;
            b->field[4][at] =
                0.5 * (interface_at(b, k) + interface_at(b, k + 1)) * (1 + 0.01 * sin(x));
        }
}

static double *doubles(size_t n)
{
    double *values = calloc(n, sizeof *values);
    if (!values) MPI_Abort(MPI_COMM_WORLD, 3);
    return values;
}

static void set_up(bench *b, const char *model)
{
    int rank, ranks;
    gwf_options *options = gwf_options_create();
    set_options(options);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    check(gwf_plugin_create(MPI_Comm_c2f(MPI_COMM_WORLD), model, options, &b->plugin), b->plugin);
    gwf_options_free(&options);
    const gwf_model *m = &b->plugin->engine->model;
    const int row = m->nlat * rank / ranks, end = m->nlat * (rank + 1) / ranks;
    b->n = (end - row) * m->nlon;
    double *lat = doubles((size_t)b->n), *lon = doubles((size_t)b->n);
    for (int i = 0; i < b->n; i++) {
        lat[i] = m->lat[row + i / m->nlon];
        lon[i] = m->lon[i % m->nlon];
    }
    const gwf_columns columns = {m->nlon, end - row, lat, lon, "degrees", NULL};
    check(gwf_plugin_columns(b->plugin, &columns, NULL), b->plugin);
    check(gwf_plugin_levels(b->plugin, b->levels, NULL, NULL), b->plugin);
    check(gwf_plugin_ready(b->plugin), b->plugin);
    free(lat);
    free(lon);
    const size_t values = (size_t)b->n * (size_t)(b->levels + 1);
    for (int f = 0; f < NAMES; f++) b->field[f] = doubles(values);
    b->p_half = doubles(values);
    b->zs = doubles((size_t)b->n);
    b->du = doubles(values);
    b->dv = doubles(values);
    fill(b, row * m->nlon);
}

static gwf_array array_of(const bench *b, double *values, int levels)
{
    return (gwf_array){values, GWF_REAL64, levels, 1, b->plugin->engine->model.nlon, b->n};
}

static void put(bench *b)
{
    for (int f = 0; f < NAMES; f++) {
        const gwf_array a = array_of(b, b->field[f], b->levels);
        check(gwf_put(b->plugin, names[f], units[f], NULL, &a), b->plugin);
    }
    const gwf_array half = array_of(b, b->p_half, b->levels + 1), zs = array_of(b, b->zs, 1);
    check(gwf_put(b->plugin, "p_half", "Pa", NULL, &half), b->plugin);
    check(gwf_put(b->plugin, "zs", "m2 s-2", NULL, &zs), b->plugin);
}

static void get(bench *b)
{
    const gwf_array du = array_of(b, b->du, b->levels), dv = array_of(b, b->dv, b->levels);
    check(gwf_add(b->plugin, "du", "m s-2", NULL, &du), b->plugin);
    check(gwf_add(b->plugin, "dv", "m s-2", NULL, &dv), b->plugin);
}

static int ascending(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

enum { PUT, TO, PREPARE, NETWORK, BACK, GET, PARTS };
static const char *const part_names[PARTS] = {
    "put", "to_network_grid", "prepare", "network", "back", "get"};

/* Medians in ms of each part of a step, of the slowest rank. */
static void time_parts(bench *b, double ms[PARTS])
{
    static double seconds[PARTS][MOST_STEPS];
    const gwf_plugin *p = b->plugin;
    for (int i = 0; i < b->steps; i++) {
        MPI_Barrier(MPI_COMM_WORLD);
        const gwf_counters before = p->counters;
        double part[PARTS], start = gwf_now();
        put(b);
        part[PUT] = gwf_now() - start;
        check(gwf_run(b->plugin, i, 1), b->plugin);
        start = gwf_now();
        get(b);
        part[GET] = gwf_now() - start;
        part[NETWORK] = p->counters.seconds[1] - before.seconds[1];
        part[PREPARE] = p->tile.comm ? p->tile.prepare_seconds : 0;
        part[TO] = p->counters.seconds[0] - before.seconds[0] - part[PREPARE];
        part[BACK] = p->counters.seconds[2] - before.seconds[2];
        MPI_Allreduce(MPI_IN_PLACE, part, PARTS, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
        for (int k = 0; k < PARTS; k++) seconds[k][i] = part[k];
    }
    for (int k = 0; k < PARTS; k++) ms[k] = 1e3 * median(seconds[k], b->steps);
}

/* The host's own work: waiting, so that it takes no core. */
static void work(double seconds)
{
    const struct timespec t = {(time_t)seconds, (long)(1e9 * fmod(seconds, 1))};
    nanosleep(&t, NULL);
}

static void time_run(bench *b, double *ms)
{
    static double seconds[MOST_STEPS];
    for (int i = 0; i < b->steps; i++) {
        const double start = gwf_now();
        put(b);
        check(gwf_run(b->plugin, i, 1), b->plugin);
        get(b);
        seconds[i] = gwf_now() - start;
    }
    *ms = 1e3 * median(seconds, b->steps);
}

enum { L_PUT, L_START, L_FINISH, L_GET, L_ALL, LAGGED };
static const char *const lagged_names[LAGGED] = {"lagged_put", "lagged_start", "lagged_finish",
                                                 "lagged_get", "lagged"};

/* ms that the plugin keeps a host whose own step is `own` seconds long. */
static void time_lagged(bench *b, double own, double ms[LAGGED])
{
    static double seconds[LAGGED][MOST_STEPS];
    for (int i = 0; i < b->steps; i++) {
        double at[LAGGED + 1];
        at[0] = gwf_now();
        put(b);
        at[1] = gwf_now();
        check(gwf_start(b->plugin, i, 1), b->plugin);
        at[2] = gwf_now();
        work(own);
        at[3] = gwf_now();
        check(gwf_finish(b->plugin), b->plugin);
        at[4] = gwf_now();
        get(b);
        at[5] = gwf_now();
        const double parts[LAGGED] = {at[1] - at[0], at[2] - at[1], at[4] - at[3], at[5] - at[4],
                                      at[5] - at[3] + at[2] - at[0]};
        for (int k = 0; k < LAGGED; k++) seconds[k][i] = parts[k];
    }
    for (int k = 0; k < LAGGED; k++) ms[k] = 1e3 * median(seconds[k], b->steps);
}

int main(int argc, char **argv)
{
    int granted, ranks, rank;
    double ms[PARTS], whole, lagged[LAGGED], around = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &granted);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc < 2) return 2;
    bench b = {.steps = argc > 2 ? atoi(argv[2]) : 20, .levels = argc > 3 ? atoi(argv[3]) : 122};
    if (b.steps < 1 || b.steps > MOST_STEPS || b.levels < 2) return 2;
    set_up(&b, argv[1]);
    put(&b);
    check(gwf_run(b.plugin, 0, 1), b.plugin);
    time_parts(&b, ms);
    time_run(&b, &whole);
    time_lagged(&b, 2e-3 * whole, lagged);
    for (int k = 0; k < PARTS; k++)
        if (k != NETWORK) around += ms[k];
    if (rank == 0) {
        printf("{\"engine\": \"%s\", \"ranks\": %d, \"levels\": %d, \"steps\": %d",
               gwf_describe(b.plugin->engine), ranks, b.levels, b.steps);
        for (int k = 0; k < PARTS; k++) printf(", \"%s_ms\": %.3f", part_names[k], ms[k]);
        printf(", \"around_ms\": %.3f, \"around_of_network\": %.4f", around, around / ms[NETWORK]);
        for (int k = 0; k < LAGGED; k++) printf(", \"%s_ms\": %.3f", lagged_names[k], lagged[k]);
        printf(", \"step_ms\": %.3f, \"hidden\": %.4f}\n", whole, 1 - lagged[L_ALL] / whole);
    }
    gwf_plugin_free(&b.plugin);
    for (int f = 0; f < NAMES; f++) free(b.field[f]);
    free(b.p_half);
    free(b.zs);
    free(b.du);
    free(b.dv);
    MPI_Finalize();
    return 0;
}
