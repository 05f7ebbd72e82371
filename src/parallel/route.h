/* Who sends which columns to whom: planned once, then every exchange is one message a pair of
 * ranks.
 *
 * Columns (or cells of a grid) have ids from 0 to total - 1. Each id is had by one rank and wanted
 * by any number of ranks; `rows` float32 values of each id travel. The caller writes them to the
 * places of what it has, calls begin and end, and reads them from the places of what it wants. What
 * stays on a rank is not copied: its two places are one. Within a message ids rise, so that
 * neighbours in a list whose ids are neighbours have neighbouring places: copies go over runs with
 * unit stride. */
#ifndef GWF_PARALLEL_ROUTE_H
#define GWF_PARALLEL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parallel/comm.h"

typedef struct gwf_route gwf_route;

/* What this rank has and wants, in any order; 0 of either is fine. Borrowed by gwf_route_create().
 */
typedef struct gwf_route_ids {
    int total;       /* the same on all ranks */
    bool complete;   /* an id that nobody has is refused, wanted or not; the same on all ranks */
    int n_have;      /* ids whose values are here ... */
    const int *have; /* (n_have) */
    int n_want;      /* ... and whose values are needed here, each once */
    const int *want; /* (n_want) */
    /* An id in words, for messages ("column 17 at latitude 3, longitude 8"); NULL: "column 17",
     * counted from 1. */
    void (*describe)(const void *user, int id, char *text, size_t size);
    const void *user;
} gwf_route_ids;

/* Where the values of an id are in gwf_route_values(): that of row k at first + k * stride. The ids
 * behind it in the list lie side by side with it, `run` of them with itself: first + 1, ... */
typedef struct gwf_route_place {
    size_t first, stride;
    int run; /* at least 1 */
} gwf_route_place;

#define GWF_NOWHERE SIZE_MAX /* as first: nobody wants this id (nor the others of its run) */

/* Collective. Rendezvous by blocks of ids: no rank holds a list of them all. DATA: an id out of
 * range, had by two ranks or twice by one, or by nobody: the first such id with its ranks.
 * UNSUPPORTED: a message too long for MPI. MEMORY, BACKEND. */
gwf_status gwf_route_create(const gwf_comm *comm, const gwf_route_ids *ids, int rows,
                            gwf_route **route, gwf_error *err);
/* Not while an exchange goes on; before comm is freed. NULL is fine. */
void gwf_route_free(gwf_route **route);

/* Zero at first; owned by the route. */
float *gwf_route_values(const gwf_route *route);
/* Of have[0], have[1], ..., and of want[0], ...; owned by the route. */
const gwf_route_place *gwf_route_out(const gwf_route *route);
const gwf_route_place *gwf_route_in(const gwf_route *route);

/* Collective; nothing is allocated. Between begin and end places are only read. What was written
 * stays until it is written anew, so that a field that does not change need be written once. As
 * places of what stays on the rank are one, the next values are written only after the last ones
 * were used. */
gwf_status gwf_route_begin(gwf_route *route, gwf_error *err);
gwf_status gwf_route_end(gwf_route *route, gwf_error *err);

#endif
