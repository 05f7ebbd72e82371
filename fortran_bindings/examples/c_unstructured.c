/* A host in C on an unstructured grid (spiral.h), with weight files to the network's grid and back:
 * each rank has some of the cells, the last of several has none; arrays (cell, level) with levels
 * fastest, from the ground up, winds in single precision, pressure in hPa.
 *
 *   c_unstructured MODEL.nc TO.nc BACK.nc OUTPUT.bin [STEPS]
 *
 * What gwflux needs of a host is in couple(), step() and the gwf_plugin_free() of main(). */
#include <gwflux.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "spiral.h"

enum { LEVELS = 30 };

typedef struct host {
    int first, n; /* cells of this rank */
    int rank, ranks;
    double *lat, *lon; /* (n) degrees */
    int *id;           /* (n) from 1 */
    float *u, *v, *t;  /* (n, LEVELS) m s-1, K, from the ground up, as all below */
    double *p;         /* (n, LEVELS) hPa */
    double *p_half;    /* (n, LEVELS + 1) hPa */
    double *du, *uw;   /* (n, LEVELS) m s-2; (n, LEVELS + 1) Pa */
    gwf_plugin *plugin;
} host;

/* All ranks have the same status, so all come here together. */
static void need(const host *h, gwf_status status)
{
    if (status == GWF_OK) return;
    if (h->rank == 0) fprintf(stderr, "%s\n", gwf_plugin_message(h->plugin));
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* A local call went wrong on this rank. */
static void need_here(const host *h, gwf_status status)
{
    if (status == GWF_OK) return;
    fprintf(stderr, "rank %d: %s\n", h->rank, gwf_plugin_message(h->plugin));
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void *array(const host *h, int levels, size_t size)
{
    void *values = calloc((size_t)h->n * (size_t)levels + 1, size);
    if (!values) MPI_Abort(MPI_COMM_WORLD, 1);
    return values;
}

/* --- the host ------------------------------------------------------------------------------- */

static void make_cells(host *h)
{
    MPI_Comm_rank(MPI_COMM_WORLD, &h->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &h->ranks);
    const int busy = h->ranks > 2 ? h->ranks - 1 : h->ranks;
    const int begin = h->rank < busy ? h->rank : busy, end = begin + (h->rank < busy);
    h->first = SPIRAL_CELLS / (busy * busy) * begin * begin;
    h->n = (end == busy ? SPIRAL_CELLS : SPIRAL_CELLS / (busy * busy) * end * end) - h->first;
    if (h->rank >= busy) h->first = SPIRAL_CELLS, h->n = 0;
    h->lat = array(h, 1, sizeof *h->lat);
    h->lon = array(h, 1, sizeof *h->lon);
    h->id = array(h, 1, sizeof *h->id);
    h->u = array(h, LEVELS, sizeof *h->u);
    h->v = array(h, LEVELS, sizeof *h->v);
    h->t = array(h, LEVELS, sizeof *h->t);
    h->p = array(h, LEVELS, sizeof *h->p);
    h->p_half = array(h, LEVELS + 1, sizeof *h->p_half);
    h->du = array(h, LEVELS, sizeof *h->du);
    h->uw = array(h, LEVELS + 1, sizeof *h->uw);
    for (int c = 0; c < h->n; c++) {
        h->id[c] = h->first + c + 1;
        spiral_place(h->first + c, &h->lat[c], &h->lon[c]);
    }
}

static void free_cells(host *h)
{
    void *all[] = {h->lat, h->lon, h->id, h->u, h->v, h->t, h->p, h->p_half, h->du, h->uw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* A made-up atmosphere at a time (s). */
static void dynamics(host *h, double time)
{
    const double degree = acos(-1) / 180, day = time * 2 * acos(-1) / 86400;
    for (int c = 0; c < h->n; c++) {
        const double y = h->lat[c] * degree, x = h->lon[c] * degree;
        for (int k = 0; k <= LEVELS; k++) {
            const double s = 1 - (double)k / LEVELS;
            h->p_half[c * (LEVELS + 1) + k] = 1010 * s * s * s;
        }
        for (int k = 0; k < LEVELS; k++) {
            const double s = 1 - (k + 0.5) / LEVELS;
            h->p[c * LEVELS + k] = 1010 * s * s * s;
            h->u[c * LEVELS + k] =
                (float)(30 * sin(2 * y) * sin(2 * y) * (1.2 - s) + 8 * cos(3 * x - day) * cos(y));
            h->v[c * LEVELS + k] = (float)(6 * sin(4 * x + 2 * s + day) * cos(y));
            h->t[c * LEVELS + k] = (float)(210 + 80 * s * s + 15 * cos(y) * cos(y));
        }
    }
}

/* --- gwflux in it --------------------------------------------------------------------------- */

static void couple(host *h, char **argv)
{
    gwf_options *options = gwf_options_create();
    if (gwf_options_set(options, "weights", argv[2]) != GWF_OK ||
        gwf_options_set(options, "weights-back", argv[3]) != GWF_OK ||
        gwf_options_set(options, "backend", "ref") != GWF_OK) {
        fprintf(stderr, "%s\n", gwf_options_message(options));
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    need(h, gwf_plugin_create(MPI_Comm_c2f(MPI_COMM_WORLD), argv[1], options, &h->plugin));
    gwf_options_free(&options);
    const gwf_columns columns = {
        .ni = h->n, .nj = 1, .lat = h->lat, .lon = h->lon, .units = "degrees", .id = h->id};
    need_here(h, gwf_plugin_columns(h->plugin, &columns, NULL));
    need_here(h, gwf_plugin_levels(h->plugin, LEVELS, NULL, NULL));
    need(h, gwf_plugin_ready(h->plugin));
}

/* (cell, level), levels fastest */
static gwf_array levels_fastest(void *values, gwf_real kind, int levels)
{
    return (gwf_array){
        .data = values, .kind = kind, .levels = levels, .stride_i = levels, .stride_level = 1};
}

static void step(host *h, double time, double step)
{
    const gwf_array u = levels_fastest(h->u, GWF_REAL32, LEVELS),
                    v = levels_fastest(h->v, GWF_REAL32, LEVELS),
                    t = levels_fastest(h->t, GWF_REAL32, LEVELS),
                    p = levels_fastest(h->p, GWF_REAL64, LEVELS),
                    p_half = levels_fastest(h->p_half, GWF_REAL64, LEVELS + 1),
                    du = levels_fastest(h->du, GWF_REAL64, LEVELS),
                    uw = levels_fastest(h->uw, GWF_REAL64, LEVELS + 1);
    need_here(h, gwf_put(h->plugin, "u", "m s-1", NULL, &u));
    need_here(h, gwf_put(h->plugin, "v", "m s-1", NULL, &v));
    need_here(h, gwf_put(h->plugin, "t", "K", NULL, &t));
    need_here(h, gwf_put(h->plugin, "p", "hPa", NULL, &p));
    need_here(h, gwf_put(h->plugin, "p_half", "hPa", NULL, &p_half));
    need(h, gwf_run(h->plugin, time, step));
    need_here(h, gwf_get(h->plugin, "du", "m s-2", NULL, &du));
    need_here(h, gwf_get(h->plugin, "uw", "Pa", NULL, &uw));
}

/* --- what must hold ------------------------------------------------------------------------- */

/* Each column's momentum changes by what its fluxes bring in. */
static int budgets_close(const host *h)
{
    double worst = 0, all = 0;
    for (int c = 0; c < h->n; c++) {
        const double *p = h->p_half + c * (LEVELS + 1), *uw = h->uw + c * (LEVELS + 1);
        double sum = 0, size = 1e-300;
        for (int k = 0; k < LEVELS; k++) {
            const double gain = h->du[c * LEVELS + k] * 100 * (p[k] - p[k + 1]) / 9.80665;
            sum += gain;
            size += fabs(gain);
        }
        const double error = fabs(sum - (uw[0] - uw[LEVELS])) / size;
        if (!(error <= worst)) worst = error;
    }
    MPI_Allreduce(&worst, &all, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    if (h->rank == 0) printf("momentum budget of the columns: %.2g, at most 1e-12\n", all);
    return all <= 1e-12;
}

/* The cells of the ranks follow one another. */
static void write_tendencies(const host *h, FILE *file)
{
    const int mine = h->n * LEVELS;
    int counts[64], starts[64], sum = 0;
    MPI_Gather(&mine, 1, MPI_INT, counts, 1, MPI_INT, 0, MPI_COMM_WORLD);
    for (int r = 0; h->rank == 0 && r < h->ranks; r++) {
        starts[r] = sum;
        sum += counts[r];
    }
    double *all = malloc((size_t)SPIRAL_CELLS * LEVELS * sizeof *all);
    MPI_Gatherv(h->du, mine, MPI_DOUBLE, all, counts, starts, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    if (h->rank == 0) fwrite(all, sizeof *all, (size_t)SPIRAL_CELLS * LEVELS, file);
    free(all);
}

int main(int argc, char **argv)
{
    host h = {0};
    int fine = 1;
    MPI_Init(&argc, &argv);
    make_cells(&h);
    FILE *file = argc > 4 && h.rank == 0 ? fopen(argv[4], "wb") : NULL;
    if (argc < 5 || h.ranks > 64 || (h.rank == 0 && !file)) {
        fprintf(stderr, "c_unstructured MODEL.nc TO.nc BACK.nc OUTPUT.bin [STEPS]\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    couple(&h, argv);
    for (int n = 0; n < (argc > 5 ? atoi(argv[5]) : 2); n++) {
        dynamics(&h, 900.0 * n);
        step(&h, 900.0 * n, 900);
        fine &= budgets_close(&h);
        write_tendencies(&h, file);
    }
    if (file) fclose(file);
    gwf_plugin_free(&h.plugin);
    free_cells(&h);
    MPI_Finalize();
    return !fine;
}
