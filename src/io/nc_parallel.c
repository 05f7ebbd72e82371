/* Many ranks write one NetCDF-4 file, where NetCDF-C and its HDF5 were built for it. */
#include "io/nc_internal.h"

#ifdef GWF_HAVE_NETCDF_PAR
#include <netcdf_par.h>

#include "parallel/comm_internal.h"

bool gwf_nc_has_parallel(void)
{
    return true;
}

int gwf_nc_parallel_open(const char *path, const gwf_comm *comm, int *id)
{
    return nc_open_par(path, NC_WRITE, comm->mpi, MPI_INFO_NULL, id);
}

#else

bool gwf_nc_has_parallel(void)
{
    return false;
}

int gwf_nc_parallel_open(const char *path, const gwf_comm *comm, int *id)
{
    (void)path;
    (void)comm;
    (void)id;
    return NC_ENOPAR;
}
#endif

/* Without a cache HDF5 writes whole chunks straight from the caller's memory. */
int gwf_nc_write_through(const gwf_nc *file, int variable)
{
    return GWF_NC(nc_set_var_chunk_cache(file->id, variable, 0, 0, 0));
}
