#include "engine/quantised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"

/* ---- the ways of values through a network ---- */

static const gwf_layer *maker(const gwf_network *network, int map, int part)
{
    for (int i = 0; i < network->n_layers; i++) {
        const gwf_layer *layer = &network->layers[i];
        const bool whole = layer->out.part == GWF_WHOLE;
        if (layer->kind != GWF_OP_GATE && layer->out.map == map &&
            (whole || layer->out.part == part))
            return layer;
    }
    return NULL;
}

int gwf_maker_of(const gwf_network *network, int map, int part)
{
    const gwf_layer *layer = maker(network, map, part);
    while (layer && !layer->kernel) { /* a pool or a border: what made its input? */
        const int of = layer->in.part == GWF_WHOLE ? part : layer->in.part;
        part = of;
        layer = maker(network, layer->in.map, of);
    }
    return layer ? (int)(layer - network->layers) : -1;
}

int gwf_map_read_by(const gwf_network *network, const gwf_layer *layer)
{
    const gwf_layer *border = maker(network, layer->in.map, 0);
    return border && border->kind == GWF_OP_HALO ? border->in.map : layer->in.map;
}

static bool never_negative(const gwf_network *network, int map, int part)
{
    const int i = gwf_maker_of(network, map, part);
    return i >= 0 && (network->layers[i].activation == GWF_RELU ||
                      network->layers[i].activation == GWF_SIGMOID);
}

static bool reads_signed(const gwf_network *network, const gwf_layer *layer)
{
    const int map = gwf_map_read_by(network, layer);
    const bool two = network->maps[map].part_channels[1] > 0;
    return !never_negative(network, map, 0) || (two && !never_negative(network, map, 1));
}

/* ---- the list ---- */

/* Places for scales and means of a layer's input. */
static gwf_status add_layer(const gwf_network *network, const gwf_layer *layer, gwf_quantised *q,
                            gwf_error *err)
{
    gwf_quantised_layer *to = &q->layers[q->n_layers];
    const int channels = gwf_slice_channels(network, layer->in);
    to->scale = calloc(2 * (size_t)channels, sizeof *to->scale);
    if (!to->scale) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the scales of 8 bits");
    memcpy(to->name, layer->name, sizeof to->name);
    to->channels = channels;
    to->is_signed = reads_signed(network, layer);
    to->mean = to->scale + channels;
    for (int c = 0; c < channels; c++) to->scale[c] = 1;
    q->n_layers++;
    return GWF_OK;
}

gwf_status gwf_quantised_create(const gwf_network *network, gwf_quantised *q, gwf_error *err)
{
    gwf_status status = GWF_OK;
    *q = (gwf_quantised){.layers = calloc((size_t)network->n_layers, sizeof *q->layers)};
    if (!q->layers) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the scales of 8 bits");
    for (int i = 0; i < network->n_layers && status == GWF_OK; i++)
        if (network->layers[i].kernel) status = add_layer(network, &network->layers[i], q, err);
    if (status != GWF_OK) gwf_quantised_free(q);
    return status;
}

void gwf_quantised_free(gwf_quantised *q)
{
    for (int i = 0; q->layers && i < q->n_layers; i++) free(q->layers[i].scale);
    free(q->layers);
    *q = (gwf_quantised){0};
}

gwf_quantised_layer *gwf_quantised_find(const gwf_quantised *q, const char *name)
{
    for (int i = 0; i < q->n_layers; i++)
        if (strcmp(q->layers[i].name, name) == 0) return &q->layers[i];
    return NULL;
}

/* ---- checking ---- */

static gwf_status check_layer(const gwf_network *network, const gwf_layer *layer,
                              const gwf_quantised_layer *q, gwf_error *err)
{
    const int channels = gwf_slice_channels(network, layer->in);
    if (strcmp(q->name, layer->name) != 0)
        return gwf_fail(err, GWF_ERR_MODEL, "8 bits: layer %.32s, expected %s in its place",
                        q->name, layer->name);
    if (q->channels != channels || q->is_signed != reads_signed(network, layer))
        return gwf_fail(err, GWF_ERR_MODEL,
                        "8 bits: layer %s reads %d %s channels, expected %d %s ones", q->name,
                        q->channels, q->is_signed ? "signed" : "unsigned", channels,
                        reads_signed(network, layer) ? "signed" : "unsigned");
    if (q->int8 && (long)channels * layer->kernel * layer->kernel > GWF_INT8_PRODUCTS)
        return gwf_fail(err, GWF_ERR_MODEL, "8 bits: layer %s is too large for them", q->name);
    for (int c = 0; c < channels; c++)
        if (!(isnormal(q->scale[c]) && q->scale[c] > 0 && isfinite(1 / q->scale[c]) &&
              isfinite(q->mean[c])))
            return gwf_fail(
                err, GWF_ERR_MODEL,
                "8 bits: layer %s, channel %d: scale %g and mean %g, expected a positive "
                "and a finite number",
                q->name, c, (double)q->scale[c], (double)q->mean[c]);
    return GWF_OK;
}

/* The scales of one part of what a layer reads. */
static const float *part_scale(const gwf_network *network, const gwf_layer *layer,
                               const gwf_quantised_layer *q, int part)
{
    const int map = gwf_map_read_by(network, layer);
    return q->scale + (part ? network->maps[map].part_channels[0] : 0);
}

