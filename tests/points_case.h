/* Points all over the sphere that are no grid, and ESMF weights from them to a grid and back. */
#ifndef GWF_TESTS_POINTS_CASE_H
#define GWF_TESTS_POINTS_CASE_H

#include <string.h>

#include "grid_case.h"
#include "io/nc.h"
#include "test.h"

/* Places on the sphere. */
typedef struct points {
    int n;
    double *lat, *lon; /* degrees; owned */
} points;

static inline points points_make(int n)
{
    points p = {n, calloc((size_t)n, sizeof(double)), calloc((size_t)n, sizeof(double))};
    if (!p.lat || !p.lon) abort();
    return p;
}

static inline void points_free(points *p)
{
    free(p->lat);
    free(p->lon);
}

/* Fibonacci's spiral: evenly spread, from pole to pole. */
static inline points points_spiral(int n)
{
    points p = points_make(n);
    for (int i = 0; i < n; i++) {
        p.lat[i] = asin(2 * (i + 0.5) / n - 1) * 180 / case_pi;
        p.lon[i] = fmod(i * 180 * (3 - sqrt(5)), 360);
    }
    return p;
}

static inline points points_of_grid(const gwf_grid *grid)
{
    points p = points_make(grid->nlat * grid->nlon);
    for (int i = 0; i < p.n; i++) {
        p.lat[i] = grid->lat[i / grid->nlon];
        p.lon[i] = grid->lon[i % grid->nlon];
    }
    return p;
}

/* --- weights: the six nearest points, exact for what is linear around the destination ----------
 */

enum { POINTS_NEAR = 6 };

typedef struct point_links {
    int source[POINTS_NEAR];
    double weight[POINTS_NEAR];
} point_links;

static inline void points_vector(const points *p, int i, double r[3])
{
    const double lat = p->lat[i] * case_pi / 180, lon = p->lon[i] * case_pi / 180;
    r[0] = cos(lat) * cos(lon);
    r[1] = cos(lat) * sin(lon);
    r[2] = sin(lat);
}

static inline void points_nearest(const points *from, const double at[3], int near[POINTS_NEAR])
{
    double best[POINTS_NEAR];
    int found = 0;
    for (int i = 0; i < from->n; i++) {
        double r[3];
        points_vector(from, i, r);
        const double dot = r[0] * at[0] + r[1] * at[1] + r[2] * at[2];
        if (found == POINTS_NEAR && !(dot > best[POINTS_NEAR - 1])) continue;
        int k = found < POINTS_NEAR ? found++ : POINTS_NEAR - 1;
        for (; k > 0 && dot > best[k - 1]; k--) {
            best[k] = best[k - 1];
            near[k] = near[k - 1];
        }
        best[k] = dot;
        near[k] = i;
    }
}

/* x of a symmetric 3 x 3 system by Cramer's rule. */
static inline void points_solve(double m[3][3], double x[3])
{
    double c[3];
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        c[i] = m[1][j] * m[2][k] - m[1][k] * m[2][j];
    }
    const double det = m[0][0] * c[0] + m[0][1] * c[1] + m[0][2] * c[2];
    for (int i = 0; i < 3; i++) x[i] = c[i] / det; /* the right-hand side is (1, 0, 0) */
}

/* The smallest weights w with sum w = 1, sum w x = 0, sum w y = 0 (x, y: in the tangent plane). */
static inline point_links points_weigh(const points *from, const points *to, int i)
{
    point_links l;
    double at[3], a[POINTS_NEAR][3], m[3][3] = {{0}}, x[3], sum = 0;
    points_vector(to, i, at);
    points_nearest(from, at, l.source);
    const double lon = to->lon[i] * case_pi / 180;
    const double east[3] = {-sin(lon), cos(lon), 0};
    const double north[3] = {-at[2] * cos(lon), -at[2] * sin(lon), hypot(at[0], at[1])};
    for (int k = 0; k < POINTS_NEAR; k++) {
        double r[3];
        points_vector(from, l.source[k], r);
        a[k][0] = 0.05; /* of the other two's size */
        a[k][1] = r[0] * east[0] + r[1] * east[1];
        a[k][2] = r[0] * north[0] + r[1] * north[1] + r[2] * north[2];
        for (int p = 0; p < 3; p++)
            for (int q = 0; q < 3; q++) m[p][q] += a[k][p] * a[k][q];
    }
    points_solve(m, x);
    for (int k = 0; k < POINTS_NEAR; k++) {
        l.weight[k] = a[k][0] * x[0] + a[k][1] * x[1] + a[k][2] * x[2];
        sum += l.weight[k];
    }
    for (int k = 0; k < POINTS_NEAR; k++) l.weight[k] /= sum;
    return l;
}

static inline point_links *points_link(const points *from, const points *to)
{
    point_links *links = calloc((size_t)to->n, sizeof *links);
    if (!links) abort();
    for (int i = 0; i < to->n; i++) links[i] = points_weigh(from, to, i);
    return links;
}

/* --- files ---------------------------------------------------------------------------------- */

static inline void points_put(gwf_nc *file, const char *name, gwf_nc_type type, const char *dim,
                              const char *units, const void *values)
{
    gwf_error err = {0};
    CHECK_OK(gwf_nc_define_variable(file, name, type, dim, 0, &err), err);
    if (units) CHECK_OK(gwf_nc_put_text(file, name, "units", units, &err), err);
    if (type == GWF_NC_INT)
        CHECK_OK(gwf_nc_put_int(file, name, values, &err), err);
    else
        CHECK_OK(gwf_nc_put_double(file, name, values, &err), err);
}

/* ESMF's layout. */
static inline void points_write(const char *path, const points *from, const points *to,
                                const point_links *links)
{
    gwf_error err = {0};
    gwf_nc file;
    const size_t n = (size_t)to->n * POINTS_NEAR;
    int *col = calloc(n, sizeof *col), *row = calloc(n, sizeof *row);
    double *s = calloc(n, sizeof *s);
    if (!col || !row || !s) abort();
    for (size_t k = 0; k < n; k++) { /* links of a destination are not side by side */
        const size_t i = k % (size_t)to->n, j = k / (size_t)to->n;
        col[k] = links[i].source[j] + 1;
        row[k] = (int)i + 1;
        s[k] = links[i].weight[j];
    }
    CHECK_OK(gwf_nc_create(path, &file, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&file, "n_a", (size_t)from->n, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&file, "n_b", (size_t)to->n, &err), err);
    CHECK_OK(gwf_nc_define_dimension(&file, "n_s", n, &err), err);
    points_put(&file, "yc_a", GWF_NC_DOUBLE, "n_a", "degrees", from->lat);
    points_put(&file, "xc_a", GWF_NC_DOUBLE, "n_a", "degrees", from->lon);
    points_put(&file, "yc_b", GWF_NC_DOUBLE, "n_b", "degrees", to->lat);
    points_put(&file, "xc_b", GWF_NC_DOUBLE, "n_b", "degrees", to->lon);
    points_put(&file, "col", GWF_NC_INT, "n_s", NULL, col);
    points_put(&file, "row", GWF_NC_INT, "n_s", NULL, row);
    points_put(&file, "S", GWF_NC_DOUBLE, "n_s", NULL, s);
    CHECK_OK(gwf_nc_close(&file, &err), err);
    free(col);
    free(row);
    free(s);
}

#endif
