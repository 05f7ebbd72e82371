/* What the files of parallel/ share: MPI's own words. Of the other rooms only io/nc_parallel.c sees
 * them, since NetCDF-C asks for an MPI communicator. */
#ifndef GWF_PARALLEL_COMM_INTERNAL_H
#define GWF_PARALLEL_COMM_INTERNAL_H

#include "parallel/comm.h"

#ifdef GWF_HAVE_MPI
#include <mpi.h>

struct gwf_comm {
    MPI_Comm mpi; /* owned; MPI_COMM_NULL: this process alone */
    int rank, size;
    int named; /* this rank among all that were started, for messages */
};

/* OK, or BACKEND with MPI's text for a call that failed. */
gwf_status gwf_mpi_check(int rc, const char *what, gwf_error *err);

/* Until the request is done, without keeping a core busy for long. */
gwf_status gwf_mpi_wait(MPI_Request *request, gwf_error *err);
#else
struct gwf_comm {
    int rank, size;
};
#endif

#endif
