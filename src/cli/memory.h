/* Memory of the command's ranks, a node at a time. */
#ifndef GWF_CLI_MEMORY_H
#define GWF_CLI_MEMORY_H

#include "cli/world.h"

/* Bytes. Of nodes the largest figures; a page that several ranks have counts once in `now`. */
typedef struct memory_use {
    int nodes, ranks; /* ranks: of a node */
    double now;       /* of a node's ranks together; 0: the system does not tell */
    double peaks;     /* what each of a node's ranks has had at most, added up */
} memory_use;

/* Collective over all. */
gwf_status memory_measure(const world *w, memory_use *use, gwf_error *err);

#endif
