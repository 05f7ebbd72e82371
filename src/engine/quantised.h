/* Which convolutions of a network multiply in 8 bits, and the scales of what they read.
 *
 * A map is kept in 8 bits when the convolutions that read it (through a border, if there is one)
 * multiply in 8 bits: all of them do, or none. Convolutions that read the same values, as they were
 * made or pooled, state the same scale for them. */
#ifndef GWF_ENGINE_QUANTISED_H
#define GWF_ENGINE_QUANTISED_H

#include <stdbool.h>

#include "engine/network.h"

/* What one convolution reads. */
typedef struct gwf_quantised_layer {
    char name[GWF_LAYER_NAME]; /* of the network's layer */
    int channels;              /* of its input */
    bool int8;                 /* multiplies in 8 bits */
    bool is_signed;            /* its input has negative values (backend/int8.h) */
    float *scale, *mean;       /* (channels), of its input; owned by the list */
    double drag_error;         /* measured with this one alone (and those that read the same map) in
                                * 8 bits; relative, see coupling/quantise.h */
} gwf_quantised_layer;

/* Every convolution of a network in its order, and how all this was found. */
typedef struct gwf_quantised {
    gwf_quantised_layer *layers; /* owned; NULL: the model has none of it */
    int n_layers;
    char sample[512];  /* files that the scales were found from */
    char range[64];    /* what the largest integer stands for: "absolute maximum" */
    int maps;          /* of the sample that were looked at */
    double drag_error; /* measured with all choices made */
    double prediction_error;
    double limit; /* of drag_error, that was asked for */
} gwf_quantised;

/* The list for a network: nothing in 8 bits, scales 1, means 0; whether inputs are signed is read
 * off the activations before them. */
gwf_status gwf_quantised_create(const gwf_network *network, gwf_quantised *q, gwf_error *err);
void gwf_quantised_free(gwf_quantised *q);

/* Does it fit the network? MODEL names the layer: one that is missing or not in its place, numbers
 * of channels, signs, scales that are no positive numbers, convolutions of one map that disagree.
 */
gwf_status gwf_quantised_check(const gwf_network *network, const gwf_quantised *q, gwf_error *err);

/* Layer of that name, or NULL. */
gwf_quantised_layer *gwf_quantised_find(const gwf_quantised *q, const char *name);

/* The map that a convolution reads, before it gets a border. */
int gwf_map_read_by(const gwf_network *network, const gwf_layer *layer);

/* Where the values of part 0 or 1 of a map come from, before pooling and borders: the convolution's
 * number among the layers, or -1 for the network's input. */
int gwf_maker_of(const gwf_network *network, int map, int part);

/* For every map of a network how it is kept; scale NULL: not in 8 bits. The scales (map channels,
 * each part rounded up to multiples of block; 1 for the channels that this adds) lie in one block,
 * *scales. q may be NULL. Both are the caller's to free(), also after a failure. */
gwf_status gwf_quantised_maps(const gwf_network *network, const gwf_quantised *q, int block,
                              gwf_int8 **maps, float **scales, gwf_error *err);

/* The means of a convolution's input, with channels likewise and 0 for those that this adds; NULL
 * where it is not in 8 bits. The caller's to free(). */
gwf_status gwf_quantised_mean(const gwf_network *network, const gwf_quantised *q,
                              const gwf_layer *layer, int block, float **mean, gwf_error *err);

#endif
