#include "parallel/lists.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_internal.h"

gwf_status gwf_lists_create(const gwf_comm *comm, size_t n, gwf_lists *lists, gwf_error *err)
{
    lists->start = calloc((size_t)comm->size + 1, sizeof *lists->start);
    lists->value = calloc(n ? n : 1, sizeof *lists->value);
    if (lists->start && lists->value) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for lists of %zu numbers", n);
}

void gwf_lists_free(gwf_lists *lists)
{
    free(lists->start);
    free(lists->value);
    *lists = (gwf_lists){0};
}

#ifdef GWF_HAVE_MPI

/* counts: how many numbers come from each rank. */
static gwf_status make_room(const gwf_comm *comm, const int *counts, gwf_lists *in, gwf_error *err)
{
    size_t total = 0;
    for (int r = 0; r < comm->size; r++) total += (size_t)counts[r];
    if (total > INT_MAX)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED, "%zu numbers for one rank are too many", total);
    GWF_TRY(gwf_lists_create(comm, total, in, err));
    for (int r = 0; r < comm->size; r++) in->start[r + 1] = in->start[r] + counts[r];
    return GWF_OK;
}

static gwf_status pass(const gwf_comm *comm, int *counts, const gwf_lists *out, gwf_lists *in,
                       gwf_error *err)
{
    int *const sent = counts, *const received = counts + comm->size;
    for (int r = 0; r < comm->size; r++) sent[r] = out->start[r + 1] - out->start[r];
    GWF_TRY(gwf_mpi_check(MPI_Alltoall(sent, 1, MPI_INT, received, 1, MPI_INT, comm->mpi),
                          "MPI_Alltoall", err));
    GWF_TRY(gwf_agree(comm, make_room(comm, received, in, err), err));
    return gwf_mpi_check(MPI_Alltoallv(out->value, sent, out->start, MPI_INT, in->value, received,
                                       in->start, MPI_INT, comm->mpi),
                         "MPI_Alltoallv", err);
}

static gwf_status pass_to_ranks(const gwf_comm *comm, const gwf_lists *out, gwf_lists *in,
                                gwf_error *err)
{
    int *counts = calloc(2 * (size_t)comm->size, sizeof *counts);
    gwf_status status =
        counts ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for the counts of lists");
    status = gwf_agree(comm, status, err);
    if (status == GWF_OK) status = pass(comm, counts, out, in, err);
    free(counts);
    return status;
}
#endif

static gwf_status copy(const gwf_comm *comm, const gwf_lists *out, gwf_lists *in, gwf_error *err)
{
    const size_t n = (size_t)out->start[1];
    GWF_TRY(gwf_lists_create(comm, n, in, err));
    in->start[1] = out->start[1];
    memcpy(in->value, out->value, n * sizeof *in->value);
    return GWF_OK;
}

gwf_status gwf_lists_pass(const gwf_comm *comm, const gwf_lists *out, gwf_lists *in, gwf_error *err)
{
    *in = (gwf_lists){0};
#ifdef GWF_HAVE_MPI
    if (comm->size > 1) return pass_to_ranks(comm, out, in, err);
#endif
    return copy(comm, out, in, err);
}
