/* The column network (1x1) and its stencil relatives (3x3, 5x5): the same layers at every column,
 * so a chain of 1x1 convolutions over the whole map.
 *
 * The stencil's convolutions are not padded: they see each column's neighbourhood, in which
 * longitude wraps and everything beyond the poles is zero. For 5x5 that makes the first
 * convolution's results beyond the poles part of the answer: its map keeps a border. */
#include "engine/builder.h"

#include <stdio.h>

enum { HIDDEN_LAYERS = 6 };

static void dense(gwf_builder *b, const char *name, gwf_slice in, gwf_slice out,
                  gwf_activation activation)
{
    if (b->status != GWF_OK) return;
    const gwf_conv_term term = gwf_build_term(b, name, gwf_slice_channels(b->network, out),
                                              gwf_slice_channels(b->network, in), 0);
    gwf_layer *layer = gwf_build_layer(b, GWF_OP_CONV, name, in, out);
    if (!layer) return;
    layer->kernel = 1;
    layer->activation = activation;
    layer->n_terms = 1;
    layer->terms[0] = term;
}

/* An unpadded 3x3 convolution with ReLU: from a map with a border to one whose border is one
 * narrower. */
static gwf_slice stencil_conv(gwf_builder *b, const char *name, gwf_slice in, int border)
{
    if (b->status != GWF_OK) return in;
    const int channels = gwf_slice_channels(b->network, in);
    const gwf_slice out = gwf_whole(gwf_build_halo_map(b, in, border, border));
    const gwf_conv_term term = gwf_build_term(b, name, channels, channels, 3);
    gwf_layer *layer = gwf_build_layer(b, GWF_OP_CONV, name, in, out);
    if (!layer) return in;
    layer->kernel = 3;
    layer->activation = GWF_RELU;
    layer->n_terms = 1;
    layer->terms[0] = term;
    return out;
}

/* The one or two convolutions over the neighbourhood. */
static gwf_slice stencil(gwf_builder *b, gwf_slice in, int convolutions)
{
    if (!convolutions) return in;
    gwf_slice at = gwf_whole(gwf_build_halo_map(b, in, convolutions, convolutions));
    gwf_build_layer(b, GWF_OP_HALO, "halo", in, at);
    for (int i = 1; i <= convolutions; i++)
        at = stencil_conv(b, i == 1 ? "conv1" : "conv2", at, convolutions - i);
    return at;
}

static gwf_status read_sizes(gwf_builder *b, int *convolutions, int *hidden)
{
    gwf_network *n = b->network;
    const size_t any[] = {0, 0};
    const gwf_tensor *first = gwf_build_take(b, "layer1.weight", 2, any);
    const gwf_tensor *last = gwf_build_take(b, "output.weight", 2, any);
    if (b->status != GWF_OK) return b->status;
    const size_t widest = GWF_MAX_WIDTH;
    if (first->shape[0] > widest || first->shape[1] > widest || last->shape[0] > widest)
        return gwf_fail(
            b->err, GWF_ERR_MODEL,
            "tensors layer1.weight and output.weight ask for %zu inputs, %zu hidden and "
            "%zu outputs, at most %zu each",
            first->shape[1], first->shape[0], last->shape[0], widest);
    *convolutions = gwf_tensor_set_find(b->set, "conv2.weight")   ? 2
                    : gwf_tensor_set_find(b->set, "conv1.weight") ? 1
                                                                  : 0;
    *hidden = (int)first->shape[0];
    n->inputs = (int)first->shape[1];
    n->outputs = (int)last->shape[0];
    snprintf(n->architecture, sizeof n->architecture, "ann_%dx%d", 2 * *convolutions + 1,
             2 * *convolutions + 1);
    snprintf(n->widths, sizeof n->widths, "%d", *hidden);
    return GWF_OK;
}

gwf_status gwf_build_ann(gwf_builder *b)
{
    int convolutions = 0, hidden = 0;
    gwf_network *n = b->network;
    GWF_TRY(read_sizes(b, &convolutions, &hidden));
    n->wraps = true;
    n->input = gwf_whole(gwf_build_map(b, 0, n->inputs, 0));
    gwf_slice at = stencil(b, n->input, convolutions);
    for (int i = 1; i <= HIDDEN_LAYERS; i++) {
        char name[GWF_LAYER_NAME];
        snprintf(name, sizeof name, "layer%d", i);
        const gwf_slice next =
            gwf_whole(gwf_build_map(b, 0, i < HIDDEN_LAYERS ? hidden : 2 * n->outputs, 0));
        dense(b, name, at, next, GWF_LEAKY_RELU);
        at = next;
    }
    n->output = gwf_whole(gwf_build_map(b, 0, n->outputs, 0));
    dense(b, "output", at, n->output, GWF_IDENTITY);
    return b->status;
}
