/* The plans among which a convolution's is chosen. */
#ifndef GWF_BACKEND_CUDA_CANDIDATES_H
#define GWF_BACKEND_CUDA_CANDIDATES_H

#include "backend/cuda/tune.h"

/* A way to compute a convolution; choice.plan is NULL until it is built, and where it cannot be. */
typedef struct gwf_cuda_candidate {
    cudnnBackendDescriptor_t config; /* owned, as is the plan */
    gwf_cuda_choice choice;
    double seconds; /* HUGE_VAL: not measured */
} gwf_cuda_candidate;

typedef struct gwf_cuda_candidates {
    gwf_cuda_candidate *items;
    int count;
} gwf_cuda_candidates;

gwf_status gwf_cuda_candidates_create(gwf_cuda_candidates *all, gwf_error *err);
void gwf_cuda_candidates_free(gwf_cuda_candidates *all);

/* What cuDNN's heuristics suggest, best first, for a graph with a float32 bias (wide) and one with
 * a bias of the maps' type (narrow; without operations: none). */
gwf_status gwf_cuda_candidates_suggest(gwf_cuda_candidates *all, const gwf_cuda_graph *wide,
                                       const gwf_cuda_graph *narrow, gwf_error *err);
/* What they fall back on. */
gwf_status gwf_cuda_candidates_fall_back(gwf_cuda_candidates *all, const gwf_cuda_graph *wide,
                                         gwf_error *err);
/* All tiles of the best engine that has tiles. */
void gwf_cuda_candidates_tiles(gwf_cuda_candidates *all, const gwf_cuda_graph *graph);
/* Splits of the sum over channels for the first few tiles of the list: where maps are small, a part
 * a tile leaves most of the device idle. */
void gwf_cuda_candidates_splits(gwf_cuda_candidates *all, const gwf_cuda_graph *graph);

/* Plans of the candidates from `first` on, in order, several at a time: as each has to be compiled,
 * none is begun after `until` (core/clock.h) once there is one. */
void gwf_cuda_candidates_build(const gwf_cuda_tuner *tuner, gwf_cuda_candidates *all, int first,
                               double until);

#endif
