/* Sparse rows: each destination (a cell of a tile, a column of a host) is a sum of weighted
 * sources. Made once for any list of destinations, applied to any number of levels, wherever the
 * sources' values lie.
 *
 * A destination with one source of weight 1 is an exact copy, in runs where neighbours lie side by
 * side. Else the sum is in double, in an order that is the destination's own: an answer does not
 * depend on which other destinations are made beside it, nor on where sources lie. A constant stays
 * exactly constant. Missing values are NaN: a destination with one among its sources is NaN.
 *
 * Winds (and momentum fluxes) have links of their own, which turn vectors: near the poles east
 * turns with longitude.
 *  - two grids: components as they are, as in the training data, but for the poles. Where a
 *    scalar takes a source row at the pole itself, or (bilinear) the mean of the last row as the
 *    value of the pole beyond it, a wind takes the vector that the last row not at the pole sees
 *    there. What a host keeps in a row at the pole need be no vector.
 *  - weights of a file: along great circles, where any two sources' east differs by more than 5
 *    degrees from the destination's. */
#ifndef GWF_FIELDS_LINKS_H
#define GWF_FIELDS_LINKS_H

#include <stddef.h>

#include "core/error.h"
#include "fields/grid.h"
#include "io/weights.h"
#include "parallel/route.h"

/* Between rectilinear grids; fields/remap.h says what they are. */
typedef enum gwf_remap_kind { GWF_REMAP_CONSERVATIVE, GWF_REMAP_BILINEAR } gwf_remap_kind;

typedef struct gwf_links gwf_links;

/* Which destinations: cells of the destination's grid, from 0, longitudes fastest. */
typedef struct gwf_cells {
    int n;
    const int *id; /* (n), any order; borrowed by the call that makes links */
} gwf_cells;

/* Each destination is the source of the same id. MEMORY. */
gwf_status gwf_links_copies(gwf_cells cells, gwf_links **links, gwf_error *err);

/* From one rectilinear grid to another. DATA as gwf_remap_create(); MEMORY. */
gwf_status gwf_links_grids(gwf_remap_kind kind, const gwf_grid *source, const gwf_grid *destination,
                           gwf_cells cells, gwf_links **links, gwf_error *err);

/* By the weights of a file, which need hold the links to these cells only. DATA: a cell whose
 * weights do not sum to 1 (within 1 percent: masked, or not covered). MEMORY. */
gwf_status gwf_links_weights(const gwf_weights *weights, gwf_cells cells, gwf_links **links,
                             gwf_error *err);

/* NULL is fine. */
void gwf_links_free(gwf_links **links);

/* Ids of the sources that are needed, rising; *n of them. Owned by the links. */
const int *gwf_links_wanted(const gwf_links *links, int *n);

/* Where the values of these are, one place each; copied. Before the first apply. threads: that
 * apply may use, 0: as many as OpenMP gives. MEMORY. */
gwf_status gwf_links_bind(gwf_links *links, const gwf_route_place *places, int threads,
                          gwf_error *err);

/* Rows first .. first + count - 1 of values that lie as bound. */
typedef struct gwf_rows {
    const float *values;
    int first, count;
} gwf_rows;

/* Row rows.first + k of destination i goes to to[k * stride + i]. Local, nothing is allocated; one
 * call at a time. */
void gwf_links_apply(gwf_links *links, gwf_rows rows, float *to, size_t stride);

/* Eastward and northward components: rows[0] and to[0] of the one, rows[1] (as many) and to[1]. */
void gwf_links_apply_wind(gwf_links *links, const gwf_rows rows[2], float *const to[2],
                          size_t stride);

/* Where all destinations are copies whose sources lie side by side, values need not be moved: that
 * of row rows.first + k of destination i is at [k * *stride + i] already. Else NULL. */
const float *gwf_links_view(const gwf_links *links, gwf_rows rows, size_t *stride);

#endif
