#include "coupling/engine.h"

#include "coupling/batch.h"
#include "coupling/lanes.h"
#include "coupling/share.h"
#include "fields/threads.h"

#include <malloc.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *gwf_version(void)
{
    return GWF_VERSION;
}

static void describe(gwf_engine *engine)
{
    const gwf_network *n = &engine->model.network;
    const gwf_tiling tiling = engine->share.tiles.tiling;
    char tiles[48] = "";
    if (engine->share.tiles.comm)
        snprintf(tiles, sizeof tiles, " in %d x %d tiles", tiling.rows, tiling.cols);
    snprintf(engine->description, sizeof engine->description,
             "%s (widths %s), %d -> %d channels, %d x %d%s; backend %s: %s, %s", n->architecture,
             n->widths, n->inputs, n->outputs, engine->nlat, engine->nlon, tiles,
             engine->backend->name, engine->backend->describe(engine->context),
             engine->backend->precision(engine->context));
}

/* The scales for precision int8; NULL for another precision. */
static gwf_status find_int8(gwf_engine *engine, gwf_precision precision, const gwf_quantised **int8)
{
    *int8 = precision == GWF_INT8 ? &engine->model.int8 : NULL;
    if (!*int8 || (*int8)->layers) return GWF_OK;
    return gwf_fail(&engine->error, GWF_ERR_UNSUPPORTED,
                    "%s: holds no scales for precision int8; gwflux quantise -m %s -i SAMPLE.nc -o "
                    "MODEL-int8.nc makes a model that does",
                    engine->model_path, engine->model_path);
}

static bool is_whole(const gwf_domain *grid)
{
    return !grid->comm || gwf_comm_size(grid->comm) == 1;
}

/* Is it left to us how many maps are computed at once? */
static bool batch_is_free(const gwf_options *options, const gwf_domain *grid)
{
    return is_whole(grid) && grid->many && !(options && options->batch);
}

/* The backend once more, for another batch. */
static gwf_status reopen(gwf_engine *engine, const gwf_backend_config *config, gwf_site *site)
{
    engine->batch = config->batch;
    engine->backend->close(engine->context);
    engine->context = NULL;
    GWF_TRY(engine->backend->open(config, &engine->context, &engine->error));
    site->context = engine->context;
    return GWF_OK;
}

/* Sets the site's backend, context and scales; the engine's batch, and that of *config. */
static gwf_status open_backend(gwf_engine *engine, const gwf_options *options,
                               const gwf_domain *grid, const gwf_log *log, gwf_site *site,
                               gwf_backend_config *config)
{
    gwf_error *err = &engine->error;
    *config = gwf_backend_configure(options, log);
    config->chain = gwf_network_is_chain(&engine->model.network);
    if (options && options->batch && is_whole(grid)) config->batch = options->batch;
    GWF_TRY(gwf_backend_open(options ? options->backend : "auto", config, &engine->backend,
                             &engine->context, err));
    GWF_TRY(find_int8(engine, config->precision, &site->int8));
    site->backend = engine->backend;
    site->context = engine->context;
    engine->batch = config->batch;
    if (!batch_is_free(options, grid)) return GWF_OK;
    config->batch = gwf_best_batch(&engine->model.network, site, config);
    return config->batch == engine->batch ? GWF_OK : reopen(engine, config, site);
}

/* Where the batch is our own choice and does not fit, smaller ones are tried. */
static gwf_status fit_plan(gwf_engine *engine, gwf_site *site, gwf_backend_config *config,
                           bool free_choice)
{
    for (;;) {
        const gwf_status status =
            gwf_plan_create(&engine->model.network, site, &engine->plan, &engine->error);
        if (status != GWF_ERR_MEMORY || !free_choice || config->batch == 1) return status;
        config->batch /= 2;
        gwf_log_line(config->log, "%s; trying %d map%s at once", engine->error.text, config->batch,
                     config->batch == 1 ? "" : "s");
        engine->error = (gwf_error){0};
        GWF_TRY(reopen(engine, config, site));
    }
}

static gwf_status make_plan(gwf_engine *engine, const gwf_options *options, const gwf_domain *grid,
                            const gwf_log *log)
{
    gwf_error *err = &engine->error;
    gwf_share *share = &engine->share;
    gwf_site site = {.nlat = grid->nlat, .nlon = grid->nlon};
    gwf_backend_config config;
    if (engine->lacks_weights)
        return gwf_fail(err, GWF_ERR_INTERNAL, "the engine has not got its weights");
    if (engine->context) return gwf_fail(err, GWF_ERR_INTERNAL, "the engine has its plan already");
    GWF_TRY(open_backend(engine, options, grid, log, &site, &config));
    engine->threads = gwf_threads(options ? options->threads : 0);
    engine->nlat = grid->nlat;
    engine->nlon = grid->nlon;
    if (grid->comm && gwf_comm_size(grid->comm) > 1) {
        GWF_TRY(gwf_share_create(&engine->model, grid, share, err));
        site.nlat = share->tiles.mine.rows;
        site.nlon = share->tiles.mine.cols;
        site.tiles = &share->tiles;
    }
    GWF_TRY(fit_plan(engine, &site, &config, batch_is_free(options, grid)));
    if (gwf_plan_lanes(engine->plan)) GWF_TRY(gwf_engine_scale(engine, err));
    describe(engine);
    /* The plan has its own packed weights. The network's layers point at these: nobody reads them
     * from here on. */
    gwf_tensor_set_free(&engine->model.set);
    return GWF_OK;
}

