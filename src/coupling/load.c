/* Model files into engines: by one process, or by the ranks of a node, of which one reads the
 * weights for all that see the same file. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coupling/engine.h"

/* NetCDF-C is not thread-safe: engines that are created at the same time take turns. */
static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

static gwf_status load(gwf_engine *engine, const char *path, const gwf_log *log)
{
    snprintf(engine->model_path, sizeof engine->model_path, "%s", path);
    pthread_mutex_lock(&files);
    const gwf_status status = engine->lacks_weights
                                  ? gwf_model_read_shape(path, log, &engine->model, &engine->error)
                                  : gwf_model_read(path, log, &engine->model, &engine->error);
    pthread_mutex_unlock(&files);
    return status;
}

gwf_status gwf_engine_load(gwf_engine *engine, const char *model_path, const gwf_log *log)
{
    engine->lacks_weights = false;
    return load(engine, model_path, log);
}

/* --- on a node ------------------------------------------------------------------------------- */

/* What tells a file from all others of a node. */
typedef struct identity {
    bool there;
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
} identity;

static identity identify(const char *path)
{
    struct stat found;
    if (!path || stat(path, &found)) return (identity){.there = false};
    return (identity){true, found.st_dev, found.st_ino, found.st_size, found.st_mtim};
}

static bool same(const identity *a, const identity *b)
{
    return a->there && b->there && a->device == b->device && a->number == b->number &&
           a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

gwf_status gwf_engine_load_node(gwf_engine *engine, const gwf_comm *node, const char *model_path,
                                const gwf_log *log)
{
    gwf_error *err = &engine->error;
    const identity mine = identify(model_path);
    identity first = mine;
    char checksum[sizeof engine->model.checksum];
    GWF_TRY(gwf_comm_broadcast(node, &first, sizeof first, 0, err));
    engine->lacks_weights = gwf_comm_rank(node) > 0 && same(&mine, &first);
    GWF_TRY(gwf_agree(node, load(engine, model_path, log), err));
    memcpy(checksum, engine->model.checksum, sizeof checksum);
    GWF_TRY(gwf_comm_broadcast(node, checksum, sizeof checksum, 0, err));
    if (engine->lacks_weights) memcpy(engine->model.checksum, checksum, sizeof checksum);
    return GWF_OK;
}

/* From rank 0 to the others, whose set has the same names and shapes. */
static gwf_status spread(gwf_engine *engine, const gwf_comm *takers, gwf_error *err)
{
    gwf_tensor_set *set = &engine->model.set;
    size_t sizes[] = {set->count, gwf_tensor_set_values(set)};
    const size_t mine[] = {sizes[0], sizes[1]};
    gwf_status status = GWF_OK;
    GWF_TRY(gwf_comm_broadcast(takers, sizes, sizeof sizes, 0, err));
    if (memcmp(sizes, mine, sizeof mine) != 0)
        status =
            gwf_fail(err, GWF_ERR_FORMAT, "%s: has changed while it was read", engine->model_path);
    GWF_TRY(gwf_agree(takers, status, err));
    for (size_t i = 0; i < set->count; i++)
        GWF_TRY(gwf_comm_broadcast(takers, set->items[i].data,
                                   set->items[i].size * sizeof *set->items[i].data, 0, err));
    engine->lacks_weights = false;
    return GWF_OK;
}

gwf_status gwf_engine_spread_weights(gwf_engine *engine, const gwf_comm *node, bool wanted)
{
    gwf_comm *takers = NULL;
    gwf_error *err = &engine->error;
    const int rank = gwf_comm_rank(node);
    const bool takes = rank == 0 || (wanted && engine->lacks_weights);
    gwf_status status = gwf_comm_split(node, takes ? 0 : -1, rank, &takers, err);
    status = gwf_agree(node, status, err);
    if (status == GWF_OK && takers) status = spread(engine, takers, err);
    gwf_comm_free(&takers);
    if (!wanted) gwf_tensor_set_free(&engine->model.set);
    return gwf_agree(node, status, err);
}
