/* Options from YAML files: every kind, what goes before what, every refusal. */
#include "core/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "test.h"

typedef struct arguments {
    const char *from, *model, *shape, *note;
    gwf_option_list inputs, tags;
    int count, quick;
    gwf_config file;
} arguments;

#define AT(member) offsetof(arguments, member)
static const char *const shapes[] = {"round", "square", NULL};
static const gwf_option_row rows[] = {
    {"FROM", 0, GWF_OPTION_TEXT, AT(from), "", 0, 0, NULL, "a positional argument"},
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "required"},
    {"input", 'i', GWF_OPTION_LIST, AT(inputs), NULL, 0, 0, NULL, "required"},
    {"count", 'n', GWF_OPTION_INT, AT(count), "3", 1, 9, NULL, "a number"},
    {"shape", 's', GWF_OPTION_CHOICE, AT(shape), "round", 0, 0, shapes, "a word"},
    {"note", 0, GWF_OPTION_TEXT, AT(note), "", 0, 0, NULL, "a text"},
    {"tag", 0, GWF_OPTION_LIST, AT(tags), "", 0, 0, NULL, "another list"},
    {"quick", 'q', GWF_OPTION_FLAG, AT(quick), "", 0, 0, NULL, "a flag"},
    {"config", 'c', GWF_OPTION_CONFIG, AT(file), "", 0, 0, NULL, "the file"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, sizeof rows / sizeof *rows, target};
}

static const command job = {.name = "job", .summary = "a command", .table = table, .engine = 1};

/* One call of the command: made by begin(), freed by end(). */
typedef struct call {
    arguments a;
    gwf_options *engine;
    gwf_error err;
} call;

static const char *write_file(const void *text, size_t size)
{
    const char *path = test_scratch("run.yaml");
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(text, 1, size, file), size);
    fclose(file);
    return path;
}

static gwf_status begin(call *c, const char *path, const char *const *given)
{
    char *argv[16] = {(char *)"job", (char *)"--config", (char *)path};
    int argc = 3;
    for (; *given; given++) argv[argc++] = (char *)*given;
    *c = (call){.engine = gwf_options_create()};
    c->a.inputs.items = malloc(16 * sizeof(char *));
    c->a.tags.items = malloc(16 * sizeof(char *));
    CU_ASSERT_TRUE_FATAL(c->engine && c->a.inputs.items && c->a.tags.items);
    return args_parse(&job, argc, argv, &c->a, c->engine, &c->err);
}

static void end(call *c)
{
    free(c->a.inputs.items);
    free(c->a.tags.items);
    gwf_config_free(&c->a.file);
    gwf_options_free(&c->engine);
}

/* The words of the command line each with a comma behind it. */
#define BEGIN(c, text, ...)                                                                        \
    CHECK_OK(begin(&(c), write_file(text, strlen(text)), (const char *const[]){__VA_ARGS__ NULL}), \
             (c).err)

/* --- what is taken --------------------------------------------------------------------------- */

static void check_all(const char *text)
{
    call c;
    BEGIN(c, text, );
    CU_ASSERT_STRING_EQUAL(c.a.model, "a model.nc");
    CU_ASSERT_EQUAL(c.a.inputs.count, 2);
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[0], "x.nc");
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[1], "y: z.nc");
    CU_ASSERT_EQUAL(c.a.count, 7);
    CU_ASSERT_STRING_EQUAL(c.a.shape, "square");
    CU_ASSERT_EQUAL(c.a.quick, 1);
    CU_ASSERT_PTR_NULL(c.a.note);
    CU_ASSERT_PTR_NULL(c.a.from);
    CU_ASSERT_EQUAL(c.a.tags.count, 0);
    CU_ASSERT_STRING_EQUAL(c.engine->backend, "ref");
    CU_ASSERT_EQUAL(c.engine->threads, 2);
    CU_ASSERT_STRING_EQUAL(c.engine->precision, "auto");
    end(&c);
}

static void test_every_kind(void)
{
    check_all("model: a model.nc\ninput:\n  - x.nc\n  - 'y: z.nc'\ncount: 7\nshape: square\n"
              "quick: true\nbackend: ref\nthreads: 2\n");
    check_all("# all of it\r\n---\r\nthreads: \"2\"\r\nbackend: 'ref' # plain\r\nquick: true\r\n"
              "shape: square\r\ncount: 7\r\ninput: [x.nc, \"y: z.nc\"]\r\nmodel: a model.nc\r\n");
    check_all("{model: a model.nc, input: [x.nc, 'y: z.nc'], count: 7, shape: square, quick: true,"
              " backend: ref, threads: 2}");
}

