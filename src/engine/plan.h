/* The plan: a network laid out on a backend for one grid. Made once, run for every map. */
#ifndef GWF_ENGINE_PLAN_H
#define GWF_ENGINE_PLAN_H

#include "backend/backend.h"
#include "engine/network.h"
#include "engine/quantised.h"
#include "parallel/tiles.h"

typedef struct gwf_plan gwf_plan;

/* Where a network runs; all borrowed, to outlive the plan. */
typedef struct gwf_site {
    const gwf_backend *backend;
    gwf_context *context;
    int nlat, nlon;            /* of the map, or of this rank's tile of it */
    const gwf_tiles *tiles;    /* NULL: the map is whole */
    const gwf_quantised *int8; /* NULL: nothing is in 8 bits; it was checked, and is not kept */
} gwf_site;

/* Lay out the maps in one arena, fold and pack the weights, prepare every step. The network and
 * its tensors are read, not kept; with tiles it was built for edges that are cut. Local.
 * MISMATCH: rows or columns are not multiples of the network's divisor. */
gwf_status gwf_plan_create(const gwf_network *network, const gwf_site *site, gwf_plan **plan,
                           gwf_error *err);
void gwf_plan_free(gwf_plan **plan);

/* `count` maps, 1 to the backend's batch: inputs[i] (inputs, nlat, nlon), outputs[i] (outputs,
 * nlat, nlon), all on the host, borrowed. Takes as long for one as for the whole batch. Allocates
 * nothing. With tiles collective; a rank whose backend fails still exchanges borders, so that the
 * others end: they are to agree on the status afterwards. */
gwf_status gwf_plan_run(gwf_plan *plan, int count, const float *const *inputs,
                        float *const *outputs, gwf_error *err);

/* A batch of maps on its way through a plan; all borrowed, from gwf_plan_begin() to gwf_plan_end().
 */
typedef struct gwf_maps {
    int count; /* 1 to the backend's batch */
    const float *const *inputs;
    float *const *outputs;
    bool physical; /* outputs in the units of gwf_plan_scale(), not normalised */
    bool follows;  /* on a device: after what is in `stream` so far (NULL is one too) */
    void *stream;
} gwf_maps;

/* How many batches may be under way at once, each in a lane of its own: 0 where gwf_plan_run() is
 * all there is, because the backend computes in the host's memory or the map is a tile. */
int gwf_plan_lanes(const gwf_plan *plan);
/* For physical outputs: of each channel. Only where there are lanes. */
gwf_status gwf_plan_scale(gwf_plan *plan, const gwf_scale *scales, int n, gwf_error *err);
/* Enqueue a batch in a lane (0 to lanes - 1) in which nothing is under way; lanes are to be taken
 * in turn. Values may be in the device's memory. After a failure there is nothing to wait for. */
gwf_status gwf_plan_begin(gwf_plan *plan, int lane, const gwf_maps *maps, gwf_error *err);
/* Until the outputs are there; *seen: GWF_SEEN_... */
gwf_status gwf_plan_end(gwf_plan *plan, int lane, unsigned *seen, gwf_error *err);

/* Whether steps run one by one, so that each has times of its own; else a device takes them all at
 * once, and only load has a time: of everything. */
void gwf_plan_run_apart(gwf_plan *plan, bool apart);

/* What happened in each step since the plan was made, "load" first and "store" last. */
typedef struct gwf_step_time {
    char name[GWF_LAYER_NAME];
    int channels, rows, cols; /* of the step's result */
    const char *algorithm;    /* how the backend does it, or "" */
    double macs;              /* multiply-adds of one map, as defined; 0: not a convolution */
    double executed;          /* those that the backend needs; 0: not known */
    double bytes;             /* of the maps that are read and written, for one map */
    double seconds;           /* sum over all runs, of the whole batch each */
    double waited;            /* of these, for the borders of neighbouring tiles */
    double fastest;           /* seconds of the fastest run, waiting left out; 0 before the first */
    long runs;
} gwf_step_time;

const gwf_step_time *gwf_plan_times(const gwf_plan *plan, int *count);
void gwf_plan_reset_times(gwf_plan *plan);

/* Size of the arena, and what it would be if no two maps shared memory. */
size_t gwf_plan_arena_bytes(const gwf_plan *plan);
size_t gwf_plan_unshared_bytes(const gwf_plan *plan);

/* As a backend's weights(), for all steps in order. */
gwf_status gwf_plan_weights(gwf_plan *plan, gwf_weights_at *at, void *user, gwf_error *err);

/* For tests: after every layer, tap is called with the layer's name and result (channels, rows,
 * cols) for the first map. NULL turns it off. */
typedef void gwf_tap(void *user, const char *name, int channels, int rows, int cols,
                     const float *values);
gwf_status gwf_plan_set_tap(gwf_plan *plan, gwf_tap *tap, void *user, gwf_error *err);

#endif
