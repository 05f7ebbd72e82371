#include "engine/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item of a list that doubles. */
static void *grown(void *items, int count, int *capacity, size_t item)
{
    if (count < *capacity) return items;
    const int wanted = *capacity ? 2 * *capacity : 32;
    void *more = realloc(items, (size_t)wanted * item);
    if (more) *capacity = wanted;
    return more;
}

static void no_memory(gwf_builder *b)
{
    b->status = gwf_fail(b->err, GWF_ERR_MEMORY, "no memory for the network's layers");
}

static int add_map(gwf_builder *b, gwf_map map)
{
    if (b->status != GWF_OK) return 0;
    gwf_network *n = b->network;
    gwf_map *maps = grown(n->maps, n->n_maps, &n->maps_capacity, sizeof *maps);
    if (!maps) {
        no_memory(b);
        return 0;
    }
    n->maps = maps;
    n->maps[n->n_maps] = map;
    return n->n_maps++;
}

int gwf_build_map(gwf_builder *b, int level, int channels0, int channels1)
{
    return add_map(b, (gwf_map){.part_channels = {channels0, channels1}, .level = level});
}

int gwf_build_halo_map(gwf_builder *b, gwf_slice of, int halo_y, int halo_x)
{
    if (b->status != GWF_OK) return 0;
    gwf_map map = b->network->maps[of.map];
    if (of.part != GWF_WHOLE) {
        map.part_channels[0] = map.part_channels[of.part];
        map.part_channels[1] = 0;
    }
    map.halo_y = halo_y;
    map.halo_x = halo_x;
    return add_map(b, map);
}

const gwf_tensor *gwf_build_take(gwf_builder *b, const char *name, int rank, const size_t *shape)
{
    if (b->status != GWF_OK) return NULL;
    const gwf_tensor *tensor = gwf_tensor_set_find(b->set, name);
    if (!tensor) {
        b->status = gwf_fail(b->err, GWF_ERR_MODEL, "tensor %s is missing", name);
        return NULL;
    }
    bool fits = tensor->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = shape[i] == 0 ? tensor->shape[i] > 0 : tensor->shape[i] == shape[i];
    if (!fits) {
        char found[96], wanted[96];
        b->status = gwf_fail(b->err, GWF_ERR_MODEL, "tensor %s has shape %s, expected %s", name,
                             gwf_shape_text(tensor->rank, tensor->shape, found),
                             gwf_shape_text(rank, shape, wanted));
        return NULL;
    }
    b->used[tensor - b->set->items] = true;
    return tensor;
}

static const gwf_tensor *take_suffixed(gwf_builder *b, const char *prefix, const char *suffix,
                                       int rank, const size_t *shape)
{
    char name[GWF_TENSOR_NAME];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    return gwf_build_take(b, name, rank, shape);
}

gwf_conv_term gwf_build_term(gwf_builder *b, const char *prefix, int out, int in, int kernel)
{
    const size_t shape[] = {(size_t)out, (size_t)in, (size_t)kernel, (size_t)kernel};
    return (gwf_conv_term){
        .weight = take_suffixed(b, prefix, "weight", kernel ? 4 : 2, shape),
        .bias = take_suffixed(b, prefix, "bias", 1, shape),
    };
}

void gwf_build_norm(gwf_builder *b, gwf_conv_term *term, const char *prefix, int channels)
{
    const size_t shape[] = {(size_t)channels};
    term->gamma = take_suffixed(b, prefix, "weight", 1, shape);
    term->beta = take_suffixed(b, prefix, "bias", 1, shape);
    term->mean = take_suffixed(b, prefix, "running_mean", 1, shape);
    term->variance = take_suffixed(b, prefix, "running_var", 1, shape);
    for (size_t k = 0; b->status == GWF_OK && k < term->variance->size; k++)
        if (!(term->variance->data[k] + GWF_NORM_EPSILON > 0))
            b->status = gwf_fail(b->err, GWF_ERR_MODEL, "tensor %s[%zu] is %g, expected a variance",
                                 term->variance->name, k, (double)term->variance->data[k]);
}

