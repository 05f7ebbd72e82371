/* Weight files for the examples on the spiral grid (spiral.h), as ESMF writes them:
 *
 *   make_weights to NETWORK.nc       from the spiral's cells to the network's 64 x 128
 *   make_weights back HOST.nc        from the network's to the spiral's
 *
 * Each cell is the mean of the four nearest ones of the other grid, weighted by 1 / distance. A
 * real host takes ESMF_RegridWeightGen. */
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spiral.h"

enum { NLAT = 64, NLON = 128, NEAREST = 4 };

typedef struct grid {
    int n;
    double *lat, *lon; /* degrees */
    double (*x)[3];    /* on the unit sphere */
} grid;

static void check(int rc, const char *what)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "make_weights: %s: %s\n", what, nc_strerror(rc));
    exit(1);
}

static grid new_grid(int n)
{
    const size_t count = (size_t)n;
    grid g = {n, malloc(count * sizeof *g.lat), malloc(count * sizeof *g.lon),
              malloc(count * sizeof *g.x)};
    if (g.lat && g.lon && g.x) return g;
    fprintf(stderr, "make_weights: no memory\n");
    exit(1);
}

static void place_on_sphere(grid *g)
{
    const double degree = acos(-1) / 180;
    for (int i = 0; i < g->n; i++) {
        g->x[i][0] = cos(g->lat[i] * degree) * cos(g->lon[i] * degree);
        g->x[i][1] = cos(g->lat[i] * degree) * sin(g->lon[i] * degree);
        g->x[i][2] = sin(g->lat[i] * degree);
    }
}

/* A zero of the Legendre polynomial of degree NLAT, by Newton's method; degrees. */
static double gaussian_latitude(int row)
{
    double x = -cos(acos(-1) * (row + 0.75) / (NLAT + 0.5));
    for (int k = 0; k < 6; k++) {
        double before = 1, now = x;
        for (int n = 2; n <= NLAT; n++) {
            const double next = ((2 * n - 1) * x * now - (n - 1) * before) / n;
            before = now;
            now = next;
        }
        x -= now * (x * x - 1) / (NLAT * (x * now - before));
    }
    return asin(x) * 180 / acos(-1);
}

static grid network_grid(void)
{
    grid g = new_grid(NLAT * NLON);
    for (int i = 0; i < g.n; i++) {
        g.lat[i] = gaussian_latitude(i / NLON);
        g.lon[i] = 360.0 * (i % NLON) / NLON;
    }
    place_on_sphere(&g);
    return g;
}

static grid host_grid(void)
{
    grid g = new_grid(SPIRAL_CELLS);
    for (int i = 0; i < g.n; i++) spiral_place(i, &g.lat[i], &g.lon[i]);
    place_on_sphere(&g);
    return g;
}

/* The nearest cells of `from`, nearest first, and their distances. */
static void find_nearest(const grid *from, const double x[3], int cell[NEAREST],
                         double distance[NEAREST])
{
    for (int k = 0; k < NEAREST; k++) distance[k] = 9;
    for (int i = 0; i < from->n; i++) {
        double d = 0;
        for (int c = 0; c < 3; c++) d += (from->x[i][c] - x[c]) * (from->x[i][c] - x[c]);
        int k = NEAREST;
        while (k > 0 && d < distance[k - 1]) k--;
        if (k == NEAREST) continue;
        memmove(cell + k + 1, cell + k, (size_t)(NEAREST - 1 - k) * sizeof *cell);
        memmove(distance + k + 1, distance + k, (size_t)(NEAREST - 1 - k) * sizeof *distance);
        cell[k] = i;
        distance[k] = d;
    }
}

static void put(int file, const char *name, nc_type type, int dim, const char *units,
                const void *values)
{
    int id;
    check(nc_def_var(file, name, type, 1, &dim, &id), name);
    if (units) check(nc_put_att_text(file, id, "units", strlen(units), units), name);
    check(type == NC_INT ? nc_put_var_int(file, id, values) : nc_put_var_double(file, id, values),
          name);
}

static void write_links(int file, const grid *from, const grid *to, int dim)
{
    const size_t n = (size_t)to->n * NEAREST;
    int *col = malloc(n * sizeof *col), *row = malloc(n * sizeof *row);
    double *s = malloc(n * sizeof *s);
    for (int i = 0; col && row && s && i < to->n; i++) {
        int cell[NEAREST];
        double distance[NEAREST], sum = 0;
        find_nearest(from, to->x[i], cell, distance);
        for (int k = 0; k < NEAREST; k++) sum += 1 / (sqrt(distance[k]) + 1e-9);
        for (int k = 0; k < NEAREST; k++) {
            col[i * NEAREST + k] = cell[k] + 1;
            row[i * NEAREST + k] = i + 1;
            s[i * NEAREST + k] = 1 / (sqrt(distance[k]) + 1e-9) / sum;
        }
    }
    put(file, "col", NC_INT, dim, NULL, col);
    put(file, "row", NC_INT, dim, NULL, row);
    put(file, "S", NC_DOUBLE, dim, NULL, s);
    free(col);
    free(row);
    free(s);
}

int main(int argc, char **argv)
{
    int file, n_a, n_b, n_s;
    if (argc != 3 || (strcmp(argv[1], "to") != 0 && strcmp(argv[1], "back") != 0)) {
        fprintf(stderr, "make_weights to|back OUT.nc\n");
        return 2;
    }
    const grid network = network_grid(), host = host_grid();
    const grid *from = strcmp(argv[1], "to") == 0 ? &host : &network;
    const grid *to = from == &host ? &network : &host;
    check(nc_create(argv[2], NC_NETCDF4 | NC_CLOBBER, &file), argv[2]);
    check(nc_def_dim(file, "n_a", (size_t)from->n, &n_a), "n_a");
    check(nc_def_dim(file, "n_b", (size_t)to->n, &n_b), "n_b");
    check(nc_def_dim(file, "n_s", (size_t)to->n * NEAREST, &n_s), "n_s");
    put(file, "yc_a", NC_DOUBLE, n_a, "degrees", from->lat);
    put(file, "xc_a", NC_DOUBLE, n_a, "degrees", from->lon);
    put(file, "yc_b", NC_DOUBLE, n_b, "degrees", to->lat);
    put(file, "xc_b", NC_DOUBLE, n_b, "degrees", to->lon);
    write_links(file, from, to, n_s);
    check(nc_close(file), argv[2]);
    return 0;
}
