/* Which manner of a convolution is the fastest here: measured on maps of zeros, with weights that
 * are not in the caches, as they are not when a whole network runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/onednn_step.h"
#include "backend/tune.h"
#include "core/clock.h"

static const double HOPELESS = 1.5;
enum { TRIALS = 5, LEAST_CACHE = 32 << 20, MOST_CACHE = 128 << 20 };

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
    const long lines = (long)(a->sweep_bytes / 64);
#pragma omp parallel for num_threads(a->context.maps.threads) schedule(static)
    for (long i = 0; i < lines; i++) a->sweep[64 * i]++;
    const size_t bytes = bytes_of(a, &a->op.in);
    for (size_t i = 0; i < bytes; i += 64) a->context.maps.arena[i] = 0;
}

/* The fastest of some runs; the first one warms up. One that is hopeless is not run again. */
static gwf_status time_step(arena *a, gwf_step *step, double *seconds, gwf_error *err)
{
    *seconds = HUGE_VAL;
    for (int i = -1; i < TRIALS && !(i > 0 && *seconds > HOPELESS * a->least); i++) {
        cool(a);
        const double start = gwf_now();
        GWF_TRY(gwf_step_run(&a->context, step, err));
        const double taken = gwf_now() - start;
        if (i >= 0 && taken < *seconds) *seconds = taken;
    }
    if (*seconds < a->least) a->least = *seconds;
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
             "cpu; %s; %s; %s; %d threads; batch %d; %s %dx%d pad %d,%d activation %d; %d of %d x "
             "%d x %d -> %d of %d x %d x %d",
             c->description, c->machine, gwf_precision_word(c->config.precision), c->maps.threads,
             c->maps.batch, op->kind == GWF_OP_CONV ? "conv" : "upconv", op->kernel, op->kernel,
             op->pad_y, op->pad_x, (int)op->activation, in->channels, in->map_channels, in->rows,
             in->cols, out->channels, out->map_channels, out->rows, out->cols);
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