static void test_absent(void)
{
    call c;
    BEGIN(c, "model: m\ninput: [x]\ncount:\nshape: ~\nnote: null\ntag: []\nquick: false\n", );
    CU_ASSERT_EQUAL(c.a.count, 3);
    CU_ASSERT_STRING_EQUAL(c.a.shape, "round");
    CU_ASSERT_PTR_NULL(c.a.note);
    CU_ASSERT_EQUAL(c.a.tags.count, 0);
    CU_ASSERT_EQUAL(c.a.quick, 0);
    end(&c);
    static const char *const nothing[] = {"", "# nothing\n", "---\n", "---\n...\n", "{}", "\n\n"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        BEGIN(c, nothing[i], "-m", "m", "-i", "x", );
        CU_ASSERT_STRING_EQUAL(c.a.model, "m");
        CU_ASSERT_EQUAL(c.a.count, 3);
        end(&c);
    }
}

static void test_the_command_line_goes_first(void)
{
    call c;
    BEGIN(c, "model: m\ninput: [x, y, z]\ntag: [t]\ncount: 7\nthreads: 2\nshape: square\n", "-i",
          "a", "--threads=5", "-n", "1", "--note", "n", );
    CU_ASSERT_STRING_EQUAL(c.a.model, "m");
    CU_ASSERT_EQUAL(c.a.inputs.count, 1);
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[0], "a");
    CU_ASSERT_EQUAL(c.a.tags.count, 1);
    CU_ASSERT_STRING_EQUAL(c.a.tags.items[0], "t");
    CU_ASSERT_EQUAL(c.a.count, 1);
    CU_ASSERT_EQUAL(c.engine->threads, 5);
    CU_ASSERT_STRING_EQUAL(c.a.shape, "square");
    CU_ASSERT_STRING_EQUAL(c.a.note, "n");
    end(&c);
}

static void test_long_list(void)
{
    enum { ITEMS = 50000 };
    static char text[ITEMS * 16];
    size_t used = (size_t)snprintf(text, sizeof text, "model: m\ninput:\n");
    for (int i = 0; i < ITEMS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "- %d.nc\n", i);
    call c;
    BEGIN(c, text, );
    CU_ASSERT_EQUAL_FATAL(c.a.inputs.count, ITEMS);
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[0], "0.nc");
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[ITEMS - 1], "49999.nc");
    end(&c);
}

static void test_history(void)
{
    call c;
    char text[128] = "job", tiny[16] = "job";
    BEGIN(c, "model: m\ninput: [x, y]\nquick: true\ncount: 7\nthreads: 2\n", "-n", "1", );
    c.a.file.path = "run.yaml";
    gwf_config_history(&c.a.file, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text,
                           "job (run.yaml: --model m --input x --input y --quick --threads 2)");
    gwf_config_history(&c.a.file, tiny, sizeof tiny);
    CU_ASSERT_STRING_EQUAL(tiny, "job (run.yaml: ");
    end(&c);
    gwf_config_history(&(gwf_config){0}, tiny, sizeof tiny);
    CU_ASSERT_STRING_EQUAL(tiny, "job (run.yaml: ");
}

/* --- what is refused ------------------------------------------------------------------------- */

static void refused_bytes(const void *text, size_t size, gwf_status status, const char *words)
{
    call c;
    CHECK_FAILS(begin(&c, write_file(text, size), (const char *const[]){NULL}), status, c.err,
                words);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.err.text, "run.yaml: "));
    CU_ASSERT_PTR_NULL(strchr(c.err.text, '\n'));
    end(&c);
}

static void refused(const char *text, const char *words)
{
    refused_bytes(text, strlen(text), GWF_ERR_ARGUMENT, words);
}

static void test_unknown(void)
{
    refused("model: m\n\ncolour: red\n", "run.yaml: line 3: colour: there is no such option");
    refused("  Model: m\n", "run.yaml: Model: there is no such option");
    refused("note: colour\ncolours: 1", "line 2: colours: there is no such option");
    refused("FROM: a\n", "FROM: there is no such option");
    refused("m: a\n", "m: there is no such option");
    refused("config: b.yaml\n", "config: there is no such option");
    refused("<<: {model: m}\n", "<<: there is no such option");
    refused("\"col\\nour\": red\n", "col?our: there is no such option");
}

static void test_missing(void)
{
    call c;
    const char *path = write_file("model: m\n", 9);
    CHECK_FAILS(begin(&c, path, (const char *const[]){NULL}), GWF_ERR_ARGUMENT, c.err,
                "option --input is missing");
    end(&c);
    CHECK_FAILS(begin(&c, "/nowhere/run.yaml", (const char *const[]){NULL}), GWF_ERR_NOT_FOUND,
                c.err, "/nowhere/run.yaml: No such file");
    end(&c);
    CHECK_FAILS(begin(&c, "/", (const char *const[]){NULL}), GWF_ERR_IO, c.err, "/: ");
    end(&c);
}

