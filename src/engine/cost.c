#include "engine/cost.h"

#include "engine/fold.h"

/* Bytes of a slice on a tile, its border included. */
static double slice_bytes(const gwf_network *network, gwf_slice slice, int block,
                          const gwf_tile *tile)
{
    const gwf_map *map = &network->maps[slice.map];
    const double rows = (tile->rows >> map->level) + 2 * map->halo_y;
    const double cols = (tile->cols >> map->level) + 2 * map->halo_x;
    return sizeof(float) * rows * cols * gwf_rounded_channels(network, slice, block);
}

static double weight_bytes(const gwf_network *network, const gwf_layer *layer, int block)
{
    if (!layer->kernel) return 0;
    const double in = gwf_rounded_channels(network, layer->in, block);
    const double out = gwf_rounded_channels(network, layer->out, block);
    return sizeof(float) * (in * layer->kernel * layer->kernel + 1) * out;
}

/* What leaves in each direction that has another rank, as engine/border.c cuts it. */
static void count_borders(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut,
                          int rank, gwf_cost *cost)
{
    const gwf_map *in = &network->maps[layer->in.map], *out = &network->maps[layer->out.map];
    const gwf_tile tile = gwf_tile_of(cut->tiling, cut->nlat, cut->nlon, rank);
    const double channels = gwf_rounded_channels(network, layer->in, cut->block);
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        const int dy = d / 3 - 1, dx = d % 3 - 1;
        const int other = gwf_tile_neighbour(cut->tiling, rank, d, network->wraps);
        const double rows = dy ? out->halo_y : tile.rows >> in->level;
        const double cols = dx ? out->halo_x : tile.cols >> in->level;
        if ((!dy && !dx) || other < 0 || other == rank || !(rows * cols > 0)) continue;
        cost->halo_bytes += sizeof(float) * channels * rows * cols;
        cost->halo_messages++;
    }
}

gwf_cost gwf_cost_of_layer(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut,
                           int rank)
{
    const gwf_tile tile = gwf_tile_of(cut->tiling, cut->nlat, cut->nlon, rank);
    gwf_cost cost = {
        .macs = layer->kernel ? gwf_layer_macs(network, layer, tile.rows, tile.cols) : 0,
        .map_bytes = slice_bytes(network, layer->in, cut->block, &tile) +
                     slice_bytes(network, layer->out, cut->block, &tile),
        .weight_bytes = weight_bytes(network, layer, cut->block),
    };
    if (layer->kind == GWF_OP_GATE) /* in place: read as well */
        cost.map_bytes += slice_bytes(network, layer->out, cut->block, &tile);
    if (layer->kind == GWF_OP_HALO) count_borders(network, layer, cut, rank, &cost);
    return cost;
}

static double larger(double x, double y)
{
    return x > y ? x : y;
}

gwf_cost gwf_cost_of_slowest(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut)
{
    gwf_cost most = {0};
    for (int r = 0; r < cut->tiling.rows * cut->tiling.cols; r++) {
        const gwf_cost cost = gwf_cost_of_layer(network, layer, cut, r);
        most.macs = larger(most.macs, cost.macs);
        most.map_bytes = larger(most.map_bytes, cost.map_bytes);
        most.weight_bytes = larger(most.weight_bytes, cost.weight_bytes);
        most.halo_bytes = larger(most.halo_bytes, cost.halo_bytes);
        most.halo_messages = larger(most.halo_messages, cost.halo_messages);
    }
    return most;
}

gwf_cost gwf_cost_of_map(const gwf_network *network, const gwf_cut *cut)
{
    gwf_cost sum = {0};
    for (int i = 0; i < network->n_layers; i++) {
        const gwf_cost cost = gwf_cost_of_slowest(network, &network->layers[i], cut);
        sum.macs += cost.macs;
        sum.map_bytes += cost.map_bytes;
        sum.weight_bytes += cost.weight_bytes;
        sum.halo_bytes += cost.halo_bytes;
        sum.halo_messages += cost.halo_messages;
    }
    return sum;
}

double gwf_cost_of_moving(const gwf_cut *cut, int channels)
{
    const gwf_tile own = gwf_tile_of(cut->tiling, cut->nlat, cut->nlon, 0);
    const double others = (double)cut->nlat * cut->nlon - (double)own.rows * own.cols;
    return (double)sizeof(float) * channels * others;
}

double gwf_cost_channel_share(const gwf_network *network, const gwf_layer *layer, int block,
                              int ranks)
{
    const int blocks = gwf_rounded_channels(network, layer->out, block) / block;
    return (double)((blocks + ranks - 1) / ranks) / blocks;
}

double gwf_cost_of_result(const gwf_network *network, const gwf_layer *layer, const gwf_cut *cut)
{
    const gwf_tile whole = {.rows = cut->nlat, .cols = cut->nlon};
    return slice_bytes(network, layer->out, cut->block, &whole);
}
