/* Command-line arguments by option tables: every form, every refusal, the help text. */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

typedef struct arguments {
    const char *from, *to, *shape, *note;
    gwf_option_list inputs;
    int count, quick;
} arguments;

#define AT(member) offsetof(arguments, member)
static const char *const shapes[] = {"round", "square", NULL};
static const gwf_option_row rows[] = {
    {"FROM", 0, GWF_OPTION_TEXT, AT(from), NULL, 0, 0, NULL, "help of FROM"},
    {"TO", 0, GWF_OPTION_TEXT, AT(to), "", 0, 0, NULL, "help of TO"},
    {"input", 'i', GWF_OPTION_LIST, AT(inputs), NULL, 0, 0, NULL, "help of input"},
    {"count", 'n', GWF_OPTION_INT, AT(count), "3", 1, 9, NULL, "help of count"},
    {"shape", 's', GWF_OPTION_CHOICE, AT(shape), "round", 0, 0, shapes, "help of shape"},
    {"note", 0, GWF_OPTION_TEXT, AT(note), "", 0, 0, NULL, "help of note"},
    {"quick", 'q', GWF_OPTION_FLAG, AT(quick), "", 0, 0, NULL, "help of quick"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, ROWS, target};
}

static const command plain = {
    .name = "plain", .summary = "a command without an engine", .table = table};
static const command with_engine = {
    .name = "run", .summary = "a command with an engine", .table = table, .engine = 1};

/* --- parsing -------------------------------------------------------------------------------- */

static const char *items[16];

/* The arguments after the command's name; NULL ends them. */
static gwf_status parse(const char *const *given, arguments *a, gwf_options *engine, gwf_error *err)
{
    char *argv[16] = {(char *)"plain"};
    int argc = 1;
    while (given[argc - 1]) {
        argv[argc] = (char *)given[argc - 1];
        argc++;
    }
    *a = (arguments){.inputs.items = items};
    *err = (gwf_error){0};
    return args_parse(&plain, argc, argv, a, engine, err);
}
#define GIVEN(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_defaults(void)
{
    arguments a;
    gwf_error err;
    CHECK_OK(parse(GIVEN("a", "-i", "x"), &a, NULL, &err), err);
    CU_ASSERT_STRING_EQUAL(a.from, "a");
    CU_ASSERT_EQUAL(a.count, 3);
    CU_ASSERT_STRING_EQUAL(a.shape, "round");
    CU_ASSERT_PTR_NULL(a.to);
    CU_ASSERT_PTR_NULL(a.note);
    CU_ASSERT_EQUAL(a.quick, 0);
}

static void check_forms(const char *const *given)
{
    arguments a;
    gwf_error err;
    CHECK_OK(parse(given, &a, NULL, &err), err);
    CU_ASSERT_EQUAL(a.count, 7);
    CU_ASSERT_STRING_EQUAL(a.shape, "square");
    CU_ASSERT_EQUAL(a.inputs.count, 2);
    CU_ASSERT_STRING_EQUAL(a.inputs.items[0], "x");
    CU_ASSERT_STRING_EQUAL(a.inputs.items[1], "y");
    CU_ASSERT_STRING_EQUAL(a.from, "a");
    CU_ASSERT_STRING_EQUAL(a.to, "b");
    CU_ASSERT_EQUAL(a.quick, 1);
}

static void test_forms(void)
{
    check_forms(GIVEN("--input", "x", "--input", "y", "--count", "7", "--shape", "square",
                      "--quick", "a", "b"));
    check_forms(GIVEN("a", "b", "--input=x", "--input=y", "--count=7", "--shape=square", "-q"));
    check_forms(GIVEN("-q", "a", "-i", "x", "-n", "7", "-s", "square", "b", "-i", "y"));
}

static void test_values_are_taken_as_they_are(void)
{
    arguments a;
    gwf_error err;
    CHECK_OK(parse(GIVEN("-", "-i", "-n", "--note=p=q"), &a, NULL, &err), err);
    CU_ASSERT_STRING_EQUAL(a.from, "-");
    CU_ASSERT_STRING_EQUAL(a.inputs.items[0], "-n");
    CU_ASSERT_STRING_EQUAL(a.note, "p=q");
    CU_ASSERT_EQUAL(a.count, 3);
    CHECK_OK(parse(GIVEN("a", "-i", "x", "--note="), &a, NULL, &err), err);
    CU_ASSERT_STRING_EQUAL(a.note, "");
    CHECK_OK(parse(GIVEN("a", "-i", "x", "--note=--quick"), &a, NULL, &err), err);
    CU_ASSERT_STRING_EQUAL(a.note, "--quick");
    CU_ASSERT_EQUAL(a.quick, 0);
}

static void refused(const char *const *given, const char *words)
{
    arguments a;
    gwf_error err;
    CHECK_FAILS(parse(given, &a, NULL, &err), GWF_ERR_ARGUMENT, err, words);
}

static void test_missing(void)
{
    refused(GIVEN("-i", "x"), "FROM is missing");
    refused(GIVEN("a"), "option --input is missing");
    refused(GIVEN("a", "-i"), "option input: a value is missing");
    refused(GIVEN("a", "-i", "x", "--count"), "option count: a value is missing");
    refused(GIVEN("a", "-i", "--count", "7"), "option input: a value is missing");
}

static void test_twice(void)
{
    refused(GIVEN("a", "-i", "x", "-n", "1", "--count", "1"), "option count: given twice");
    refused(GIVEN("a", "-i", "x", "-q", "--quick"), "option quick: given twice");
    refused(GIVEN("a", "b", "-i", "x", "c"), "c: one argument too many");
}

