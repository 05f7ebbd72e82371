/* The input of one step on the network's grid, as a file that `gwflux predict` reads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "io/prepared_file.h"

gwf_status gwf_plugin_capture(gwf_plugin *plugin, const char *path)
{
    gwf_status status = GWF_OK;
    if (!plugin || !plugin->comm) return GWF_ERR_ARGUMENT;
    if (!path || strlen(path) >= sizeof plugin->capture)
        status = gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "capture: %s",
                          path ? "the path is too long" : "no path given");
    if (status == GWF_OK) strcpy(plugin->capture, path);
    return gwf_agree(plugin->comm, status, &plugin->error);
}

/* --- whole maps on the first of the ranks that compute -------------------------------------- */

/* (rows, cells) of every tile, one behind the other, to (rows, nlat, nlon). */
static void lay_out(const gwf_plugin *plugin, const float *gathered, int rows, float *whole)
{
    const gwf_model *model = &plugin->engine->model;
    const gwf_tiling tiling = plugin->tile.tiling;
    for (int r = 0; r < tiling.rows * tiling.cols; r++) {
        const gwf_tile t = gwf_tile_of(tiling, model->nlat, model->nlon, r);
        for (int k = 0; k < rows; k++)
            for (int y = 0; y < t.rows; y++, gathered += t.cols) {
                const size_t line = (size_t)k * (size_t)model->nlat + (size_t)(t.row + y);
                memcpy(whole + line * (size_t)model->nlon + (size_t)t.col, gathered,
                       (size_t)t.cols * sizeof *whole);
            }
    }
}

/* Rows of this rank's tile to whole maps, owned by the caller; NULL on all ranks but the first.
 * Collective over the ranks that compute. */
static gwf_status gather(const gwf_plugin *plugin, const float *tile, int rows, float **whole,
                         gwf_error *err)
{
    const gwf_model *model = &plugin->engine->model;
    const gwf_comm *comm = plugin->tile.comm;
    const size_t all = (size_t)rows * (size_t)model->nlat * (size_t)model->nlon;
    const bool first = gwf_comm_rank(comm) == 0;
    gwf_status status = GWF_OK;
    float *gathered = first ? malloc(all * sizeof *gathered) : NULL;
    *whole = first ? malloc(all * sizeof **whole) : NULL;
    if (first && (!gathered || !*whole))
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d maps", rows);
    GWF_TRY_DONE(gwf_agree(comm, status, err));
    GWF_TRY_DONE(gwf_comm_gather(
        comm, tile, (size_t)rows * (size_t)plugin->tile.cells * sizeof *tile, gathered, err));
    if (first) lay_out(plugin, gathered, rows, *whole);
done:
    free(gathered);
    return status;
}

/* --- the file ------------------------------------------------------------------------------- */

/* The channels of the file's family: what the network reads, and the rest of it. */
static gwf_status choose_family(const gwf_model *model, gwf_channel_table *table, gwf_error *err)
{
    const bool with_w = strcmp(model->features, "uvtheta") != 0;
    return gwf_channels_in(with_w ? "uvthetaw" : "uvtheta", "global", 1,
                           gwf_recipe_find(model->recipe), table, err);
}

static bool same_channel(const gwf_channel *a, const gwf_channel *b)
{
    return a->level == b->level && strcmp(a->variable, b->variable) == 0;
}

/* Channels that the network does not read are missing. */
static void fill_family(const gwf_model *model, const gwf_channel_table *table,
                        const float *features, float *all)
{
    const size_t map = (size_t)model->nlat * (size_t)model->nlon;
    for (int i = 0; i < table->count; i++) {
        float *to = all + (size_t)i * map;
        int j = 0;
        while (j < model->in.count && !same_channel(&table->channels[i], &model->in.channels[j]))
            j++;
        if (j < model->in.count)
            memcpy(to, features + (size_t)j * map, map * sizeof *to);
        else
            for (size_t c = 0; c < map; c++) to[c] = NAN;
    }
}

enum { TEXTS = 3 };

