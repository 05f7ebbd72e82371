#include "parallel/parcel.h"

#include <limits.h>

#include "parallel/comm_internal.h"
#include "parallel/tags.h"

#ifdef GWF_HAVE_MPI

static gwf_status check_size(size_t n, gwf_error *err)
{
    if (n <= INT_MAX) return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED, "a step of %zu values is too large to send", n);
}

gwf_status gwf_parcel_send(const gwf_comm *comm, const gwf_label *label, const float *values,
                           size_t n, gwf_error *err)
{
    MPI_Request requests[2];
    GWF_TRY(check_size(n, err));
    GWF_TRY(gwf_mpi_check(
        MPI_Isend(label, (int)sizeof *label, MPI_BYTE, 0, GWF_TAG_LABEL, comm->mpi, &requests[0]),
        "MPI_Isend", err));
    GWF_TRY(gwf_mpi_check(
        MPI_Isend(values, (int)n, MPI_FLOAT, 0, GWF_TAG_RESULT, comm->mpi, &requests[1]),
        "MPI_Isend", err));
    GWF_TRY(gwf_mpi_wait(&requests[0], err));
    return gwf_mpi_wait(&requests[1], err);
}

gwf_status gwf_parcel_receive(const gwf_comm *comm, gwf_label *label, float *values, size_t n,
                              bool *arrived, gwf_error *err)
{
    int there = 0;
    MPI_Status from;
    *arrived = false;
    if (comm->size == 1) return GWF_OK;
    GWF_TRY(check_size(n, err));
    GWF_TRY(gwf_mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, GWF_TAG_LABEL, comm->mpi, &there, &from),
                          "MPI_Iprobe", err));
    if (!there) return GWF_OK;
    GWF_TRY(gwf_mpi_check(MPI_Recv(label, (int)sizeof *label, MPI_BYTE, from.MPI_SOURCE,
                                   GWF_TAG_LABEL, comm->mpi, MPI_STATUS_IGNORE),
                          "MPI_Recv", err));
    *arrived = true;
    return gwf_mpi_check(MPI_Recv(values, (int)n, MPI_FLOAT, from.MPI_SOURCE, GWF_TAG_RESULT,
                                  comm->mpi, MPI_STATUS_IGNORE),
                         "MPI_Recv", err);
}

#else

gwf_status gwf_parcel_send(const gwf_comm *comm, const gwf_label *label, const float *values,
                           size_t n, gwf_error *err)
{
    (void)comm;
    (void)label;
    (void)values;
    (void)n;
    return gwf_fail(err, GWF_ERR_INTERNAL, "there is no other rank to send to");
}

gwf_status gwf_parcel_receive(const gwf_comm *comm, gwf_label *label, float *values, size_t n,
                              bool *arrived, gwf_error *err)
{
    (void)comm;
    (void)label;
    (void)values;
    (void)n;
    (void)err;
    *arrived = false;
    return GWF_OK;
}
#endif
