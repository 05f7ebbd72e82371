/* Options from a YAML file: gwf_options_read() and `gwflux predict --config run.yaml`, for which a
 * row of kind GWF_OPTION_CONFIG in a command's table is all it takes; args_parse() does the rest.
 *
 *   # run.yaml
 *   model: model.nc
 *   input: [january.nc, february.nc]
 *   threads: 4
 *   overwrite: true
 *
 * The keys are the long names of the command's and the engine's options, the file's schema is made
 * from their tables. An option that may be given many times is a list, a flag is true or false, a
 * key with no value (or null, ~) counts as absent. Values are checked as on the command line, which
 * goes before the file: an option given there is not taken from here, a list not even in part.
 * Paths are relative to the current folder. */
#ifndef GWF_CORE_CONFIG_H
#define GWF_CORE_CONFIG_H

#include <stdint.h>

#include "core/option.h"

enum { GWF_CONFIG_FILE_BYTES = 1 << 20, GWF_CONFIG_VALUE_BYTES = 4096 };

/* What the file says for one row: `text`, or for a list `items`. NULL: nothing. */
typedef struct gwf_config_value {
    char *text;
    char **items;
    uint32_t count;
} gwf_config_value;

/* What a row of kind GWF_OPTION_CONFIG points to. Options that were taken from the file borrow
 * their texts from here: free it with the arguments. Zeros: no file. */
typedef struct gwf_config {
    const char *path;         /* borrowed from argv; NULL: none was given */
    gwf_config_value *values; /* owned; one for each row of the tables, in their order */
    int count;
    char *
        taken; /* owned: " --model m.nc --threads 4", what gwf_config_apply() took; NULL: nothing */
} gwf_config;

/* Read c->path. NOT_FOUND, IO; ARGUMENT for what is no YAML, no option of these tables or no value
 * of its kind, with file, line and option. Flags have values only when true. */
gwf_status gwf_config_read(gwf_config *c, const gwf_option_table *tables, int n_tables,
                           gwf_error *err);

/* The same from memory; c->path is for messages. */
gwf_status gwf_config_parse(gwf_config *c, const char *text, size_t size,
                            const gwf_option_table *tables, int n_tables, gwf_error *err);

/* Set every option that the file has and `given` (a bit per row, a word per table) has not, and
 * its bit. Items of a list are replaced by an array of malloc() with room for the file's. ARGUMENT
 * names file and option. */
gwf_status gwf_config_apply(gwf_config *c, const gwf_option_table *tables, int n_tables,
                            unsigned long *given, gwf_error *err);

/* Append what was taken to the history text of this size: " (run.yaml: --model m.nc)". */
void gwf_config_history(const gwf_config *c, char *text, size_t size);

void gwf_config_free(gwf_config *c);

#endif