static void test_unknown(void)
{
    refused(GIVEN("a", "--colour"), "--colour: there is no such option");
    refused(GIVEN("a", "--colour=red"), "--colour=red: there is no such option");
    refused(GIVEN("a", "--coun", "1"), "--coun: there is no such option");
    refused(GIVEN("a", "--counts", "1"), "--counts: there is no such option");
    refused(GIVEN("a", "-x"), "-x: there is no such option");
    refused(GIVEN("a", "-n7"), "-n7: there is no such option");
    refused(GIVEN("a", "--"), "--: there is no such option");
    refused(GIVEN("--FROM", "a"), "--FROM: there is no such option");
    refused(GIVEN("a", "--threads", "1"), "--threads: there is no such option");
}

static void test_wrong_values(void)
{
    refused(GIVEN("a", "--quick=1"), "option quick: takes no value");
    refused(GIVEN("a", "-n", "0"), "option count: expected a number from 1 to 9, found 0");
    refused(GIVEN("a", "-n", "-1"), "option count: expected a number from 1 to 9, found -1");
    refused(GIVEN("a", "--count="), "option count: expected a number");
    refused(GIVEN("a", "-s", "flat"), "option shape: expected round|square, found flat");
}

static void test_engine_options(void)
{
    arguments a;
    gwf_error err;
    gwf_options *engine = gwf_options_create();
    CHECK_OK(parse(GIVEN("a", "-i", "x", "--backend=ref", "--threads", "2"), &a, engine, &err),
             err);
    CU_ASSERT_STRING_EQUAL(engine->backend, "ref");
    CU_ASSERT_EQUAL(engine->threads, 2);
    CU_ASSERT_STRING_EQUAL(engine->precision, "auto");
    CHECK_FAILS(parse(GIVEN("a", "--threads", "1", "--threads=1"), &a, engine, &err),
                GWF_ERR_ARGUMENT, err, "option threads: given twice");
    CHECK_FAILS(parse(GIVEN("a", "--backend", "gpu"), &a, engine, &err), GWF_ERR_ARGUMENT, err,
                "option backend: expected");
    gwf_options_free(&engine);
}

/* --- texts ---------------------------------------------------------------------------------- */

/* What args_help() prints. */
static void help_of(const command *c, char *text, size_t size)
{
    const char *path = test_scratch("help.txt");
    fflush(stdout);
    const int keep = dup(STDOUT_FILENO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(freopen(path, "w", stdout));
    args_help(c);
    fflush(stdout);
    dup2(keep, STDOUT_FILENO);
    close(keep);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static int occurrences(const char *text, const char *words)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words)) n++;
    return n;
}

static void check_rows(const char *text, gwf_option_table t)
{
    for (int i = 0; i < t.count; i++) {
        if (occurrences(text, t.rows[i].help) != 1)
            fprintf(stderr, "\n  row %s stands %d times in the help\n", t.rows[i].name,
                    occurrences(text, t.rows[i].help));
        CU_ASSERT_EQUAL(occurrences(text, t.rows[i].help), 1);
    }
}

static void test_help(void)
{
    char text[4096];
    help_of(&plain, text, sizeof text);
    CU_ASSERT_PTR_EQUAL(strstr(text, "usage: gwflux plain FROM [TO] --input TEXT [options]\n"),
                        text);
    CU_ASSERT_EQUAL(occurrences(text, plain.summary), 1);
    check_rows(text, table(NULL));
    CU_ASSERT_EQUAL(occurrences(text, "\n  "), ROWS);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  -n, --count N "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "help of count [3]\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "-s, --shape WORD "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "help of shape (round|square) [round]\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  FROM "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "-q, --quick  "));
}

static void test_help_with_engine(void)
{
    char text[4096];
    const gwf_option_table engine = gwf_engine_options(NULL);
    help_of(&with_engine, text, sizeof text);
    check_rows(text, table(NULL));
    check_rows(text, engine);
    CU_ASSERT_EQUAL(occurrences(text, "\n  "), ROWS + engine.count);
}

static void test_history(void)
{
    char *argv[] = {(char *)"predict", (char *)"-m", (char *)"model.nc"};
    char text[128], tiny[30];
    CU_ASSERT_PTR_EQUAL(args_history(3, argv, text, sizeof text), text);
    int year = 0, used = 0;
    CU_ASSERT_EQUAL(sscanf(text, "%4d-%*2d-%*2dT%*2d:%*2d:%*2dZ%n", &year, &used), 1);
    CU_ASSERT_EQUAL(used, 20);
    CU_ASSERT_TRUE(year >= 2024);
    CU_ASSERT_STRING_EQUAL(text + used, " gwflux predict -m model.nc");
    memset(tiny, '!', sizeof tiny);
    args_history(3, argv, tiny, sizeof tiny - 1);
    CU_ASSERT_EQUAL(strlen(tiny), sizeof tiny - 2);
    CU_ASSERT_EQUAL(tiny[sizeof tiny - 1], '!');
}

int main(void)
{
    static const test_case tests[] = {
        {"defaults", test_defaults},
        {"long, short and positional arguments in any order", test_forms},
        {"values are taken as they are", test_values_are_taken_as_they_are},
        {"what is missing is named", test_missing},
        {"what comes twice is named", test_twice},
        {"what is unknown is named", test_unknown},
        {"wrong values are named", test_wrong_values},
        {"the engine's options", test_engine_options},
        {"help lists every row once", test_help},
        {"help lists the engine's rows too", test_help_with_engine},
        {"history is the time and the call", test_history},
    };
    return test_run("args", tests, sizeof tests / sizeof *tests);
}
