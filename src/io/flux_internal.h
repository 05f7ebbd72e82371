/* The two halves of the flux file: what its header says (flux_header.c), and how it comes to be
 * step by step (flux_file.c). */
#ifndef GWF_IO_FLUX_INTERNAL_H
#define GWF_IO_FLUX_INTERNAL_H

#include "io/flux_file.h"
#include "io/nc.h"

typedef struct gwf_flux_variables {
    int time, uw, vw, prediction; /* NetCDF ids; prediction -1 when there is none */
} gwf_flux_variables;

/* Define everything in a new file, and write what does not change with time. ARGUMENT for a
 * flux_kind that is not known. */
gwf_status gwf_flux_header_write(gwf_nc *nc, const gwf_flux_layout *layout,
                                 gwf_flux_variables *variables, gwf_error *err);

#endif
