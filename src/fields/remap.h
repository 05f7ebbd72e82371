/* Horizontal remapping with sparse weights: made once for two grids, applied to any number of
 * levels and variables.
 *
 * Conservative: first order, the mean of the source over the destination's cell; areas by sine of
 * latitude times longitude, in double. Bilinear: linear in latitude and in longitude between the
 * four points around. Both are separable and need grids that cover the destination. Weight files
 * (ESMF, SCRIP) serve any pair of grids, on cubed spheres and triangles too.
 *
 * Missing values are NaN: a destination cell with one among its sources is NaN. Accumulation is in
 * double; a constant field stays exactly constant.
 *
 * Wind. A component is not a scalar near the poles, where east turns with longitude. What the
 * vector needs is done in gwf_remap_apply_wind() and nowhere else:
 *  - conservative: the mean of the components as they are, as in the training data (turning the
 *    vectors would change them by up to 0.01 m s-1 in the rows at the poles and more elsewhere).
 *    Cells end at the pole and are narrow in longitude, so the mean keeps the vector: zonal flow
 *    exactly, uniform flow over the pole to 1e-4 on 128 longitudes. Only a source row at the pole
 *    that does not hold one vector as seen from each longitude, but one value (zeros or the like),
 *    is replaced by the vector that the row next to it sees at the pole.
 *  - bilinear: the same; beyond the last row the pole has the vector (for a scalar the mean) of
 *    that row. To be preferred from a coarse to a fine grid, where the mean over a cell has steps.
 *  - weight files: a destination takes its sources along great circles, their east turned into its
 *    own, where any two differ by more than 5 degrees. */
#ifndef GWF_FIELDS_REMAP_H
#define GWF_FIELDS_REMAP_H

#include <stddef.h>

#include "core/error.h"
#include "fields/grid.h"
#include "fields/links.h"
#include "io/weights.h"

typedef struct gwf_remap gwf_remap;

/* From one rectilinear grid to another. Nothing is kept of the arguments. threads: that apply may
 * use, 0: as many as OpenMP gives (1 without OpenMP).
 * DATA: a grid that is none (gwf_grid_check), or a source that does not cover the destination; the
 * message names the first latitude or longitude without source. MEMORY. */
gwf_status gwf_remap_create(gwf_remap_kind kind, const gwf_grid *source,
                            const gwf_grid *destination, int threads, gwf_remap **remap,
                            gwf_error *err);

/* By the weights of a file, which are copied. source (NULL where it is not rectilinear) and
 * destination: what the data are on; sizes and cell centres must be the file's, within 0.01
 * degrees. MISMATCH names both sides; DATA a destination cell whose weights do not sum to 1
 * (within 1 percent: masked, or not covered). */
gwf_status gwf_remap_create_weights(const gwf_weights *weights, const gwf_grid *source,
                                    const gwf_grid *destination, int threads, gwf_remap **remap,
                                    gwf_error *err);

/* The n cell centres of a weight file at lat, lon must be this grid's, within 0.01 degrees, `what`
 * ("source grid") in messages. MISMATCH names both sides; DATA: no grid (gwf_grid_check). */
gwf_status gwf_remap_check_grid(const char *what, const gwf_grid *grid, size_t n, const double *lat,
                                const double *lon, gwf_error *err);

/* Source cells that are no rectilinear grid: lat, lon (weights->n_source) in degrees must be the
 * file's within 0.01 degrees. MISMATCH names the first cell that is elsewhere. */
gwf_status gwf_remap_check_source(const gwf_weights *weights, const double *lat, const double *lon,
                                  gwf_error *err);

void gwf_remap_free(gwf_remap **remap);

/* Cells of a level. */
size_t gwf_remap_source_size(const gwf_remap *remap);
size_t gwf_remap_destination_size(const gwf_remap *remap);

/* source (levels, nlat, nlon) or (levels, cells) -> destination likewise. Nothing is allocated;
 * one remap serves one call at a time. */
void gwf_remap_apply(gwf_remap *remap, const float *source, float *destination, int levels);

/* Eastward and northward components of a vector (wind, momentum flux). */
void gwf_remap_apply_wind(gwf_remap *remap, const float *u, const float *v, float *u_out,
                          float *v_out, int levels);

#endif
