/* What unet.c and ann.c build networks with. Private to engine/. */
#ifndef GWF_ENGINE_BUILDER_H
#define GWF_ENGINE_BUILDER_H

#include <stdbool.h>

#include "engine/network.h"

enum { GWF_MAX_WIDTH = 1 << 14 }; /* channels of a map; the published networks have 1024 */

/* BatchNorm2d's default, which the published networks use. */
#define GWF_NORM_EPSILON 1e-5

/* The first failure stays in status and err; every call after it does nothing, so that a network
 * reads as a list without a check a line. */
typedef struct gwf_builder {
    const gwf_tensor_set *set;
    gwf_network *network;
    bool *used; /* per tensor of the set */
    gwf_edges edges;
    gwf_status status;
    gwf_error *err;
} gwf_builder;

/* A new map at a level, one or two parts; its index. */
int gwf_build_map(gwf_builder *b, int level, int channels0, int channels1);
/* A new map that is `of` with a border. */
int gwf_build_halo_map(gwf_builder *b, gwf_slice of, int halo_y, int halo_x);

/* A tensor that must be there with this shape; marks it used. A 0 in shape fits any size. */
const gwf_tensor *gwf_build_take(gwf_builder *b, const char *name, int rank, const size_t *shape);
/* prefix.weight (out, in, k, k) and prefix.bias; for kernel 0 a linear layer's (out, in). */
gwf_conv_term gwf_build_term(gwf_builder *b, const char *prefix, int out, int in, int kernel);
/* Adds the BatchNorm prefix.{weight,bias,running_mean,running_var} to a term; a negative variance
 * is refused. */
void gwf_build_norm(gwf_builder *b, gwf_conv_term *term, const char *prefix, int channels);

/* Append a layer; returns its place (valid until the next append), NULL after a failure. */
gwf_layer *gwf_build_layer(gwf_builder *b, gwf_op_kind kind, const char *name, gwf_slice in,
                           gwf_slice out);

/* A whole map as a slice. */
static inline gwf_slice gwf_whole(int map)
{
    return (gwf_slice){map, GWF_WHOLE};
}

gwf_status gwf_build_unet(gwf_builder *b);
gwf_status gwf_build_ann(gwf_builder *b);

#endif
