#include "core/config.h"

#include <cyaml/cyaml.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the schema, from the tables ------------------------------------------------------------- */

/* A file cannot name another one, and positional arguments have no name. */
static bool is_key(const gwf_option_row *row)
{
    return row->kind != GWF_OPTION_CONFIG && !isupper((unsigned char)row->name[0]);
}

static const cyaml_schema_value_t list_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, GWF_CONFIG_VALUE_BYTES)};

/* Everything is read as text: gwf_option_set() knows numbers and words, and checks them. */
static cyaml_schema_field_t make_field(const gwf_option_row *row, int number)
{
    const uint32_t base = (uint32_t)number * (uint32_t)sizeof(gwf_config_value);
    const enum cyaml_flag flags =
        (enum cyaml_flag)(CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL);
    cyaml_schema_field_t field = {.key = row->name};
    if (row->kind == GWF_OPTION_LIST) {
        field.value = (cyaml_schema_value_t){
            CYAML_VALUE_SEQUENCE(flags, char *, &list_entry, 0, CYAML_UNLIMITED)};
        field.data_offset = base + (uint32_t)offsetof(gwf_config_value, items);
        field.count_offset = base + (uint32_t)offsetof(gwf_config_value, count);
        field.count_size = sizeof(uint32_t);
    } else {
        field.value =
            (cyaml_schema_value_t){CYAML_VALUE_STRING(flags, char, 0, GWF_CONFIG_VALUE_BYTES)};
        field.data_offset = base + (uint32_t)offsetof(gwf_config_value, text);
    }
    return field;
}

static int count_rows(const gwf_option_table *tables, int n_tables)
{
    int count = 0;
    for (int t = 0; t < n_tables; t++) count += tables[t].count;
    return count;
}

/* Owned by the caller; ends with a field without key. */
static cyaml_schema_field_t *make_fields(const gwf_option_table *tables, int n_tables)
{
    int number = 0, used = 0;
    cyaml_schema_field_t *fields = calloc((size_t)count_rows(tables, n_tables) + 1, sizeof *fields);
    if (!fields) return NULL;
    for (int t = 0; t < n_tables; t++)
        for (int i = 0; i < tables[t].count; i++, number++)
            if (is_key(&tables[t].rows[i])) fields[used++] = make_field(&tables[t].rows[i], number);
    return fields;
}

/* --- libcyaml's complaints ------------------------------------------------------------------- */

/* The first one, and from the lines that follow it where it was. */
typedef struct complaint {
    char text[256], option[64];
    int line;
} complaint;

static void note_complaint(cyaml_log_t level, void *user, const char *format, va_list args)
{
    complaint *c = user;
    char line[256];
    (void)level;
    vsnprintf(line, sizeof line, format, args);
    const size_t length = strlen(line);
    if (length && line[length - 1] == '\n') line[length - 1] = '\0';
    const char *place = strncmp(line, "  in ", 5) == 0 ? strstr(line, "(line: ") : NULL;
    if (place) {
        if (!c->line) sscanf(place, "(line: %d", &c->line);
        sscanf(line, "  in mapping field '%63[^']", c->option);
    } else if (!c->text[0] && !strstr(line, "Backtrace")) {
        snprintf(c->text, sizeof c->text, "%s", line);
    }
}

/* libcyaml's words for what users do wrong, and ours; the rest is YAML's own grammar. */
static const struct {
    const char *theirs, *ours;
} phrases[] = {
    {"Expecting SEQUENCE", "expected a list: [a, b], or lines \"- a\""},
    {"Expecting STRING", "expected one value, found a list or a mapping"},
    {"Expecting MAPPING", "expected lines \"option: value\""},
    {"STRING length <", "expected a value, found an empty one"},
    {"STRING length >", "expected a shorter value"},
    {"Mapping field already seen", "stands here twice"},
    {"Ignoring documents", "expected one document, found a second one (---)"},
};

/* The number of the first line that begins with key; 0: none does. libcyaml knows the line of the
 * last value that it took, which can be far above a key that it does not know. */
static int line_of(const char *text, size_t size, const char *key)
{
    int number = 1;
    const size_t length = strlen(key);
    for (size_t i = 0; i + length < size; i++) {
        if ((i == 0 || text[i - 1] == '\n') && memcmp(text + i, key, length) == 0 &&
            strchr(" :", text[i + length]))
            return number;
        if (text[i] == '\n') number++;
    }
    return 0;
}