static void test_wrong_values(void)
{
    refused("count: 10\n", "option count: expected a number from 1 to 9, found 10");
    refused("count: 0x5\n", "option count: expected a number");
    refused("count: 1.5\n", "option count: expected a number");
    refused("threads: -1\n", "option threads: expected a number from 0 to 1024, found -1");
    refused("shape: flat\n", "option shape: expected round|square, found flat");
    refused("backend: gpu\n", "option backend: expected auto|");
    refused("quick: yes\n", "option quick: expected true or false, found yes");
    refused("quick: 1\n", "option quick: expected true or false, found 1");
    refused("quick: [true]\n", "option quick: expected one value");
    refused("model: m\nmodel: n\n", "option model: stands here twice");
    refused("model: m\nmodel: m\n", "option model: stands here twice");
    refused("model: [m]\n", "line 1: option model: expected one value, found a list");
    refused("model: {m: n}\n", "option model: expected one value");
    refused("input: x.nc\n", "line 1: option input: expected a list");
    refused("input:\n- x\n- [y]\n", "line 3: option input: expected one value");
    refused("input: [x, \"\"]\n", "option input: expected a value, found an empty one");
    refused("input: [x, ]\ninput: [y]\n", "option input: stands here twice");
}

static void test_not_a_mapping(void)
{
    refused("model.nc\n", "expected lines \"option: value\"");
    refused("- model: m\n", "expected lines \"option: value\"");
    refused("model: m\n---\nmodel: n\n", "expected one document");
    refused("model: \"m\n", "unexpected end of stream");
    refused("model: m: n\n", "line 1: option model: mapping values are not allowed");
    refused("model: m\n\tcount: 3\n", "tab");
    refused("model: &m m\nnote: *m\n", "option note: aliases");
    refused("? [a]\n: b\n", "expected lines");
    refused("CDF\001\n", "control characters are not allowed");
    refused("model: \xff\xfe\n", "invalid");
}

static void test_hostile(void)
{
    refused_bytes("model: m\0n\n", 11, GWF_ERR_ARGUMENT, "found a NUL byte");
    refused_bytes("\xff\xfem\0:\0 \0m\0\n", 11, GWF_ERR_ARGUMENT, "found a NUL byte");
    refused("model: \"m\\0n\"\n", "the escape \\0 is not taken");
    refused("model: \"m\\x00n\"\n", "the escape \\x00 is not taken");
    refused("model: \"m\\u0000n\"\n", "the escape \\u0000 is not taken");
    refused("model: \"m\\U00000000n\"\n", "the escape \\U00000000 is not taken");
    refused("model: \"m\\\\\\0n\"\n", "the escape \\0 is not taken");
    call c;
    BEGIN(c, "model: \"m\\\\0\"\ninput: [\"\\u00e9\"]\n", );
    CU_ASSERT_STRING_EQUAL(c.a.model, "m\\0");
    CU_ASSERT_STRING_EQUAL(c.a.inputs.items[0], "\xc3\xa9");
    end(&c);
}

/* `count` times `text` behind `head`, as large as a file may be and larger. */
static void refused_many(const char *head, const char *text, size_t count, const char *words)
{
    const size_t length = strlen(text), begins = strlen(head);
    char *all = malloc(begins + count * length + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    memcpy(all, head, begins);
    for (size_t i = 0; i < count; i++) memcpy(all + begins + i * length, text, length);
    refused_bytes(all, begins + count * length, GWF_ERR_ARGUMENT, words);
    free(all);
}

static void test_large(void)
{
    refused_many("", "#", GWF_CONFIG_FILE_BYTES + 1, "found more than 1048576 bytes");
    refused_many("input: ", "[", GWF_CONFIG_FILE_BYTES - 7, "option input: expected one value");
    refused_many("", "[", GWF_CONFIG_FILE_BYTES, "expected lines");
    refused_many("input: ", "{", GWF_CONFIG_FILE_BYTES - 7, "option input: expected a list");
    refused_many("model: ", "m", GWF_CONFIG_VALUE_BYTES + 1,
                 "option model: expected a shorter value");
    refused_many("", "m", GWF_CONFIG_FILE_BYTES, "expected lines");
    refused_many("", "model: m\n", 100000, "option model: stands here twice");
    refused_many("input:\n", "- [\n", 1000, "option input: expected one value");
}

int main(void)
{
    static const test_case tests[] = {
        {"every kind of option", test_every_kind},
        {"what counts as absent", test_absent},
        {"the command line goes first", test_the_command_line_goes_first},
        {"a list longer than the command line", test_long_list},
        {"history names what was taken", test_history},
        {"what is unknown is named", test_unknown},
        {"what is missing is named", test_missing},
        {"wrong values are named", test_wrong_values},
        {"what is no mapping is refused", test_not_a_mapping},
        {"NUL bytes are refused", test_hostile},
        {"large and deep files are refused", test_large},
    };
    return test_run("config", tests, sizeof tests / sizeof *tests);
}
