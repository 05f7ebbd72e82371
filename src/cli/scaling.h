/* gwflux bench --model-scaling: what tiles on many ranks or GPUs would bring, from the counts of
 * engine/cost.h and the speeds that one rank, or two, have here. */
#ifndef GWF_CLI_SCALING_H
#define GWF_CLI_SCALING_H

#include <stdio.h>

#include "cli/world.h"
#include "coupling/engine.h"
#include "engine/speed.h"

enum { SCALING_CHECKS = 3 };

/* A tile computed alone: its layers' fastest runs, without borders from others. */
typedef struct scaling_check {
    int nlat, nlon;
    double predicted, measured; /* seconds; measured 0: not done */
} scaling_check;

typedef struct scaling {
    gwf_network networks[2][2]; /* built for [rows cut][columns cut]; owned */
    gwf_layer_speed *layers;    /* of networks[1][1]; owned */
    gwf_machine here;
    int block;
    double flops, weights, triad; /* of one rank: large tiles; bytes of weights, of memory a s */
    bool linked;                  /* here.near was measured between two ranks */
    scaling_check checks[SCALING_CHECKS];
} scaling;

/* Times the layers of tiles on rank 0 while the others sleep, memory, and messages where there are
 * two ranks. Needs the model's weights: before gwf_engine_plan(). Collective over w->map; *s can be
 * freed on failure too. */
gwf_status scaling_measure(scaling *s, const gwf_options *options, int steps, const world *w,
                           gwf_engine *engine, gwf_error *err);
void scaling_free(scaling *s);

/* Predicted seconds of a tile of this size, its borders copied but nothing sent. */
double scaling_alone(const scaling *s, int nlat, int nlon);

/* On the leader: the tables to stdout and, where json is not NULL, the same to that file. seconds:
 * the fastest map of `engine` as it is cut here. */
gwf_status scaling_print(const scaling *s, const gwf_engine *engine, double seconds, FILE *json,
                         gwf_error *err);

#endif
