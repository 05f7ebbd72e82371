/* Reading, computing and writing at the same time.
 *
 * The caller's thread does all NetCDF work (the library allows only one, and HDF5 below it prints
 * its failures in all but the one that opened the files), a second one computes. They
 * meet at a ring of slots: step n is read into slot n % SLOTS, computed there, written from there.
 */
#ifndef GWF_CLI_STREAM_H
#define GWF_CLI_STREAM_H

#include <signal.h>

#include "cli/series.h"
#include "coupling/engine.h"
#include "io/flux_file.h"

typedef struct stream {
    gwf_engine *engine; /* planned for the series' grid; all pointers are borrowed */
    series *input;
    gwf_flux_file *file; /* created for `steps` steps */
    size_t first, steps; /* of the series */
    bool normalised;     /* the file takes `prediction` too */
    const volatile sig_atomic_t
        *stop; /* may be NULL; not 0: end after what is computed, with STOPPED */
    /* After every step computed, from the computing thread. */
    void (*progress)(void *user, size_t done, size_t steps);
    void *user;
} stream;

typedef struct stream_times {
    size_t written;                            /* steps in the file, also after a failure */
    double total, reading, computing, writing; /* seconds */
} stream_times;

/* Run all steps. After a failure to read or compute step n, steps before it are still computed and
 * written; the first failure is returned. */
gwf_status stream_run(const stream *s, stream_times *times, gwf_error *err);

#endif
