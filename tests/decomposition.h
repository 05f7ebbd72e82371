/* How a host may spread the ids of a grid over its ranks, and ranks that want them. */
#ifndef GWF_TESTS_DECOMPOSITION_H
#define GWF_TESTS_DECOMPOSITION_H

#include <stdbool.h>
#include <stdlib.h>

#include "test_mpi.h"

typedef enum decomposition {
    BANDS,     /* as even as can be, in order */
    BACKWARDS, /* the same, each rank's from the last to the first */
    BLOCKS,    /* of a map 8 wide, halves of its width dealt to the ranks row by row */
    SCATTERED, /* in chunks of 3 all over the place */
    ONE,       /* all on one rank: the last */
    NOT_ALL,   /* in order, but none on the even ranks (where there are others) */
    PARTITIONS,
    EVERYONE = PARTITIONS, /* each rank all of them, in another order */
    SOME,                  /* a part of them, some by several ranks, some by none */
    NOBODY,
    DECOMPOSITIONS
} decomposition;

typedef struct ids {
    int n;
    int *id; /* owned */
} ids;

static inline bool ids_has(decomposition d, int total, int rank, int i)
{
    const int ranks = test_ranks(), odd = ranks / 2;
    switch (d) {
    case BANDS:
    case BACKWARDS:
        return (int)((long)i * ranks / total) == rank;
    case BLOCKS:
        return (i / 8 % 2 + 2 * (i % 8 / 4)) % ranks == rank;
    case SCATTERED:
        return (int)(((unsigned)i / 3 * 2654435761U >> 7) % (unsigned)ranks) == rank;
    case ONE:
        return rank == ranks - 1;
    case NOT_ALL:
        return ranks == 1 || (rank % 2 == 1 && (int)((long)i * odd / total) == rank / 2);
    case SOME:
        return (i + rank) % 3 == 0 && i % 5 != 4;
    case NOBODY:
        return false;
    default:
        return true;
    }
}

/* Those of a rank. */
static inline ids ids_of(decomposition d, int total, int rank)
{
    ids list = {0, calloc((size_t)total + 1, sizeof *list.id)};
    if (!list.id) abort();
    const bool turned = d == BACKWARDS || d == EVERYONE;
    for (int k = 0; k < total; k++) {
        const int i = turned ? total - 1 - k : k;
        if (ids_has(d, total, rank, i)) list.id[list.n++] = i;
    }
    for (int k = 0; d == EVERYONE && rank % 2 == 1 && 2 * k + 1 < list.n; k++) {
        const int id = list.id[2 * k]; /* neighbours change places */
        list.id[2 * k] = list.id[2 * k + 1];
        list.id[2 * k + 1] = id;
    }
    return list;
}

#endif
