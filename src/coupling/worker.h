/* A thread that does one job at a time beside the host's own work. */
#ifndef GWF_COUPLING_WORKER_H
#define GWF_COUPLING_WORKER_H

#include "core/error.h"

typedef struct gwf_worker gwf_worker;

gwf_status gwf_worker_create(gwf_worker **worker, gwf_error *err);
/* Waits for a job that runs; NULL is fine. */
void gwf_worker_free(gwf_worker **worker);

/* The thread calls job(data). One at a time: wait before the next. */
void gwf_worker_start(gwf_worker *worker, void (*job)(void *data), void *data);
/* Until the job is done; at once when there is none. */
void gwf_worker_wait(gwf_worker *worker);

#endif
