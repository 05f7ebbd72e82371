#include "backend/cuda/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/candidates.h"
#include "backend/cuda/trial.h"
#include "core/cache.h"
#include "core/clock.h"

enum { KEY = 512 + GWF_CUDA_CONV_TEXT, HEAD = 128 };

void gwf_cuda_choice_free(gwf_cuda_choice *choice)
{
    gwf_cuda_destroy(choice->plan);
    *choice = (gwf_cuda_choice){0};
}

gwf_cuda_target gwf_cuda_target_of(const gwf_cuda_tuner *tuner, int branch)
{
    return (gwf_cuda_target){.handle = tuner->device->handles[branch]};
}

/* ---- what was chosen earlier ---- */

void gwf_cuda_tuner_key(const gwf_cuda_tuner *tuner, char *text, size_t size)
{
    const gwf_cuda_device *d = tuner->device;
    snprintf(text, size, "cuda, gwflux %s, %s %d.%d, %d processors, driver %d, cuDNN %zu",
             GWF_VERSION, d->name, d->major, d->minor, d->processors, d->driver, cudnnGetVersion());
}

/* Measured choices are kept beside those that are not. */
static void make_key(const gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv, bool measured,
                     char key[static KEY])
{
    char machine[300], text[GWF_CUDA_CONV_TEXT];
    gwf_cuda_tuner_key(tuner, machine, sizeof machine);
    gwf_cuda_conv_text(conv, text);
    snprintf(key, KEY, "%s, %s%s", machine, text, measured ? "" : ", not measured");
}

/* An entry is a line, bias and knobs, and the plan as cuDNN writes it. */
static void remember(const gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv,
                     const gwf_cuda_choice *choice)
{
    size_t size = 0;
    char key[KEY];
    make_key(tuner, conv, choice->measured, key);
    char *json = gwf_cuda_plan_json(choice->plan, &size);
    char *entry = json ? malloc(size + HEAD) : NULL;
    if (entry) {
        const gwf_cuda_knobs *k = &choice->knobs;
        const int n = snprintf(entry, HEAD, "%d %lld %lld %lld\n", choice->narrow_bias,
                               (long long)k->engine, (long long)k->tile, (long long)k->split);
        memcpy(entry + n, json, size);
        gwf_cache_write(tuner->config.cache, key, entry, (size_t)n + size, tuner->config.log);
    }
    free(entry);
    free(json);
}

/* The line of an entry; its length, 0: there is none. */
static size_t read_head(const char *entry, size_t size, gwf_cuda_choice *choice)
{
    char line[HEAD];
    long long engine = 0, tile = 0, split = 0;
    int narrow = 0;
    const char *end = memchr(entry, '\n', size < HEAD ? size : HEAD);
    if (!end) return 0;
    snprintf(line, sizeof line, "%.*s", (int)(end - entry), entry);
    if (sscanf(line, "%d %lld %lld %lld", &narrow, &engine, &tile, &split) != 4) return 0;
    choice->narrow_bias = narrow != 0;
    choice->knobs = (gwf_cuda_knobs){engine, tile, split};
    gwf_cuda_knobs_text(choice->knobs, choice->how, sizeof choice->how);
    return (size_t)(end - entry) + 1;
}

/* false: nothing is remembered, or nothing that this device and this cuDNN take. */
static bool recall(const gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv, bool measured,
                   gwf_cuda_choice *choice)
{
    void *entry = NULL;
    size_t size = 0;
    char key[KEY];
    make_key(tuner, conv, measured, key);
    gwf_error err = {.text = "its head is damaged"};
    gwf_status status = GWF_ERR_FORMAT;
    if (!gwf_cache_read(tuner->config.cache, key, tuner->config.log, &entry, &size)) return false;
    const size_t head = read_head(entry, size, choice);
    if (head)
        status = gwf_cuda_plan_read(tuner->device, gwf_cuda_target_of(tuner, 0),
                                    (const char *)entry + head, size - head, &choice->plan,
                                    &choice->workspace, &err);
    if (status != GWF_OK)
        gwf_log_line(tuner->config.log, "a plan of the cache cannot be used, it is made anew: %s",
                     err.text);
    free(entry);
    choice->measured = measured;
    return status == GWF_OK;
}

/* ---- time ---- */

/* For one convolution; the first half of it is for the heuristics' suggestions and other tiles, the
 * second one for splits of the best. */
static const double conv_seconds = 1.5;

bool gwf_cuda_tuner_has_time(const gwf_cuda_tuner *tuner)
{
    return tuner->config.tune && tuner->spent < GWF_CUDA_MOST_SECONDS;
}

void gwf_cuda_tuner_spend(gwf_cuda_tuner *tuner, double start)
{
    tuner->spent += gwf_now() - start;
}