/* Two convolutions that read the same map, or the same values in different ones. */
static gwf_status check_pair(const gwf_network *network, const gwf_layer *const layers[2],
                             const gwf_quantised_layer *const q[2], gwf_error *err)
{
    const int maps[2] = {gwf_map_read_by(network, layers[0]), gwf_map_read_by(network, layers[1])};
    if (maps[0] == maps[1] && q[0]->int8 != q[1]->int8)
        return gwf_fail(err, GWF_ERR_MODEL,
                        "8 bits: layers %s and %s read the same map, but only one in 8 bits",
                        q[0]->name, q[1]->name);
    for (int i = 0; i < 4; i++) {
        const int part[2] = {i / 2, i % 2};
        const int n = network->maps[maps[0]].part_channels[part[0]];
        if (!n || n != network->maps[maps[1]].part_channels[part[1]] ||
            gwf_maker_of(network, maps[0], part[0]) != gwf_maker_of(network, maps[1], part[1]))
            continue;
        if (q[0]->is_signed != q[1]->is_signed ||
            memcmp(part_scale(network, layers[0], q[0], part[0]),
                   part_scale(network, layers[1], q[1], part[1]), (size_t)n * sizeof(float)) != 0)
            return gwf_fail(err, GWF_ERR_MODEL,
                            "8 bits: layers %s and %s read the same values with different scales",
                            q[0]->name, q[1]->name);
    }
    return GWF_OK;
}

static gwf_status check_pairs(const gwf_network *network, const gwf_layer *const *convs,
                              const gwf_quantised *q, gwf_error *err)
{
    for (int i = 0; i < q->n_layers; i++)
        for (int j = 0; j < i; j++) {
            const gwf_layer *const layers[2] = {convs[i], convs[j]};
            const gwf_quantised_layer *const two[2] = {&q->layers[i], &q->layers[j]};
            GWF_TRY(check_pair(network, layers, two, err));
        }
    return GWF_OK;
}

gwf_status gwf_quantised_check(const gwf_network *network, const gwf_quantised *q, gwf_error *err)
{
    gwf_status status = GWF_OK;
    int n = 0;
    const gwf_layer **convs = calloc((size_t)network->n_layers, sizeof *convs);
    if (!convs) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to check the scales of 8 bits");
    for (int i = 0; i < network->n_layers; i++)
        if (network->layers[i].kernel) convs[n++] = &network->layers[i];
    if (n != q->n_layers)
        status = gwf_fail(err, GWF_ERR_MODEL, "8 bits: %d layers, the network has %d convolutions",
                          q->n_layers, n);
    for (int i = 0; i < n && status == GWF_OK; i++)
        status = check_layer(network, convs[i], &q->layers[i], err);
    if (status == GWF_OK) status = check_pairs(network, convs, q, err);
    free(convs);
    return status;
}

/* ---- for a plan ---- */

static int whole_channels(const gwf_network *network, int map, int block)
{
    return gwf_rounded_channels(network, (gwf_slice){map, GWF_WHOLE}, block);
}

/* Entries of a map's channels to their places among the rounded ones. */
static void spread(const gwf_network *network, int map, int block, const float *from, float *to)
{
    const int *parts = network->maps[map].part_channels;
    const int second = gwf_rounded_channels(network, (gwf_slice){map, 0}, block);
    for (int c = 0; c < parts[0]; c++) to[c] = *from++;
    for (int c = 0; c < parts[1]; c++) to[second + c] = *from++;
}

/* A convolution's entry, if it multiplies in 8 bits. */
static const gwf_quantised_layer *in_int8(const gwf_quantised *q, const gwf_layer *layer)
{
    const gwf_quantised_layer *of = q && layer->kernel ? gwf_quantised_find(q, layer->name) : NULL;
    return of && of->int8 ? of : NULL;
}

/* A map and its scales. */
static void keep_map(const gwf_network *network, const gwf_quantised_layer *q, int map, int block,
                     gwf_int8 *to, float *scale)
{
    for (int c = 0; c < whole_channels(network, map, block); c++) scale[c] = 1;
    spread(network, map, block, q->scale, scale);
    *to = (gwf_int8){q->is_signed, scale};
}

gwf_status gwf_quantised_maps(const gwf_network *network, const gwf_quantised *q, int block,
                              gwf_int8 **maps, float **scales, gwf_error *err)
{
    size_t total = 1;
    for (int i = 0; i < network->n_maps; i++) total += (size_t)whole_channels(network, i, block);
    *maps = calloc((size_t)network->n_maps, sizeof **maps);
    *scales = calloc(total, sizeof **scales);
    if (!*maps || !*scales)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the scales of 8 bits");
    float *next = *scales;
    for (int i = 0; i < network->n_maps; i++) {
        for (int k = 0; k < network->n_layers; k++) {
            const gwf_layer *layer = &network->layers[k];
            const gwf_quantised_layer *of = in_int8(q, layer);
            if (of && (layer->in.map == i || gwf_map_read_by(network, layer) == i))
                keep_map(network, of, i, block, &(*maps)[i], next);
        }
        next += whole_channels(network, i, block);
    }
    return GWF_OK;
}

gwf_status gwf_quantised_mean(const gwf_network *network, const gwf_quantised *q,
                              const gwf_layer *layer, int block, float **mean, gwf_error *err)
{
    const gwf_quantised_layer *of = in_int8(q, layer);
    *mean = NULL;
    if (!of) return GWF_OK;
    *mean = calloc((size_t)whole_channels(network, layer->in.map, block), sizeof **mean);
    if (!*mean) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the means of 8 bits");
    spread(network, layer->in.map, block, of->mean, *mean);
    return GWF_OK;
}
