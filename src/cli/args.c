#include "cli/args.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/config.h"

static bool is_positional(const gwf_option_row *row)
{
    return isupper((unsigned char)row->name[0]);
}

/* Both tables of a command being parsed, and which rows were given. */
typedef struct parser {
    gwf_option_table tables[2];
    int n_tables;
    unsigned long given[2]; /* a bit per row */
} parser;

static const gwf_option_row *find_letter(const gwf_option_table *table, char letter)
{
    for (int i = 0; i < table->count; i++)
        if (letter && table->rows[i].letter == letter) return &table->rows[i];
    return NULL;
}

/* The row an argument names: "--threads", "--threads=4", "-m". *t is its table. */
static const gwf_option_row *find_row(const parser *p, const char *argument, int *t)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    for (*t = 0; *t < p->n_tables; ++*t) {
        const gwf_option_table *table = &p->tables[*t];
        const gwf_option_row *row =
            argument[1] == '-' ? gwf_option_find(table, name)
                               : (argument[2] == '\0' ? find_letter(table, argument[1]) : NULL);
        if (row && !is_positional(row)) return row;
    }
    return NULL;
}

static const gwf_option_row *next_positional(const parser *p)
{
    const gwf_option_table *own = &p->tables[0];
    for (int i = 0; i < own->count; i++)
        if (is_positional(&own->rows[i]) && !(p->given[0] & 1UL << i)) return &own->rows[i];
    return NULL;
}

static gwf_status take(parser *p, int t, const gwf_option_row *row, const char *value,
                       gwf_error *err)
{
    const unsigned long bit = 1UL << (row - p->tables[t].rows);
    if (p->given[t] & bit && row->kind != GWF_OPTION_LIST)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option %s: given twice", row->name);
    p->given[t] |= bit;
    return gwf_option_set(&p->tables[t], row, value, err);
}

static gwf_status take_option(parser *p, int argc, char **argv, int *i, gwf_error *err)
{
    int t = 0;
    const char *argument = argv[*i];
    const gwf_option_row *row = find_row(p, argument, &t);
    const char *equals = argument[1] == '-' ? strchr(argument, '=') : NULL;
    if (!row)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: there is no such option (see gwflux help)",
                        argument);
    if (row->kind == GWF_OPTION_FLAG) {
        if (equals) return gwf_fail(err, GWF_ERR_ARGUMENT, "option %s: takes no value", row->name);
        return take(p, t, row, "1", err);
    }
    if (equals) return take(p, t, row, equals + 1, err);
    if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option %s: a value is missing", row->name);
    return take(p, t, row, argv[++*i], err);
}

static gwf_status check_required(const parser *p, gwf_error *err)
{
    const gwf_option_table *own = &p->tables[0];
    for (int i = 0; i < own->count; i++) {
        const gwf_option_row *row = &own->rows[i];
        if (row->fallback || p->given[0] & 1UL << i) continue;
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s%s is missing (see gwflux help)",
                        is_positional(row) ? "" : "option --", row->name);
    }
    return GWF_OK;
}

/* The file of options, if the command has one and it was given. What came before goes first. */
static gwf_status take_config(parser *p, gwf_error *err)
{
    const gwf_option_table *own = &p->tables[0];
    for (int i = 0; i < own->count; i++) {
        if (own->rows[i].kind != GWF_OPTION_CONFIG || !(p->given[0] & 1UL << i)) continue;
        gwf_config *file = (void *)((char *)own->target + own->rows[i].offset);
        GWF_TRY(gwf_config_read(file, p->tables, p->n_tables, err));
        GWF_TRY(gwf_config_apply(file, p->tables, p->n_tables, p->given, err));
    }
    return GWF_OK;
}

gwf_status args_parse(const command *c, int argc, char **argv, void *target, gwf_options *engine,
                      gwf_error *err)
{
    parser p = {.tables = {c->table(target)}, .n_tables = 1};
    if (engine) p.tables[p.n_tables++] = gwf_engine_options(engine);
    gwf_option_defaults(&p.tables[0]);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            GWF_TRY(take_option(&p, argc, argv, &i, err));
            continue;
        }
        const gwf_option_row *row = next_positional(&p);
        if (!row)
            return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: one argument too many (see gwflux help)",
                            argv[i]);
        GWF_TRY(take(&p, 0, row, argv[i], err));
    }
    GWF_TRY(take_config(&p, err));
    return check_required(&p, err);
}

static void help_row(const gwf_option_row *row, const char *dashes)
{
    char left[96], words[128], letter[8] = "";
    gwf_option_words(row, words, sizeof words);
    if (row->letter) snprintf(letter, sizeof letter, "-%c, ", row->letter);
    if (is_positional(row))
        snprintf(left, sizeof left, "%s", row->name);
    else
        snprintf(left, sizeof left, "%s%s%s%s", letter, dashes, row->name,
                 row->kind == GWF_OPTION_FLAG     ? ""
                 : row->kind == GWF_OPTION_INT    ? " N"
                 : row->kind == GWF_OPTION_REAL   ? " X"
                 : row->kind == GWF_OPTION_CHOICE ? " WORD"
                 : row->kind == GWF_OPTION_CONFIG ? " FILE"
                                                  : " TEXT");
    printf("  %-22s %s", left, row->help);
    if (row->kind == GWF_OPTION_CHOICE) printf(" (%s)", words);
    if (row->fallback && row->fallback[0] && row->kind != GWF_OPTION_FLAG)
        printf(" [%s]", row->fallback);
    printf("\n");
}

static void help_table(const gwf_option_table *table, const char *dashes)
{
    for (int i = 0; i < table->count; i++) help_row(&table->rows[i], dashes);
}

void args_help_plugin(void)
{
    const gwf_option_table plugin = gwf_plugin_option_table(NULL),
                           engine = gwf_engine_options(NULL);
    printf("Inside a host model: gwf_options_set(options, \"interval\", \"3600\"); "
           "gwf_plugin_create(..., options, &plugin)\n\n");
    help_table(&plugin, "");
    help_table(&engine, "");
}

void args_help(const command *c)
{
    const gwf_option_table own = c->table(NULL), engine = gwf_engine_options(NULL);
    printf("usage: gwflux %s", c->name);
    for (int i = 0; i < own.count; i++) {
        const gwf_option_row *row = &own.rows[i];
        if (is_positional(row))
            printf(row->fallback ? " [%s]" : " %s", row->name);
        else if (row->fallback)
            continue;
        else
            printf(" --%s %s", row->name, row->kind == GWF_OPTION_CHOICE ? "WORD" : "TEXT");
    }
    printf(" [options]\n%s\n\n", c->summary);
    help_table(&own, "--");
    if (c->engine) help_table(&engine, "--");
}

const char *args_history(int argc, char **argv, char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm utc;
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%SZ gwflux", gmtime_r(&now, &utc));
    for (int i = 0; i < argc && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, " %s", argv[i]);
    return text;
}
