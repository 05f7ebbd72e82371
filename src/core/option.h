/* Options: one table row each, with default, bounds and help; the same rows serve the library, the
 * command line and the help texts. */
#ifndef GWF_CORE_OPTION_H
#define GWF_CORE_OPTION_H

#include <stddef.h>

#include "core/error.h"

typedef enum gwf_option_kind {
    GWF_OPTION_TEXT,   /* const char *, borrowed from the caller */
    GWF_OPTION_LIST,   /* gwf_option_list: every use appends */
    GWF_OPTION_INT,    /* int within least..most */
    GWF_OPTION_CHOICE, /* const char *, one of the words of `choices` (static storage) */
    GWF_OPTION_FLAG,   /* int, 1 when given; takes no value */
    GWF_OPTION_CONFIG, /* a struct whose first member is a const char *: the path of a file of
                        * options (the command's: cli/config.h) */
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
    int least, most;          /* INT */
    const char *const *words; /* CHOICE, ends with NULL */
    const char *help;         /* one line */
} gwf_option_row;

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

/* The engine's options (gwf_options_* in gwflux.h). */
struct gwf_options {
    const char *backend, *precision, *tune, *cache; /* cache: NULL or a text of any length */
    int threads, batch;
    int device, ranks_per_device;
    int device_rank, device_ranks; /* no rows: of the processes that see the same devices */
    char *kept; /* gwf_options_set()'s copy of cache */
    gwf_error error;
};

/* Its table, for options or (NULL) for help only. */
gwf_option_table gwf_engine_options(struct gwf_options *options);

#endif