/* To the system, what was freed: the heap would keep most of the memory that a plan is made in. */
static void give_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

gwf_status gwf_engine_plan(gwf_engine *engine, const gwf_options *options, const gwf_domain *grid,
                           const gwf_log *log)
{
    gwf_status status = make_plan(engine, options, grid, log);
    if (status == GWF_ERR_MODEL || status == GWF_ERR_MISMATCH)
        gwf_error_prefix(&engine->error, "%s", engine->model_path);
    if (grid->comm) status = gwf_agree(grid->comm, status, &engine->error);
    if (grid->node) status = gwf_agree(grid->node, status, &engine->error);
    GWF_TRY(status);
    status =
        gwf_weights_share_node(engine->plan, grid->node, log, &engine->weights, &engine->error);
    give_back();
    return status;
}

gwf_status gwf_create(const char *model_path, const gwf_options *options, gwf_engine **result)
{
    if (!result) return GWF_ERR_ARGUMENT;
    gwf_engine *engine = calloc(1, sizeof *engine);
    *result = engine;
    if (!engine) return GWF_ERR_MEMORY;
    if (!model_path) return gwf_fail(&engine->error, GWF_ERR_ARGUMENT, "no model file given");
    GWF_TRY(gwf_engine_load(engine, model_path, NULL));
    const gwf_domain grid = {.nlat = engine->model.nlat, .nlon = engine->model.nlon};
    return gwf_engine_plan(engine, options, &grid, NULL);
}

void gwf_free(gwf_engine **engine)
{
    gwf_engine *e = engine ? *engine : NULL;
    if (!e) return;
    gwf_plan_free(&e->plan);
    gwf_shared_weights_free(&e->weights);
    gwf_share_free(&e->share);
    if (e->context) e->backend->close(e->context);
    gwf_model_free(&e->model);
    free(e);
    *engine = NULL;
}

const char *gwf_message(const gwf_engine *engine)
{
    return engine ? engine->error.text : "no engine: out of memory";
}

const char *gwf_describe(const gwf_engine *engine)
{
    return engine ? engine->description : "";
}

static gwf_status check_ready(gwf_engine *engine)
{
    if (!engine) return GWF_ERR_ARGUMENT;
    if (!engine->plan)
        return gwf_fail(&engine->error, GWF_ERR_ARGUMENT,
                        "the engine was not created successfully");
    return GWF_OK;
}

gwf_status gwf_get_shape(const gwf_engine *engine, gwf_shape *shape)
{
    if (!engine || !engine->plan || !shape) return GWF_ERR_ARGUMENT;
    const gwf_model *model = &engine->model;
    *shape = (gwf_shape){
        .inputs = model->network.inputs,
        .outputs = model->network.outputs,
        .levels = model->n_levels,
        .lat = engine->nlat,
        .lon = engine->nlon,
    };
    return GWF_OK;
}

/* Whether any of n values is NaN or infinite: all bits of its exponent are set. */
static bool any_non_finite(const float *values, size_t n)
{
    const uint32_t exponent = 0x7f800000;
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        found |= (bits & exponent) == exponent;
    }
    return found;
}

bool gwf_find_non_finite(const float *values, size_t n, size_t *where)
{
    enum { PIECE = 4096 };
    for (size_t start = 0; start < n; start += PIECE) {
        if (!any_non_finite(values + start, n - start < PIECE ? n - start : PIECE)) continue;
        for (*where = start; isfinite(values[*where]);) ++*where;
        return true;
    }
    return false;
}

gwf_status gwf_engine_check(gwf_engine *engine, const char *what, const gwf_channel_table *table,
                            const float *values)
{
    const size_t cols = (size_t)engine->nlon, plane = cols * (size_t)engine->nlat;
    size_t where = 0;
    if (!gwf_find_non_finite(values, plane * (size_t)table->count, &where)) return GWF_OK;
    const gwf_channel *channel = &table->channels[where / plane];
    return gwf_fail(&engine->error, GWF_ERR_DATA,
                    "%s %s (channel %zu, level %d) at row %zu, column %zu is %g, expected a finite "
                    "value",
                    what, channel->variable, where / plane, channel->level, where % plane / cols,
                    where % cols, (double)values[where]);
}

