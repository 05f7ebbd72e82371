#include "model/pickle.h"

#include <stdio.h>

#include "test.h"
#include "torch_file.h"

static gwf_error err;

/* Of the values of the last read, until the next: one arena for all tests. */
static gwf_values values;

static gwf_status read_limited(const void *bytes, size_t size, gwf_value_limits limits,
                               const gwf_value **root)
{
    gwf_values_free(&values);
    values.limits = limits;
    *root = NULL;
    return gwf_pickle_read(bytes, size, &values, root, &err);
}

static gwf_status read_bytes(const void *bytes, size_t size, const gwf_value **root)
{
    return read_limited(bytes, size, gwf_value_default_limits, root);
}

#define READ(literal, root) read_bytes(literal, sizeof(literal) - 1, root)

static const gwf_value *at(const gwf_value *list, size_t i)
{
    CU_ASSERT_TRUE_FATAL(list && i < list->list.count);
    return list->list.items[i];
}

static const gwf_value *get(const gwf_value *dict, const char *key, gwf_value_kind kind)
{
    const gwf_value *value = gwf_value_get(dict, key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL_FATAL(value->kind, kind);
    return value;
}

/* ---- what Python wrote: make_checkpoints.py holds the same list ---- */

static void check_numbers(const gwf_value *root)
{
    static const long long ints[] = {0,           255,        256,       65536,    -1,
                                     -2147483648, 2147483648, 1LL << 62, INT64_MIN};
    const gwf_value *list = get(root, "ints", GWF_LIST);
    CU_ASSERT_EQUAL_FATAL(list->list.count, 10);
    for (size_t i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(at(list, i)->kind, GWF_INT);
        CU_ASSERT_EQUAL(at(list, i)->integer, ints[i]);
    }
    CU_ASSERT_EQUAL(at(list, 9)->kind, GWF_BIG_INT);
    CU_ASSERT_EQUAL(get(root, "float", GWF_FLOAT)->real, 0.1);
    CU_ASSERT_EQUAL(get(root, "true", GWF_BOOL)->integer, 1);
    CU_ASSERT_EQUAL(get(root, "false", GWF_BOOL)->integer, 0);
    get(root, "none", GWF_NONE);
}

static void check_containers(const gwf_value *root, int protocol)
{
    const gwf_value *tuples = get(root, "tuples", GWF_TUPLE);
    for (size_t n = 0; n < 5; n++) {
        CU_ASSERT_EQUAL(at(tuples, n)->kind, GWF_TUPLE);
        CU_ASSERT_EQUAL(at(tuples, n)->list.count, n);
        for (size_t i = 0; i < n; i++)
            CU_ASSERT_EQUAL(at(at(tuples, n), i)->integer, (long long)i + 1);
    }
    const gwf_value *itself = get(root, "itself", GWF_LIST);
    CU_ASSERT_PTR_EQUAL(at(itself, 0), itself);
    const gwf_value *shared = get(root, "shared", GWF_LIST);
    CU_ASSERT_PTR_EQUAL(at(shared, 0), at(shared, 1));
    CU_ASSERT_EQUAL(at(get(root, "one", GWF_LIST), 0)->integer, 5);
    const gwf_value *ordered = get(root, "ordered", GWF_DICT);
    CU_ASSERT_EQUAL(get(ordered, "a", GWF_INT)->integer, 1);
    CU_ASSERT_EQUAL(get(ordered, "b", GWF_INT)->integer, 2);
    if (protocol < 4) return; /* sets are calls */
    CU_ASSERT_EQUAL(at(get(root, "set", GWF_SET), 0)->integer, 7);
    CU_ASSERT_EQUAL(at(get(root, "frozen", GWF_SET), 0)->integer, 8);
}

static void check_texts_and_objects(const gwf_value *root, int protocol)
{
    char shown[3 * GWF_SHOWN];
    const gwf_text text = get(root, "long", GWF_STRING)->text;
    CU_ASSERT_EQUAL_FATAL(text.size, 300);
    CU_ASSERT_EQUAL(memcmp(text.bytes + 298, "\xc3\xa9", 2), 0);
    const gwf_value *date = get(root, "object", GWF_OBJECT);
    CU_ASSERT_STRING_EQUAL(gwf_value_show(date, shown), "an object of datetime.date");
    CU_ASSERT_TRUE(gwf_value_is_global(date->object.maker, "datetime", "date"));
    CU_ASSERT_EQUAL(date->object.args->list.count, 1);
    get(root, "filled", GWF_OBJECT);
    if (protocol >= 3) CU_ASSERT_EQUAL(get(root, "bytes", GWF_BYTES)->text.size, 3);
    if (protocol >= 5) CU_ASSERT_TRUE(gwf_text_is(get(root, "array", GWF_BYTES)->text, "xyz"));
}

static void reads_what_python_wrote(void)
{
    for (int protocol = 2; protocol <= 5; protocol++) {
        char name[64];
        const gwf_value *root;
        snprintf(name, sizeof name, "golden/pickle_protocol%d.pkl", protocol);
        test_bytes file = test_load(test_data(name));
        CU_ASSERT_TRUE_FATAL(file.size > 0);
        CHECK_OK(read_bytes(file.data, file.size, &root), err);
        CU_ASSERT_EQUAL_FATAL(root->kind, GWF_DICT);
        CU_ASSERT_EQUAL(root->list.count, 36);
        check_numbers(root);
        check_containers(root, protocol);
        check_texts_and_objects(root, protocol);
        CU_ASSERT_PTR_NULL(gwf_value_get(root, "three"));
        for (size_t cut = 0; cut < file.size; cut++)
            CU_ASSERT_EQUAL(read_bytes(file.data, cut, &root), GWF_ERR_FORMAT);
        free(file.data);
    }
}

/* ---- pieces ---- */

static void reads_rare_opcodes(void)
{
    const gwf_value *root;
    CHECK_OK(READ("\x80\x02(K\x01K\x02\x31K\x03\x32\x86.", &root), err); /* POP_MARK, DUP */
    CU_ASSERT_EQUAL(at(root, 0)->integer, 3);
    CU_ASSERT_PTR_EQUAL(at(root, 0), at(root, 1));
    CHECK_OK(READ("\x80\x02K\x05(0K\x06\x30.", &root), err); /* POP of a mark, of a value */
    CU_ASSERT_EQUAL(root->integer, 5);
    CHECK_OK(READ("U\x02xy.", &root), err);
    CU_ASSERT_TRUE(gwf_text_is(root->text, "xy"));
    CHECK_OK(READ("T\x02\0\0\0xy.", &root), err);
    CU_ASSERT_TRUE(gwf_text_is(root->text, "xy"));
    CHECK_OK(READ("\x8d\x01\0\0\0\0\0\0\0x.", &root), err);
    CU_ASSERT_TRUE(gwf_text_is(root->text, "x"));
    CHECK_OK(READ("\x8e\x01\0\0\0\0\0\0\0x.", &root), err);
    CU_ASSERT_EQUAL(root->kind, GWF_BYTES);
    CHECK_OK(READ("\x8b\x02\0\0\0\xfe\xff.", &root), err);
    CU_ASSERT_EQUAL(root->integer, -2);
    CHECK_OK(READ("\x8a\0.", &root), err);
    CU_ASSERT_EQUAL(root->integer, 0);
    CHECK_OK(READ("cm\nn\n)}\x92.", &root), err);
    CU_ASSERT_EQUAL(root->kind, GWF_OBJECT);
    CHECK_OK(READ("K\x07r\xff\0\0\0j\xff\0\0\0.", &root), err);
    CU_ASSERT_EQUAL(root->integer, 7);
    CHECK_OK(READ("(X\1\0\0\0sK\x01tQ.", &root), err);
    CU_ASSERT_EQUAL(root->kind, GWF_PERSISTENT);
    CU_ASSERT_EQUAL(root->object.args->list.count, 2);
}

/* A call stays a description, also where it would do harm; what would fill it is dropped. */
static void executes_nothing(void)
{
    const char *path = test_scratch("executed");
    char shown[3 * GWF_SHOWN];
    const gwf_value *root;
    test_bytes b = {0};
    PUT(&b, "\x80\x02"
            "cposix\nsystem\n");
    char command[1200];
    snprintf(command, sizeof command, "touch %s", path);
    test_put_text(&b, command);
    PUT(&b, "\x85R}K\x01K\x02sb(K\x01K\x02"
            "e(K\x01K\x02u.");
    CHECK_OK(read_bytes(b.data, b.size, &root), err);
    CU_ASSERT_EQUAL(root->kind, GWF_OBJECT);
    CU_ASSERT_STRING_EQUAL(gwf_value_show(root, shown), "an object of posix.system");
    FILE *made = fopen(path, "r");
    CU_ASSERT_PTR_NULL(made);
    if (made) fclose(made);
    free(b.data);
}

static void names_the_opcode(void)
{
    const gwf_value *root;
    CHECK_FAILS(READ("\x80\x02K\x01\xff.", &root), GWF_ERR_FORMAT, err,
                "unknown pickle opcode 0xff at byte 4");
    CHECK_FAILS(READ("\x80\x02(ios\nsystem\n.", &root), GWF_ERR_FORMAT, err,
                "opcode INST at byte 3: not allowed");
    CHECK_FAILS(READ("\x82\x01.", &root), GWF_ERR_FORMAT, err, "opcode EXT1 at byte 0");
    CHECK_FAILS(READ("\x80\x06N.", &root), GWF_ERR_FORMAT, err, "protocol 6, 2 to 5 expected");
    CHECK_FAILS(READ("N", &root), GWF_ERR_FORMAT, err, "ends at byte 1 without STOP");
    CHECK_FAILS(READ("", &root), GWF_ERR_FORMAT, err, "ends at byte 0 without STOP");
    CHECK_FAILS(READ("X\x05\0\0\0abc.", &root), GWF_ERR_FORMAT, err,
                "opcode BINUNICODE at byte 0: 5 bytes expected, the pickle ends after 4");
    CHECK_FAILS(READ("\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", &root), GWF_ERR_FORMAT, err,
                "18446744073709551615 bytes expected");
    CHECK_FAILS(READ("cposix\nsystem", &root), GWF_ERR_FORMAT, err, "ends within a name");
}

static void refuses_broken_programs(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
#define CASE(literal, words) {literal, sizeof(literal) - 1, words}
        CASE(".", "opcode STOP at byte 0: nothing on the stack"),
        CASE("0", "opcode POP at byte 0: nothing on the stack"),
        CASE("K\x01(.", "opcode STOP at byte 3: nothing on the stack"),
        CASE("K\x01(\x85.", "TUPLE1 at byte 3: nothing on the stack"),
        CASE("t.", "opcode TUPLE at byte 0: no mark"),
        CASE("](e(", "the pickle ends at byte 4"),
        CASE("}(K\x01u.", "opcode SETITEMS at byte 4: a key without a value"),
        CASE("}K\x01"
             "a.",
             "opcode APPEND at byte 3: cannot fill a dictionary"),
        CASE("]K\x01K\x01s.", "opcode SETITEM at byte 5: cannot fill a list"),
        CASE("](K\x01\x90.", "opcode ADDITEMS at byte 4: cannot fill a list"),
        CASE("K\x01K\x02\x93.", "STACK_GLOBAL at byte 4: module and name are not strings"),
        CASE("K\x01)R.", "opcode REDUCE at byte 3: an int cannot make an object"),
        CASE("cm\nn\nK\x01R.", "opcode REDUCE at byte 7: arguments are an int, a tuple expected"),
        CASE("K\x01}b.", "opcode BUILD at byte 3: cannot set the state of an int"),
        CASE("cm\nn\n}b.", "cannot set the state of the name m.n"),
        CASE("h\x05.", "opcode BINGET at byte 0: memo entry 5 was never set"),
        CASE("K\x01q\x05h\x04.", "opcode BINGET at byte 4: memo entry 4 was never set"),
        CASE("q\x05.", "opcode BINPUT at byte 0: nothing on the stack"),
        CASE("K\x01r\xff\xff\xff\xff.", "memo entry 4294967295, fewer than"),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const gwf_value *root;
        CHECK_FAILS(read_bytes(cases[i].bytes, cases[i].size, &root), GWF_ERR_FORMAT, err,
                    cases[i].words);
        CU_ASSERT_PTR_NULL(root);
    }
}

