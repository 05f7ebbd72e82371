/* Files of steps: NetCDF-4 whose fields have one value for every step of time, and steady variables
 * beside them. What a file holds is data, a gwf_step_layout; flux_file.h and prepared_file.h make
 * such layouts.
 *
 * A file is made as PATH.part with room for all its steps; finish() renames it to PATH, so the
 * final name only ever stands for a complete file. The steps may come in any order, from one
 * process or from many ranks.
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
#ifndef GWF_IO_STEP_FILE_H
#define GWF_IO_STEP_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "io/nc.h"
#include "io/windset.h"
#include "parallel/comm.h"

typedef struct gwf_attribute {
    const char *name, *text;
} gwf_attribute;

typedef enum gwf_step_writer {
    GWF_WRITE_AUTO, /* all ranks where NetCDF-C can, else rank 0 */
    GWF_WRITE_ALL,  /* all ranks; UNSUPPORTED where NetCDF-C cannot */
    GWF_WRITE_ROOT, /* rank 0 */
} gwf_step_writer;

typedef struct gwf_step_dimension {
    const char *name; /* any but "time", which every file has */
    size_t length;    /* 1 at least */
} gwf_step_dimension;

/* A variable without time. */
typedef struct gwf_step_steady {
    const char *name, *dims;         /* dims separated by blanks: "lev", "channel name_length" */
    gwf_nc_type type;                /* GWF_NC_DOUBLE, GWF_NC_INT, GWF_NC_CHAR */
    const void *values;              /* double, int or char; as many as the dims' product */
    const gwf_attribute *attributes; /* up to one without a name; NULL: none */
} gwf_step_steady;

/* A float32 variable (time, dims); one step of it is one chunk, not compressed. */
typedef struct gwf_step_field {
    const char *name, *dims; /* dims after time: "lev lat lon", "lat lon", "channel" */
    const gwf_attribute *attributes;
    bool may_miss; /* GWF_STEP_MISSING stands for a missing value: the field has a _FillValue */
} gwf_step_field;

/* NetCDF's own fill value. */
#define GWF_STEP_MISSING 9.9692099683868690e+36f

enum { GWF_STEP_FIELDS = 8 }; /* at most */

/* The same on all ranks. All borrowed during create() and resume(), comm until the file is gone. */
typedef struct gwf_step_layout {
    size_t steps; /* that will be written: the disk is asked for room for all of them first */
    const gwf_step_dimension *dimensions;
    const gwf_step_steady *steady;
    const gwf_step_field *fields; /* one at least, their order is that of write()'s values */
    int n_dimensions, n_steady, n_fields;
    const gwf_windset *time_of;   /* rank 0's: its time variable's type and attributes are copied */
    const char *time_units;       /* in place of its units; NULL: those it has */
    const char *time_calendar;    /* not NULL: time_of is, and time is a double that counts
                                     time_units of this CF calendar. Neither: time is an int */
    const double *times;          /* steps: what resume() expects to find; NULL: anything */
    const char *title;            /* NULL: none */
    const gwf_attribute *globals; /* of two of a name the later one. gwflux_job: inputs and steps in
                                     words, for resume() */
    const char *const *agree;     /* names of globals that resume() compares, beside gwflux_job */
    int n_globals, n_agree;
    bool overwrite;
    const gwf_comm *comm; /* NULL: this process alone */
    gwf_step_writer writer;
} gwf_step_layout;

typedef struct gwf_step_file gwf_step_file;

/* Errors: ARGUMENT (the layout contradicts itself), EXISTS (without overwrite; also a PATH.part
 * that is being kept from an earlier run, unless overwrite), IO (cannot be written), DISK (names
 * need and free amount), UNSUPPORTED (GWF_WRITE_ALL). Nothing is left behind. */
gwf_status gwf_step_file_create(const char *path, const gwf_step_layout *layout,
                                gwf_step_file **file, gwf_error *err);

/* Go on with what an earlier run of the same job has left in PATH.part; without one: create().
 * done (layout->steps): 1 for a step that is finished, 0 for one to be written; on all ranks.
 * layout->overwrite must be false (ARGUMENT).
 *
 * PATH itself is there: EXISTS. *complete then says that its globals of `agree` and gwflux_job
 * are ours and that it has our fields: there is nothing left to do, and done is all 1. With
 * *complete false it is another job's. MISMATCH: PATH.part is another job's, and what differs: a
 * global attribute of `agree` or gwflux_job (absent is ""), a dimension, a value of a steady
 * variable, units or calendar of time, or the time of a finished step. FORMAT: PATH.part cannot be
 * read, or a variable is not there as it should be. IO: another process is writing it. After any
 * failure it is as it was. */
gwf_status gwf_step_file_resume(const char *path, const gwf_step_layout *layout,
                                unsigned char *done, bool *complete, gwf_step_file **file,
                                gwf_error *err);

/* Local: may this rank call write()? All ranks, or rank 0 only. */
bool gwf_step_file_writes(const gwf_step_file *file);

/* Local. Write step 0..steps - 1, each once over all ranks and runs: values[i] is the step of
 * field i. ARGUMENT for a field that is NULL, and for a step that this rank has written or that was
 * finished before. DISK, IO: nothing more can be written, and the steps that were committed stay
 * readable. */
gwf_status gwf_step_file_write(gwf_step_file *file, size_t step, double time,
                               const float *const *values, gwf_error *err);

/* Local: what was written is finished now, not within a second. */
gwf_status gwf_step_file_commit(gwf_step_file *file, gwf_error *err);

/* Collective. Close, give the file its name, free. INTERNAL when steps are missing; then, and
 * after any other failure, PATH.part keeps those that are finished. */
gwf_status gwf_step_file_finish(gwf_step_file **file, gwf_error *err);

/* Collective. Close without finishing, free. Returns the number of finished steps in PATH.part, of
 * all ranks and runs; when it is 0 PATH.part is removed. */
size_t gwf_step_file_abandon(gwf_step_file **file);

#endif
