/* The options of gwflux.h: texts to the tables of an engine's and of a plugin's options. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/option.h"

gwf_options *gwf_options_create(void)
{
    gwf_options *options = calloc(1, sizeof *options);
    if (!options) return NULL;
    const gwf_option_table engine = gwf_engine_options(options);
    const gwf_option_table plugin = gwf_plugin_option_table(options);
    gwf_option_defaults(&engine);
    gwf_option_defaults(&plugin);
    return options;
}

void gwf_options_free(gwf_options **options)
{
    if (!options || !*options) return;
    for (int i = 0; i < (*options)->texts.count; i++) free((*options)->texts.items[i]);
    free((*options)->texts.items);
    free(*options);
    *options = NULL;
}

/* A copy that lives as long as the options; NULL when out of memory. */
static const char *keep(gwf_text_list *texts, const char *value)
{
    char **items = realloc(texts->items, ((size_t)texts->count + 1) * sizeof *items);
    if (!items) return NULL;
    texts->items = items;
    char *copy = strdup(value);
    if (copy) items[texts->count++] = copy;
    return copy;
}

/* Texts of one table, kept once more. */
static bool keep_texts(const gwf_option_table *table, gwf_text_list *texts)
{
    for (int i = 0; i < table->count; i++) {
        const char **value = (const char **)((char *)table->target + table->rows[i].offset);
        if (table->rows[i].kind != GWF_OPTION_TEXT || !*value) continue;
        *value = keep(texts, *value);
        if (!*value) return false;
    }
    return true;
}

gwf_options *gwf_options_copy(const gwf_options *options)
{
    gwf_options *copy = options ? calloc(1, sizeof *copy) : gwf_options_create();
    if (!copy || !options) return copy;
    *copy = *options;
    copy->texts = (gwf_text_list){0};
    const gwf_option_table engine = gwf_engine_options(copy);
    const gwf_option_table plugin = gwf_plugin_option_table(copy);
    if (!keep_texts(&engine, &copy->texts) || !keep_texts(&plugin, &copy->texts))
        gwf_options_free(&copy);
    return copy;
}

static gwf_status set_row(gwf_options *options, const gwf_option_table *table,
                          const gwf_option_row *row, const char *value)
{
    if (!value)
        return gwf_fail(&options->error, GWF_ERR_ARGUMENT, "option %s: no value given", row->name);
    if (row->kind == GWF_OPTION_TEXT) value = keep(&options->texts, value);
    if (!value)
        return gwf_fail(&options->error, GWF_ERR_MEMORY, "option %s: out of memory", row->name);
    return gwf_option_set(table, row, value, &options->error);
}

gwf_status gwf_options_set(gwf_options *options, const char *name, const char *value)
{
    if (!options) return GWF_ERR_ARGUMENT;
    const gwf_option_table tables[] = {gwf_engine_options(options),
                                       gwf_plugin_option_table(options)};
    for (size_t i = 0; name && i < sizeof tables / sizeof *tables; i++) {
        const gwf_option_row *row = gwf_option_find(&tables[i], name);
        if (row) return set_row(options, &tables[i], row, value);
    }
    return gwf_fail(&options->error, GWF_ERR_ARGUMENT, "option %s: there is none of that name",
                    name ? name : "(null)");
}

gwf_status gwf_options_read(gwf_options *options, const char *path)
{
    if (!options) return GWF_ERR_ARGUMENT;
    if (!path) return gwf_fail(&options->error, GWF_ERR_ARGUMENT, "options: no file is named");
    const gwf_option_table tables[] = {gwf_engine_options(options),
                                       gwf_plugin_option_table(options)};
    gwf_config file = {.path = path};
    gwf_status status = gwf_config_read(&file, tables, 2, &options->error);
    const gwf_config_value *value = file.values;
    for (int t = 0; t < 2 && status == GWF_OK; t++)
        for (int i = 0; i < tables[t].count && status == GWF_OK; i++, value++)
            if (value->text) status = set_row(options, &tables[t], &tables[t].rows[i], value->text);
    if (status != GWF_OK && value) gwf_error_prefix(&options->error, "%s", path);
    gwf_config_free(&file);
    return status;
}

const char *gwf_options_message(const gwf_options *options)
{
    return options ? options->error.text : "no options: out of memory";
}
