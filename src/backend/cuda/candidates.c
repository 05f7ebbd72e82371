#include "backend/cuda/candidates.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "backend/cuda/trial.h"
#include "core/clock.h"

enum {
    SUGGESTIONS = 10,   /* of the heuristics that are tried, each time they are asked */
    MOST_TILES = 512,   /* of an engine */
    SPLIT_TILES = 3,    /* tiles with which splits are tried */
    LARGEST_SPLIT = 16, /* tried: 2, 4, ... */
    MOST = 3 * SUGGESTIONS + MOST_TILES + 4 * SPLIT_TILES
};
gwf_status gwf_cuda_candidates_create(gwf_cuda_candidates *all, gwf_error *err)
{
    *all = (gwf_cuda_candidates){calloc(MOST, sizeof *all->items), 0};
    return all->items ? GWF_OK
                      : gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory to choose a plan");
}

void gwf_cuda_candidates_free(gwf_cuda_candidates *all)
{
    for (int i = 0; i < all->count; i++) {
        gwf_cuda_destroy(all->items[i].config);
        gwf_cuda_choice_free(&all->items[i].choice);
    }
    free(all->items);
    *all = (gwf_cuda_candidates){0};
}

static void add(gwf_cuda_candidates *all, cudnnBackendDescriptor_t config, bool narrow)
{
    gwf_cuda_candidate *c = &all->items[all->count++];
    *c = (gwf_cuda_candidate){.config = config, .seconds = HUGE_VAL};
    c->choice.narrow_bias = narrow;
    c->choice.knobs = gwf_cuda_config_knobs(config);
    gwf_cuda_knobs_text(c->choice.knobs, c->choice.how, sizeof c->choice.how);
}

static bool is_there(const gwf_cuda_candidates *all, gwf_cuda_knobs knobs)
{
    for (int i = 0; i < all->count; i++) {
        const gwf_cuda_knobs *k = &all->items[i].choice.knobs;
        const int64_t split = k->split > 1 ? k->split : 1;
        if (k->engine == knobs.engine && k->tile == knobs.tile && split == knobs.split) return true;
    }
    return false;
}

static void add_knobs(gwf_cuda_candidates *all, const gwf_cuda_graph *graph, gwf_cuda_knobs knobs)
{
    if (is_there(all, knobs)) return;
    cudnnBackendDescriptor_t config = gwf_cuda_graph_config(graph, knobs);
    if (config) add(all, config, false);
}

static gwf_status suggest(gwf_cuda_candidates *all, const gwf_cuda_graph *graph,
                          cudnnBackendHeurMode_t mode, bool narrow, gwf_error *err)
{
    cudnnBackendDescriptor_t configs[SUGGESTIONS];
    int found = 0;
    GWF_TRY(gwf_cuda_graph_suggest(graph, mode, configs, SUGGESTIONS, &found, err));
    for (int i = 0; i < found; i++) add(all, configs[i], narrow);
    return GWF_OK;
}

gwf_status gwf_cuda_candidates_suggest(gwf_cuda_candidates *all, const gwf_cuda_graph *wide,
                                       const gwf_cuda_graph *narrow, gwf_error *err)
{
    GWF_TRY(suggest(all, wide, CUDNN_HEUR_MODE_A, false, err));
    return narrow->operations ? suggest(all, narrow, CUDNN_HEUR_MODE_A, true, err) : GWF_OK;
}

gwf_status gwf_cuda_candidates_fall_back(gwf_cuda_candidates *all, const gwf_cuda_graph *wide,
                                         gwf_error *err)
{
    return suggest(all, wide, CUDNN_HEUR_MODE_FALLBACK, false, err);
}

