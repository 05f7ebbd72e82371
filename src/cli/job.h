/* What predict and prepare have in common: many steps of an input become many steps of an output,
 * over one process or many ranks. A job's kind says what happens between. */
#ifndef GWF_CLI_JOB_H
#define GWF_CLI_JOB_H

#include "core/config.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/world.h"

typedef struct job_arguments {
    const char *model, *output, *steps, *time_units, *writer, *orography, *weights;
    const char *tiles; /* NULL: each rank has maps of its own */
    int ranks_per_map; /* 0: not said */
    gwf_option_list inputs, variables;
    int overwrite, resume;
    gwf_config file;
} job_arguments;

extern const char *const job_writers[];

/* Rows of an option table whose target has the job_arguments as `member`. */
#define JOB_ROW(type, member, name, letter, kind, field, fallback, words, help)                    \
    {                                                                                              \
        name, letter, kind, offsetof(type, member.field), fallback, 0, 0, words, help              \
    }
#define JOB_ROWS(type, member)                                                                     \
    JOB_ROW(type, member, "model", 'm', GWF_OPTION_TEXT, model, NULL, NULL,                        \
            "model file (gwflux import)"),                                                         \
        JOB_ROW(type, member, "input", 'i', GWF_OPTION_LIST, inputs, NULL, NULL,                   \
                "reanalysis or WINDSET-style file; may be given many times"),                      \
        JOB_ROW(type, member, "output", 'o', GWF_OPTION_TEXT, output, NULL, NULL,                  \
                "NetCDF file to write"),                                                           \
        JOB_ROW(type, member, "steps", 0, GWF_OPTION_TEXT, steps, "", NULL,                        \
                "A:B, steps A to B - 1 of all inputs, counted from 0; either may be left out"),    \
        JOB_ROW(type, member, "variable", 0, GWF_OPTION_LIST, variables, "", NULL,                 \
                "u=NAME, name of a field (u, v, t, theta, omega, w, sp, lnsp, zs) in the input, "  \
                "where it is not recognised; may be given many times"),                            \
        JOB_ROW(                                                                                   \
            type, member, "orography", 0, GWF_OPTION_TEXT, orography, "", NULL,                    \
            "file with the surface geopotential or altitude, to estimate the surface pressure "    \
            "where the input has none"),                                                           \
        JOB_ROW(                                                                                   \
            type, member, "weights", 0, GWF_OPTION_TEXT, weights, "", NULL,                        \
            "ESMF or SCRIP file of remapping weights from the input's grid, which may be of any "  \
            "kind (its cells in the order of the file), to the model's"),                          \
        JOB_ROW(type, member, "time-units", 0, GWF_OPTION_TEXT, time_units, "", NULL,              \
                "units of a WINDSET-style input's time where it has none: \"hours since "          \
                "2004-12-31 23:00\" makes hour 1 of 2005 midnight"),                               \
        JOB_ROW(type, member, "overwrite", 0, GWF_OPTION_FLAG, overwrite, "", NULL,                \
                "replace an existing output"),                                                     \
        JOB_ROW(type, member, "resume", 0, GWF_OPTION_FLAG, resume, "", NULL,                      \
                "go on with the steps that an earlier run has left in OUTPUT.part"),               \
        JOB_ROW(type, member, "writer", 0, GWF_OPTION_CHOICE, writer, "auto", job_writers,         \
                "which ranks write the file; auto: all where NetCDF-C can, else the first"),       \
        JOB_ROW(type, member, "config", 0, GWF_OPTION_CONFIG, file, "", NULL,                      \
                "YAML file with any of these options; those given here go first")

typedef struct job job;

/* Calls are collective over the leaders unless they say local. */
typedef struct job_kind {
    bool computes; /* a network stands between reading and writing */
    /* Local, when the model is loaded: look at the options, choose j->reads and
     * j->keeps_prediction. May be NULL. */
    gwf_status (*check)(job *j, gwf_error *err);
    /* Open j->out by `how`. */
    gwf_status (*open)(job *j, const sink_opening *how, gwf_error *err);
    /* Local. One step to the sink. */
    gwf_status (*put)(job *j, const stream_step *step, gwf_error *err);
    /* After success: j->spent is known; rank 0 of all speaks. */
    gwf_status (*report)(job *j, gwf_error *err);
    void (*close)(job *j); /* local; whatever open made */
} job_kind;

struct job {
    const job_kind *kind;
    const job_arguments *a;
    const char *history;
    void *own; /* the kind's */
    world w;
    gwf_engine *engine; /* its model is loaded; planned when the job computes */
    gwf_model reads;    /* what the source makes channels for; borrows from the engine's model */
    gwf_channel_table own_channels; /* owned: reads.in where it is not the model's */
    source input;                   /* leaders, as all below */
    sink out;
    int threads;           /* for reading and what surrounds the network */
    bool keeps_prediction; /* as stream.h has it */
    size_t first, steps;
    size_t *pending, n_pending; /* steps still to be done */
    double *times;
    unsigned char *done;
    bool complete; /* by an earlier run */
    char *described;
    progress bar;
    stream_times spent; /* after success: sums over the leaders, the longest total */
};

/* Time of the output as flux and prepared layouts take it: windset's variable, or units and
 * calendar. */
gwf_status job_time(job *j, const gwf_windset **time_of, const char **units, const char **calendar,
                    gwf_error *err);
gwf_step_writer job_writer(const job *j);

/* How long it took and what limited it, one line by rank 0 of all. */
void job_print_summary(const job *j);

/* Room for lists of options; false: no memory. And all that the arguments own. */
bool job_lists(job_arguments *a, int argc);
void job_arguments_free(job_arguments *a);

/* What the command line came to; all borrowed. */
typedef struct job_start {
    const job_arguments *arguments;
    gwf_options *options;
    const char *history;
    gwf_status status; /* how reading the arguments ended, with error */
    gwf_error error;
} job_start;

/* All of it; the exit code. own is the kind's. */
int job_run(const job_kind *kind, const job_start *start, void *own);

#endif
