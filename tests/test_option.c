#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/option.h"

static void test_defaults(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(options);
    CU_ASSERT_STRING_EQUAL(options->backend, "auto");
    CU_ASSERT_STRING_EQUAL(options->precision, "auto");
    CU_ASSERT_EQUAL(options->threads, 0);
    CU_ASSERT_EQUAL(options->batch, 0);
    CU_ASSERT_STRING_EQUAL(options->tune, "on");
    gwf_options_free(&options);
    CU_ASSERT_PTR_NULL(options);
}

static void test_set(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_EQUAL(gwf_options_set(options, "backend", "ref"), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_set(options, "threads", "3"), GWF_OK);
    CU_ASSERT_STRING_EQUAL(options->backend, "ref");
    CU_ASSERT_EQUAL(options->threads, 3);
    char folder[] = "/first"; /* a text is copied */
    CU_ASSERT_EQUAL(gwf_options_set(options, "cache", folder), GWF_OK);
    folder[1] = 'F';
    CU_ASSERT_STRING_EQUAL(options->cache, "/first");
    CU_ASSERT_EQUAL(gwf_options_set(options, "cache", "/second"), GWF_OK);
    CU_ASSERT_STRING_EQUAL(options->cache, "/second");
    gwf_options_free(&options);
}

static void check_refused(gwf_options *options, const char *name, const char *value,
                          const char *words)
{
    CU_ASSERT_EQUAL(gwf_options_set(options, name, value), GWF_ERR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_options_message(options), words));
}

