/* Maps of an engine through the lanes of a device: while one batch is computed, the next one's
 * features and the last one's predictions travel. */
#ifndef GWF_COUPLING_LANES_H
#define GWF_COUPLING_LANES_H

#include "coupling/engine.h"

/* n maps, one behind the other; borrowed. */
typedef struct gwf_passage {
    int n;
    const float *features;
    float *results;
    bool physical; /* fluxes, else normalised predictions */
    bool follows;  /* after what is in `stream` so far */
    void *stream;
} gwf_passage;

/* The engine's plan has lanes (gwf_plan_lanes()). DATA for a feature or a result that is not
 * finite, named as gwf_predict() does; results are then those of the batches before it, or more. */
gwf_status gwf_engine_pass(gwf_engine *engine, const gwf_passage *passage);

/* The scales of the model's fluxes to the plan. */
gwf_status gwf_engine_scale(gwf_engine *engine, gwf_error *err);

#endif
