/* Convolution, bias and activation as one operation graph of cuDNN, and the plans that carry it
 * out.
 *
 * Graphs are described for a target: a handle on a live device, or the profile of a device that
 * need not be there (tests). Descriptors of engines are the caller's, to be destroyed. */
#ifndef GWF_BACKEND_CUDA_GRAPH_H
#define GWF_BACKEND_CUDA_GRAPH_H

#include <stdint.h>

#include "backend/cuda/device.h"
#include "backend/cuda/kernels.h"

/* Maps as cuDNN sees them: maps, channels, rows, cols, and the distance in values from one to the
 * next: any part of an NHWC map, each second of its pixels too. */
typedef struct gwf_cuda_tensor {
    int64_t dims[4], strides[4];
} gwf_cuda_tensor;

/* out = activation(weights * in + bias); weights (out channels, kernel, kernel, in channels). */
typedef struct gwf_cuda_conv {
    gwf_cuda_type type; /* of maps and weights */
    bool exact;         /* fp32: no tensor cores, nothing but rounding errors */
    bool narrow_bias;   /* bias of the maps' type, not float32: other engines */
    gwf_cuda_tensor in, out;
    int kernel, before[2], after[2]; /* zeros around in: rows, cols */
    gwf_activation activation;
} gwf_cuda_conv;

/* All of it in a line, for the keys of a cache. */
enum { GWF_CUDA_CONV_TEXT = 320 };
void gwf_cuda_conv_text(const gwf_cuda_conv *conv, char text[static GWF_CUDA_CONV_TEXT]);

/* One of both. */
typedef struct gwf_cuda_target {
    cudnnHandle_t handle;
    cudnnBackendDescriptor_t profile;
} gwf_cuda_target;

/* A graph of cuDNN: what it is made of, and the engines that it has. */
enum { GWF_CUDA_GRAPH_PARTS = 24 };
typedef struct gwf_cuda_graph {
    gwf_cuda_device *device; /* for failures */
    gwf_cuda_target target;
    cudnnBackendDescriptor_t parts[GWF_CUDA_GRAPH_PARTS]; /* owned */
    int n_parts;
    cudnnBackendDescriptor_t operations; /* one of the parts */
    bool exact;
} gwf_cuda_graph;

gwf_status gwf_cuda_graph_make(gwf_cuda_device *device, gwf_cuda_target target,
                               const gwf_cuda_conv *conv, gwf_cuda_graph *graph, gwf_error *err);
void gwf_cuda_graph_free(gwf_cuda_graph *graph); /* {0} is fine */

/* Configurations of engines that cuDNN's heuristics suggest, best first, those left out whose
 * results the graph does not admit. *found of at most n. */
gwf_status gwf_cuda_graph_suggest(const gwf_cuda_graph *graph, cudnnBackendHeurMode_t mode,
                                  cudnnBackendDescriptor_t *configs, int n, int *found,
                                  gwf_error *err);

/* The engine of a configuration, and the tile and the split of the sum over channels that it was
 * told to take; -1 where there is nothing of the kind. */
typedef struct gwf_cuda_knobs {
    int64_t engine, tile, split;
} gwf_cuda_knobs;
gwf_cuda_knobs gwf_cuda_config_knobs(cudnnBackendDescriptor_t config);
/* How many tiles an engine knows, 0 to n - 1, and its largest split; where it takes none 0, -1. */
void gwf_cuda_graph_range(const gwf_cuda_graph *graph, int64_t engine, int64_t *tiles,
                          int64_t *splits);
/* A configuration of one's own; NULL: the engine does not take it for this graph. */
cudnnBackendDescriptor_t gwf_cuda_graph_config(const gwf_cuda_graph *graph, gwf_cuda_knobs knobs);

/* "engine 4, tile 36, split 4". */
void gwf_cuda_knobs_text(gwf_cuda_knobs knobs, char *text, size_t size);

/* A plan: a configuration made ready to run, or read back from what gwf_cuda_plan_json() gave.
 * *workspace: bytes that it needs beside its maps. UNSUPPORTED: this configuration cannot do it. */
gwf_status gwf_cuda_plan_make(gwf_cuda_device *device, gwf_cuda_target target,
                              cudnnBackendDescriptor_t config, cudnnBackendDescriptor_t *plan,
                              size_t *workspace, gwf_error *err);
gwf_status gwf_cuda_plan_read(gwf_cuda_device *device, gwf_cuda_target target, const char *json,
                              size_t size, cudnnBackendDescriptor_t *plan, size_t *workspace,
                              gwf_error *err);
/* Owned by the caller, free() it; NULL: it has none. */
char *gwf_cuda_plan_json(cudnnBackendDescriptor_t plan, size_t *size);

/* Where a convolution's values are. */
typedef struct gwf_cuda_operands {
    void *in, *weights, *bias, *out, *workspace;
} gwf_cuda_operands;
gwf_status gwf_cuda_bind(gwf_cuda_device *device, gwf_cuda_operands at,
                         cudnnBackendDescriptor_t *pack, gwf_error *err);

void gwf_cuda_destroy(cudnnBackendDescriptor_t descriptor); /* NULL is fine */

#endif
