/* What gwf_put() and gwf_get() share: names, windows of columns, units. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "fields/units.h"

bool plugin_is_named(const char *asked, const char *name, const char *cf)
{
    return asked && (strcmp(asked, name) == 0 || strcmp(asked, cf) == 0);
}

int plugin_levels_at(const gwf_plugin *plugin, plugin_place place)
{
    return place == AT_SURFACE ? 1 : plugin->levels + (place == AT_INTERFACE);
}

gwf_status plugin_find_window(gwf_plugin *plugin, const char *name, const gwf_window *asked,
                              gwf_window *window)
{
    const gwf_column_list *set = &plugin->columns;
    const gwf_window all = {.ni = -1};
    *window = asked ? *asked : all;
    if (plugin->stage == STAGE_REGISTER)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "%s: gwf_plugin_ready() has not been called", name);
    if (!asked && set->n_blocks == 0) *window = (gwf_window){0};
    if (set->n_blocks == 0 && window->ni == 0) return GWF_OK;
    if (window->block < 0 || window->block >= set->n_blocks)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: block %d, expected 0 to %d", name,
                        window->block, set->n_blocks - 1);
    const gwf_block *block = &set->blocks[window->block];
    if (!asked) *window = (gwf_window){.ni = block->ni, .nj = block->nj};
    if (window->i >= 0 && window->j >= 0 && window->ni >= 0 && window->nj >= 0 &&
        window->ni <= block->ni - window->i && window->nj <= block->nj - window->j)
        return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                    "%s: columns from (%d, %d) on, %d x %d of them, are not within block %d of "
                    "%d x %d columns",
                    name, window->i, window->j, window->ni, window->nj, window->block, block->ni,
                    block->nj);
}

void plugin_join_lines(const gwf_plugin *plugin, const gwf_array *array, gwf_window *window)
{
    if (window->ni == 0 || window->nj < 2 || window->ni != plugin->columns.blocks[window->block].ni)
        return;
    if (array->stride_j != window->ni * array->stride_i || window->ni > INT_MAX / window->nj)
        return;
    window->ni *= window->nj;
    window->nj = 1;
}

plugin_line plugin_line_of(const gwf_plugin *plugin, const gwf_window *window, int j)
{
    const gwf_block *block = &plugin->columns.blocks[window->block];
    return (plugin_line){block->first + (window->j + j) * block->ni + window->i, window->ni, j};
}

gwf_status plugin_check_array(gwf_plugin *plugin, const char *name, plugin_place place,
                              const gwf_window *window, const gwf_array *array)
{
    const int levels = plugin_levels_at(plugin, place);
    if (window->ni == 0 || window->nj == 0) return GWF_OK;
    if (!array || !array->data)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: no array given", name);
    if (array->kind != GWF_REAL32 && array->kind != GWF_REAL64)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: reals of %d bytes, expected 4 or 8",
                        name, (int)array->kind);
    if (array->levels == levels) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: %d levels, expected %d", name,
                    array->levels, levels);
}

gwf_status plugin_check_unit(gwf_plugin *plugin, const char *name, plugin_unit *cache,
                             const char *ours, const char *theirs, bool out)
{
    if (!theirs) return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: no unit given", name);
    if (cache->text[0] && strcmp(cache->text, theirs) == 0) return GWF_OK;
    cache->text[0] = '\0';
    const gwf_status status =
        gwf_units_convert(out ? ours : theirs, out ? theirs : ours, &cache->linear.scale,
                          &cache->linear.offset, &plugin->error);
    if (status != GWF_OK) gwf_error_prefix(&plugin->error, "%s", name);
    if (status == GWF_OK && strlen(theirs) < sizeof cache->text) strcpy(cache->text, theirs);
    return status;
}
