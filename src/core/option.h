/* Options: one table row each, with default, bounds and help; the same rows serve the library, the
 * command line and the help texts. */
#ifndef GWF_CORE_OPTION_H
#define GWF_CORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef enum gwf_option_kind {
    GWF_OPTION_TEXT,   /* const char *, borrowed from the caller */
    GWF_OPTION_LIST,   /* gwf_option_list: every use appends */
    GWF_OPTION_INT,    /* int within least..most */
    GWF_OPTION_REAL,   /* double within least..most, finite */
    GWF_OPTION_CHOICE, /* const char *, one of the words of `choices` (static storage) */
    GWF_OPTION_FLAG,   /* int, 1 when given; takes no value */
    GWF_OPTION_CONFIG, /* a struct whose first member is a const char *: the path of a file of
                        * options (the command's: core/config.h) */
} gwf_option_kind;

typedef struct gwf_option_list {
    const char **items; /* the caller's, with room for all uses */
    int count;
} gwf_option_list;

typedef struct gwf_option_row {
    const char *name; /* long name; in capitals: a positional argument */
    char letter;      /* short name or 0 */
    gwf_option_kind kind;
    size_t offset;            /* of the value in the target struct */
    const char *fallback;     /* as text; NULL: none, must be given; "": none, may be left out */
    int least, most;          /* INT, REAL */
    const char *const *words; /* CHOICE, ends with NULL */
    const char *help;         /* one line */
} gwf_option_row;

/* Texts that someone has to keep. */
typedef struct gwf_text_list {
    char **items;
    int count;
} gwf_text_list;

/* A table of rows and where their values go. */
typedef struct gwf_option_table {
    const gwf_option_row *rows;
    int count;
    void *target;
} gwf_option_table;

/* NULL when the table has no such row. */
const gwf_option_row *gwf_option_find(const gwf_option_table *table, const char *name);

/* All defaults. */
void gwf_option_defaults(const gwf_option_table *table);

/* ARGUMENT with the row's name, what was expected and what was found. */
gwf_status gwf_option_set(const gwf_option_table *table, const gwf_option_row *row,
                          const char *value, gwf_error *err);

/* "a|b|c" into text, which is returned. */
const char *gwf_option_words(const gwf_option_row *row, char *text, size_t size);

/* A plugin's options: how a host model is coupled (gwf_plugin_create() in gwflux.h). */
typedef struct gwf_plugin_options {
    int ranks;
    const char *tiles;
    double interval; /* s */
    const char *remap, *remap_back;
    const char *weights, *weights_back; /* paths, "": none */
    const char *top;
    double highest, lowest; /* Pa, 0: none */
    double boundary_layer;  /* of the surface pressure */
    double cap;             /* m s-2, 0: none */
    const char *bad_input, *bad_output, *outside;
    double outside_share; /* percent */
    const char *heating, *piggyback;
    int report;
} gwf_plugin_options;

/* The options of gwflux.h (gwf_options_*): an engine's, and a plugin's. */
struct gwf_options {
    const char *backend, *precision, *tune, *cache; /* cache: NULL or a text of any length */
    int threads, batch;
    int device, ranks_per_device;
    int device_rank, device_ranks; /* no rows: of the processes that see the same devices */
    bool no_gpu;                   /* no row: backend auto takes none */
    gwf_plugin_options plugin;
    gwf_text_list texts; /* copies of values that are texts; owned */
    gwf_error error;
};

/* All options with texts of their own (NULL: the defaults); NULL when out of memory. */
gwf_options *gwf_options_copy(const gwf_options *options);

/* Their tables, for options or (NULL) for help only. */
gwf_option_table gwf_engine_options(struct gwf_options *options);
gwf_option_table gwf_plugin_option_table(struct gwf_options *options);

#endif
