#include "model/channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/levels.h"

enum { VARIABLES = 5 };

static const struct feature_set {
    const char *name;
    const char *variables[VARIABLES]; /* NULL ends the list */
} feature_sets[] = {
    {"uvtheta", {"u", "v", "theta"}},
    {"uvthetaw", {"u", "v", "theta", "w"}},
    {"uvw", {"u", "v", "w"}},
};

static const struct vertical_range {
    const char *name;
    int levels_in, levels_out; /* counted from the top */
} vertical_ranges[] = {
    {"global", GWF_LEVELS, GWF_LEVELS},
    {"stratosphere_update", GWF_LEVELS, GWF_STRATOSPHERE_LEVELS},
    {"stratosphere_only", GWF_STRATOSPHERE_LEVELS, GWF_STRATOSPHERE_LEVELS},
};

static const char *const coordinate_names[] = {"lat", "lon", "zs", NULL};
static const char *const flux_names[] = {"uw", "vw", NULL};

static gwf_status find_feature_set(const char *name, const struct feature_set **found,
                                   gwf_error *err)
{
    for (size_t i = 0; i < sizeof feature_sets / sizeof *feature_sets; i++)
        if (strcmp(feature_sets[i].name, name) == 0) {
            *found = &feature_sets[i];
            return GWF_OK;
        }
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "features: expected uvtheta, uvthetaw or uvw, found \"%s\"", name);
}

static gwf_status find_vertical(const char *name, const struct vertical_range **found,
                                gwf_error *err)
{
    for (size_t i = 0; i < sizeof vertical_ranges / sizeof *vertical_ranges; i++)
        if (strcmp(vertical_ranges[i].name, name) == 0) {
            *found = &vertical_ranges[i];
            return GWF_OK;
        }
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "vertical: expected global, stratosphere_update or stratosphere_only, "
                    "found \"%s\"",
                    name);
}

void gwf_channel_table_free(gwf_channel_table *table)
{
    free(table->channels);
    *table = (gwf_channel_table){0};
}

/* Append every variable of a NULL-terminated list at `levels` levels from the top; one channel
 * of no level each when levels is 0. The table holds enough room. */
static gwf_status append(gwf_channel_table *table, const gwf_recipe *recipe,
                         const char *const *variables, int levels, gwf_error *err)
{
    for (; *variables; variables++) {
        const gwf_scaling *scaling = gwf_recipe_scaling(recipe, *variables);
        if (!scaling)
            return gwf_fail(err, GWF_ERR_MISMATCH, "recipe %s has no constants for %s",
                            recipe->name, *variables);
        for (int k = 0; k < (levels ? levels : 1); k++) {
            gwf_channel *channel = &table->channels[table->count++];
            *channel = (gwf_channel){.level = levels ? gwf_level_at(k)->number : 0,
                                     .transform = scaling->transform,
                                     .mu = scaling->mu,
                                     .d = scaling->d};
            snprintf(channel->variable, sizeof channel->variable, "%s", scaling->variable);
            snprintf(channel->units, sizeof channel->units, "%s", scaling->units);
        }
    }
    return GWF_OK;
}

static gwf_status reserve(gwf_channel_table *table, gwf_error *err)
{
    const size_t most = 3 + VARIABLES * GWF_LEVELS;
    *table = (gwf_channel_table){.channels = calloc(most, sizeof *table->channels)};
    if (table->channels) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a channel table of %zu rows", most);
}

gwf_status gwf_channels_in(const char *features, const char *vertical, int coordinates,
                           const gwf_recipe *recipe, gwf_channel_table *table, gwf_error *err)
{
    const struct feature_set *set = NULL;
    const struct vertical_range *range = NULL;
    *table = (gwf_channel_table){0};
    GWF_TRY(find_feature_set(features, &set, err));
    GWF_TRY(find_vertical(vertical, &range, err));
    GWF_TRY(reserve(table, err));
    gwf_status status = GWF_OK;
    if (coordinates) status = append(table, recipe, coordinate_names, 0, err);
    if (status == GWF_OK) status = append(table, recipe, set->variables, range->levels_in, err);
    if (status != GWF_OK) {
        gwf_error_prefix(err, "features %s", features);
        gwf_channel_table_free(table);
    }
    return status;
}

gwf_status gwf_channels_out(const char *vertical, const gwf_recipe *recipe,
                            gwf_channel_table *table, gwf_error *err)
{
    const struct vertical_range *range = NULL;
    *table = (gwf_channel_table){0};
    GWF_TRY(find_vertical(vertical, &range, err));
    GWF_TRY(reserve(table, err));
    const gwf_status status = append(table, recipe, flux_names, range->levels_out, err);
    if (status != GWF_OK) gwf_channel_table_free(table);
    return status;
}

char **gwf_channel_names(const gwf_channel_table *table)
{
    enum { NAME = 32 };
    const size_t n = (size_t)table->count;
    char **names = malloc(n * (sizeof *names + NAME));
    if (!names) return NULL;
    for (size_t i = 0; i < n; i++) {
        const gwf_channel *c = &table->channels[i];
        names[i] = (char *)(names + n) + i * NAME;
        if (c->level)
            snprintf(names[i], NAME, "%s %d", c->variable, c->level);
        else
            snprintf(names[i], NAME, "%s", c->variable);
    }
    return names;
}
