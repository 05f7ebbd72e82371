/* The engine behind gwflux.h, for the rooms inside: a model and, once the grid is known, its plan
 * on a backend. */
#ifndef GWF_COUPLING_ENGINE_H
#define GWF_COUPLING_ENGINE_H

#include <stdbool.h>

#include "backend/backend.h"
#include "core/error.h"
#include "core/log.h"
#include "core/option.h"
#include "engine/plan.h"
#include "model/model.h"

struct gwf_engine {
    gwf_model model;
    const gwf_backend *backend;
    gwf_context *context;
    gwf_plan *plan;
    int nlat, nlon;
    char model_path[1024]; /* for messages */
    char description[512];
    gwf_error error;
};

/* First half of gwf_create(): the model file, read and checked. */
gwf_status gwf_engine_load(gwf_engine *engine, const char *model_path, const gwf_log *log);

/* Second half, once: backend and plan for a grid; the weights are given back to the system. */
gwf_status gwf_engine_plan(gwf_engine *engine, const gwf_options *options, int nlat, int nlon,
                           const gwf_log *log);

/* Where the first value that is not finite stands; false when all are. n values. */
bool gwf_find_non_finite(const float *values, size_t n, size_t *where);

/* Normalised output (outputs, nlat, nlon) to fluxes, in place allowed. */
void gwf_engine_fluxes(const gwf_engine *engine, const float *prediction, float *flux);

#endif
