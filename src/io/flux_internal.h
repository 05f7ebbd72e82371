/* The parts of the flux file: what its header says (flux_header.c), room for all steps
 * (flux_space.c), is an earlier one ours (flux_resume.c), making or taking over PATH.part
 * (flux_open.c), the steps and the end (flux_file.c). */
#ifndef GWF_IO_FLUX_INTERNAL_H
#define GWF_IO_FLUX_INTERNAL_H

#include "io/flux_file.h"
#include "io/nc.h"
#include "io/part.h"

enum {
    GWF_FLUX_TIME_CHUNK = 512,
    GWF_FLUX_PENDING = 256,            /* steps that may wait for a commit */
    GWF_FLUX_HEADER_BYTES = 256 * 1024 /* of HDF5's beside the values, generously */
};

typedef struct gwf_flux_variables {
    int time, uw, vw, prediction; /* NetCDF ids; prediction -1 when there is none */
    double fill;                  /* of time: no time yet */
} gwf_flux_variables;

/* The variables of a file that gwf_flux_header_write() has made. FORMAT. */
gwf_status gwf_flux_variables_find(const gwf_nc *nc, bool prediction, gwf_flux_variables *variables,
                                   gwf_error *err);

/* Define everything in a new file, and write what does not change with time. ARGUMENT for a
 * flux_kind that is not known. */
gwf_status gwf_flux_header_write(gwf_nc *nc, const gwf_flux_layout *layout,
                                 gwf_flux_variables *variables, gwf_error *err);

/* Give every chunk of every step its place in the new file, and the times their fill value: what
 * comes later are values only. The chunks stay holes but for their first value. */
gwf_status gwf_flux_space_make(gwf_nc *nc, const gwf_flux_layout *layout,
                               const gwf_flux_variables *variables, gwf_error *err);

/* An open PATH.part, or PATH itself: is it the layout's job (MISMATCH, FORMAT), and which steps are
 * finished? done: layout->steps. */
gwf_status gwf_flux_resume_check(const gwf_nc *nc, const gwf_flux_layout *layout,
                                 unsigned char *done, gwf_error *err);

/* Does the file's gwflux_job equal the layout's? */
bool gwf_flux_resume_same_job(const gwf_nc *nc, const gwf_flux_layout *layout);

typedef struct gwf_flux_pending {
    size_t step;
    double time;
} gwf_flux_pending;

struct gwf_flux_file {
    gwf_nc nc; /* PATH.part; closed on a rank that does not write */
    gwf_part target;
    const gwf_comm *comm; /* NULL: alone */
    bool shared;          /* all ranks write */
    int descriptor;       /* of PATH.part too, for fdatasync */
    size_t nlev, nlat, nlon, channels, planned;
    size_t step_bytes;
    size_t done; /* steps finished by this rank in this run, and on rank 0 by earlier runs */
    gwf_flux_variables variables;
    unsigned char *taken; /* planned: finished before, or written by this rank */
    gwf_flux_pending pending[GWF_FLUX_PENDING];
    size_t n_pending;
    double committed; /* when, on gwf_now()'s clock */
    bool broken;      /* a write failed: nothing can follow */
};

bool gwf_flux_is_root(const gwf_flux_file *file);

/* gwf_agree(); comm NULL: alone. */
gwf_status gwf_flux_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err);

/* Collective when the file is shared. */
gwf_status gwf_flux_close(gwf_flux_file *file, gwf_error *err);

/* Close and free. */
void gwf_flux_destroy(gwf_flux_file **file);

#endif
