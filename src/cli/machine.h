/* What this machine can do at best, measured: the yardstick of gwflux bench. */
#ifndef GWF_CLI_MACHINE_H
#define GWF_CLI_MACHINE_H

#include "core/error.h"

/* Multiply-adds a second of all threads together, from registers, by the widest instructions that
 * this processor has; 0: it has none for that precision, or ones that are not measured (AMX). */
typedef struct machine {
    int threads;
    const char *instructions; /* of fp32: "AVX-512" */
    double fp32, bf16, int8;
    double memory; /* bytes a second of all threads together: the triad below */
} machine;

/* Takes about half a second, and 96 MB a thread but not more than 1.6 GB, which it gives back.
 * MEMORY. */
gwf_status machine_measure(int threads, machine *m, gwf_error *err);

/* Bytes a second of a = b + s c, three arrays far larger than a core's own caches. */
gwf_status machine_triad(int threads, double *bandwidth, gwf_error *err);

/* Bytes of memory that this process has had at most. */
double machine_peak_memory(void);

#endif
