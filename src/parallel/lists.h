/* Lists of numbers from every rank to every rank. */
#ifndef GWF_PARALLEL_LISTS_H
#define GWF_PARALLEL_LISTS_H

#include "parallel/comm.h"

/* One list a rank: that of rank r is value[start[r]] .. value[start[r + 1] - 1]. Owned. */
typedef struct gwf_lists {
    int *start; /* (ranks + 1) */
    int *value; /* (start[ranks]) */
} gwf_lists;

/* Empty lists with room for n values in all. Local. MEMORY. The caller frees, on failure
 * too. */
gwf_status gwf_lists_create(const gwf_comm *comm, size_t n, gwf_lists *lists, gwf_error *err);
/* {0} is fine. */
void gwf_lists_free(gwf_lists *lists);

/* Each rank's list goes there; what comes from all ranks is made in `in` (the caller frees, on
 * failure too). Collective, and the ranks agree on how it ended. MEMORY; UNSUPPORTED: more values
 * for a rank than an int counts. */
gwf_status gwf_lists_pass(const gwf_comm *comm, const gwf_lists *out, gwf_lists *in,
                          gwf_error *err);

#endif
