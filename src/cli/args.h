/* Command-line arguments by option tables, and the help texts that come from the same tables. */
#ifndef GWF_CLI_ARGS_H
#define GWF_CLI_ARGS_H

#include "core/option.h"

/* A subcommand: its own options and, with `engine`, those of the engine. */
typedef struct command {
    const char *name;
    const char *summary; /* one line */
    int (*run)(int argc, char **argv);
    gwf_option_table (*table)(void *target); /* target NULL: for help */
    int engine;
} command;

/* Fill the target of c's table (and engine, may be NULL) from argv[1..]: "--name value",
 * "--name=value", "-n value"; everything else is a positional argument, in table order; then what
 * only the file of a CONFIG row says (cli/config.h). Values point into argv or into that row's
 * `config`, which the caller frees with the target; with such a row the arrays of list items come
 * from malloc(), as they may be replaced by longer ones. ARGUMENT names what is wrong, also a row
 * without default that was given nowhere. */
gwf_status args_parse(const command *c, int argc, char **argv, void *target, gwf_options *engine,
                      gwf_error *err);

/* "usage: gwflux predict -m MODEL ..." and one line per option, to stdout. */
void args_help(const command *c);

/* The options of a plugin inside a host model, likewise. */
void args_help_plugin(void);

/* "2026-11-20T12:00:00Z gwflux predict -m ...": what was called and when, into text (cut to size),
 * which is returned. */
const char *args_history(int argc, char **argv, char *text, size_t size);

#endif