static gwf_status refuse_key(const gwf_config *c, const char *key, int line, gwf_error *err)
{
    char where[32] = "";
    if (line) snprintf(where, sizeof where, "line %d: ", line);
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: %s%.80s: there is no such option (see gwflux help)",
                    c->path, where, key);
}

static gwf_status refuse(const gwf_config *c, cyaml_err_t code, const complaint *said,
                         gwf_error *err)
{
    char where[32] = "";
    if (code == CYAML_ERR_OOM)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: no memory for its options", c->path);
    if (said->line) snprintf(where, sizeof where, "near line %d: ", said->line);
    const char *what = said->text[0]             ? said->text
                       : code == CYAML_ERR_ALIAS ? "aliases (*name) are not taken"
                                                 : "expected lines \"option: value\"";
    if (strncmp(what, "Load: ", 6) == 0) what += 6;
    if (strncmp(what, "libyaml: ", 9) == 0) what += 9;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (strncmp(what, phrases[i].theirs, strlen(phrases[i].theirs)) == 0)
            what = phrases[i].ours;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: %s%s%s%s%s", c->path, where,
                    said->option[0] ? "option " : "", said->option, said->option[0] ? ": " : "",
                    what);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Our own, so that what it gave is freed with free(). */
static void *allocate(void *user, void *old, size_t size)
{
    (void)user;
    if (size) return realloc(old, size);
    free(old);
    return NULL;
}

/* libcyaml cuts a text at a NUL: in the file, or written as \0, \x00, \u0000 or \U00000000. */
static gwf_status check_no_nul(const gwf_config *c, const char *text, size_t size, gwf_error *err)
{
    static const char *const escapes[] = {"0", "x00", "u0000", "U00000000"};
    if (memchr(text, '\0', size))
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: expected text in UTF-8, found a NUL byte",
                        c->path);
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] != '\\') continue;
        i++; /* the character behind, so that \\0 is a backslash and a digit */
        for (int e = 0; e < 4; e++) {
            const size_t length = strlen(escapes[e]);
            if (size - i >= length && memcmp(text + i, escapes[e], length) == 0)
                return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: the escape \\%s is not taken", c->path,
                                escapes[e]);
        }
    }
    return GWF_OK;
}

/* false is what an absent flag is; anything but the two words is refused. */
static gwf_status check_flags(gwf_config *c, const gwf_option_table *tables, int n_tables,
                              gwf_error *err)
{
    gwf_config_value *value = c->values;
    for (int t = 0; t < n_tables; t++)
        for (int i = 0; i < tables[t].count; i++, value++) {
            const gwf_option_row *row = &tables[t].rows[i];
            if (row->kind != GWF_OPTION_FLAG || !value->text) continue;
            const bool off = strcmp(value->text, "false") == 0;
            if (!off && strcmp(value->text, "true") != 0)
                return gwf_fail(err, GWF_ERR_ARGUMENT,
                                "%s: option %s: expected true or false, found %s", c->path,
                                row->name, value->text);
            if (!off) continue;
            free(value->text);
            value->text = NULL;
        }
    return GWF_OK;
}

static gwf_status load(gwf_config *c, const char *text, size_t size,
                       const cyaml_schema_field_t *fields, gwf_error *err)
{
    static const char unknown[] = "Load: Unexpected key: ";
    complaint said = {0};
    const cyaml_config_t settings = {.log_fn = note_complaint,
                                     .log_ctx = &said,
                                     .mem_fn = allocate,
                                     .log_level = CYAML_LOG_WARNING,
                                     .flags = CYAML_CFG_NO_ALIAS};
    const cyaml_schema_value_t top = {.type = CYAML_MAPPING,
                                      .flags = CYAML_FLAG_POINTER_NULL_STR,
                                      .data_size = (uint32_t)c->count * sizeof(gwf_config_value),
                                      .mapping.fields = fields};
    cyaml_data_t *data = NULL;
    const cyaml_err_t code =
        cyaml_load_data((const uint8_t *)text, size, &settings, &top, &data, NULL);
    c->values = data;
    if (code == CYAML_ERR_INVALID_KEY && strncmp(said.text, unknown, strlen(unknown)) == 0) {
        const char *key = said.text + strlen(unknown);
        return refuse_key(c, key, line_of(text, size, key), err);
    }
    if (code != CYAML_OK || said.text[0]) return refuse(c, code, &said, err);
    if (!c->values) c->values = calloc((size_t)c->count + 1, sizeof *c->values); /* no keys */
    return c->values ? GWF_OK : refuse(c, CYAML_ERR_OOM, &said, err);
}

