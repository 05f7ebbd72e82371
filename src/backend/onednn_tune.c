/* Which manner of a convolution is the fastest here: measured on maps of zeros, with weights that
 * are not in the caches, as they are not when a whole network runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/onednn_step.h"
#include "backend/tune.h"
#include "core/clock.h"

enum { LINE = 64, LEAST_CACHE = 32 << 20, MOST_CACHE = 128 << 20 };

/* One contest: the operation on maps of its own, which lie one behind the other. */
typedef struct arena {
    gwf_context context; /* as the real one, with memory of its own */
    gwf_op op;
    gwf_manner manners[GWF_MAX_MANNERS];
    char *sweep; /* more than the caches hold */
    size_t sweep_bytes;
    double least; /* seconds of the fastest so far */
} arena;

static const char *name_of(void *user, int way)
{
    const arena *a = user;
    return gwf_manner_name(&a->op, a->manners[way]);
}

static size_t bytes_of(const arena *a, const gwf_view *view)
{
    const gwf_blocked *maps = &a->context.maps;
    return (size_t)maps->batch * (size_t)view->map_channels * (size_t)view->rows *
           (size_t)view->cols * gwf_value_size(gwf_blocked_value(maps, view->map_channels));
}

/* The last cache's size, as far as it is known. */
static size_t cache_bytes(void)
{
    const long known = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return known < LEAST_CACHE ? LEAST_CACHE : known > MOST_CACHE ? MOST_CACHE : (size_t)known;
}

/* Push everything but the input out of the caches. */
static void cool(arena *a)
{
    const long lines = (long)(a->sweep_bytes / LINE);
    unsigned sum = 0;
#pragma omp parallel for num_threads(a->context.maps.threads) schedule(static) reduction(+ : sum)
    for (long i = 0; i < lines; i++) sum += (unsigned char)a->sweep[LINE * i];
    const size_t bytes = bytes_of(a, &a->op.in);
    for (size_t i = 0; i < bytes; i += LINE) a->context.maps.arena[i] = (char)sum; /* 0 */
}

/* A step in its arena. */
typedef struct trial {
    arena *a;
    gwf_step *step;
} trial;

static gwf_status time_once(void *user, double *seconds, gwf_error *err)
{
    const trial *t = user;
    cool(t->a);
    const double start = gwf_now();
    GWF_TRY(gwf_step_run(&t->a->context, t->step, err));
    *seconds = gwf_now() - start;
    return GWF_OK;
}

/* After a run that warms up. */
static gwf_status time_step(arena *a, gwf_step *step, double *seconds, gwf_error *err)
{
    trial t = {a, step};
    const gwf_stopwatch watch = {time_once, &t, a->least};
    GWF_TRY(gwf_step_run(&a->context, step, err));
    GWF_TRY(gwf_fastest_run(&watch, seconds, err));
    a->least = fmin(a->least, *seconds);
    return GWF_OK;
}

static gwf_status time_manner(void *user, int way, double *seconds, gwf_error *err)
{
    arena *a = user;
    gwf_context *c = &a->context;
    gwf_step step;
    gwf_status status = gwf_step_make(c, &a->op, a->manners[way], &step, err);
    if (status != GWF_OK) return status;
    c->aside = gwf_aligned(step.aside_bytes);
    c->dnnl.scratch = gwf_aligned(step.scratch_bytes);
    status = c->aside && c->dnnl.scratch
                 ? time_step(a, &step, seconds, err)
                 : gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory to time a convolution");
    free(c->aside);
    free(c->dnnl.scratch);
    gwf_step_clear(&step);
    return status;
}

/* All that the answer depends on. */
static void write_key(const gwf_context *c, const gwf_op *op, char *key, size_t size)
{
    const gwf_view *in = &op->in, *out = &op->out;
    snprintf(key, size,
             "cpu; %s; %s; %d threads; batch %d%s%s; %s %dx%d pad %d,%d activation %d; %d x %d "
             "x %d of kind %d -> %d x %d x %d of kind %d",
             c->description, gwf_precision_word(c->config.precision), c->maps.threads,
             c->maps.batch, c->maps.batch > 1 && !gwf_step_dense(in) ? " from parts" : "",
             c->maps.batch > 1 && !gwf_step_dense(out) ? " to parts" : "",
             op->kind == GWF_OP_CONV ? "conv" : "upconv", op->kernel, op->kernel, op->pad_y,
             op->pad_x, (int)op->activation, in->channels, in->rows, in->cols,
             (int)gwf_blocked_value(&c->maps, in->map_channels), out->channels, out->rows,
             out->cols, (int)gwf_blocked_value(&c->maps, out->map_channels));
}

/* Memory for maps and sweep; false: none. */
static bool furnish(arena *a)
{
    a->op.weights = NULL;
    a->op.in.offset = 0;
    a->op.out.offset = bytes_of(a, &a->op.in);
    a->context.maps.arena = gwf_aligned(a->op.out.offset + bytes_of(a, &a->op.out));
    a->sweep_bytes = cache_bytes();
    a->sweep = calloc(1, a->sweep_bytes);
    return a->context.maps.arena && a->sweep;
}

gwf_manner gwf_step_choose(gwf_context *context, const gwf_op *op)
{
    char key[1024];
    arena a = {.context = *context, .op = *op, .least = HUGE_VAL};
    const int n = gwf_step_manners(context, op, a.manners);
    const gwf_contest contest = {key, n, name_of, time_manner, &a};
    write_key(context, op, key, sizeof key);
    int way = 0;
    if (n > 1 && context->config.tune && furnish(&a))
        way = gwf_fastest_way(&context->config, &contest);
    free(a.context.maps.arena);
    free(a.sweep);
    return a.manners[way];
}