static void tell(const gwf_cuda_tuner *tuner)
{
    if (tuner->measured == 1)
        gwf_log_line(tuner->config.log,
                     "backend cuda: measuring what is fastest on %s takes up to %d s, once where "
                     "there is a cache (option tune: off does without)",
                     tuner->device->name, GWF_CUDA_MOST_SECONDS);
}

void gwf_cuda_tuner_report(const gwf_cuda_tuner *tuner)
{
    if (tuner->left_over)
        gwf_log_line(tuner->config.log,
                     "backend cuda: %d s were spent on measuring %d convolutions, for %d there was "
                     "no time: where there is a cache the next run goes on",
                     GWF_CUDA_MOST_SECONDS, tuner->measured, tuner->left_over);
}

/* ---- measuring ---- */

/* One that cannot run is left out, as long as the device lives. */
static gwf_status measure_one(gwf_cuda_trial *trial, gwf_cuda_candidate *c, double *best,
                              gwf_error *err)
{
    if (gwf_cuda_trial_time(trial, &c->choice, 3 * *best, &c->seconds, NULL) != GWF_OK) {
        c->seconds = HUGE_VAL;
        CUDA_TRY(trial->device, cudaStreamSynchronize(trial->device->streams[0]));
    }
    if (c->seconds < *best) *best = c->seconds;
    return GWF_OK;
}

/* Times the plans from `first` on, one in any case. */
static gwf_status measure(gwf_cuda_trial *trial, gwf_cuda_candidates *all, int first, double until,
                          double *best, gwf_error *err)
{
    for (int i = first; i < all->count && (gwf_now() < until || !(*best < HUGE_VAL)); i++)
        if (all->items[i].choice.plan) GWF_TRY(measure_one(trial, &all->items[i], best, err));
    return GWF_OK;
}