gwf_status gwf_config_parse(gwf_config *c, const char *text, size_t size,
                            const gwf_option_table *tables, int n_tables, gwf_error *err)
{
    GWF_TRY(check_no_nul(c, text, size, err));
    cyaml_schema_field_t *fields = make_fields(tables, n_tables);
    if (!fields) return gwf_fail(err, GWF_ERR_MEMORY, "%s: no memory for its options", c->path);
    c->count = count_rows(tables, n_tables);
    gwf_status status = load(c, text, size, fields, err);
    if (status == GWF_OK) status = check_flags(c, tables, n_tables, err);
    free(fields);
    if (status != GWF_OK) gwf_config_free(c);
    return status;
}

/* Into text, of GWF_CONFIG_FILE_BYTES + 1. */
static gwf_status read_text(const char *path, char *text, size_t *size, gwf_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file) return gwf_fail(err, GWF_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    errno = 0;
    *size = fread(text, 1, GWF_CONFIG_FILE_BYTES + 1, file);
    const int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed) return gwf_fail(err, GWF_ERR_IO, "%s: %s", path, strerror(failed));
    if (*size > GWF_CONFIG_FILE_BYTES)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%s: expected a file of options, found more than %d bytes", path,
                        GWF_CONFIG_FILE_BYTES);
    return GWF_OK;
}

gwf_status gwf_config_read(gwf_config *c, const gwf_option_table *tables, int n_tables,
                           gwf_error *err)
{
    size_t size = 0;
    char *text = malloc(GWF_CONFIG_FILE_BYTES + 1);
    if (!text) return gwf_fail(err, GWF_ERR_MEMORY, "%s: no memory to read it", c->path);
    gwf_status status = read_text(c->path, text, &size, err);
    if (status == GWF_OK) status = gwf_config_parse(c, text, size, tables, n_tables, err);
    free(text);
    return status;
}

void gwf_config_free(gwf_config *c)
{
    for (int i = 0; c->values && i < c->count; i++) {
        gwf_config_value *value = &c->values[i];
        for (uint32_t k = 0; value->items && k < value->count; k++) free(value->items[k]);
        free(value->items);
        free(value->text);
    }
    free(c->values);
    free(c->taken);
    *c = (gwf_config){.path = c->path};
}

/* --- taking ---------------------------------------------------------------------------------- */

static gwf_status take_list(gwf_option_list *list, const gwf_config_value *value, gwf_error *err)
{
    const char **items = realloc(list->items, (size_t)value->count * sizeof *items);
    if (!items) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a list of options");
    list->items = items;
    for (uint32_t k = 0; k < value->count; k++) items[k] = value->items[k];
    list->count = (int)value->count;
    return GWF_OK;
}

static gwf_status take(const gwf_option_table *table, const gwf_option_row *row,
                       const gwf_config_value *value, FILE *taken, gwf_error *err)
{
    if (row->kind == GWF_OPTION_LIST) {
        gwf_option_list *list = (void *)((char *)table->target + row->offset);
        for (uint32_t k = 0; k < value->count; k++)
            fprintf(taken, " --%s %s", row->name, value->items[k]);
        return take_list(list, value, err);
    }
    fprintf(taken, row->kind == GWF_OPTION_FLAG ? " --%s" : " --%s %s", row->name, value->text);
    return gwf_option_set(table, row, value->text, err);
}

gwf_status gwf_config_apply(gwf_config *c, const gwf_option_table *tables, int n_tables,
                            unsigned long *given, gwf_error *err)
{
    gwf_status status = GWF_OK;
    size_t size = 0;
    const gwf_config_value *value = c->values;
    FILE *taken = open_memstream(&c->taken, &size);
    if (!taken) return gwf_fail(err, GWF_ERR_MEMORY, "%s: no memory for its options", c->path);
    for (int t = 0; t < n_tables && status == GWF_OK; t++)
        for (int i = 0; i < tables[t].count && status == GWF_OK; i++, value++) {
            if (given[t] & 1UL << i || (!value->text && !value->count)) continue;
            given[t] |= 1UL << i;
            status = take(&tables[t], &tables[t].rows[i], value, taken, err);
        }
    fclose(taken);
    if (status != GWF_OK) gwf_error_prefix(err, "%s", c->path);
    return status;
}

void gwf_config_history(const gwf_config *c, char *text, size_t size)
{
    const size_t used = strlen(text);
    if (c->taken && c->taken[0]) snprintf(text + used, size - used, " (%s:%s)", c->path, c->taken);
}