/* The host's fields as they arrived: standard names and units. */
static const gwf_attribute words[SLOTS][2][TEXTS] = {
#define WORDS(cf, unit)                                                                            \
    {                                                                                              \
        {"standard_name", cf}, {"units", unit},                                                    \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
    [SLOT_U] = {WORDS("eastward_wind", "m s-1")},
    [SLOT_V] = {WORDS("northward_wind", "m s-1")},
    [SLOT_TEMPERATURE] = {WORDS("air_temperature", "K"), WORDS("air_potential_temperature", "K")},
    [SLOT_VERTICAL] = {WORDS("lagrangian_tendency_of_air_pressure", "Pa s-1"),
                       WORDS("upward_air_velocity", "m s-1")},
    [SLOT_P] = {WORDS("air_pressure", "Pa")},
    [SLOT_PS] = {WORDS("surface_air_pressure", "Pa")},
    [SLOT_ZS] = {WORDS("surface_geopotential", "m2 s-2")},
#undef WORDS
};

static const char *const slot_names[SLOTS][2] = {{"u"}, {"v"},  {"t", "theta"}, {"omega", "w"},
                                                 {"p"}, {"ps"}, {"zs"}};

/* A network that does not read temperature gets it only together with w. */
static bool has_slot(const gwf_plugin *plugin, int s)
{
    if (s == SLOT_TEMPERATURE && !plugin->reads_temperature && !plugin->tile.w) return false;
    return plugin->row[s + 1] > plugin->row[s];
}

static int list_fields(const gwf_plugin *plugin, gwf_step_field fields[SLOTS])
{
    int n = 0;
    for (int s = 0; s < SLOTS; s++) {
        const int other =
            (s == SLOT_TEMPERATURE && plugin->tile.theta) || (s == SLOT_VERTICAL && plugin->tile.w);
        if (!has_slot(plugin, s)) continue;
        fields[n++] =
            (gwf_step_field){slot_names[s][other], s < SLOT_PS ? "host_level lat lon" : "lat lon",
                             words[s][other], false};
    }
    return n;
}

/* The first of the ranks that compute. values: features of the family, then the fields. */
static gwf_status write_file(const gwf_plugin *plugin, const gwf_channel_table *table,
                             const float *const *values, gwf_error *err)
{
    char constants[1024], when[96];
    const gwf_model *model = &plugin->engine->model;
    gwf_step_field fields[SLOTS];
    gwf_comm *alone = NULL;
    gwf_step_file *file = NULL;
    char **names = gwf_channel_names(table);
    if (!names) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the names of channels");
    gwf_recipe_words(gwf_recipe_find(model->recipe), constants, sizeof constants);
    snprintf(when, sizeof when, "host time %.17g s, step %.17g s", plugin->last, plugin->step);
    const gwf_attribute globals[] = {{"title", "input of one step of a host model"},
                                     {"gwflux_version", gwf_version()},
                                     {"gwflux_job", when}};
    gwf_status status = GWF_OK;
    GWF_TRY_DONE(gwf_comm_alone(&alone, err));
    const gwf_prepared_layout layout = {
        .steps = 1,
        .idim = (size_t)table->count,
        .nlat = (size_t)model->nlat,
        .nlon = (size_t)model->nlon,
        .lat = model->lat,
        .lon = model->lon,
        .channel_names = (const char *const *)names,
        .recipe = model->recipe,
        .long_name = constants,
        .host_levels = (size_t)plugin->levels,
        .beside = fields,
        .n_beside = list_fields(plugin, fields),
        .globals = globals,
        .n_globals = (int)(sizeof globals / sizeof *globals),
        .overwrite = true,
        .comm = alone,
        .writer = GWF_WRITE_ROOT,
    };
    GWF_TRY_DONE(gwf_prepared_file_create(plugin->capture, &layout, &file, err));
    GWF_TRY_DONE(gwf_step_file_write(file, 0, 1, values, err));
    status = gwf_step_file_finish(&file, err);
done:
    if (file) gwf_step_file_abandon(&file);
    gwf_comm_free(&alone);
    free(names);
    return status;
}

static gwf_status write_values(const gwf_plugin *plugin, float *const *maps, gwf_error *err)
{
    const gwf_model *model = &plugin->engine->model;
    const size_t map = (size_t)model->nlat * (size_t)model->nlon;
    const float *values[1 + SLOTS] = {0};
    gwf_channel_table table = {0};
    int n = 1;
    gwf_status status = GWF_OK;
    GWF_TRY(choose_family(model, &table, err));
    float *all = malloc((size_t)table.count * map * sizeof *all);
    if (!all) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d channels", table.count);
        goto done;
    }
    fill_family(model, &table, maps[SLOTS], all);
    values[0] = all;
    for (int s = 0; s < SLOTS; s++)
        if (maps[s]) values[n++] = maps[s];
    status = write_file(plugin, &table, values, err);
done:
    free(all);
    gwf_channel_table_free(&table);
    return status;
}

/* Collective over the ranks that compute. */
static gwf_status write_capture(const gwf_plugin *plugin, gwf_error *err)
{
    const plugin_tile *tile = &plugin->tile;
    float *maps[SLOTS + 1] = {0}; /* the last: features */
    gwf_status status = GWF_OK;
    for (int s = 0; s < SLOTS; s++)
        if (has_slot(plugin, s))
            GWF_TRY_DONE(
                gather(plugin, tile->state[s], plugin->row[s + 1] - plugin->row[s], &maps[s], err));
    GWF_TRY_DONE(gather(plugin, tile->features, plugin->engine->model.in.count, &maps[SLOTS], err));
    if (gwf_comm_rank(tile->comm) == 0) status = write_values(plugin, maps, err);
done:
    for (int s = 0; s <= SLOTS; s++) free(maps[s]);
    return status;
}

gwf_status plugin_capture_write(gwf_plugin *plugin)
{
    gwf_status status = GWF_OK;
    if (!plugin->capture[0]) return GWF_OK;
    if (plugin->tile.comm) status = write_capture(plugin, &plugin->error);
    plugin->capture[0] = '\0';
    return gwf_agree(plugin->comm, status, &plugin->error);
}
