/* The job of gwflux predict: a network between reading and writing, fluxes in the file. */
#ifndef GWF_CLI_PREDICTION_H
#define GWF_CLI_PREDICTION_H

#include "cli/job.h"
#include "cli/product.h"

typedef struct prediction_choice {
    const char *levels; /* NULL: the model's */
    const char *grid;   /* "model" or "input" */
    int normalised, tendency;
} prediction_choice;

/* What a prediction has beside its job: the job's `own`. */
typedef struct prediction {
    const prediction_choice *choice; /* borrowed */
    product *product;
    char **channel_names;
} prediction;

extern const job_kind prediction_job;

#endif
