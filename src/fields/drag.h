/* From the momentum fluxes of a network, on its levels, to what a host model adds to its winds: the
 * tendencies of the host's layers and the fluxes through its interfaces. Double throughout; local.
 *
 * The profile. F is linear in p between the network's levels, which lie at a + b times the column's
 * own surface pressure (its lowest interface). Below the lowest of them F goes on as between the
 * last two, for half their distance at most (which is the ground, but for a network that ends far
 * above it), and is constant below that. Above the uppermost one:
 *   deposit  F falls linearly in p to zero at the host's top. Where the host's top lies below the
 *            network's, what would leave there is spread by mass over the uppermost three layers.
 *   taper    F is constant and leaves through the host's top; the divergence of the layers is
 *            multiplied by p/p_t - 1 (0 at least, 1 at most, p at the middle of a layer), where p_t
 *            is the network's uppermost level, or the host's top where that is lower down.
 * Beyond the limits (highest, lowest, boundary_layer) F is constant: it passes, nothing is left.
 *
 * The layers. F is taken at the interfaces and du/dt = g (F_below - F_above) / (p_below - p_above)
 * (see tendency.h), so that a profile linear in p gives its exact divergence and the column's
 * budget closes: the sum of dp/g du is F through the lowest interface minus F through the
 * uppermost.
 *
 * The cap. From the top down, the vector (du, dv) of a layer is shortened to the cap and the rest
 * of its momentum handed to the layer below (beyond the limits too, if need be); the lowest layer
 * keeps what it is handed. The interface fluxes are those after the cap. */
#ifndef GWF_FIELDS_DRAG_H
#define GWF_FIELDS_DRAG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "model/model.h"

/* Heat capacity of dry air at constant pressure, J kg-1 K-1 (as CAM and ICON have it). */
#define GWF_CP_DRY 1004.64

typedef enum gwf_top { GWF_TOP_DEPOSIT, GWF_TOP_TAPER } gwf_top;

typedef struct gwf_drag_options {
    gwf_top top;
    double highest;        /* Pa, 0: none; no tendency above */
    double lowest;         /* Pa, 0: none; no tendency below */
    double boundary_layer; /* fraction of the surface pressure, 1: none; no tendency below */
    double cap;            /* m s-2, 0: none */
} gwf_drag_options;

typedef struct gwf_drag_config {
    const gwf_level *network_levels; /* (n_network), top to bottom; copied */
    int n_network;                   /* 2 to GWF_LEVELS */
    gwf_flux_kind flux_kind;
    int levels; /* layers of the host, 1 to 10000 */
    gwf_drag_options options;
    int threads; /* as in threads.h */
} gwf_drag_config;

typedef struct gwf_drag gwf_drag;

/* ARGUMENT: a number out of its bounds, limits that leave nothing; MEMORY. */
gwf_status gwf_drag_create(const gwf_drag_config *config, gwf_drag **drag, gwf_error *err);
/* NULL and a drag that is NULL already are fine. */
void gwf_drag_free(gwf_drag **drag);

/* A step's columns; n 0 is fine. All borrowed. */
typedef struct gwf_drag_columns {
    int n;
    const double *p_half;         /* (levels + 1, n), Pa, from the top down; 0 at the top is fine */
    const float *flux_u, *flux_v; /* (n_network, n), in the unit of the flux kind */
    const float *mask;            /* (n), fluxes are multiplied by it (NaN stays); NULL: 1 */
    double *du, *dv;              /* out: (levels, n), m s-2 */
    double *half_u, *half_v;      /* out: (levels + 1, n), Pa for either flux kind (rho u'w',
                                   * positive upward); both NULL: not wanted */
} gwf_drag_columns;

/* Of a run. */
typedef struct gwf_drag_counters {
    long capped;    /* layers that handed momentum down */
    long over;      /* lowest layers left with more than the cap */
    double largest; /* |(du, dv)| before the cap, with what was handed down, m s-2 */
} gwf_drag_counters;

/* Whether the interfaces of every column rise strictly from the top down, from 0 or above to a
 * surface pressure there is on Earth; if not, the first interface and column (from 0) where not. To
 * be asked before gwf_drag_run(). */
bool gwf_drag_check(const gwf_drag *drag, const gwf_drag_columns *columns, int *interface,
                    int *column);

/* What a column gets does not depend on the others: nor on their number, order or values that are
 * not finite. A flux that is not finite makes its own column so. Nothing is allocated. */
void gwf_drag_run(gwf_drag *drag, const gwf_drag_columns *columns, gwf_drag_counters *counters);

/* dt (K s-1) of n layers: the heat that the kinetic energy becomes which an explicit step of `step`
 * seconds takes out of the winds,
 *     dt = -[(u + step/2 du) du + (v + step/2 dv) dv] / c_p.
 * u, v in m s-1 before the step. */
void gwf_drag_heating(size_t n, const double *u, const double *v, const double *du,
                      const double *dv, double step, double *dt);

#endif
