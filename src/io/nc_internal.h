/* What the files of io/ share and no other room sees. */
#ifndef GWF_IO_NC_INTERNAL_H
#define GWF_IO_NC_INTERNAL_H

#include <errno.h>
#include <netcdf.h>

#include "io/nc.h"
#include "parallel/comm.h"

/* A NetCDF call. HDF5 reports a full disk as a plain "HDF error"; only errno tells, so it must not
 * be an old one. */
#define GWF_NC(call) (errno = 0, (call))

/* The line for a failed call: "PATH: variable V: WHAT (text of rc)"; variable NULL or "": without.
 * Status: DISK when errno or rc says that there was no room, MEMORY, else `otherwise`. Call it
 * right after the NetCDF call. */
gwf_status gwf_nc_fail(const gwf_nc *file, const char *variable, const char *what, int rc,
                       gwf_status otherwise, gwf_error *err);

/* An existing NetCDF-4 file, for writing values into what is there. comm: all its ranks, each for
 * itself from here to gwf_nc_close(), which are both collective; NULL: this process alone. IO. */
gwf_status gwf_nc_open_write(const char *path, const gwf_comm *comm, gwf_nc *file, gwf_error *err);

/* Can many ranks write one file (NetCDF-C was built for it)? The opening itself, with NetCDF-C's
 * code. Writing is independent. */
bool gwf_nc_has_parallel(void);
int gwf_nc_parallel_open(const char *path, const gwf_comm *comm, int *id);

/* Values of this variable go to the file at once and as they are, not by way of a chunk cache. */
int gwf_nc_write_through(const gwf_nc *file, int variable);

/* A value of any numeric type as NetCDF-C gives it raw; NaN for other types. */
double gwf_nc_raw_number(nc_type type, const void *value);

/* Refuse addresses: NetCDF-C would try to fetch them. NOT_FOUND. */
gwf_status gwf_nc_check_local(const char *path, gwf_error *err);

/* HDF5 locks what it writes, and then says no more than "HDF error" to others. */
bool gwf_nc_is_being_written(const char *path);

/* The classic formats hold their values as they are, and NetCDF-C reads zeros behind the end of a
 * file that was cut short. FORMAT when the open file is shorter than its variables need; NetCDF-4
 * files, which HDF5 checks, pass. */
gwf_status gwf_nc_check_length(const gwf_nc *file, gwf_error *err);

/* HDF5 prints what fails, and NetCDF-C turns that off in one thread only: this does in the calling
 * one. */
void gwf_nc_keep_quiet(void);

/* Numbers, as against text and user-defined types. */
bool gwf_nc_is_number(nc_type type);

/* The same variable's NetCDF type; NC_NAT when it cannot be told. */
nc_type gwf_nc_type_of(const gwf_nc *file, const gwf_nc_variable *v);

#endif
