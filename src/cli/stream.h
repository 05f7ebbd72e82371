/* Reading, computing and writing at the same time, on every leader of a group of ranks.
 *
 * The caller's thread does all NetCDF work (the library allows only one thread, and HDF5 below it
 * prints its failures in all but the one that opened the files) and all talk with other leaders; a
 * second one computes, a batch at a time. They meet at a ring of slots: what is read into a slot is
 * computed there and written from there. Which steps a leader gets the queue says.
 *
 * A network on the CPU takes all cores. Whatever the first thread does meanwhile is taken from one
 * of them, and the others wait for that one at the end of every layer: so what needs no NetCDF
 * (values that lie in the file as they are, the look at each of them, the fluxes) is done by all
 * cores between two maps. */
#ifndef GWF_CLI_STREAM_H
#define GWF_CLI_STREAM_H

#include <signal.h>

#include "cli/sink.h"
#include "cli/source.h"
#include "coupling/engine.h"
#include "parallel/queue.h"

/* A step on its way to the output: all borrowed. */
typedef struct stream_step {
    size_t step; /* of the output */
    double time;
    const float *features;   /* (inputs, nlat, nlon), normalised */
    const long *outside;     /* (inputs): values beyond the trained range */
    const float *pressure;   /* of the surface, (nlat, nlon), Pa; NULL: not known */
    const float *flux;       /* (outputs, nlat, nlon), all finite; NULL when nothing is computed */
    const float *prediction; /* the same, normalised; NULL when it is not kept */
} stream_step;

typedef struct stream {
    gwf_engine *engine;     /* planned for the source's grid, NULL: nothing is computed */
    const gwf_model *model; /* its channels; all pointers are borrowed */
    bool keeps_prediction;  /* put() is to get it, beside the fluxes */
    int threads;            /* for what surrounds the network */
    source *input;
    sink *output;
    gwf_queue *queue;      /* hands out numbers n ... */
    const size_t *pending; /* ... of steps pending[n] of the output, first + pending[n] of input */
    size_t steps;          /* all there are */
    size_t first;
    const volatile sig_atomic_t
        *stop; /* may be NULL; not 0: end after what is computed, with STOPPED */
    /* Hand a step to the output; from the thread of all NetCDF work. */
    gwf_status (*put)(void *user, const stream_step *step, gwf_error *err);
    /* After every batch computed here, from the computing thread; done: steps that are, on rank 0
     * those of all ranks (what others have in hand counts). */
    void (*progress)(void *user, size_t done);
    void *user;
} stream;

/* Of this rank. */
typedef struct stream_times {
    size_t steps;                              /* handed to the output */
    double total, reading, computing, writing; /* seconds */
} stream_times;

/* Run until there are no more steps. After a failure to read a step or compute a batch, those taken
 * before it are still computed and written; nobody gets further ones, and the first failure of this
 * rank is returned. Collective over the leaders: returns when all are through. */
gwf_status stream_run(const stream *s, stream_times *times, gwf_error *err);

#endif
