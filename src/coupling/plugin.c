/* The life of a plugin: created, columns and levels registered, made ready, freed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/devices.h"
#include "coupling/plugin_internal.h"
#include "fields/threads.h"
#include "parallel/cores.h"

/* --- creating and freeing ------------------------------------------------------------------- */

static gwf_status make_engine(gwf_plugin *plugin, const char *model_path)
{
    if (!model_path) return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "no model file given");
    plugin->engine = calloc(1, sizeof *plugin->engine);
    if (!plugin->engine || !plugin->options)
        return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for an engine");
    plugin->silent = strcmp(plugin_options_of(plugin)->piggyback, "on") == 0;
    return GWF_OK;
}

/* The weights stay with the first rank of each node until it is known who computes. */
static gwf_status load_model(gwf_plugin *plugin, const char *model_path)
{
    gwf_engine *engine = plugin->engine;
    gwf_status status = gwf_comm_split_node(plugin->comm, &plugin->node, &plugin->error);
    GWF_TRY(gwf_agree(plugin->comm, status, &plugin->error));
    status = gwf_engine_load_node(engine, plugin->node, model_path, &plugin->log);
    if (status != GWF_OK) plugin->error = engine->error;
    return gwf_agree(plugin->comm, status, &plugin->error);
}

gwf_status gwf_plugin_create(int communicator, const char *model_path, const gwf_options *options,
                             gwf_plugin **result)
{
    if (!result) return GWF_ERR_ARGUMENT;
    gwf_plugin *plugin = calloc(1, sizeof *plugin);
    *result = plugin;
    if (!plugin) return GWF_ERR_MEMORY;
    GWF_TRY(gwf_comm_of_host(communicator, &plugin->comm, &plugin->error));
    plugin->options = gwf_options_copy(options);
    const gwf_status status = make_engine(plugin, model_path);
    GWF_TRY(gwf_agree(plugin->comm, status, &plugin->error));
    return load_model(plugin, model_path);
}

static void free_tile(plugin_tile *tile)
{
    gwf_prepare_free(&tile->prepare);
    for (int s = 0; s < SLOTS; s++) free(tile->slot[s]);
    free(tile->features);
    free(tile->prediction);
    free(tile->outside_sum);
}

void gwf_plugin_free(gwf_plugin **plugin)
{
    gwf_plugin *p = plugin ? *plugin : NULL;
    if (!p) return;
    gwf_worker_free(&p->worker);
    gwf_transfer_free(&p->transfer);
    free_tile(&p->tile);
    gwf_free(&p->engine);
    gwf_comm_free(&p->tile.comm);
    gwf_drag_free(&p->drag);
    plugin_fields_free(p);
    plugin_results_free(&p->now);
    plugin_results_free(&p->fresh);
    for (int i = 0; i < 2; i++) free(p->flux[i]);
    gwf_column_list_free(&p->columns);
    free((double *)p->host.lat);
    free((double *)p->host.lon);
    free(p->a);
    free(p->b);
    free(p->report);
    gwf_options_free(&p->options);
    gwf_comm_free(&p->node);
    gwf_comm_free(&p->comm);
    free(p);
    *plugin = NULL;
}

const char *gwf_plugin_message(const gwf_plugin *plugin)
{
    return plugin ? plugin->error.text : "no plugin: out of memory";
}

void gwf_plugin_log(gwf_plugin *plugin, void (*write)(void *user, const char *line), void *user)
{
    if (plugin) plugin->log = (gwf_log){write, user};
}

/* --- registering ---------------------------------------------------------------------------- */

static gwf_status check_registering(gwf_plugin *plugin, const char *call)
{
    if (!plugin) return GWF_ERR_ARGUMENT;
    if (!plugin->engine || !plugin->engine->model.network.n_layers)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "%s: the plugin was not created successfully", call);
    if (plugin->stage == STAGE_REGISTER) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s comes before gwf_plugin_ready()", call);
}

gwf_status gwf_plugin_columns(gwf_plugin *plugin, const gwf_columns *columns, int *block)
{
    GWF_TRY(check_registering(plugin, "gwf_plugin_columns()"));
    if (!columns) return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "no columns given");
    GWF_TRY(gwf_column_list_add(&plugin->columns, columns, &plugin->error));
    if (block) *block = plugin->columns.n_blocks - 1;
    return GWF_OK;
}

