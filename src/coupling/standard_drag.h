/* The drag that a prediction means, to compare predictions by what they are for: the tendencies of
 * both wind components at every level and point, as fields/tendency.h makes them of the fluxes, at
 * a surface pressure of 1013.25 hPa everywhere, with nothing leaving the top. */
#ifndef GWF_COUPLING_STANDARD_DRAG_H
#define GWF_COUPLING_STANDARD_DRAG_H

#include "core/error.h"
#include "model/model.h"

typedef struct gwf_standard_drag gwf_standard_drag;

/* For maps of so many points; the model is borrowed. ARGUMENT: it has less than two levels. */
gwf_status gwf_standard_drag_create(const gwf_model *model, int points, gwf_standard_drag **drag,
                                    gwf_error *err);
void gwf_standard_drag_free(gwf_standard_drag **drag);

/* Tendencies (outputs, points) in m s-2 of the network's own output (outputs, points). */
void gwf_standard_drag_of(gwf_standard_drag *drag, const float *prediction, float *tendency);

#endif
