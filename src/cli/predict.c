/* gwflux predict: reanalysis or WINDSET-style features in, gravity-wave momentum fluxes out. */
#include <signal.h>
#include <stddef.h>

#include "cli/commands.h"
#include "cli/prediction.h"

typedef struct arguments {
    job_arguments common;
    prediction_choice choice;
} arguments;

static const char *const grid_words[] = {"model", "input", NULL};

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    JOB_ROWS(arguments, common),
    {"tendency", 0, GWF_OPTION_FLAG, AT(choice.tendency), "", 0, 0, NULL,
     "also write the tendencies of the wind, utend and vtend, in m s-2"},
    {"levels", 0, GWF_OPTION_TEXT, AT(choice.levels), "", 0, 0, NULL,
     "pressures to write on, such as 10,50,100hPa; without it the model's levels"},
    {"grid", 0, GWF_OPTION_CHOICE, AT(choice.grid), "model", 0, 0, grid_words,
     "horizontal grid to write on: the model's, or that of the reanalysis input"},
    {"normalised", 0, GWF_OPTION_FLAG, AT(choice.normalised), "", 0, 0, NULL,
     "also write the network's own output as prediction(time, odim, lat, lon)"},
    {"tiles", 0, GWF_OPTION_TEXT, AT(common.tiles), "", 0, 0, NULL,
     "cut each map over several ranks: ROWSxCOLUMNS, or auto; without it each rank computes maps "
     "of its own"},
    {"ranks-per-map", 0, GWF_OPTION_INT, AT(common.ranks_per_map), "0", 0, 65536, NULL,
     "ranks that share a map; 0: as many as tiles says, with auto all of them"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

static int run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* whoever reads the messages may leave; the run goes on */
    arguments a = {0};
    char history[2048];
    job_start start = {.arguments = &a.common, .options = gwf_options_create(), .history = history};
    prediction own = {.choice = &a.choice};
    start.status = start.options && job_lists(&a.common, argc) ? GWF_OK : GWF_ERR_MEMORY;
    if (start.status == GWF_OK)
        start.status = args_parse(&command_predict, argc, argv, &a, start.options, &start.error);
    args_history(argc, argv, history, sizeof history);
    gwf_config_history(&a.common.file, history, sizeof history);
    const int code = job_run(&prediction_job, &start, &own);
    gwf_options_free(&start.options);
    job_arguments_free(&a.common);
    return code;
}

const command command_predict = {
    .name = "predict",
    .summary = "predict momentum fluxes from reanalysis or WINDSET-style files",
    .run = run,
    .table = table,
    .engine = 1,
};
