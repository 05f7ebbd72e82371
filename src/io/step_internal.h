/* The parts of a file of steps: does a layout make sense (step_layout.c), what the header says
 * (step_header.c), room for all steps (step_space.c), is an earlier file ours (step_resume.c),
 * making or taking over PATH.part (step_open.c), the steps and the end (step_file.c). */
#ifndef GWF_IO_STEP_INTERNAL_H
#define GWF_IO_STEP_INTERNAL_H

#include "io/nc.h"
#include "io/part.h"
#include "io/step_file.h"

enum {
    GWF_STEP_TIME_CHUNK = 512,
    GWF_STEP_PENDING = 256,            /* steps that may wait for a commit */
    GWF_STEP_HEADER_BYTES = 256 * 1024 /* of HDF5's beside the values, generously */
};

/* The global attribute that says what a file is made from. */
#define GWF_STEP_JOB "gwflux_job"

/* A field of a file. */
typedef struct gwf_step_variable {
    char name[GWF_NC_NAME];
    int id;                    /* NetCDF's */
    int rank;                  /* with time */
    size_t shape[GWF_NC_RANK]; /* of one step, as a count: 1, then the lengths after time */
} gwf_step_variable;

typedef struct gwf_step_variables {
    gwf_step_variable fields[GWF_STEP_FIELDS];
    int n_fields;
    int time;    /* NetCDF id */
    double fill; /* of time: no time yet */
} gwf_step_variables;

/* Does the layout make sense (ARGUMENT, UNSUPPORTED)? Then names and shapes of its fields, and the
 * bytes of a step and of all steady variables. */
gwf_status gwf_step_layout_check(const char *path, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, size_t *step_bytes,
                                 size_t *steady_bytes, gwf_error *err);

/* Find the fields, which gwf_step_layout_check() has named, and time in a file that
 * gwf_step_header_write() has made. FORMAT. */
gwf_status gwf_step_variables_find(const gwf_nc *nc, const gwf_step_layout *layout,
                                   gwf_step_variables *variables, gwf_error *err);

/* Are the variable's dimensions those, after time where it has one? */
bool gwf_step_has_dims(const gwf_nc_variable *v, bool time, const char *dims);

/* Define everything in a new file, and write what does not change with time. */
gwf_status gwf_step_header_write(gwf_nc *nc, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, gwf_error *err);

/* Give every chunk of every step its place in the new file, and the times their fill value: what
 * comes later are values only. The chunks stay holes but for their first value. */
gwf_status gwf_step_space_make(gwf_nc *nc, size_t steps, const gwf_step_variables *variables,
                               gwf_error *err);

/* An open PATH.part: is it the layout's job (MISMATCH, FORMAT), and which steps are finished? done:
 * layout->steps. Sets the ids of *variables. */
gwf_status gwf_step_resume_check(const gwf_nc *nc, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, unsigned char *done,
                                 gwf_error *err);

/* Does the file have the layout's gwflux_job, and its fields? */
bool gwf_step_resume_same_job(const gwf_nc *nc, const gwf_step_layout *layout,
                              gwf_step_variables *variables);

typedef struct gwf_step_pending {
    size_t step;
    double time;
} gwf_step_pending;

struct gwf_step_file {
    gwf_nc nc; /* PATH.part; closed on a rank that does not write */
    gwf_part target;
    const gwf_comm *comm; /* NULL: alone */
    bool shared;          /* all ranks write */
    int descriptor;       /* of PATH.part too, for fdatasync */
    size_t planned;
    size_t step_bytes, steady_bytes;
    size_t done; /* steps finished by this rank in this run, and on rank 0 by earlier runs */
    gwf_step_variables variables;
    unsigned char *taken; /* planned: finished before, or written by this rank */
    gwf_step_pending pending[GWF_STEP_PENDING];
    size_t n_pending;
    double committed; /* when, on gwf_now()'s clock */
    bool broken;      /* a write failed: nothing can follow */
};

bool gwf_step_is_root(const gwf_step_file *file);

/* gwf_agree(); comm NULL: alone. */
gwf_status gwf_step_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err);

/* Collective when the file is shared. */
gwf_status gwf_step_close(gwf_step_file *file, gwf_error *err);

/* Close and free. */
void gwf_step_destroy(gwf_step_file **file);

/* For those who make layouts: `count` names (none of them NULL) as the values of a
 * GWF_NC_CHAR variable (count, *width), *width being the longest one's length and at least 1; the
 * shorter ones end in '\0'. Owned by the caller. ARGUMENT, MEMORY. */
gwf_status gwf_step_names(const char *path, const char *const *names, size_t count, size_t *width,
                          char **characters, gwf_error *err);

#endif