static void test_refusals(void)
{
    gwf_options *options = gwf_options_create();
    check_refused(options, "backend", "gpu", "option backend: expected auto|");
    check_refused(options, "precision", "fp64", "option precision: expected auto|fp32|fp32-fast|");
    check_refused(options, "batch", "65", "expected a number from 0 to 64, found 65");
    check_refused(options, "tune", "maybe", "expected on|off, found maybe");
    check_refused(options, "threads", "-1", "expected a number from 0 to 1024, found -1");
    check_refused(options, "threads", "1025", "found 1025");
    check_refused(options, "threads", "2x", "found 2x");
    check_refused(options, "threads", "", "found ");
    check_refused(options, "threads", "99999999999999999999", "expected a number");
    check_refused(options, "colour", "blue", "option colour: there is none of that name");
    check_refused(options, "threads", NULL, "no value given");
    check_refused(options, NULL, "1", "(null)");
    CU_ASSERT_EQUAL(gwf_options_set(NULL, "threads", "1"), GWF_ERR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(gwf_options_message(NULL));
    gwf_options_free(NULL);
    CU_ASSERT_EQUAL(options->threads, 0);
    gwf_options_free(&options);
}

/* --- files ---------------------------------------------------------------------------------- */

static const char *write_file(const char *text)
{
    const char *path = test_scratch("options.yaml");
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void test_read(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(options);
    CU_ASSERT_EQUAL(gwf_options_set(options, "report", "7"), GWF_OK);
    const char *path = write_file("backend: ref\ninterval: 1800.5\nweights: to.nc\n"
                                  "boundary-layer: 0.8\nheating: on\ntiles:\n");
    CU_ASSERT_EQUAL(gwf_options_read(options, path), GWF_OK);
    remove(path);
    CU_ASSERT_STRING_EQUAL(options->backend, "ref");
    CU_ASSERT_DOUBLE_EQUAL(options->plugin.interval, 1800.5, 0);
    CU_ASSERT_STRING_EQUAL(options->plugin.weights, "to.nc");
    CU_ASSERT_DOUBLE_EQUAL(options->plugin.boundary_layer, 0.8, 0);
    CU_ASSERT_STRING_EQUAL(options->plugin.heating, "on");
    CU_ASSERT_STRING_EQUAL(options->plugin.tiles, "auto");
    CU_ASSERT_EQUAL(options->plugin.report, 7);
    gwf_options_free(&options);
}

static void check_not_read(gwf_options *options, const char *text, const char *words)
{
    CU_ASSERT_EQUAL(gwf_options_read(options, write_file(text)), GWF_ERR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_options_message(options), "options.yaml: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_options_message(options), words));
}

static void test_not_read(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(options);
    check_not_read(options, "threads: 2\ncolour: red\n", "line 2: colour: there is no such option");
    check_not_read(options, "cap: -1\n", "option cap: expected a number from 0 to 1000, found -1");
    check_not_read(options, "top: lid\n", "option top: expected deposit|taper, found lid");
    check_not_read(options, "top: [lid]\n", "option top: expected one value");
    check_not_read(options, "deposit\n", "expected lines \"option: value\"");
    CU_ASSERT_EQUAL(gwf_options_read(options, "/nowhere/o.yaml"), GWF_ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_options_message(options), "/nowhere/o.yaml: No such file"));
    CU_ASSERT_EQUAL(gwf_options_read(options, NULL), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_options_read(NULL, "o.yaml"), GWF_ERR_ARGUMENT);
    gwf_options_free(&options);
}

static void check_same(const gwf_option_table *a, const gwf_option_table *b)
{
    CU_ASSERT_EQUAL_FATAL(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        const gwf_option_row *row = &a->rows[i];
        const void *x = (char *)a->target + row->offset, *y = (char *)b->target + row->offset;
        if (row->kind == GWF_OPTION_INT) CU_ASSERT_EQUAL(*(const int *)x, *(const int *)y);
        if (row->kind == GWF_OPTION_REAL) CU_ASSERT_EQUAL(*(const double *)x, *(const double *)y);
        if (row->kind == GWF_OPTION_CHOICE)
            CU_ASSERT_PTR_EQUAL(*(const char *const *)x, *(const char *const *)y);
        if (row->kind == GWF_OPTION_TEXT && *(const char *const *)x)
            CU_ASSERT_STRING_EQUAL(*(const char *const *)x, *(const char *const *)y);
    }
}

/* How often a line of the file begins with "name:". */
static int count_lines(const char *path, const char *name)
{
    char line[256];
    int count = 0;
    const size_t length = strlen(name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        count += strncmp(line, name, length) == 0 && line[length] == ':';
    if (file) fclose(file);
    return count;
}

/* configs/plugin.yaml has every option once, with its default. */
static void test_sample(void)
{
    const char *path = GWF_SOURCE_DIR "/configs/plugin.yaml";
    gwf_options *options = gwf_options_create(), *fresh = gwf_options_create();
    CU_ASSERT_TRUE_FATAL(options && fresh);
    CU_ASSERT_EQUAL(gwf_options_set(options, "report", "7"), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_set(options, "top", "taper"), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_read(options, path), GWF_OK);
    const gwf_option_table engine = gwf_engine_options(options),
                           plugin = gwf_plugin_option_table(options),
                           engine_fresh = gwf_engine_options(fresh),
                           plugin_fresh = gwf_plugin_option_table(fresh);
    check_same(&engine, &engine_fresh);
    check_same(&plugin, &plugin_fresh);
    for (int i = 0; i < engine.count; i++)
        CU_ASSERT_EQUAL(count_lines(path, engine.rows[i].name), 1);
    for (int i = 0; i < plugin.count; i++)
        CU_ASSERT_EQUAL(count_lines(path, plugin.rows[i].name), 1);
    gwf_options_free(&options);
    gwf_options_free(&fresh);
}

int main(void)
{
    static const test_case tests[] = {
        {"defaults", test_defaults},
        {"values are set", test_set},
        {"unknown names and values out of bounds are refused", test_refusals},
        {"values are read from a file", test_read},
        {"wrong files are named", test_not_read},
        {"configs/plugin.yaml has every option", test_sample},
    };
    return test_run("option", tests, sizeof tests / sizeof *tests);
}
