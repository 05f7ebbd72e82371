/* Hosts of each kind, small: on the network's grid, on finer and coarser latitudes and longitudes,
 * on points with weight files; any of their columns on a rank, any cut of the network's grid. */
#ifndef GWF_TESTS_HOST_CASE_H
#define GWF_TESTS_HOST_CASE_H

#include <stdio.h>

#include "coupling/columns.h"
#include "decomposition.h"
#include "points_case.h"

enum { NLAT = 32, NLON = 64, CELLS = NLAT * NLON, SPIRAL = 3000 };

/* --- hosts ---------------------------------------------------------------------------------- */

typedef enum host_case { NATIVE, FINE, COARSE, UNSTRUCTURED, HOSTS } host_case;

typedef struct host {
    host_case which;
    gwf_grid network, grid; /* grid: FINE, COARSE */
    points columns;
    const char *weights, *weights_back; /* paths */
} host;

static char host_weights[2][1024]; /* paths: to the network, from it */

/* Weight files are made once, by rank 0, for all. */
static inline void write_weights(void)
{
    gwf_grid network = case_gaussian(NLAT, NLON);
    points from = points_spiral(SPIRAL), to = points_of_grid(&network);
    snprintf(host_weights[0], sizeof host_weights[0], "%s", test_scratch_of_all("to_network.nc"));
    snprintf(host_weights[1], sizeof host_weights[1], "%s", test_scratch_of_all("from_network.nc"));
    if (test_rank() == 0) {
        point_links *in = points_link(&from, &to), *back = points_link(&to, &from);
        points_write(host_weights[0], &from, &to, in);
        points_write(host_weights[1], &to, &from, back);
        free(in);
        free(back);
    }
    points_free(&from);
    points_free(&to);
    case_free(&network);
    test_barrier();
}

static inline host make_host(host_case which)
{
    host h = {which, case_gaussian(NLAT, NLON), {0}, {0}, "", ""};
    if (which == FINE) h.grid = case_regular(37, 90, -5, 72, -180, 5);
    if (which == COARSE) h.grid = case_regular(18, -85, 10, 36, 5, 10);
    if (which == UNSTRUCTURED) {
        h.columns = points_spiral(SPIRAL);
        h.weights = host_weights[0];
        h.weights_back = host_weights[1];
    } else {
        h.columns = points_of_grid(which == NATIVE ? &h.network : &h.grid);
    }
    return h;
}

static inline void free_host(host *h)
{
    case_free(&h->network);
    case_free(&h->grid);
    points_free(&h->columns);
}

/* Some of a host's columns, in two blocks. */
static inline gwf_column_list register_columns(const host *h, ids mine)
{
    gwf_error err = {0};
    gwf_column_list list = {0};
    const int first = mine.n / 3;
    const double unit = mine.n % 2 ? case_pi / 180 : 1;
    double *lat = calloc((size_t)mine.n + 1, sizeof *lat);
    double *lon = calloc((size_t)mine.n + 1, sizeof *lon);
    int *id = calloc((size_t)mine.n + 1, sizeof *id);
    for (int i = 0; i < mine.n; i++) {
        lat[i] = h->columns.lat[mine.id[i]] * unit;
        lon[i] = (h->columns.lon[mine.id[i]] + (i % 4 == 3 ? 360 : 0)) * unit;
        id[i] = mine.id[i] + 1;
    }
    const char *units = mine.n % 2 ? "radians" : "degrees";
    const bool give = h->which == UNSTRUCTURED || h->which == FINE;
    const gwf_columns one = {first, 1, lat, lon, units, give ? id : NULL};
    const gwf_columns two = {1,           mine.n - first, lat + first,
                             lon + first, units,          give ? id + first : NULL};
    CHECK_OK(gwf_column_list_add(&list, &one, &err), err);
    CHECK_OK(gwf_column_list_add(&list, &two, &err), err);
    CU_ASSERT_EQUAL(list.n, mine.n);
    CU_ASSERT_TRUE(list.n_blocks == 2 && list.blocks[1].first == first);
    free(lat);
    free(lon);
    free(id);
    return list;
}

/* --- tiles ---------------------------------------------------------------------------------- */

typedef enum cut { WHOLE, HALVES, TILES, LAST_RANK, CUTS } cut;

/* Who computes what of the network's grid; the grid is always whole. */
static inline gwf_tile tile_of(cut how, int rank, int ranks)
{
    const gwf_tile none = {0, 0, 0, 0};
    const int tiles = ranks < 4 ? ranks : 4, rows = tiles == 4 ? 2 : 1, cols = tiles / rows;
    switch (how) {
    case WHOLE:
        return rank == 0 ? (gwf_tile){0, NLAT, 0, NLON} : none;
    case HALVES:
        if (ranks == 1) return (gwf_tile){0, NLAT, 0, NLON};
        return rank > 1 ? none : (gwf_tile){rank * 16, 16, 0, NLON};
    case TILES:
        if (tiles == 3) /* uneven */
            return rank == 2 ? (gwf_tile){0, NLAT, 48, 16} : (gwf_tile){rank * 16, 16, 0, 48};
        return rank >= tiles ? none
                             : (gwf_tile){rank / cols * (NLAT / rows), NLAT / rows,
                                          rank % cols * (NLON / cols), NLON / cols};
    default:
        return rank == ranks - 1 ? (gwf_tile){0, NLAT, 0, NLON} : none;
    }
}

static inline int cell_of(gwf_tile t, int i)
{
    return (t.row + i / t.cols) * NLON + t.col + i % t.cols;
}

#endif
