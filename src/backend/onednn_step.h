/* The CPU backend's context and its steps: how an operation is done, and doing it. */
#ifndef GWF_BACKEND_ONEDNN_STEP_H
#define GWF_BACKEND_ONEDNN_STEP_H

#include "backend/blocked.h"
#include "backend/onednn_conv.h"

struct gwf_context {
    gwf_backend_config config; /* what it points at lives until reserve() */
    gwf_blocked maps;
    gwf_dnnl dnnl;
    size_t scratch_bytes;
    char *aside; /* phases or large map of an upconv; one for all steps */
    size_t aside_bytes;
    char description[128]; /* library, instruction set, threads */
};

/* How a convolution is done: by phases an upconv only. */
typedef struct gwf_manner {
    bool phases;
    gwf_conv_way way;
} gwf_manner;

enum { GWF_PHASES = 4, GWF_MAX_MANNERS = GWF_CONV_WAYS + 1 };

struct gwf_step {
    gwf_op op;
    gwf_manner manner;
    int slots;                  /* maps of one call: the whole batch where it is dense, else 1 */
    gwf_conv convs[GWF_PHASES]; /* one, or one a phase */
    int phase_rows, phase_cols; /* of each phase's result */
    size_t aside_bytes, scratch_bytes; /* that it needs */
};

/* Those that there are for a conv or upconv, the one that a fixed rule takes first; their number.
 */
int gwf_step_manners(const gwf_context *context, const gwf_op *op,
                     gwf_manner manners[GWF_MAX_MANNERS]);
/* Whether a view is a whole map, so that those of a batch lie one behind the other. */
bool gwf_step_dense(const gwf_view *view);
/* For `gwflux bench` and for the cache; static. */
const char *gwf_manner_name(const gwf_op *op, gwf_manner manner);

/* A conv or upconv in the manner. With op->weights NULL it computes nothing of use, as fast. */
gwf_status gwf_step_make(const gwf_context *context, const gwf_op *op, gwf_manner manner,
                         gwf_step *step, gwf_error *err);
/* {0} is fine. */
void gwf_step_clear(gwf_step *step);
/* Any operation. */
gwf_status gwf_step_run(const gwf_context *context, gwf_step *step, gwf_error *err);

/* The manner that is fastest here (backend/tune.h). */
gwf_manner gwf_step_choose(gwf_context *context, const gwf_op *op);

#endif
