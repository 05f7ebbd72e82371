/* The options of an engine: the table behind gwf_options_set() and the command's common options. */
#include <stdlib.h>
#include <string.h>

#include "core/option.h"

static const char *const backend_words[] = {"auto", "cuda", "cpu", "ref", NULL};

static const char *const precision_words[] = {"auto", "fp32", "fp32-fast", "tf32",
                                              "bf16", "fp16", "int8",      NULL};

static const char *const tune_words[] = {"on", "off", NULL};

static const gwf_option_row rows[] = {
    {"backend", 0, GWF_OPTION_CHOICE, offsetof(struct gwf_options, backend), "auto", 0, 0,
     backend_words, "what computes; auto takes the fastest that starts here and says which"},
    {"precision", 0, GWF_OPTION_CHOICE, offsetof(struct gwf_options, precision), "auto", 0, 0,
     precision_words,
     "auto: fp32 on CPUs, bf16 on GPUs; fp32: rounding errors only; fp32-fast: Winograd too"},
    {"threads", 0, GWF_OPTION_INT, offsetof(struct gwf_options, threads), "0", 0, 1024, NULL,
     "threads of the cpu backend; 0: OMP_NUM_THREADS, else the cores there are"},
    {"batch", 0, GWF_OPTION_INT, offsetof(struct gwf_options, batch), "0", 0, 64, NULL,
     "maps computed at once; 0: what suits backend and model (tiles: always 1)"},
    {"tune", 0, GWF_OPTION_CHOICE, offsetof(struct gwf_options, tune), "on", 0, 0, tune_words,
     "on: algorithms are chosen by measuring, once; off: by a fixed rule"},
    {"cache", 0, GWF_OPTION_TEXT, offsetof(struct gwf_options, cache), "", 0, 0, NULL,
     "folder that remembers what was measured, or off; else $GWFLUX_CACHE, ~/.cache/gwflux"},
    {"device", 0, GWF_OPTION_INT, offsetof(struct gwf_options, device), "-1", -1, 1023, NULL,
     "GPU, of those that the process sees; -1: each rank of a node takes one of its own"},
    {"ranks-per-device", 0, GWF_OPTION_INT, offsetof(struct gwf_options, ranks_per_device), "1", 1,
     64, NULL, "ranks that share a GPU where a node has more of them than GPUs"},
};

gwf_option_table gwf_engine_options(struct gwf_options *options)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), options};
}

gwf_options *gwf_options_create(void)
{
    gwf_options *options = calloc(1, sizeof *options);
    if (!options) return NULL;
    const gwf_option_table table = gwf_engine_options(options);
    gwf_option_defaults(&table);
    return options;
}

void gwf_options_free(gwf_options **options)
{
    if (!options) return;
    if (*options) free((*options)->kept);
    free(*options);
    *options = NULL;
}

/* A text is the caller's only as long as the call: cache, the one that there is, is copied. */
static gwf_status keep_text(gwf_options *options, const gwf_option_table *table,
                            const gwf_option_row *row, const char *value)
{
    char *copy = strdup(value);
    if (!copy) return gwf_fail(&options->error, GWF_ERR_MEMORY, "option %s: no memory", row->name);
    free(options->kept);
    options->kept = copy;
    return gwf_option_set(table, row, copy, &options->error);
}

gwf_status gwf_options_set(gwf_options *options, const char *name, const char *value)
{
    if (!options) return GWF_ERR_ARGUMENT;
    const gwf_option_table table = gwf_engine_options(options);
    const gwf_option_row *row = name ? gwf_option_find(&table, name) : NULL;
    if (!row)
        return gwf_fail(&options->error, GWF_ERR_ARGUMENT, "option %s: there is none of that name",
                        name ? name : "(null)");
    if (!value)
        return gwf_fail(&options->error, GWF_ERR_ARGUMENT, "option %s: no value given", name);
    return row->kind == GWF_OPTION_TEXT ? keep_text(options, &table, row, value)
                                        : gwf_option_set(&table, row, value, &options->error);
}

const char *gwf_options_message(const gwf_options *options)
{
    return options ? options->error.text : "no options: out of memory";
}
