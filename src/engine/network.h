/* A network as a list of layers over named maps; it reads like the figure in the paper.
 *
 * Maps have one or two parts: a map of two parts is a concatenation that is never copied, because
 * its producers write into its halves. Weights are borrowed from the tensor set the network was
 * built from; nothing is folded or packed here (that is the plan's work). */
#ifndef GWF_ENGINE_NETWORK_H
#define GWF_ENGINE_NETWORK_H

#include <stdbool.h>

#include "backend/backend.h"
#include "core/error.h"
#include "core/log.h"
#include "engine/tensor.h"

enum { GWF_LAYER_NAME = 32, GWF_WHOLE = -1 };

typedef struct gwf_map {
    int part_channels[2]; /* second 0: one part */
    int level;            /* rows and columns are those of the grid >> level ... */
    int halo_y, halo_x;   /* ... plus a border on each side */
} gwf_map;

typedef struct gwf_slice {
    int map;
    int part; /* 0, 1 or GWF_WHOLE */
} gwf_slice;

/* A convolution and the BatchNorm behind it (gamma NULL: none), all borrowed. */
typedef struct gwf_conv_term {
    const gwf_tensor *weight, *bias;
    const gwf_tensor *gamma, *beta, *mean, *variance;
} gwf_conv_term;

typedef struct gwf_layer {
    gwf_op_kind kind;
    char name[GWF_LAYER_NAME]; /* the state dict's module whose output this is: "conv1.conv.3" */
    gwf_slice in, out;
    int kernel, pad_y, pad_x; /* conv and upconv; kernel 0: another kind */
    gwf_activation activation;
    gwf_conv_term terms[2]; /* two: term i convolves part i of `in`, the results are added */
    int n_terms;
    int gate_channels;
} gwf_layer;

typedef enum gwf_padding {
    GWF_PADDING_ZERO,        /* zeros around the map, at the longitude seam too */
    GWF_PADDING_PERIODIC_LON /* columns wrap around, zeros beyond the poles */
} gwf_padding;

/* What is beyond the edges of a map. A tile's map gets a border in the directions in which the map
 * is cut, to be filled from the neighbours. */
typedef struct gwf_edges {
    gwf_padding padding; /* of the U-Net; ANNs wrap in longitude by definition */
    bool cut_rows, cut_cols;
} gwf_edges;

typedef struct gwf_network {
    char architecture[32]; /* "attention_unet", "attention_unet_3d", "ann_1x1", ... */
    char widths[64];       /* "64, 128, 256, 512, 1024"; hidden width of an ANN */
    gwf_map *maps;         /* owned, as are the layers */
    gwf_layer *layers;
    int n_maps, n_layers, layers_capacity, maps_capacity;
    gwf_slice input, output;
    int inputs, outputs;
    bool wraps;  /* the last column borders on the first */
    int divisor; /* rows and columns of the grid must be multiples of this */
} gwf_network;

/* Read architecture and widths off names and shapes and build the list. The set is borrowed and
 * must outlive the network.
 * MODEL: not a network gwflux knows, a tensor missing, of the wrong shape, or unknown (all named),
 * a variance that is none. Unused bnorm* of ANNs are told to the log and taken out of the set. */
gwf_status gwf_network_build(gwf_tensor_set *set, gwf_edges edges, const gwf_log *log,
                             gwf_network *network, gwf_error *err);
void gwf_network_free(gwf_network *network);

/* Multiply-adds of a layer, of all, for one map of nlat x nlon as the layers are defined; a backend
 * may need fewer. */
double gwf_layer_macs(const gwf_network *network, const gwf_layer *layer, int nlat, int nlon);
double gwf_network_macs(const gwf_network *network, int nlat, int nlon);

/* Nothing but convolutions of whole maps, and borders around these. */
bool gwf_network_is_chain(const gwf_network *network);

/* Channels of a slice, as the network counts them (no rounding up). */
int gwf_slice_channels(const gwf_network *network, gwf_slice slice);

#endif
