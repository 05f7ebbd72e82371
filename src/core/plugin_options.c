/* The options of a plugin: a table behind gwf_options_set() and `gwflux help plugin`. */
#include "core/option.h"

static const char *const remap_words[] = {"auto", "conservative", "bilinear", NULL};
static const char *const top_words[] = {"deposit", "taper", NULL};
static const char *const policy_words[] = {"error", "hold", "zero", "host", NULL};
static const char *const outside_words[] = {"count", "error", "hold", "zero", "host", NULL};
static const char *const switch_words[] = {"off", "on", NULL};

#define PLACE(member) offsetof(struct gwf_options, plugin.member)

static const gwf_option_row rows[] = {
    {"ranks", 0, GWF_OPTION_INT, PLACE(ranks), "0", 0, 1 << 20, NULL,
     "ranks that compute the network; 0: as many as the grid has tiles for"},
    {"tiles", 0, GWF_OPTION_TEXT, PLACE(tiles), "auto", 0, 0, NULL,
     "how they cut the map: auto, or ROWSxCOLS"},
    {"interval", 0, GWF_OPTION_REAL, PLACE(interval), "0", 0, 864000, NULL,
     "seconds between computed steps, the results held meanwhile; 0: every step"},
    {"remap", 0, GWF_OPTION_CHOICE, PLACE(remap), "auto", 0, 0, remap_words,
     "from the host's latitudes and longitudes; auto: conservative from the finer grid"},
    {"remap-back", 0, GWF_OPTION_CHOICE, PLACE(remap_back), "auto", 0, 0, remap_words,
     "to the host's latitudes and longitudes; auto: conservative from the finer grid"},
    {"weights", 0, GWF_OPTION_TEXT, PLACE(weights), "", 0, 0, NULL,
     "ESMF or SCRIP weights from the host's grid to the network's"},
    {"weights-back", 0, GWF_OPTION_TEXT, PLACE(weights_back), "", 0, 0, NULL,
     "ESMF or SCRIP weights from the network's grid to the host's"},
    {"top", 0, GWF_OPTION_CHOICE, PLACE(top), "deposit", 0, 0, top_words,
     "above the network's levels: give the flux to the layers there, or let it out"},
    {"highest", 0, GWF_OPTION_REAL, PLACE(highest), "0", 0, 120000, NULL,
     "Pa: no tendency above; 0: no limit"},
    {"lowest", 0, GWF_OPTION_REAL, PLACE(lowest), "0", 0, 120000, NULL,
     "Pa: no tendency below; 0: no limit"},
    {"boundary-layer", 0, GWF_OPTION_REAL, PLACE(boundary_layer), "1", 0, 1, NULL,
     "no tendency below this fraction of the surface pressure; 1: no limit"},
    {"cap", 0, GWF_OPTION_REAL, PLACE(cap), "0.0046296296296296", 0, 1000, NULL,
     "m s-2: a larger tendency is cut, the excess passed downward; 0: no cap"},
    {"bad-input", 0, GWF_OPTION_CHOICE, PLACE(bad_input), "error", 0, 0, policy_words,
     "when a field has values that are not finite"},
    {"bad-output", 0, GWF_OPTION_CHOICE, PLACE(bad_output), "error", 0, 0, policy_words,
     "when a predicted flux is not finite"},
    {"outside", 0, GWF_OPTION_CHOICE, PLACE(outside), "count", 0, 0, outside_words,
     "when more than outside-share of the input is beyond the trained range"},
    {"outside-share", 0, GWF_OPTION_REAL, PLACE(outside_share), "1", 0, 100, NULL,
     "percent of the input of a step"},
    {"heating", 0, GWF_OPTION_CHOICE, PLACE(heating), "off", 0, 0, switch_words,
     "also dt: the heat that the lost kinetic energy becomes"},
    {"piggyback", 0, GWF_OPTION_CHOICE, PLACE(piggyback), "off", 0, 0, switch_words,
     "compute and report, but return zero tendencies"},
    {"report", 0, GWF_OPTION_INT, PLACE(report), "0", 0, 1 << 30, NULL,
     "every so many steps a line of statistics goes to the log; 0: none"},
};

gwf_option_table gwf_plugin_option_table(struct gwf_options *options)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), options};
}
