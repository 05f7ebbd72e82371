#include "core/option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const gwf_option_row *gwf_option_find(const gwf_option_table *table, const char *name)
{
    for (int i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].name, name) == 0) return &table->rows[i];
    return NULL;
}

const char *gwf_option_words(const gwf_option_row *row, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; row->words && row->words[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? "|%s" : "%s", row->words[i]);
    return text;
}

static gwf_status set_int(const gwf_option_row *row, int *target, const char *value, gwf_error *err)
{
    char *end = NULL;
    errno = 0;
    const long number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < row->least || number > row->most)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option %s: expected a number from %d to %d, found %s", row->name,
                        row->least, row->most, value);
    *target = (int)number;
    return GWF_OK;
}

static gwf_status set_real(const gwf_option_row *row, double *target, const char *value,
                           gwf_error *err)
{
    char *end = NULL;
    const double number = strtod(value, &end);
    if (end == value || *end || !(number >= row->least && number <= row->most))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option %s: expected a number from %d to %d, found %s", row->name,
                        row->least, row->most, value);
    *target = number;
    return GWF_OK;
}

static gwf_status set_choice(const gwf_option_row *row, const char **target, const char *value,
                             gwf_error *err)
{
    char words[256];
    for (int i = 0; row->words[i]; i++) {
        if (strcmp(row->words[i], value) != 0) continue;
        *target = row->words[i];
        return GWF_OK;
    }
    return gwf_fail(err, GWF_ERR_ARGUMENT, "option %s: expected %s, found %s", row->name,
                    gwf_option_words(row, words, sizeof words), value);
}

gwf_status gwf_option_set(const gwf_option_table *table, const gwf_option_row *row,
                          const char *value, gwf_error *err)
{
    void *place = (char *)table->target + row->offset;
    switch (row->kind) {
    case GWF_OPTION_TEXT:
    case GWF_OPTION_CONFIG:
        *(const char **)place = value;
        break;
    case GWF_OPTION_LIST: {
        gwf_option_list *list = place;
        list->items[list->count++] = value;
        break;
    }
    case GWF_OPTION_INT:
        return set_int(row, place, value, err);
    case GWF_OPTION_REAL:
        return set_real(row, place, value, err);
    case GWF_OPTION_CHOICE:
        return set_choice(row, place, value, err);
    case GWF_OPTION_FLAG:
        *(int *)place = 1;
        break;
    }
    return GWF_OK;
}

void gwf_option_defaults(const gwf_option_table *table)
{
    for (int i = 0; i < table->count; i++) {
        const gwf_option_row *row = &table->rows[i];
        if (row->fallback && row->fallback[0]) gwf_option_set(table, row, row->fallback, NULL);
    }
}