/* A copy of n values; NULL when out of memory. */
static double *copy_of(const double *values, int n)
{
    double *copy = malloc((size_t)n * sizeof *copy);
    if (copy) memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

gwf_status gwf_plugin_grid(gwf_plugin *plugin, int nlat, const double *lat, int nlon,
                           const double *lon)
{
    GWF_TRY(check_registering(plugin, "gwf_plugin_grid()"));
    if (!lat || !lon)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "no latitudes or no longitudes given");
    if (plugin->host.nlat)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "the host's grid was given before");
    gwf_grid grid = {.nlat = nlat, .nlon = nlon, .lat = lat, .lon = lon};
    GWF_TRY(gwf_grid_check(&grid, "host's grid", &plugin->error));
    grid.gaussian = gwf_grid_is_gaussian(nlat, lat);
    grid.lat = copy_of(lat, nlat);
    grid.lon = copy_of(lon, nlon);
    plugin->host = grid;
    if (grid.lat && grid.lon) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for a grid");
}

gwf_status gwf_plugin_levels(gwf_plugin *plugin, int levels, const double *a, const double *b)
{
    GWF_TRY(check_registering(plugin, "gwf_plugin_levels()"));
    gwf_error *err = &plugin->error;
    if (plugin->levels)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "the host's levels were given before");
    if (levels < 2 || levels > 10000)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%d levels, expected 2 to 10000", levels);
    if (!a != !b) return gwf_fail(err, GWF_ERR_ARGUMENT, "one of a and b is NULL, the other not");
    for (int k = 0; a && k < levels; k++)
        if (!isfinite(a[k]) || !isfinite(b[k]))
            return gwf_fail(err, GWF_ERR_DATA,
                            "level %d: a = %g Pa, b = %g, expected finite coefficients", k + 1,
                            a[k], b[k]);
    plugin->a = a ? copy_of(a, levels) : NULL;
    plugin->b = b ? copy_of(b, levels) : NULL;
    if (a && (!plugin->a || !plugin->b))
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d levels", levels);
    plugin->levels = levels;
    return GWF_OK;
}

/* --- making ready --------------------------------------------------------------------------- */

/* What must be the same on all ranks, as numbers. */
static gwf_status check_alike(gwf_plugin *plugin)
{
    enum { N = 6 };
    gwf_error *err = &plugin->error;
    static const char *const names[N] = {"levels",
                                         "coefficients of levels given",
                                         "latitudes of the host's grid",
                                         "longitudes of the host's grid",
                                         "seconds of option interval",
                                         "ranks of option ranks"};
    const double mine[N] = {plugin->levels,
                            plugin->a != NULL,
                            plugin->host.nlat,
                            plugin->host.nlon,
                            plugin_options_of(plugin)->interval,
                            plugin_options_of(plugin)->ranks};
    double range[2 * N];
    for (int i = 0; i < N; i++) {
        range[i] = mine[i];
        range[N + i] = -mine[i];
    }
    GWF_TRY(gwf_comm_max(plugin->comm, range, 2 * N, err));
    for (int i = 0; i < N; i++)
        if (range[i] != -range[N + i])
            return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %g on one rank, %g on another", names[i],
                            -range[N + i], range[i]);
    if (plugin->levels) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "gwf_plugin_levels() comes before gwf_plugin_ready()");
}

/* As many ranks as can share a map, at most `most`. */
static gwf_status choose_tiling(gwf_plugin *plugin, gwf_tiling *tiling)
{
    const gwf_model *model = &plugin->engine->model;
    const int size = gwf_comm_size(plugin->comm);
    const bool automatic = strcmp(plugin_options_of(plugin)->tiles, "auto") == 0;
    int ranks = plugin_options_of(plugin)->ranks;
    if (ranks > size)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "option ranks: %d, but the communicator has %d", ranks, size);
    if (ranks || !automatic) {
        GWF_TRY(gwf_tiling_find(plugin_options_of(plugin)->tiles, ranks, model->nlat, model->nlon,
                                tiling, &plugin->error));
        if (tiling->rows * tiling->cols <= size) return GWF_OK;
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "option tiles: %s needs %d ranks, the communicator has %d",
                        plugin_options_of(plugin)->tiles, tiling->rows * tiling->cols, size);
    }
    for (ranks = size; ranks > 1; ranks--)
        if (gwf_tiling_find("auto", ranks, model->nlat, model->nlon, tiling, NULL) == GWF_OK)
            return GWF_OK;
    *tiling = (gwf_tiling){1, 1};
    return GWF_OK;
}

/* The ranks that compute are spread evenly; their place among them, -1: this one does not. */
static int place_among(const gwf_comm *comm, int ranks)
{
    const int size = gwf_comm_size(comm), me = gwf_comm_rank(comm);
    for (int i = 0; i < ranks; i++)
        if ((int)((long long)i * size / ranks) == me) return i;
    return -1;
}

