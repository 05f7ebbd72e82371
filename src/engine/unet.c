/* The Attention U-Net (Gupta et al., JAMES 2025), five levels.
 *
 *   x  conv1 --------------------------------- gate2 -> [g2, x1] upconv2 -> conv1x1 -> prediction
 *        pool  conv2 ------------------- gate3 -> [g3, x2] upconv3 -> up2 = g2
 *                pool  conv3 ----- gate4 -> [g4, x3] upconv4 -> up3 = g3
 *                        pool  conv4 - gate5 -> [g5, x4] upconv5 -> up4 = g4
 *                                pool  conv5 -> up5 = g5
 *
 * [g, x] is one map of two parts: up writes the first, conv the second, the gate scales the second
 * in place. The gate's two convolutions (of g and of x, added) are one over the whole map. */
#include "engine/builder.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH = 5 };

/* A 3x3 convolution over `in`, or (kind upconv) over `in` at twice its size. Where the zeros around
 * a map will not do, because columns wrap or because the map is a tile, it gets a border first. */
static void conv3x3(gwf_builder *b, gwf_op_kind kind, const char *name, gwf_slice in, gwf_slice out,
                    gwf_activation activation, const gwf_conv_term *terms, int n_terms)
{
    if (b->status != GWF_OK) return;
    const bool border_y = b->edges.cut_rows, border_x = b->edges.cut_cols || b->network->wraps;
    if (border_y || border_x) {
        const int wide = gwf_build_halo_map(b, in, border_y, border_x);
        char halo[GWF_LAYER_NAME];
        snprintf(halo, sizeof halo, "%.25s.halo", name);
        gwf_build_layer(b, GWF_OP_HALO, halo, in, gwf_whole(wide));
        in = gwf_whole(wide);
    }
    gwf_layer *layer = gwf_build_layer(b, kind, name, in, out);
    if (!layer) return;
    layer->kernel = 3;
    layer->pad_y = !border_y;
    layer->pad_x = !border_x;
    layer->activation = activation;
    layer->n_terms = n_terms;
    memcpy(layer->terms, terms, (size_t)n_terms * sizeof *terms);
}

/* Convolution `module`.`at`, BatchNorm `module`.`at + 1`, ReLU. */
static void conv_norm_relu(gwf_builder *b, gwf_op_kind kind, const char *module, int at,
                           gwf_slice in, gwf_slice out, int channels_in, int channels_out)
{
    char conv[GWF_LAYER_NAME], norm[GWF_LAYER_NAME];
    snprintf(conv, sizeof conv, "%.20s.%d", module, at);
    snprintf(norm, sizeof norm, "%.20s.%d", module, at + 1);
    gwf_conv_term term = gwf_build_term(b, conv, channels_out, channels_in, 3);
    gwf_build_norm(b, &term, norm, channels_out);
    conv3x3(b, kind, conv, in, out, GWF_RELU, &term, 1);
}

/* Two times conv, norm, ReLU: the block `convK` or `upconvK`. */
static void conv_block(gwf_builder *b, const char *name, int level, gwf_slice in, gwf_slice out,
                       int channels_in, int channels_out)
{
    char module[GWF_LAYER_NAME];
    snprintf(module, sizeof module, "%s.conv", name);
    const gwf_slice middle = gwf_whole(gwf_build_map(b, level, channels_out, 0));
    conv_norm_relu(b, GWF_OP_CONV, module, 0, in, middle, channels_in, channels_out);
    conv_norm_relu(b, GWF_OP_CONV, module, 3, middle, out, channels_out, channels_out);
}

/* Twice the size, conv, norm, ReLU: the block `upK`. */
static void up_block(gwf_builder *b, int k, gwf_slice in, gwf_slice out, int channels_in,
                     int channels_out)
{
    char module[GWF_LAYER_NAME];
    snprintf(module, sizeof module, "up%d.up", k);
    conv_norm_relu(b, GWF_OP_UPCONV, module, 1, in, out, channels_in, channels_out);
}

/* One convolution with its norm of the gate `attnK`: Wg, Wx or Psi. */
static gwf_conv_term gate_term(gwf_builder *b, int k, const char *which, int out, int in)
{
    char conv[GWF_LAYER_NAME], norm[GWF_LAYER_NAME];
    snprintf(conv, sizeof conv, "attn%d.%s.0", k, which);
    snprintf(norm, sizeof norm, "attn%d.%s.1", k, which);
    gwf_conv_term term = gwf_build_term(b, conv, out, in, 3);
    gwf_build_norm(b, &term, norm, out);
    return term;
}

/* Size of one dimension of a tensor; 0 when there is no such tensor. */
static int dimension(const gwf_builder *b, const char *name, int rank, int which)
{
    const gwf_tensor *tensor = gwf_tensor_set_find(b->set, name);
    if (!tensor || tensor->rank != rank || tensor->shape[which] > GWF_MAX_WIDTH) return 0;
    return (int)tensor->shape[which];
}