/* 255 lists, each holding ten times the one before: 10^255 leaves if anything were copied. */
static void survives_a_bomb(void)
{
    const gwf_value *root;
    test_bytes b = {0};
    PUT(&b, "\x80\x02]q\0");
    for (unsigned i = 1; i < 256; i++) {
        const unsigned char get[2] = {'h', (unsigned char)(i - 1)};
        const unsigned char put[2] = {'q', (unsigned char)i};
        PUT(&b, "](");
        for (int k = 0; k < 10; k++) test_put(&b, get, 2);
        PUT(&b, "e");
        test_put(&b, put, 2);
    }
    PUT(&b, ".");
    CHECK_OK(read_bytes(b.data, b.size, &root), err);
    CU_ASSERT_EQUAL(values.count, 256);
    CU_ASSERT_TRUE(values.bytes < 64 * 1024);
    CU_ASSERT_EQUAL(root->list.count, 10);
    free(b.data);
}

static void repeat(test_bytes *b, const char *opcode, size_t n)
{
    for (size_t i = 0; i < n; i++) test_put(b, opcode, 1);
}

static void keeps_to_its_limits(void)
{
    const gwf_value_limits small = {.values = 100, .bytes = 1 << 14, .memo = 10, .marks = 5};
    const gwf_value *root;
    test_bytes nones = {0}, marks = {0}, copies = {0};
    repeat(&nones, "N", 101);
    CHECK_FAILS(read_limited(nones.data, nones.size, small, &root), GWF_ERR_FORMAT, err,
                "more than the 100 values");
    CHECK_FAILS(read_limited(nones.data, 100, small, &root), GWF_ERR_FORMAT, err, "without STOP");
    repeat(&marks, "(", 6);
    CHECK_FAILS(read_limited(marks.data, marks.size, small, &root), GWF_ERR_FORMAT, err,
                "opcode MARK at byte 5: more than the 5 nested marks");
    PUT(&copies, "N");
    repeat(&copies, "2", 4000);
    CHECK_FAILS(read_limited(copies.data, copies.size, small, &root), GWF_ERR_FORMAT, err,
                "more than the 16384 bytes");
    CHECK_OK(read_limited("Nq\x09.", 4, small, &root), err);
    CHECK_FAILS(read_limited("Nq\x0a.", 4, small, &root), GWF_ERR_FORMAT, err,
                "memo entry 10, fewer than 10");
    free(nones.data);
    free(marks.data);
    free(copies.data);
}

