/* The subcommands: each takes argv with its own name first and returns the exit code: 0, 1 for a
 * failure, 2 for wrong arguments, 3 when stopped by SIGINT or SIGTERM. */
#ifndef GWF_CLI_COMMANDS_H
#define GWF_CLI_COMMANDS_H

#include "cli/args.h"
#include "core/log.h"

extern const command command_import;
extern const command command_quantise;
extern const command command_predict;
extern const command command_prepare;
extern const command command_info;
extern const command command_bench;
extern const command command_plot;

/* The exit code that goes with a status. */
int exit_code(gwf_status status);
/* One line to stderr, "gwflux: error: ..."; the exit code. */
int report(gwf_status status, const gwf_error *err);

/* A log that writes "gwflux: ..." lines to stderr. */
extern const gwf_log stderr_log;

#endif
