/* The output: CF-1.10 NetCDF-4 with uw and vw (time, lev, lat, lon).
 *
 * It is made as PATH.part with room for all its steps; finish() renames it to PATH, so the final
 * name only ever stands for a complete file. The steps may come in any order, from one process or
 * from many ranks.
 *
 * What is finished, also in a PATH.part that a killed run has left: step s is if and only if
 * time(s) is there and is not the fill value. A step's values go to the disk first (fdatasync),
 * only then its time, and nothing else in the file changes until it is closed: neither a kill nor a
 * machine that dies leaves a time without its data, or a damaged file. So that small steps stay
 * cheap, this commit happens about once a second, and always in finish() and abandon().
 *
 * With a communicator of several ranks create, resume, finish and abandon are collective, all of
 * them fail where one does, and write and commit are local. Two ways of writing give the same
 * bytes:
 *   parallel NetCDF-4: every rank writes its own steps straight into the file. The ranks must see
 *   one file system that keeps neighbouring writes apart: a node's own, Lustre, GPFS, BeeGFS;
 *   not NFS.
 *   one rank: only rank 0 writes. */
#ifndef GWF_IO_FLUX_FILE_H
#define GWF_IO_FLUX_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "io/windset.h"
#include "parallel/comm.h"

typedef struct gwf_attribute {
    const char *name, *text;
} gwf_attribute;

typedef enum gwf_flux_writer {
    GWF_WRITE_AUTO, /* all ranks where NetCDF-C can, else rank 0 */
    GWF_WRITE_ALL,  /* all ranks; UNSUPPORTED where NetCDF-C cannot */
    GWF_WRITE_ROOT, /* rank 0 */
} gwf_flux_writer;

/* The same on all ranks. All borrowed during create() and resume(), comm until the file is gone. */
typedef struct gwf_flux_layout {
    size_t steps; /* that will be written: the disk is asked for room for all of them first */
    size_t nlev, nlat, nlon;
    const double *lat, *lon;      /* degrees */
    const int *level_number;      /* nlev: ECMWF level numbers */
    const double *a, *b;          /* nlev: hybrid coefficients, Pa and 1 */
    const char *flux_kind;        /* rho_uw (Pa) or u_omega (Pa m s-2) */
    const gwf_windset *time_of;   /* rank 0's: its time variable's type and attributes are copied */
    const char *time_units;       /* in place of its units; NULL: those it has */
    const double *times;          /* steps: what resume() expects to find; NULL: anything */
    int prediction_channels;      /* > 0: also prediction(time, odim, lat, lon), normalised */
    const gwf_attribute *globals; /* gwflux_job: inputs and steps in words, for resume() */
    int n_globals;
    bool overwrite;
    const gwf_comm *comm; /* NULL: this process alone */
    gwf_flux_writer writer;
} gwf_flux_layout;

typedef struct gwf_flux_file gwf_flux_file;

/* Errors: EXISTS (without overwrite; also a PATH.part that is being kept from an earlier run,
 * unless overwrite), IO (cannot be written), DISK (names need and free amount), UNSUPPORTED
 * (GWF_WRITE_ALL). Nothing is left behind. */
gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err);

/* Go on with what an earlier run of the same job has left in PATH.part; without one: create().
 * done (layout->steps): 1 for a step that is finished, 0 for one to be written; on all ranks.
 * layout->overwrite must be false (ARGUMENT).
 *
 * PATH itself is there: EXISTS. *complete then says that its gwflux_job is ours: there is nothing
 * left to do, and done is all 1. With *complete false it is another job's.
 * MISMATCH: PATH.part is another job's, and what differs: the dimensions, lev, lat, lon, flux
 * kind, units of time, one of the global attributes gwflux_model_sha256, gwflux_recipe,
 * gwflux_flux_kind, gwflux_backend, gwflux_precision, gwflux_version, gwflux_job (absent is ""),
 * or the time of a finished step. FORMAT: PATH.part cannot be read. IO: another process is
 * writing it. After any failure it is as it was. */
gwf_status gwf_flux_file_resume(const char *path, const gwf_flux_layout *layout,
                                unsigned char *done, bool *complete, gwf_flux_file **file,
                                gwf_error *err);

/* Local: may this rank call write()? All ranks, or rank 0 only. */
bool gwf_flux_file_writes(const gwf_flux_file *file);

/* Local. Write step 0..steps - 1, each once over all ranks and runs: uw, vw (nlev, nlat, nlon);
 * prediction (channels, nlat, nlon) or NULL. ARGUMENT for a step that this rank has written or that
 * was finished before. DISK, IO: nothing more can be written, and the steps that were committed
 * stay readable. */
gwf_status gwf_flux_file_write(gwf_flux_file *file, size_t step, double time, const float *uw,
                               const float *vw, const float *prediction, gwf_error *err);

/* Local: what was written is finished now, not within a second. */
gwf_status gwf_flux_file_commit(gwf_flux_file *file, gwf_error *err);

/* Collective. Close, give the file its name, free. INTERNAL when steps are missing; then, and
 * after any other failure, PATH.part keeps those that are finished. */
gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err);

/* Collective. Close without finishing, free. Returns the number of finished steps in PATH.part, of
 * all ranks and runs; when it is 0 PATH.part is removed. */
size_t gwf_flux_file_abandon(gwf_flux_file **file);

#endif
