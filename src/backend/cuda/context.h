/* An open CUDA backend: what its files share. */
#ifndef GWF_BACKEND_CUDA_CONTEXT_H
#define GWF_BACKEND_CUDA_CONTEXT_H

#include "backend/cuda/tune.h"

enum { GWF_CUDA_LANES = 3, GWF_CUDA_NAME = 64 };

/* One convolution by cuDNN. in and out are shifted within the step's views: a phase of an upconv
 * reads and writes part of them. */
typedef struct gwf_cuda_part {
    gwf_cuda_conv conv;
    gwf_cuda_weights weights; /* owned, as are the choice's plan and the pack */
    gwf_cuda_choice choice;
    size_t in_shift, out_shift; /* values */
    cudnnBackendDescriptor_t pack;
} gwf_cuda_part;

typedef enum gwf_cuda_way {
    GWF_CUDA_SMALL,  /* a small kernel: pool, gate, halo */
    GWF_CUDA_PLAN,   /* conv: one plan of cuDNN */
    GWF_CUDA_PSI,    /* conv to one channel: a small kernel */
    GWF_CUDA_PHASES, /* upconv: four plans side by side */
    GWF_CUDA_LARGE,  /* upconv: a map of twice the size, then one plan */
} gwf_cuda_way;

struct gwf_step {
    gwf_op op; /* without weights, bias and name */
    char name[GWF_CUDA_NAME], how[96];
    gwf_cuda_way way;
    gwf_cuda_part parts[GWF_CUDA_BRANCHES]; /* phases: four, plan and large: the first */
    int n_parts;
    gwf_cuda_weights psi; /* owned */
    float psi_bias;
    int number;     /* of the context's steps */
    bool watched;   /* its result is looked through: what is not finite may not go further */
    double seconds; /* of the last run() outside all lanes */
    gwf_step *next;
};

/* Host memory that the device writes to. */
typedef struct gwf_cuda_flags {
    int *host, *device;
} gwf_cuda_flags;

/* A result that the host fetches when its lane is done: its memory is not page-locked. */
typedef struct gwf_cuda_fetch {
    float *to;
    const float *from;
    size_t bytes;
} gwf_cuda_fetch;

typedef struct gwf_cuda_lane {
    float *in, *out;     /* on the device, of all maps of the batch */
    gwf_cuda_flags seen; /* GWF_CUDA_SEEN ints */
    int *overflow;       /* one int a step, on the host: its result was not finite */
    cudaEvent_t loaded, computed, stored, followed;
    cudaEvent_t begun, ended; /* of all work on values that are on the device */
    gwf_cuda_fetch later[GWF_MAX_BATCH];
    int n_later;
    bool physical, started, follows;
} gwf_cuda_lane;

struct gwf_context {
    gwf_cuda_device device;
    gwf_cuda_tuner tuner;
    gwf_precision precision;
    gwf_cuda_type type;
    int batch;
    char description[256];

    gwf_step *steps; /* all, in order */
    int n_steps;
    char *arena;
    char *workspace; /* of GWF_CUDA_BRANCHES times workspace_bytes, a multiple of the alignment */
    size_t workspace_bytes;
    char *large; /* maps of twice the size, one after the other */
    size_t large_bytes;

    cudaStream_t in, out; /* transfers */
    gwf_cuda_lane lanes[GWF_CUDA_LANES];
    int lane, waited; /* the one that is entered, and the last that was waited for; -1: none */
    gwf_view loaded;  /* what the entered lane has loaded, ... */
    int n_loaded;     /* ... in its first so many maps */
    size_t values_in, values_out; /* of a map */
    gwf_scale *scales;            /* on the device */
    float *staging;               /* values outside all lanes, on the device */
    size_t staging_bytes;

    cudaGraphExec_t graph; /* all steps of a map, recorded; NULL: they cannot be */
    int *overflow;         /* one int a step, on the device */
    bool watched;          /* any step is */
    cudaEvent_t begun, ended;
};

