/* From momentum flux to the tendency of the wind, conserving momentum in every column.
 *
 * rho u'w' (Pa):       du/dt = +g dF/dp    (pressure grows downward)
 * u'omega' (Pa m s-2): du/dt =   -dF/dp
 *
 * F stands at the middle of levels, 1 at the top. At the interface between two levels it is linear
 * in p between them; then, as a difference of interfaces,
 *     (du/dt)_k = g (F_{k+1/2} - F_{k-1/2}) / (p_{k+1/2} - p_{k-1/2}),
 * so that the sum of dp/g du/dt over a column is F at the bottom minus F at the top. Second order
 * in the thickness of the levels on even ones, first order at the edges. */
#ifndef GWF_FIELDS_TENDENCY_H
#define GWF_FIELDS_TENDENCY_H

#include <stddef.h>

#include "core/error.h"
#include "model/model.h"

/* The flux through the uppermost or lowest interface, beyond which nothing is known. */
typedef enum gwf_edge {
    GWF_EDGE_ZERO,     /* none: what is left is given to the outermost level */
    GWF_EDGE_CONSTANT, /* as in the outermost level */
    GWF_EDGE_LINEAR,   /* goes on as between the outermost two levels */
} gwf_edge;

typedef struct gwf_column_grid {
    int levels, columns;  /* two levels at least */
    const double *p;      /* (levels, columns), Pa, top to bottom */
    const double *p_half; /* (levels + 1, columns): between them, p[k] within its two */
    gwf_edge top, bottom; /* usual: ZERO, LINEAR */
    gwf_flux_kind kind;
} gwf_column_grid;

/* Pressures strictly growing downward and interfaces between them. DATA names column and level. */
gwf_status gwf_column_grid_check(const gwf_column_grid *grid, gwf_error *err);

/* Interface fluxes (levels + 1, columns) of flux (levels, columns). The grid was checked. */
void gwf_interface_flux(const gwf_column_grid *grid, const double *flux, double *half);

/* Of one layer: fluxes through the interfaces above and below it; per_pascal: g, or -1 for
 * u'omega', over the pressure between them. */
static inline double gwf_layer_tendency(double per_pascal, double above, double below)
{
    return per_pascal * (below - above);
}

/* tendency (levels, columns) in m s-2 of interface fluxes (levels + 1, columns). */
void gwf_tendency(const gwf_column_grid *grid, const double *half, double *tendency);

/* Interfaces for levels that come without: midway in p; the top one as far above the first level
 * as the next is below, but not above p = 0; the lowest at the surface pressure (columns), or
 * (NULL) as far below. p (levels, columns) -> p_half (levels + 1, columns). */
void gwf_interfaces_midway(const double *p, int levels, int columns, const double *surface_pressure,
                           double *p_half);

#endif
