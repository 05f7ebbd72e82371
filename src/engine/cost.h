/* What a map costs when it is cut into tiles, counted from the list of layers: nothing here is
 * measured, and no machine is assumed (engine/speed.h). */
#ifndef GWF_ENGINE_COST_H
#define GWF_ENGINE_COST_H

#include "engine/network.h"
#include "parallel/tiles.h"

typedef struct gwf_cut {
    int nlat, nlon; /* of the whole map */
    gwf_tiling tiling;
    int block; /* channel counts of maps are rounded up to this; 1: as the network has them */
} gwf_cut;

/* For one map, of one layer or summed over layers. */
typedef struct gwf_cost {
    double macs;          /* multiply-adds as the layers are defined; a backend may need fewer */
    double map_bytes;     /* float32 maps, each read or written once */
    double weight_bytes;  /* float32 weights and biases; every rank reads all of them */
    double halo_bytes;    /* sent to the tiles of other ranks ... */
    double halo_messages; /* ... in so many messages */
} gwf_cost;

/* A layer on the tile of one rank. The network was built for edges that are cut as the tiling
 * cuts. */
gwf_cost gwf_cost_of_layer(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut,
                           int rank);

/* Each count of a layer on the rank that has most of it: they wait for each other at every border.
 */
gwf_cost gwf_cost_of_slowest(const gwf_network *network, const gwf_layer *layer,
                             const gwf_cut *cut);

/* The slowest ranks' costs summed over all layers. */
gwf_cost gwf_cost_of_map(const gwf_network *network, const gwf_cut *cut);

/* Bytes of float32 maps of `channels` that rank 0 sends to, or gets from, the other tiles. */
double gwf_cost_of_moving(const gwf_cut *cut, int channels);

/* The largest share of a convolution's work and weights when its output channels, in groups of
 * `block`, are divided among `ranks`: 1 for one rank, 1/32 for 512 channels in blocks of 16 among
 * 32 ranks or more. */
double gwf_cost_channel_share(const gwf_network *network, const gwf_layer *layer, int block,
                              int ranks);

/* Bytes of the whole map that a layer writes. */
double gwf_cost_of_result(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut);

#endif