/* The deepest nesting that fits in a few MB costs no stack. */
static void nests_without_recursion(void)
{
    const gwf_value *root;
    test_bytes b = {0};
    size_t depth = 0;
    PUT(&b, ")");
    repeat(&b, "\x85", 300000);
    PUT(&b, ".");
    CHECK_OK(read_bytes(b.data, b.size, &root), err);
    for (; root->list.count; root = root->list.items[0]) depth++;
    CU_ASSERT_EQUAL(depth, 300000);
    free(b.data);
}

static void shows_values_safely(void)
{
    char shown[3 * GWF_SHOWN], text[GWF_SHOWN];
    const gwf_value *root;
    CHECK_OK(READ("cev\x1b[31mil\nx\0y\n.", &root), err);
    CU_ASSERT_STRING_EQUAL(gwf_value_show(root, shown), "the name ev?[31mil.x?y");
    char endless[200];
    memset(endless, 'a', sizeof endless);
    gwf_text_show((gwf_text){endless, sizeof endless}, text);
    CU_ASSERT_EQUAL(strlen(text), GWF_SHOWN - 1);
    CU_ASSERT_STRING_EQUAL(text + GWF_SHOWN - 5, "a...");
    CU_ASSERT_STRING_EQUAL(gwf_text_show((gwf_text){endless, 3}, text), "aaa");
    CU_ASSERT_STRING_EQUAL(gwf_text_show((gwf_text){endless, 0}, text), "");
}

int main(void)
{
    const test_case cases[] = {
        {"reads what Python wrote", reads_what_python_wrote},
        {"reads rare opcodes", reads_rare_opcodes},
        {"executes nothing", executes_nothing},
        {"names the opcode", names_the_opcode},
        {"refuses broken programs", refuses_broken_programs},
        {"survives a bomb", survives_a_bomb},
        {"keeps to its limits", keeps_to_its_limits},
        {"nests without recursion", nests_without_recursion},
        {"shows values safely", shows_values_safely},
    };
    const int failed = test_run("pickle", cases, sizeof cases / sizeof *cases);
    gwf_values_free(&values);
    return failed;
}
