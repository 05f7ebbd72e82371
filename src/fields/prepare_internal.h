/* What prepare.c (making, errors) and prepare_block.c (a block of columns) share. */
#ifndef GWF_FIELDS_PREPARE_INTERNAL_H
#define GWF_FIELDS_PREPARE_INTERNAL_H

#include "fields/bracket.h"
#include "fields/prepare.h"

typedef enum channel_kind { LAT, LON, ZS, U, V, THETA, OMEGA, KINDS } channel_kind;

typedef struct step_channel {
    channel_kind kind;
    int target; /* of the levels below, -1: none */
    gwf_transform transform;
    double mu, d;
} step_channel;

/* One thread's. Rows of GWF_BLOCK. */
typedef struct prepare_scratch {
    gwf_bracket bracket; /* coordinate ln p */
    double surface_pressure[GWF_BLOCK];
    double theta_factor[GWF_BLOCK]; /* theta / T at the target at hand */
    double one[GWF_BLOCK];          /* 1 everywhere: what other variables have in its place */
    float *temperature, *omega;     /* (levels): what has to be made, levels as the state's */
    long *outside, *missing;        /* (count), of a run; the place of the first, -1: none */
    int fault;                      /* first block whose pressures cannot be used, -1: none */
} prepare_scratch;

struct gwf_prepare {
    gwf_tile part;
    int columns, levels; /* levels: of the source */
    double *lat, *lon;   /* degrees, of the part's rows and columns */
    gwf_needs needs;
    int count; /* channels */
    step_channel *channels;
    int targets;
    gwf_level target[GWF_LEVELS];
    int threads, blocks;
    prepare_scratch *scratch; /* (threads) */
    long *outside;            /* (count), of a run */
};

/* Degrees. */
typedef struct prepare_cell {
    double lat, lon;
} prepare_cell;

/* Of a column of the part. */
static inline prepare_cell prepare_place(const gwf_prepare *prepare, size_t column)
{
    const size_t cols = (size_t)prepare->part.cols;
    return (prepare_cell){prepare->lat[column / cols], prepare->lon[column % cols]};
}

/* A run. */
typedef struct prepare_step {
    const gwf_prepare *prepare;
    const gwf_state *state;
    bool bottom_up;
    float *features;
} prepare_step;

/* Find the pressures of a block of columns and bracket the targets. DATA. */
gwf_status prepare_pressures(const prepare_step *step, prepare_scratch *scratch, int block,
                             gwf_error *err);

/* Then its features. */
void prepare_features(const prepare_step *step, prepare_scratch *scratch, int block);

#endif
