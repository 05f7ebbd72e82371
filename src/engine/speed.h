/* How long a map takes on a machine when it is cut into tiles: a simple model over engine/cost.h.
 *
 * A layer takes point * (grid points of the largest tile) + weights + start. Then come the borders:
 * exchange + messages * latency + bytes / bandwidth, one layer after the other. Nothing overlaps,
 * all ranks are alike, and everyone waits for the rank with most to do. Ranks that share a node
 * share its memory: reading weights slows down where they ask for more than it gives. */
#ifndef GWF_ENGINE_SPEED_H
#define GWF_ENGINE_SPEED_H

#include "engine/cost.h"

/* Seconds of a layer on one rank. */
typedef struct gwf_layer_speed {
    double point;   /* a grid point of the tile, counted at level 0 */
    double weights; /* to read its weights */
    double start;   /* whatever the tile */
} gwf_layer_speed;

typedef struct gwf_link {
    double latency;   /* seconds a message */
    double bandwidth; /* bytes a second */
} gwf_link;

typedef struct gwf_machine {
    const gwf_network *network;    /* borrowed; built for edges cut in both directions */
    const gwf_layer_speed *layers; /* borrowed; one for each of its layers */
    gwf_layer_speed load, store;   /* features into the first map, prediction out of the last */
    double copy;                   /* bytes a second copied by one rank, each counted once */
    double exchange;               /* seconds of each exchange of borders besides its messages */
    gwf_link near, far;            /* of one rank while all send: within a node, between nodes */
    double root;        /* bytes a second that rank 0 sends or gets when it moves tiles */
    int node_ranks;     /* ranks that share a node's memory */
    double node_memory; /* bytes of weights a second for all of them; 0: no limit */
} gwf_machine;

/* Seconds of one map. */
typedef struct gwf_map_time {
    double compute, weights, borders;
    double moving; /* load, store and the tiles' way from and to rank 0 */
} gwf_map_time;

/* A layer timed on two sizes of map (points, seconds): what grows with the points, and what does
 * not: of a convolution `weights`, of another layer `start`. Not below 0. */
gwf_layer_speed gwf_layer_speed_fit(const gwf_layer *layer, const double points[2],
                                    const double seconds[2]);

/* What a data sheet says of a processor. */
typedef struct gwf_sheet {
    double flops;  /* a second, two for a multiply-add; what is reached, not the peak */
    double memory; /* bytes a second */
    double start;  /* seconds of every layer */
} gwf_sheet;

/* The roofline: a point takes its arithmetic or its memory traffic, whichever is longer. */
gwf_layer_speed gwf_layer_speed_of_sheet(const gwf_network *network, const gwf_layer *layer,
                                         const gwf_sheet *sheet, int block);

/* Network: of the machine's kind, built for edges that are cut as the tiling cuts. */
gwf_map_time gwf_time_of_map(const gwf_machine *machine, const gwf_network *network,
                             const gwf_cut *cut);

/* The convolutions that read maps of `level` or deeper, in two ways. */
typedef struct gwf_deep_time {
    int convolutions;
    double weight_bytes;
    double tiles;    /* seconds as the program does it: every rank its tile, with all weights */
    double channels; /* every rank some output channels of the whole map, then all get all */
} gwf_deep_time;

gwf_deep_time gwf_time_of_deep(const gwf_machine *machine, const gwf_network *network,
                               const gwf_cut *cut, int level);

#endif