/* x <- x * sigmoid(psi(relu(Wx x + Wg g))) on the map [g, x]: the gate `attnK`. */
static void gate_block(gwf_builder *b, int k, int concat, int channels)
{
    char name[GWF_LAYER_NAME];
    snprintf(name, sizeof name, "attn%d.Wg.0.weight", k);
    const int inner = dimension(b, name, 4, 0);
    snprintf(name, sizeof name, "attn%d.Psi.0.weight", k);
    const int gates = dimension(b, name, 4, 0) == channels ? channels : 1;
    if (!inner && b->status == GWF_OK) {
        b->status =
            gwf_fail(b->err, GWF_ERR_MODEL,
                     "tensor attn%d.Wg.0.weight of a U-Net is missing or of the wrong shape", k);
    }
    if (gates > 1) snprintf(b->network->architecture, 32, "attention_unet_3d");

    const gwf_conv_term sum[] = {gate_term(b, k, "Wg", inner, channels),
                                 gate_term(b, k, "Wx", inner, channels)};
    const gwf_conv_term psi = gate_term(b, k, "Psi", gates, inner);
    const gwf_slice hidden = gwf_whole(gwf_build_map(b, k - 2, inner, 0));
    const gwf_slice gate = gwf_whole(gwf_build_map(b, k - 2, gates, 0));

    snprintf(name, sizeof name, "attn%d.Wg+Wx", k);
    conv3x3(b, GWF_OP_CONV, name, gwf_whole(concat), hidden, GWF_RELU, sum, 2);
    snprintf(name, sizeof name, "attn%d.Psi.0", k);
    conv3x3(b, GWF_OP_CONV, name, hidden, gate, GWF_SIGMOID, &psi, 1);
    snprintf(name, sizeof name, "attn%d", k);
    gwf_layer *layer = gwf_build_layer(b, GWF_OP_GATE, name, gate, (gwf_slice){concat, 1});
    if (layer) layer->gate_channels = gates;
}

/* Widths of the five levels, channels in and out, off the encoder's and the head's shapes. */
static gwf_status read_sizes(gwf_builder *b, int width[DEPTH])
{
    gwf_network *n = b->network;
    char name[GWF_LAYER_NAME];
    size_t used = 0;
    for (int k = 0; k < DEPTH; k++) {
        snprintf(name, sizeof name, "conv%d.conv.0.weight", k + 1);
        width[k] = dimension(b, name, 4, 0);
        if (!width[k])
            return gwf_fail(b->err, GWF_ERR_MODEL,
                            "tensor %s of a U-Net is missing, not of 4 dimensions or too wide",
                            name);
        used += (size_t)snprintf(n->widths + used, sizeof n->widths - used, "%s%d", k ? ", " : "",
                                 width[k]);
    }
    n->inputs = dimension(b, "conv1.conv.0.weight", 4, 1);
    n->outputs = dimension(b, "conv1x1.weight", 4, 0);
    if (!n->inputs || !n->outputs)
        return gwf_fail(b->err, GWF_ERR_MODEL,
                        "tensor %s of a U-Net is missing, not of 4 dimensions or too wide",
                        n->inputs ? "conv1x1.weight" : "conv1.conv.0.weight");
    return GWF_OK;
}

/* Down: conv1 .. conv4 into the second parts of the concatenations, conv5 at the bottom. */
static int encoder(gwf_builder *b, const int width[DEPTH], const int concat[DEPTH - 1])
{
    gwf_slice in = b->network->input;
    int channels = b->network->inputs, bottom = 0;
    for (int k = 0; k < DEPTH; k++) {
        char name[GWF_LAYER_NAME];
        gwf_slice out = {0};
        if (k < DEPTH - 1)
            out = (gwf_slice){concat[k], 1};
        else
            out = gwf_whole(bottom = gwf_build_map(b, k, width[k], 0));
        snprintf(name, sizeof name, "conv%d", k + 1);
        conv_block(b, name, k, in, out, channels, width[k]);
        if (k == DEPTH - 1) break;
        in = gwf_whole(gwf_build_map(b, k + 1, width[k], 0));
        snprintf(name, sizeof name, "pool%d", k + 1);
        gwf_build_layer(b, GWF_OP_POOL, name, out, in);
        channels = width[k];
    }
    return bottom;
}

/* Up: from level k's map to level k-1's, K = 5 .. 2. */
static gwf_slice decoder(gwf_builder *b, const int width[DEPTH], const int concat[DEPTH - 1],
                         int bottom)
{
    gwf_slice in = gwf_whole(bottom);
    for (int k = DEPTH; k >= 2; k--) {
        const int channels = width[k - 2], map = concat[k - 2];
        char name[GWF_LAYER_NAME];
        up_block(b, k, in, (gwf_slice){map, 0}, width[k - 1], channels);
        gate_block(b, k, map, channels);
        const gwf_slice out = gwf_whole(gwf_build_map(b, k - 2, channels, 0));
        snprintf(name, sizeof name, "upconv%d", k);
        conv_block(b, name, k - 2, gwf_whole(map), out, 2 * channels, channels);
        in = out;
    }
    return in;
}

static void head(gwf_builder *b, gwf_slice in, int channels)
{
    gwf_network *n = b->network;
    const gwf_conv_term term = gwf_build_term(b, "conv1x1", n->outputs, channels, 1);
    n->output = gwf_whole(gwf_build_map(b, 0, n->outputs, 0));
    gwf_layer *layer = gwf_build_layer(b, GWF_OP_CONV, "conv1x1", in, n->output);
    if (!layer) return;
    layer->kernel = 1;
    layer->n_terms = 1;
    layer->terms[0] = term;
}

gwf_status gwf_build_unet(gwf_builder *b)
{
    int width[DEPTH], concat[DEPTH - 1];
    gwf_network *n = b->network;
    snprintf(n->architecture, sizeof n->architecture, "attention_unet");
    n->divisor = 1 << (DEPTH - 1);
    n->wraps = b->edges.padding == GWF_PADDING_PERIODIC_LON;
    GWF_TRY(read_sizes(b, width));
    n->input = gwf_whole(gwf_build_map(b, 0, n->inputs, 0));
    for (int k = 0; k < DEPTH - 1; k++) concat[k] = gwf_build_map(b, k, width[k], width[k]);
    const int bottom = encoder(b, width, concat);
    head(b, decoder(b, width, concat, bottom), width[0]);
    return b->status;
}
