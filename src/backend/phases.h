/* An upconv as four convolutions of the small map. */
#ifndef GWF_BACKEND_PHASES_H
#define GWF_BACKEND_PHASES_H

#include "backend/backend.h"

/* Weights (out, in, 2, 2) of a phase: 0 to 3, upper left, upper right, lower left, lower right of
 * the 2x2 that a small pixel becomes. Of the three rows of weights two fall on the same small row,
 * and are added (exact algebra, 4/9 of the work; sums in double): rows {0}, {1, 2} in the upper
 * place, {0, 1}, {2} in the lower one; columns likewise. */
void gwf_phase_weights(const gwf_op *op, int phase, float *weights);

#endif
