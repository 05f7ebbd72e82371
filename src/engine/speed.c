#include "engine/speed.h"

#include <math.h>
#include <string.h>

gwf_layer_speed gwf_layer_speed_fit(const gwf_layer *layer, const double points[2],
                                    const double seconds[2])
{
    const double slope = fmax((seconds[1] - seconds[0]) / (points[1] - points[0]), 0);
    const double rest = fmax(seconds[1] - slope * points[1], 0);
    if (layer->kernel) return (gwf_layer_speed){.point = slope, .weights = rest};
    return (gwf_layer_speed){.point = slope, .start = rest};
}

gwf_layer_speed gwf_layer_speed_of_sheet(const gwf_network *network, const gwf_layer *layer,
                                         const gwf_sheet *sheet, int block)
{
    enum { SIDE = 1024 }; /* so large that borders do not count */
    const gwf_cut cut = {.nlat = SIDE, .nlon = SIDE, .tiling = {1, 1}, .block = block};
    const gwf_cost cost = gwf_cost_of_layer(network, layer, &cut, 0);
    return (gwf_layer_speed){
        .point = fmax(2 * cost.macs / sheet->flops, cost.map_bytes / sheet->memory) / SIDE / SIDE,
        .weights = cost.weight_bytes / sheet->memory,
        .start = sheet->start,
    };
}

/* Of the layer of this name; a layer that the machine's network does not have takes no time. */
static gwf_layer_speed speed_of(const gwf_machine *machine, const char *name)
{
    for (int i = 0; i < machine->network->n_layers; i++)
        if (strcmp(machine->network->layers[i].name, name) == 0) return machine->layers[i];
    return (gwf_layer_speed){0};
}

/* How much longer weights take because the ranks of a node read them at the same time. */
static double crowding(const gwf_machine *machine, int ranks, int block)
{
    double bytes = 0, seconds = 0;
    const gwf_cut cut = {.nlat = 16, .nlon = 16, .tiling = {1, 1}, .block = block};
    for (int i = 0; i < machine->network->n_layers; i++) {
        if (!(machine->layers[i].weights > 0)) continue;
        bytes +=
            gwf_cost_of_layer(machine->network, &machine->network->layers[i], &cut, 0).weight_bytes;
        seconds += machine->layers[i].weights;
    }
    if (!(seconds > 0) || !(machine->node_memory > 0)) return 1;
    const int together = ranks < machine->node_ranks ? ranks : machine->node_ranks;
    return fmax(1, together * bytes / seconds / machine->node_memory);
}

static int ranks_of(const gwf_cut *cut)
{
    return cut->tiling.rows * cut->tiling.cols;
}

static const gwf_link *link_of(const gwf_machine *machine, int ranks)
{
    return ranks > machine->node_ranks ? &machine->far : &machine->near;
}

static double largest_tile(const gwf_cut *cut)
{
    const gwf_tile tile = gwf_tile_of(cut->tiling, cut->nlat, cut->nlon, 0);
    return (double)tile.rows * tile.cols;
}

/* Widening a map by its border, and what travels. */
static double halo_time(const gwf_machine *machine, const gwf_network *network,
                        const gwf_layer *layer, const gwf_cut *cut)
{
    const gwf_layer_speed speed = speed_of(machine, layer->name);
    const gwf_link *link = link_of(machine, ranks_of(cut));
    const gwf_cost cost = gwf_cost_of_slowest(network, layer, cut);
    const double own = speed.point * largest_tile(cut) + speed.start;
    if (!(cost.halo_messages > 0)) return own;
    return own + machine->exchange + cost.halo_messages * link->latency +
           cost.halo_bytes / link->bandwidth;
}

/* Load and store, and rank 0 copying and sending (or getting and copying) what belongs to others.
 */
static double moving_time(const gwf_machine *machine, const gwf_network *network,
                          const gwf_cut *cut)
{
    const int ranks = ranks_of(cut);
    const double own = (machine->load.point + machine->store.point) * largest_tile(cut) +
                       machine->load.start + machine->store.start;
    if (ranks == 1) return own;
    const double whole =
        (double)sizeof(float) * cut->nlat * cut->nlon * (network->inputs + network->outputs);
    const double away = gwf_cost_of_moving(cut, network->inputs + network->outputs);
    return own + whole / machine->copy + away / machine->root +
           2 * (ranks - 1) * link_of(machine, ranks)->latency;
}

gwf_map_time gwf_time_of_map(const gwf_machine *machine, const gwf_network *network,
                             const gwf_cut *cut)
{
    const double points = largest_tile(cut), crowd = crowding(machine, ranks_of(cut), cut->block);
    gwf_map_time time = {.moving = moving_time(machine, network, cut)};
    for (int i = 0; i < network->n_layers; i++) {
        const gwf_layer *layer = &network->layers[i];
        if (layer->kind == GWF_OP_HALO) {
            time.borders += halo_time(machine, network, layer, cut);
            continue;
        }
        const gwf_layer_speed speed = speed_of(machine, layer->name);
        time.compute += speed.point * points + speed.start;
        time.weights += speed.weights * crowd;
    }
    return time;
}

/* All ranks get all of a map of which each has a part, in a tree of messages. */
static double allgather_time(const gwf_machine *machine, int ranks, double bytes)
{
    const gwf_link *link = link_of(machine, ranks);
    if (ranks == 1) return 0;
    return machine->exchange + ceil(log2(ranks)) * link->latency +
           bytes * (ranks - 1) / ranks / link->bandwidth;
}

/* A convolution as each rank would do it for its part of the output channels. */
static double channels_time(const gwf_machine *machine, const gwf_network *network,
                            const gwf_layer *layer, const gwf_cut *cut)
{
    const int ranks = ranks_of(cut);
    const gwf_layer_speed speed = speed_of(machine, layer->name);
    const double share = gwf_cost_channel_share(network, layer, cut->block, ranks);
    const double whole = speed.point * (double)cut->nlat * cut->nlon +
                         speed.weights * crowding(machine, ranks, cut->block);
    double seconds = share * whole + speed.start;
    if (share < 1) /* otherwise all have it anyway */
        seconds += allgather_time(machine, ranks, gwf_cost_of_result(network, layer, cut));
    return seconds;
}

gwf_deep_time gwf_time_of_deep(const gwf_machine *machine, const gwf_network *network,
                               const gwf_cut *cut, int level)
{
    gwf_deep_time deep = {0};
    const int ranks = ranks_of(cut);
    const double points = largest_tile(cut), crowd = crowding(machine, ranks, cut->block);
    for (int i = 0; i < network->n_layers; i++) {
        const gwf_layer *layer = &network->layers[i];
        const gwf_layer_speed speed = speed_of(machine, layer->name);
        if (layer->kind == GWF_OP_POOL && network->maps[layer->out.map].level == level)
            deep.channels +=
                allgather_time(machine, ranks, gwf_cost_of_result(network, layer, cut));
        if (network->maps[layer->in.map].level < level) continue;
        if (layer->kind == GWF_OP_HALO) deep.tiles += halo_time(machine, network, layer, cut);
        if (!layer->kernel) continue;
        deep.convolutions++;
        deep.weight_bytes += gwf_cost_of_layer(network, layer, cut, 0).weight_bytes;
        deep.tiles += speed.point * points + speed.weights * crowd + speed.start;
        deep.channels += channels_time(machine, network, layer, cut);
    }
    return deep;
}
