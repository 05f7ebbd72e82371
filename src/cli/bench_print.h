/* What gwflux bench has measured, as a table and as JSON. */
#ifndef GWF_CLI_BENCH_PRINT_H
#define GWF_CLI_BENCH_PRINT_H

#include <stdio.h>

#include "cli/machine.h"
#include "cli/memory.h"
#include "cli/stream.h"
#include "coupling/engine.h"

typedef struct bench_result {
    const gwf_engine *engine; /* its plan has the layers' times; borrowed */
    machine here;             /* of as many threads as the engine has; threads 0: not measured */
    double *seconds;          /* of a map, (runs), ascending; owned */
    int runs;                 /* each of engine->batch maps */
    int resident;             /* 1: maps in a device's memory */
    double memory;            /* bytes that the process had at most */
    memory_use nodes;         /* of all ranks */
    const char *input;        /* of the way from file to file; NULL: not timed */
    stream_times spent;       /* on that way */
} bench_result;

void bench_print(const bench_result *r);
void bench_json(const bench_result *r, FILE *json);

#endif