static gwf_status choose_threads(gwf_plugin *plugin, int *threads)
{
    const gwf_status status =
        gwf_cores_guest(plugin->node, plugin->options->threads, threads, &plugin->error);
    return gwf_agree(plugin->comm, status, &plugin->error);
}

/* The engine of a rank that computes; node: those of its node. */
static gwf_status plan_tile(gwf_plugin *plugin, const gwf_comm *node)
{
    const plugin_tile *tile = &plugin->tile;
    gwf_engine *engine = plugin->engine;
    gwf_error *err = &plugin->error;
    const gwf_domain domain = {.nlat = engine->model.nlat,
                               .nlon = engine->model.nlon,
                               .comm = tile->comm,
                               .tiling = tile->tiling,
                               .tiles_only = true,
                               .node = node};
    GWF_TRY(gwf_agree(tile->comm, gwf_devices_share(node, plugin->options, err), err));
    gwf_devices_agree(tile->comm, plugin->options, &plugin->log);
    const gwf_status status = gwf_engine_plan(engine, plugin->options, &domain, &plugin->log);
    if (status != GWF_OK) plugin->error = engine->error;
    return status;
}

/* Ranks that compute: the engine on their tile. The others have no weights. */
static gwf_status plan_engine(gwf_plugin *plugin)
{
    plugin_tile *tile = &plugin->tile;
    gwf_engine *engine = plugin->engine;
    const gwf_model *model = &engine->model;
    const int ranks = tile->tiling.rows * tile->tiling.cols;
    const int place = place_among(plugin->comm, ranks);
    GWF_TRY(gwf_comm_split(plugin->comm, place < 0 ? -1 : 0, place, &tile->comm, &plugin->error));
    gwf_status status = gwf_engine_spread_weights(engine, plugin->node, place >= 0);
    if (status != GWF_OK) plugin->error = engine->error;
    GWF_TRY(gwf_agree(plugin->comm, status, &plugin->error));
    if (!tile->comm) return GWF_OK;
    tile->part = gwf_tile_of(tile->tiling, model->nlat, model->nlon, place);
    tile->cells = tile->part.rows * tile->part.cols;
    gwf_comm *node = NULL;
    status = gwf_comm_split_node(tile->comm, &node, &plugin->error);
    status = gwf_agree(tile->comm, status, &plugin->error);
    if (status == GWF_OK) status = plan_tile(plugin, node);
    gwf_comm_free(&node);
    return status;
}

/* Rows of the way in, by what the network reads. */
static gwf_status lay_out_rows(gwf_plugin *plugin)
{
    gwf_needs needs;
    const int levels = plugin->levels;
    GWF_TRY(gwf_prepare_needs(&plugin->engine->model, &needs, &plugin->error));
    plugin->reads_temperature = needs.temperature;
    const int count[SLOTS] = {
        [SLOT_U] = needs.u ? levels : 0,
        [SLOT_V] = needs.v ? levels : 0,
        [SLOT_TEMPERATURE] = needs.temperature || needs.omega ? levels : 0,
        [SLOT_VERTICAL] = needs.omega ? levels : 0,
        [SLOT_P] = plugin->a ? 0 : levels,
        [SLOT_PS] = 1,
        [SLOT_ZS] = needs.zs,
    };
    plugin->row[0] = 0;
    for (int s = 0; s < SLOTS; s++) plugin->row[s + 1] = plugin->row[s] + count[s];
    return GWF_OK;
}

static const char *given(const char *path)
{
    return path ? path : "";
}

static gwf_status plan_transfer(gwf_plugin *plugin)
{
    const gwf_model *model = &plugin->engine->model;
    const gwf_grid network = {.nlat = model->nlat,
                              .nlon = model->nlon,
                              .lat = model->lat,
                              .lon = model->lon,
                              .gaussian = gwf_grid_is_gaussian(model->nlat, model->lat)};
    const gwf_transfer_plan plan = {
        .columns = &plugin->columns,
        .host = plugin->host.nlat ? &plugin->host : NULL,
        .network = &network,
        .tile = plugin->tile.part,
        .remap = plugin_options_of(plugin)->remap,
        .remap_back = plugin_options_of(plugin)->remap_back,
        .weights = given(plugin_options_of(plugin)->weights),
        .weights_back = given(plugin_options_of(plugin)->weights_back),
        .rows_in = plugin->row[SLOTS],
        .rows_back = model->out.count,
        .threads = plugin->options->threads,
    };
    return gwf_transfer_create(plugin->comm, &plan, &plugin->transfer, &plugin->error);
}