gwf_layer *gwf_build_layer(gwf_builder *b, gwf_op_kind kind, const char *name, gwf_slice in,
                           gwf_slice out)
{
    if (b->status != GWF_OK) return NULL;
    gwf_network *n = b->network;
    gwf_layer *layers = grown(n->layers, n->n_layers, &n->layers_capacity, sizeof *layers);
    if (!layers) {
        no_memory(b);
        return NULL;
    }
    n->layers = layers;
    gwf_layer *layer = &n->layers[n->n_layers++];
    *layer = (gwf_layer){.kind = kind, .in = in, .out = out};
    snprintf(layer->name, sizeof layer->name, "%s", name);
    return layer;
}

/* The published ANNs hold normalisations that they do not use: they are taken out of the set. */
static void drop_spare(gwf_tensor_set *set, const gwf_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (strncmp(set->items[i].name, "bnorm", 5) == 0) {
            gwf_log_line(log, "tensor %s is not used by the network: left out", set->items[i].name);
            free(set->items[i].data);
        } else {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
}

static void check_unused(gwf_builder *b)
{
    for (size_t i = 0; i < b->set->count && b->status == GWF_OK; i++)
        if (!b->used[i])
            b->status =
                gwf_fail(b->err, GWF_ERR_MODEL, "tensor %s has no place in a network of type %s",
                         b->set->items[i].name, b->network->architecture);
}

static gwf_status build_known(gwf_builder *b)
{
    if (gwf_tensor_set_find(b->set, "conv1.conv.0.weight")) return gwf_build_unet(b);
    if (gwf_tensor_set_find(b->set, "layer1.weight")) return gwf_build_ann(b);
    return gwf_fail(b->err, GWF_ERR_MODEL,
                    "neither an Attention U-Net (conv1.conv.0.weight) nor an ANN (layer1.weight): "
                    "%zu tensors, the first is %s",
                    b->set->count, b->set->count ? b->set->items[0].name : "none");
}

gwf_status gwf_network_build(gwf_tensor_set *set, gwf_edges edges, const gwf_log *log,
                             gwf_network *network, gwf_error *err)
{
    *network = (gwf_network){.divisor = 1};
    if (gwf_tensor_set_find(set, "layer1.weight")) drop_spare(set, log);
    gwf_builder b = {.set = set, .network = network, .edges = edges, .err = err};
    b.used = calloc(set->count + 1, sizeof *b.used);
    if (!b.used) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to build the network");
    b.status = build_known(&b);
    check_unused(&b);
    free(b.used);
    if (b.status != GWF_OK) gwf_network_free(network);
    return b.status;
}

void gwf_network_free(gwf_network *network)
{
    free(network->maps);
    free(network->layers);
    *network = (gwf_network){0};
}

int gwf_slice_channels(const gwf_network *network, gwf_slice slice)
{
    const gwf_map *map = &network->maps[slice.map];
    if (slice.part != GWF_WHOLE) return map->part_channels[slice.part];
    return map->part_channels[0] + map->part_channels[1];
}

double gwf_layer_macs(const gwf_network *network, const gwf_layer *layer, int nlat, int nlon)
{
    const gwf_map *out = &network->maps[layer->out.map];
    return (double)gwf_slice_channels(network, layer->in) *
           gwf_slice_channels(network, layer->out) * layer->kernel * layer->kernel *
           ((nlat >> out->level) + 2 * out->halo_y) * ((nlon >> out->level) + 2 * out->halo_x);
}

double gwf_network_macs(const gwf_network *network, int nlat, int nlon)
{
    double macs = 0;
    for (int i = 0; i < network->n_layers; i++)
        macs += gwf_layer_macs(network, &network->layers[i], nlat, nlon);
    return macs;
}

bool gwf_network_is_chain(const gwf_network *network)
{
    bool chain = true;
    for (int i = 0; i < network->n_layers; i++) {
        const gwf_layer *layer = &network->layers[i];
        chain = chain && (layer->kind == GWF_OP_CONV || layer->kind == GWF_OP_HALO) &&
                layer->in.part == GWF_WHOLE && layer->out.part == GWF_WHOLE;
    }
    return chain;
}