size_t gwf_engine_map_size(const gwf_engine *engine, const gwf_channel_table *table)
{
    return (size_t)engine->nlat * (size_t)engine->nlon * (size_t)table->count;
}

/* Of n maps one behind the other; a failure names the map where there are several. */
static gwf_status check_maps(gwf_engine *engine, const char *what, const gwf_channel_table *table,
                             int n, const float *values)
{
    for (int i = 0; i < n; i++) {
        const float *map = values + gwf_engine_map_size(engine, table) * (size_t)i;
        const gwf_status status = gwf_engine_check(engine, what, table, map);
        if (status != GWF_OK && n > 1) gwf_error_prefix(&engine->error, "map %d of %d", i + 1, n);
        GWF_TRY(status);
    }
    return GWF_OK;
}

/* n maps, a batch at a time. */
static gwf_status run_maps(gwf_engine *engine, int n, const float *features, float *results)
{
    const float *in[GWF_MAX_BATCH];
    float *out[GWF_MAX_BATCH];
    for (int done = 0, count; done < n; done += count) {
        count = n - done < engine->batch ? n - done : engine->batch;
        for (int i = 0; i < count; i++) {
            in[i] = features + gwf_engine_map_size(engine, &engine->model.in) * (size_t)(done + i);
            out[i] = results + gwf_engine_map_size(engine, &engine->model.out) * (size_t)(done + i);
        }
        GWF_TRY(gwf_engine_run(engine, count, in, out, &engine->error));
    }
    return GWF_OK;
}

static gwf_status check_arguments(gwf_engine *engine, int n, const float *features,
                                  const float *results)
{
    GWF_TRY(check_ready(engine));
    if (!features || !results)
        return gwf_fail(&engine->error, GWF_ERR_ARGUMENT, "features or result is NULL");
    if (n < 1)
        return gwf_fail(&engine->error, GWF_ERR_ARGUMENT, "expected 1 or more maps, found %d", n);
    return GWF_OK;
}

bool gwf_engine_fluxes(const gwf_engine *engine, const float *prediction, float *flux)
{
    const size_t plane = (size_t)engine->nlat * (size_t)engine->nlon;
    int bad = 0;
    GWF_PARALLEL_SUM(engine->threads, bad)
    for (int i = 0; i < engine->model.out.count; i++) {
        const gwf_channel *channel = &engine->model.out.channels[i];
        const size_t at = plane * (size_t)i;
        size_t where;
        gwf_denormalise(channel->transform, channel->mu, channel->d, prediction + at, flux + at,
                        (long)plane);
        bad += gwf_find_non_finite(flux + at, plane, &where);
    }
    return bad == 0;
}

static gwf_status predict_on_host(gwf_engine *engine, const gwf_passage *p)
{
    const gwf_channel_table *out = &engine->model.out;
    GWF_TRY(check_maps(engine, "feature", &engine->model.in, p->n, p->features));
    GWF_TRY(run_maps(engine, p->n, p->features, p->results));
    bool finite = p->physical;
    for (int i = 0; i < p->n && p->physical; i++) {
        float *map = p->results + gwf_engine_map_size(engine, out) * (size_t)i;
        finite &= gwf_engine_fluxes(engine, map, map);
    }
    if (finite) return GWF_OK;
    return check_maps(engine, p->physical ? "flux" : "prediction", out, p->n, p->results);
}

/* Where the plan has lanes the device checks values and makes fluxes of predictions. */
static gwf_status predict(gwf_engine *engine, const gwf_passage *p)
{
    GWF_TRY(check_arguments(engine, p->n, p->features, p->results));
    return gwf_plan_lanes(engine->plan) ? gwf_engine_pass(engine, p) : predict_on_host(engine, p);
}

gwf_status gwf_predict_batch(gwf_engine *engine, int n, const float *features, float *flux)
{
    const gwf_passage p = {.n = n, .features = features, .results = flux, .physical = true};
    return predict(engine, &p);
}

gwf_status gwf_predict(gwf_engine *engine, const float *features, float *flux)
{
    return gwf_predict_batch(engine, 1, features, flux);
}

gwf_status gwf_predict_normalised(gwf_engine *engine, const float *features, float *prediction)
{
    const gwf_passage p = {.n = 1, .features = features, .results = prediction};
    return predict(engine, &p);
}

gwf_status gwf_predict_device(gwf_engine *engine, int n, const float *features, float *flux,
                              void *stream)
{
    const gwf_passage p = {.n = n,
                           .features = features,
                           .results = flux,
                           .physical = true,
                           .follows = true,
                           .stream = stream};
    GWF_TRY(check_arguments(engine, n, features, flux));
    if (gwf_plan_lanes(engine->plan)) return gwf_engine_pass(engine, &p);
    return gwf_fail(&engine->error, GWF_ERR_UNSUPPORTED,
                    "backend %s takes no memory of a device: it computes in the host's%s",
                    engine->backend->name, engine->share.tiles.comm ? ", and in tiles" : "");
}