static gwf_status prepare_tile(gwf_plugin *plugin, int threads)
{
    plugin_tile *tile = &plugin->tile;
    const gwf_model *model = &plugin->engine->model;
    const size_t cells = (size_t)tile->cells;
    bool fine = true;
    if (!tile->comm) return GWF_OK;
    for (int s = 0; s < SLOTS; s++) {
        const size_t rows = (size_t)(plugin->row[s + 1] - plugin->row[s]);
        if (rows) fine &= (tile->slot[s] = malloc(rows * cells * sizeof(float))) != NULL;
    }
    tile->features = malloc((size_t)model->in.count * cells * sizeof(float));
    tile->prediction = malloc((size_t)model->out.count * cells * sizeof(float));
    tile->outside_sum = calloc((size_t)model->in.count, sizeof(double));
    if (!fine || !tile->features || !tile->prediction || !tile->outside_sum)
        return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for a tile of %zu cells", cells);
    return gwf_prepare_create(model, &tile->part, plugin->levels, threads, &tile->prepare,
                              &plugin->error);
}

static gwf_status prepare_columns(gwf_plugin *plugin, int threads)
{
    const gwf_model *model = &plugin->engine->model;
    const gwf_plugin_options *o = plugin_options_of(plugin);
    const size_t n = (size_t)plugin->columns.n + 1, levels = (size_t)model->n_levels;
    const gwf_drag_config config = {
        .network_levels = model->levels,
        .n_network = model->n_levels,
        .flux_kind = model->flux_kind,
        .levels = plugin->levels,
        .options = {.top = strcmp(o->top, "taper") == 0 ? GWF_TOP_TAPER : GWF_TOP_DEPOSIT,
                    .highest = o->highest,
                    .lowest = o->lowest,
                    .boundary_layer = o->boundary_layer,
                    .cap = o->cap},
        .threads = threads,
    };
    GWF_TRY(plugin_fields_create(plugin));
    GWF_TRY(gwf_drag_create(&config, &plugin->drag, &plugin->error));
    GWF_TRY(plugin_results_create(plugin, &plugin->now, &plugin->error));
    GWF_TRY(plugin_results_create(plugin, &plugin->fresh, &plugin->error));
    for (int i = 0; i < 2; i++) plugin->flux[i] = malloc(levels * n * sizeof(float));
    if (plugin->flux[0] && plugin->flux[1]) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for %d columns", plugin->columns.n);
}

/* A thread for gwf_start(), on ranks that compute, where its messages (if any) are allowed. */
static gwf_status make_worker(gwf_plugin *plugin)
{
    const int size = plugin->tile.tiling.rows * plugin->tile.tiling.cols;
    plugin->all_compute = size == gwf_comm_size(plugin->comm);
    if (!plugin->tile.comm || (size > 1 && !gwf_mpi_threads())) return GWF_OK;
    return gwf_worker_create(&plugin->worker, &plugin->error);
}

static gwf_status tell(gwf_plugin *plugin)
{
    if (gwf_comm_rank(plugin->comm) > 0) return GWF_OK;
    gwf_log_line(&plugin->log, "gwflux %s: %s", gwf_version(), gwf_describe(plugin->engine));
    gwf_log_line(&plugin->log, "%s; %d of %d ranks compute the network",
                 plugin->transfer.description, plugin->tile.tiling.rows * plugin->tile.tiling.cols,
                 gwf_comm_size(plugin->comm));
    if (!plugin->worker)
        gwf_log_line(&plugin->log,
                     "gwf_start() computes before it returns: MPI was started without "
                     "MPI_THREAD_MULTIPLE");
    return GWF_OK;
}

static gwf_status agree(gwf_plugin *plugin, gwf_status status)
{
    return gwf_agree(plugin->comm, status, &plugin->error);
}

gwf_status gwf_plugin_ready(gwf_plugin *plugin)
{
    int threads = 1;
    if (!plugin || !plugin->comm) return GWF_ERR_ARGUMENT;
    GWF_TRY(agree(plugin, check_registering(plugin, "gwf_plugin_ready()")));
    GWF_TRY(agree(plugin, check_alike(plugin)));
    GWF_TRY(agree(plugin, choose_tiling(plugin, &plugin->tile.tiling)));
    GWF_TRY(choose_threads(plugin, &threads));
    plugin->options->threads = threads;
    plugin->options->batch = 1;
    GWF_TRY(agree(plugin, plan_engine(plugin)));
    GWF_TRY(agree(plugin, lay_out_rows(plugin)));
    GWF_TRY(plan_transfer(plugin));
    GWF_TRY(agree(plugin, prepare_tile(plugin, threads)));
    GWF_TRY(agree(plugin, prepare_columns(plugin, threads)));
    GWF_TRY(agree(plugin, make_worker(plugin)));
    plugin->stage = STAGE_READY;
    return tell(plugin);
}
