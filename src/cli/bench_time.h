/* The times of an engine's batches, one after the other. */
#ifndef GWF_CLI_BENCH_TIME_H
#define GWF_CLI_BENCH_TIME_H

#include "coupling/engine.h"

/* Seconds of a map in each of `runs` batches, ascending; all maps of a batch are read from and
 * written to the same place on the host. On a backend in the host's memory what each call takes;
 * the layers' times are those of these runs. On a device what one batch takes after the other, when
 * the next one's maps travel while it is computed; the layers' times are of runs beside these. */
gwf_status bench_time(gwf_engine *engine, int runs, double *seconds, gwf_error *err);

/* The same with maps in the device's memory: what a batch takes by the device's clock, from the
 * features there to the predictions there. UNSUPPORTED: computes in the host's memory, or tiles. */
gwf_status bench_time_resident(gwf_engine *engine, int runs, double *seconds, gwf_error *err);

#endif
