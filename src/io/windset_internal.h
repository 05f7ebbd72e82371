/* What step_header.c and step_resume.c need of an open feature file: its time variable. */
#ifndef GWF_IO_WINDSET_INTERNAL_H
#define GWF_IO_WINDSET_INTERNAL_H

#include "io/nc.h"
#include "io/windset.h"

/* The open file, borrowed until gwf_windset_close(). */
const gwf_nc *gwf_windset_nc(const gwf_windset *file);

/* NULL when the file has no (numeric, 1-D) time coordinate. Borrowed likewise. */
const gwf_nc_variable *gwf_windset_time_variable(const gwf_windset *file);

/* Set the axis' values in degrees: `names` are tried in turn; *values stays NULL when the file has
 * none of them. Stored as fractions of `full` (90 or 360) or in degrees; must increase. Values are
 * owned by the caller, on failure too. FORMAT. */
gwf_status gwf_windset_axis(const gwf_nc *file, const char *const names[2], size_t count,
                            double full, double **values, gwf_error *err);

#endif
