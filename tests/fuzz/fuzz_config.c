/* libFuzzer target for the command's YAML files. The bytes are a file of options of a command that
 * has a row of every kind; what is accepted is applied, as the command does.
 *
 * clang -fsanitize=fuzzer,address,undefined; seeds in corpus_config/. */
#include <stdlib.h>
#include <string.h>

#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct arguments {
    const char *model, *shape;
    gwf_option_list inputs;
    int count, quick;
    gwf_config file;
} arguments;

#define AT(member) offsetof(arguments, member)
static const char *const shapes[] = {"round", "square", NULL};
static const gwf_option_row rows[] = {
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "a text"},
    {"input", 'i', GWF_OPTION_LIST, AT(inputs), NULL, 0, 0, NULL, "a list"},
    {"count", 'n', GWF_OPTION_INT, AT(count), "3", 1, 9, NULL, "a number"},
    {"shape", 's', GWF_OPTION_CHOICE, AT(shape), "round", 0, 0, shapes, "a word"},
    {"quick", 'q', GWF_OPTION_FLAG, AT(quick), "", 0, 0, NULL, "a flag"},
    {"config", 'c', GWF_OPTION_CONFIG, AT(file), "", 0, 0, NULL, "the file"},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What a caller may count on, whatever the bytes were. */
static void check(const arguments *a, const gwf_options *engine)
{
    if (a->count < 1 || a->count > 9 || (a->quick != 0 && a->quick != 1)) abort();
    if (strcmp(a->shape, "round") != 0 && strcmp(a->shape, "square") != 0) abort();
    if (engine->threads < 0 || engine->threads > 1024 || !engine->backend) abort();
    if (a->model && strlen(a->model) > GWF_CONFIG_VALUE_BYTES) abort();
    for (int i = 0; i < a->inputs.count; i++)
        if (!a->inputs.items[i][0] || strlen(a->inputs.items[i]) > GWF_CONFIG_VALUE_BYTES) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arguments a = {.file.path = "fuzz.yaml"};
    gwf_error err = {0};
    gwf_options *engine = gwf_options_create();
    const gwf_option_table tables[] = {{rows, ROWS, &a}, gwf_engine_options(engine)};
    unsigned long given[2] = {0, 0};
    char history[64] = "fuzz";
    gwf_option_defaults(&tables[0]);
    gwf_status status = gwf_config_parse(&a.file, (const char *)data, size, tables, 2, &err);
    if (status != GWF_OK && (a.file.values || a.file.count)) abort();
    if (status == GWF_OK) status = gwf_config_apply(&a.file, tables, 2, given, &err);
    if (status != GWF_OK && (!err.text[0] || strchr(err.text, '\n'))) abort();
    gwf_config_history(&a.file, history, sizeof history);
    check(&a, engine);
    gwf_config_free(&a.file);
    free(a.inputs.items);
    gwf_options_free(&engine);
    return 0;
}
