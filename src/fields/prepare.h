/* The state of the atmosphere on the model's horizontal grid or a tile of it, at any pressures ->
 * the normalised channels a network reads. Made once for a model, run for every step. A column's
 * features do not depend on which other columns are there: tiles give the same bits as the whole.
 */
#ifndef GWF_FIELDS_PREPARE_H
#define GWF_FIELDS_PREPARE_H

#include <stdbool.h>

#include "core/error.h"
#include "model/model.h"
#include "parallel/tiles.h"

typedef struct gwf_prepare gwf_prepare;

/* temperature: or potential temperature; omega: or w together with one of these. */
typedef struct gwf_needs {
    bool u, v, temperature, omega, zs;
    bool surface_pressure; /* some channel's level depends on it: true for every known model */
} gwf_needs;

/* What a model's channels are made from. UNSUPPORTED names a channel that nothing is known of. */
gwf_status gwf_prepare_needs(const gwf_model *model, gwf_needs *needs, gwf_error *err);

/* One step; n cells of the part, latitudes as the model's. Borrowed; what is not needed may be
 * NULL. Levels run from the top down or from the bottom up, in all columns alike. Their pressure is
 * a + b * surface pressure (pressure levels: b is 0 everywhere), in double, or (a NULL) given. */
typedef struct gwf_state {
    const float *u, *v;            /* (levels, n), m s-1 */
    const float *temperature;      /* (levels, n), K */
    const float *theta;            /* instead of temperature, K (1000 hPa, exponent 0.286) */
    const float *omega;            /* (levels, n), Pa s-1 */
    const float *w;                /* instead of omega, m s-1 upward: omega = -rho g w */
    const double *a, *b;           /* (levels), Pa and 1 */
    const float *pressure;         /* (levels, n), Pa, instead of a and b */
    const float *surface_pressure; /* (n), Pa */
    const float *zs;               /* (n), surface geopotential, m2 s-2 */
} gwf_state;

/* Values outside what the training saw: |x~| > 4, where x~ is what the network reads (for w after
 * the cube root: |w - mu| > 64 d). */
enum { GWF_TRAINED_RANGE = 4 };

/* part: of the model's grid, NULL: the whole; copied. levels: of the source. threads as in remap.h.
 * Keeps what it needs of the model. UNSUPPORTED, ARGUMENT, MEMORY. */
gwf_status gwf_prepare_create(const gwf_model *model, const gwf_tile *part, int levels, int threads,
                              gwf_prepare **prepare, gwf_error *err);
void gwf_prepare_free(gwf_prepare **prepare);

/* features (channels of model->in, n), normalised. Interpolated linear in ln p to the
 * model's levels at the step's surface pressure; theta from temperature at the model's pressure.
 * Nothing is allocated. ARGUMENT: a field that is needed is NULL. DATA: pressures that cannot be
 * used, or a missing value (NaN), with variable, level, latitude and longitude. */
gwf_status gwf_prepare_run(gwf_prepare *prepare, const gwf_state *state, float *features,
                           gwf_error *err);

/* Of the last run: values of the part outside the trained range, per channel of model->in.
 * Borrowed. */
const long *gwf_prepare_outside(const gwf_prepare *prepare);

#endif
