/* The options of an engine: a table behind gwf_options_set() and the command's common options. */
#include "core/option.h"

static const char *const backend_words[] = {"auto", "cpu", "ref", NULL};

static const char *const precision_words[] = {"fp32", "fp32-fast", NULL};

static const gwf_option_row rows[] = {
    {"backend", 0, GWF_OPTION_CHOICE, offsetof(struct gwf_options, backend), "auto", 0, 0,
     backend_words, "what computes; auto takes the fastest that starts here and says which"},
    {"precision", 0, GWF_OPTION_CHOICE, offsetof(struct gwf_options, precision), "fp32", 0, 0,
     precision_words, "fp32: rounding errors only; fp32-fast: Winograd where it is faster"},
    {"threads", 0, GWF_OPTION_INT, offsetof(struct gwf_options, threads), "0", 0, 1024, NULL,
     "threads of the cpu backend; 0: OMP_NUM_THREADS, else the cores there are"},
};

gwf_option_table gwf_engine_options(struct gwf_options *options)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), options};
}