void gwf_cuda_candidates_tiles(gwf_cuda_candidates *all, const gwf_cuda_graph *graph)
{
    for (int i = 0, n = all->count; i < n; i++) {
        const gwf_cuda_knobs knobs = all->items[i].choice.knobs;
        int64_t tiles = 0, splits = 0;
        if (knobs.tile < 0 || all->items[i].choice.narrow_bias) continue;
        gwf_cuda_graph_range(graph, knobs.engine, &tiles, &splits);
        for (int64_t tile = 0; tile < tiles && tile < MOST_TILES; tile++)
            add_knobs(all, graph, (gwf_cuda_knobs){knobs.engine, tile, 1});
        return;
    }
}

void gwf_cuda_candidates_splits(gwf_cuda_candidates *all, const gwf_cuda_graph *graph)
{
    int tried = 0;
    for (int i = 0, n = all->count; i < n && tried < SPLIT_TILES; i++) {
        const gwf_cuda_candidate *c = &all->items[i];
        gwf_cuda_knobs knobs = c->choice.knobs;
        int64_t tiles = 0, splits = 0;
        if (knobs.tile < 0 || c->choice.narrow_bias || !c->choice.plan) continue;
        gwf_cuda_graph_range(graph, knobs.engine, &tiles, &splits);
        for (int64_t split = 2; split <= splits && split <= LARGEST_SPLIT; split *= 2) {
            knobs.split = split;
            add_knobs(all, graph, knobs);
        }
        tried++;
    }
}

/* ---- building plans, several at a time ---- */

typedef struct workshop {
    const gwf_cuda_tuner *tuner;
    gwf_cuda_candidates *all;
    int next;
    bool any; /* there is a plan */
    double until;
    pthread_mutex_t mutex;
} workshop;

typedef struct builder {
    workshop *shop;
    int branch; /* handles are not shared by threads */
} builder;

static gwf_cuda_candidate *next_candidate(workshop *shop)
{
    gwf_cuda_candidate *next = NULL;
    pthread_mutex_lock(&shop->mutex);
    if (shop->next < shop->all->count && (!shop->any || gwf_now() < shop->until))
        next = &shop->all->items[shop->next++];
    pthread_mutex_unlock(&shop->mutex);
    return next;
}

/* One that needs too much workspace is none. */
static void finish_candidate(workshop *shop, gwf_cuda_choice *choice)
{
    if (choice->workspace > GWF_CUDA_MOST_WORKSPACE) {
        gwf_cuda_destroy(choice->plan);
        choice->plan = NULL;
    }
    pthread_mutex_lock(&shop->mutex);
    shop->any |= choice->plan != NULL;
    pthread_mutex_unlock(&shop->mutex);
}

static void *build_plans(void *user)
{
    builder *b = user;
    gwf_cuda_device *device = b->shop->tuner->device;
    cudaSetDevice(device->number);
    for (gwf_cuda_candidate *c; (c = next_candidate(b->shop));) {
        gwf_cuda_choice *choice = &c->choice;
        gwf_cuda_plan_make(device, gwf_cuda_target_of(b->shop->tuner, b->branch), c->config,
                           &choice->plan, &choice->workspace, NULL);
        finish_candidate(b->shop, choice);
    }
    return NULL;
}

static bool any_plan(const gwf_cuda_candidates *all)
{
    for (int i = 0; i < all->count; i++)
        if (all->items[i].choice.plan) return true;
    return false;
}

void gwf_cuda_candidates_build(const gwf_cuda_tuner *tuner, gwf_cuda_candidates *all, int first,
                               double until)
{
    workshop shop = {
        .tuner = tuner, .all = all, .next = first, .any = any_plan(all), .until = until};
    builder builders[GWF_CUDA_BRANCHES];
    pthread_t threads[GWF_CUDA_BRANCHES];
    int n = 1;
    pthread_mutex_init(&shop.mutex, NULL);
    for (int i = 0; i < GWF_CUDA_BRANCHES; i++) builders[i] = (builder){&shop, i};
    while (n < GWF_CUDA_BRANCHES &&
           pthread_create(&threads[n], NULL, build_plans, &builders[n]) == 0)
        n++;
    build_plans(&builders[0]);
    for (int i = 1; i < n; i++) pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&shop.mutex);
}