static int by_time(const void *a, const void *b)
{
    const gwf_cuda_candidate *x = a, *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static void sort(gwf_cuda_candidates *all)
{
    qsort(all->items, (size_t)all->count, sizeof *all->items, by_time);
}

/* The result of the first plan that runs, in the heuristics' order; *found: there is one. */
static gwf_status keep_first(gwf_cuda_trial *trial, const gwf_cuda_candidates *all, bool *found,
                             gwf_error *err)
{
    *found = false;
    for (int i = 0; i < all->count && !*found; i++) {
        const gwf_cuda_choice *choice = &all->items[i].choice;
        if (!choice->plan) continue;
        *found = gwf_cuda_trial_keep(trial, choice, NULL) == GWF_OK;
        CUDA_TRY(trial->device, cudaStreamSynchronize(trial->device->streams[0]));
    }
    return GWF_OK;
}

static void take(gwf_cuda_candidate *c, bool measured, gwf_cuda_choice *choice)
{
    *choice = c->choice;
    choice->measured = measured;
    c->choice.plan = NULL;
}

/* The fastest that gives the result of the first one, each time. */
static gwf_status take_best(gwf_cuda_trial *trial, gwf_cuda_candidates *all,
                            gwf_cuda_choice *choice, gwf_error *err)
{
    sort(all);
    for (int i = 0; i < all->count && all->items[i].seconds < HUGE_VAL && !choice->plan; i++) {
        bool right = false;
        gwf_cuda_trial_check(trial, &all->items[i].choice, &right, NULL);
        CUDA_TRY(trial->device, cudaStreamSynchronize(trial->device->streams[0]));
        if (right) take(&all->items[i], true, choice);
    }
    return GWF_OK;
}

static gwf_status choose_measured(gwf_cuda_tuner *tuner, const gwf_cuda_graph *graph,
                                  const gwf_cuda_conv *conv, const gwf_cuda_weights *weights,
                                  gwf_cuda_candidates *all, gwf_cuda_choice *choice, gwf_error *err)
{
    gwf_cuda_trial trial = {0};
    double best = HUGE_VAL;
    bool found = false;
    gwf_status status = GWF_OK;
    const double start = gwf_now(), middle = start + conv_seconds / 2, end = start + conv_seconds;
    tuner->measured++;
    tell(tuner);
    gwf_cuda_candidates_tiles(all, graph);
    GWF_TRY(gwf_cuda_candidates_fall_back(all, graph, err));
    gwf_cuda_candidates_build(tuner, all, 0, middle);
    GWF_TRY_DONE(gwf_cuda_trial_open(tuner->device, conv, weights, &trial, err));
    GWF_TRY_DONE(keep_first(&trial, all, &found, err));
    if (!found) goto done;
    GWF_TRY_DONE(measure(&trial, all, 0, end, &best, err));
    sort(all);
    const int before = all->count;
    gwf_cuda_candidates_splits(all, graph);
    gwf_cuda_candidates_build(tuner, all, before, end);
    GWF_TRY_DONE(measure(&trial, all, before, end, &best, err));
    status = take_best(&trial, all, choice, err);
done:
    gwf_cuda_trial_close(&trial);
    gwf_cuda_tuner_spend(tuner, start);
    return status;
}

/* The first that can be made, in the heuristics' order. */
static gwf_status choose_first(const gwf_cuda_tuner *tuner, const gwf_cuda_graph *graph,
                               gwf_cuda_candidates *all, gwf_cuda_choice *choice, gwf_error *err)
{
    GWF_TRY(gwf_cuda_candidates_fall_back(all, graph, err));
    for (int i = 0; i < all->count && !choice->plan; i++) {
        gwf_cuda_candidate *c = &all->items[i];
        if (gwf_cuda_plan_make(tuner->device, gwf_cuda_target_of(tuner, 0), c->config,
                               &c->choice.plan, &c->choice.workspace, NULL) == GWF_OK)
            take(c, false, choice);
    }
    return GWF_OK;
}

/* The engine that was chosen for a convolution of the same shape. */
static void choose_alike(const gwf_cuda_tuner *tuner, const gwf_cuda_graph *graph,
                         const gwf_cuda_choice *like, gwf_cuda_choice *choice)
{
    cudnnBackendDescriptor_t config = gwf_cuda_graph_config(graph, like->knobs);
    if (config && gwf_cuda_plan_make(tuner->device, gwf_cuda_target_of(tuner, 0), config,
                                     &choice->plan, &choice->workspace, NULL) == GWF_OK) {
        choice->narrow_bias = like->narrow_bias;
        choice->measured = like->measured;
        choice->knobs = like->knobs;
        memcpy(choice->how, like->how, sizeof choice->how);
    }
    gwf_cuda_destroy(config);
}

/* ---- the choice ---- */

/* What a convolution is chosen for. */
typedef struct subject {
    const gwf_cuda_conv *conv;
    const gwf_cuda_weights *weights;
    gwf_cuda_graph wide, narrow; /* of a float32 bias; of one in the type of the maps, or {0} */
} subject;

/* choice->plan NULL: none was found. */
static gwf_status choose_among(gwf_cuda_tuner *tuner, const subject *s, bool measured,
                               gwf_cuda_choice *choice, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_cuda_candidates all;
    GWF_TRY(gwf_cuda_candidates_create(&all, err));
    GWF_TRY_DONE(gwf_cuda_candidates_suggest(&all, &s->wide, &s->narrow, err));
    status = measured ? choose_measured(tuner, &s->wide, s->conv, s->weights, &all, choice, err)
                      : choose_first(tuner, &s->wide, &all, choice, err);
done:
    gwf_cuda_candidates_free(&all);
    return status;
}

static gwf_status choose_anew(gwf_cuda_tuner *tuner, const subject *s, gwf_cuda_choice *choice,
                              gwf_error *err)
{
    char text[GWF_CUDA_CONV_TEXT];
    if (gwf_cuda_tuner_has_time(tuner)) GWF_TRY(choose_among(tuner, s, true, choice, err));
    if (!choice->plan) GWF_TRY(choose_among(tuner, s, false, choice, err));
    if (choice->plan) return GWF_OK;
    gwf_cuda_conv_text(s->conv, text);
    return gwf_fail(err, GWF_ERR_UNSUPPORTED, "backend cuda: cuDNN %zu has no engine for %s",
                    cudnnGetVersion(), text);
}

/* What an earlier run has chosen. */
static bool recall_any(gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv, gwf_cuda_choice *choice)
{
    if (tuner->config.tune && recall(tuner, conv, true, choice)) return true;
    if (gwf_cuda_tuner_has_time(tuner)) return false;
    tuner->left_over += tuner->config.tune;
    return recall(tuner, conv, false, choice);
}

gwf_status gwf_cuda_choose(gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv,
                           const gwf_cuda_weights *weights, const gwf_cuda_choice *like,
                           gwf_cuda_choice *choice, gwf_error *err)
{
    subject s = {.conv = conv, .weights = weights};
    gwf_cuda_conv narrowed = *conv;
    gwf_status status = GWF_OK;
    const gwf_cuda_target target = gwf_cuda_target_of(tuner, 0);
    *choice = (gwf_cuda_choice){0};
    if (recall_any(tuner, conv, choice)) return GWF_OK;
    narrowed.narrow_bias = true;
    GWF_TRY_DONE(gwf_cuda_graph_make(tuner->device, target, conv, &s.wide, err));
    if (conv->type != GWF_CUDA_FP32)
        GWF_TRY_DONE(gwf_cuda_graph_make(tuner->device, target, &narrowed, &s.narrow, err));
    if (like && like->knobs.tile >= 0)
        choose_alike(tuner, like->narrow_bias ? &s.narrow : &s.wide, like, choice);
    if (!choice->plan) GWF_TRY_DONE(choose_anew(tuner, &s, choice, err));
    remember(tuner, conv, choice);
done:
    gwf_cuda_graph_free(&s.narrow);
    gwf_cuda_graph_free(&s.wide);
    return status;
}