/* A view in map `slot` of the batch, -1: in all of them. */
gwf_cuda_map gwf_cuda_map_of(const gwf_context *context, const gwf_view *view, int slot);
size_t gwf_cuda_value_size(gwf_cuda_type type);
gwf_cuda_tensor gwf_cuda_tensor_of(const gwf_cuda_map *map);
/* An operation's convolution with square weights of this width, its pads on both sides. */
gwf_cuda_conv gwf_cuda_conv_of(const gwf_context *context, const gwf_op *op, int kernel);

/* step.c: a step is made, given its memory, enqueued, freed. The next step may be done with it,
 * where one kernel does both: *both. next may be NULL. */
gwf_status gwf_cuda_step_make(gwf_context *context, const gwf_op *op, gwf_step *step,
                              gwf_error *err);
gwf_status gwf_cuda_step_bind(gwf_context *context, gwf_step *step, gwf_error *err);
gwf_status gwf_cuda_step_run(gwf_context *context, gwf_step *step, const gwf_step *next, bool *both,
                             gwf_error *err);
void gwf_cuda_step_free(gwf_step *step);
/* All channels of a view's map, in map `slot` of the batch and all behind it: every byte. */
gwf_status gwf_cuda_fill(gwf_context *context, const gwf_view *view, int slot, int byte,
                         gwf_error *err);

/* probe.c: whether a step has to be watched. */
gwf_status gwf_cuda_step_probe(gwf_context *context, gwf_step *step, gwf_error *err);

/* part.c: a convolution by cuDNN. */
gwf_status gwf_cuda_weights_make(gwf_context *context, const gwf_op *op, int kernel,
                                 const float *weights, gwf_cuda_weights *made, gwf_error *err);
void gwf_cuda_weights_free(gwf_cuda_weights *weights);
/* conv, shifts and weights of the part are there; its plan is chosen. */
gwf_status gwf_cuda_part_choose(gwf_context *context, gwf_cuda_part *part,
                                const gwf_cuda_choice *like, gwf_error *err);
gwf_status gwf_cuda_part_bind(gwf_context *context, gwf_cuda_part *part, char *in, char *out,
                              char *workspace, gwf_error *err);
gwf_status gwf_cuda_part_run(gwf_context *context, const gwf_cuda_part *part, int branch,
                             gwf_error *err);
void gwf_cuda_part_free(gwf_cuda_part *part);

/* upconv.c: by phases or on a large map. */
gwf_status gwf_cuda_upconv_make(gwf_context *context, const gwf_op *op, gwf_step *step,
                                gwf_error *err);
gwf_status gwf_cuda_upconv_bind(gwf_context *context, gwf_step *step, gwf_error *err);
gwf_status gwf_cuda_upconv_run(gwf_context *context, gwf_step *step, gwf_error *err);

/* transfer.c: values in and out, in a lane or outside; parts of maps. */
gwf_status gwf_cuda_load_values(gwf_context *context, const gwf_view *to, int slot,
                                const float *values, int channels, gwf_error *err);
gwf_status gwf_cuda_store_values(gwf_context *context, const gwf_view *from, int slot,
                                 float *values, int channels, gwf_error *err);
gwf_status gwf_cuda_pack_rect(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                              void *bytes, gwf_error *err);
gwf_status gwf_cuda_unpack_rect(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                                const void *bytes, gwf_error *err);

/* sequence.c: steps, all in a lane or one outside. DATA when the check of a lane's flags, or the
 * step, found a result that is not finite. */
gwf_status gwf_cuda_record(gwf_context *context, gwf_error *err);
gwf_status gwf_cuda_run_all(gwf_context *context, gwf_error *err);
gwf_status gwf_cuda_check_overflow(const gwf_context *context, const int *overflow, gwf_error *err);
gwf_status gwf_cuda_run_one(gwf_context *context, gwf_step *step, gwf_error *err);

/* lane.c */
gwf_status gwf_cuda_lanes_open(gwf_context *context, gwf_error *err);
void gwf_cuda_lanes_close(gwf_context *context);
void gwf_cuda_settle(gwf_context *context);
extern const gwf_device gwf_cuda_device_calls;

#endif
