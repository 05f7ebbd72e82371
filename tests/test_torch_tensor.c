#include "model/torch_tensor.h"

#include <math.h>
#include <stdio.h>

#include "model/checkpoint.h"
#include "test.h"
#include "torch_file.h"

/* Tensors are tested through whole checkpoints, as hostile files reach them. */

static gwf_error err;
static const float numbers[6] = {0, 1, 2, 3, 4, 5};

/* What comes of the pickle with this storage; frees the pickle. */
static gwf_status read_storage(test_bytes *pickle, const void *storage, size_t size,
                               gwf_tensor_set *set)
{
    test_bytes zip = test_made(pickle, storage, size);
    const gwf_status status =
        gwf_checkpoint_read_memory("made.pt", zip.data, zip.size, set, NULL, NULL, &err);
    free(zip.data);
    return status;
}

static gwf_status read_pickle(test_bytes *pickle, gwf_tensor_set *set)
{
    return read_storage(pickle, numbers, sizeof numbers, set);
}

static gwf_status read_view(test_view view)
{
    gwf_tensor_set set = {0};
    test_bytes pickle = test_state_dict(view);
    const gwf_status status = read_pickle(&pickle, &set);
    gwf_tensor_set_free(&set);
    return status;
}

/* All finite numbers of 16 bits: mantissa * 2^(exponent - 25), exponent 0 meaning 1. */
static void reads_every_half(void)
{
    enum { FINITE = 0x7c00, ALL = 2 * FINITE };
    static unsigned char storage[2 * ALL];
    const test_view view = {"HalfStorage", "0", ALL, 0, 1, {ALL}, {1}};
    gwf_tensor_set set = {0};
    for (int i = 0; i < ALL; i++) {
        const int bits = i < FINITE ? i : i - FINITE + 0x8000;
        storage[2 * i] = (unsigned char)(bits & 0xff);
        storage[2 * i + 1] = (unsigned char)(bits >> 8);
    }
    test_bytes pickle = test_state_dict(view);
    CHECK_OK(read_storage(&pickle, storage, sizeof storage, &set), err);
    CU_ASSERT_EQUAL_FATAL(set.count, 1);
    int wrong = 0;
    for (int i = 0; i < ALL; i++) {
        const int bits = i % FINITE, exponent = bits >> 10, mantissa = bits & 0x3ff;
        const double size = exponent ? ldexp(mantissa + 1024, exponent - 25) : ldexp(mantissa, -24);
        const double x = set.items[0].data[i];
        wrong += fabs(x) != size || (signbit(x) != 0) != (i >= FINITE);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    gwf_tensor_set_free(&set);
}

/* Parameters around a tensor, as deep as torch goes and deeper. */
static void unwraps_parameters(void)
{
    for (int depth = 0; depth < 6; depth++) {
        gwf_tensor_set set = {0};
        test_bytes b = {0};
        PUT(&b, "}");
        test_put_text(&b, "w");
        for (int i = 0; i < depth; i++) PUT(&b, "ctorch._utils\n_rebuild_parameter\n");
        test_put_tensor(&b, (test_view){"FloatStorage", "0", 6, 4, 1, {2}, {1}});
        for (int i = 0; i < depth; i++) PUT(&b, "\x88N\x87R");
        PUT(&b, "s.");
        const gwf_status status = read_pickle(&b, &set);
        CU_ASSERT_EQUAL(status, depth < 4 ? GWF_OK : GWF_ERR_MODEL);
        CU_ASSERT_EQUAL(set.count, depth < 4 ? 1 : 0);
        if (set.count) CU_ASSERT_EQUAL(set.items[0].data[1], 5);
        gwf_tensor_set_free(&set);
    }
}

static void refuses_bad_views(void)
{
    static const struct {
        test_view view;
        const char *words;
    } cases[] = {
        {{"FloatStorage", "0", 6, 1, 2, {2, 3}, {3, 1}},
         "tensor w: its storage of 6 elements is too short for shape (2, 3) from element 1"},
        {{"FloatStorage", "0", 6, 0, 2, {2, 3}, {4, 1}}, "too short for shape (2, 3)"},
        {{"FloatStorage", "0", 6, 6, 0, {0}, {0}}, "too short for shape () from element 6"},
        {{"FloatStorage", "0", 7, 0, 1, {6}, {1}},
         "tensor w: entry data/0 has 24 bytes, too short for 7 numbers of float32"},
        {{"DoubleStorage", "0", 6, 0, 1, {6}, {1}}, "too short for 6 numbers of float64"},
        {{"FloatStorage", "0", 6, 0, 2, {3, 3}, {1LL << 62, 1}}, "too short for shape (3, 3)"},
        {{"FloatStorage", "0", 6, 0, 1, {5}, {1LL << 62}}, "too short for shape (5)"},
        {{"FloatStorage", "0", 6, 2, 1, {3}, {INT64_MAX}}, "too short for shape (3)"},
        {{"FloatStorage", "0", 6, 0, 2, {2, 2}, {INT64_MAX, INT64_MAX}}, "too short for shape"},
        {{"FloatStorage", "0", 6, INT64_MAX, 2, {2, 2}, {INT64_MAX, 1}}, "too short for shape"},
        {{"FloatStorage", "0", 6, 0, 2, {1LL << 40, 1LL << 40}, {0, 0}}, "too large to count"},
        {{"FloatStorage", "0", 6, 0, 1, {1LL << 40}, {0}},
         "tensor w of 1099511627776 values there are more than"},
        {{"FloatStorage", "0", 6, -1, 1, {2}, {1}}, "its offset is -1, 0 or more expected"},
        {{"FloatStorage", "0", 6, 0, 1, {-2}, {1}}, "shape is -2, 0 or more expected"},
        {{"FloatStorage", "0", 6, 5, 1, {2}, {-1}}, "stride is -1, 0 or more expected"},
        {{"FloatStorage", "0", -6, 0, 1, {2}, {1}}, "the size of its storage is -6"},
        {{"FloatStorage", "0", 6, 0, 5, {1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}},
         "it has 5 dimensions, at most 4 expected"},
        {{"ComplexFloatStorage", "0", 3, 0, 1, {3}, {1}},
         "type the name torch.ComplexFloatStorage; float64, float32"},
        {{"FloatStorage", "1", 6, 0, 1, {6}, {1}}, "tensor w: entry data/1 is missing"},
        {{"FloatStorage", "\n", 6, 0, 1, {6}, {1}}, "tensor w: its storage has the strange key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(read_view(cases[i].view), GWF_ERR_FORMAT, err, cases[i].words);
}

/* Pickle bytes with short forms: $ the text "storage", # the text "0", ~ the text "neg",
 * @ the name torch.FloatStorage. */
static void assemble(test_bytes *b, const char *program)
{
    for (; *program; program++) {
        if (*program == '$')
            test_put_text(b, "storage");
        else if (*program == '#')
            test_put_text(b, "0");
        else if (*program == '~')
            test_put_text(b, "neg");
        else if (*program == '@')
            PUT(b, "ctorch\nFloatStorage\n");
        else
            test_put(b, program, 1);
    }
}

/* Calls of _rebuild_tensor_v2 with other arguments than torch gives. */
static void refuses_broken_calls(void)
{
    static const struct {
        const char *args, *words;
    } cases[] = {
        {")", "tensor w: its storage is missing, a storage expected"},
        {"K\x01\x85", "tensor w: its storage is an int"},
        {"NQ\x85", "is not written as (\"storage\", type"},
        {"($tQ\x85", "is not written as (\"storage\", type"},
        {"($N#NNtQ\x85", "has the type None"},
        {"($@#NtQ\x85", "the size of its storage is missing, an int expected"},
        {"($@#NNtQ\x85", "the size of its storage is None, an int expected"},
        {"($@#NK\x06tQ\x85", "its offset is missing"},
        {"(($@#NK\x06tQK\x01NNt", "its shape is no tuple"},
        {"(($@#NK\x06tQK\x01K\x01\x85)t", "its stride is no tuple of 1 ints"},
        {"(($@#NK\x06tQK\x01K\x01\x85N\x85t", "stride is None, an int expected"},
        {"(($@#NK\x06tQK\x01))NN}~\x88st", "marked as negated or conjugated"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gwf_tensor_set set = {0};
        test_bytes b = {0};
        PUT(&b, "}");
        test_put_text(&b, "w");
        PUT(&b, "ctorch._utils\n_rebuild_tensor_v2\n");
        assemble(&b, cases[i].args);
        PUT(&b, "Rs.");
        CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_FORMAT, err, cases[i].words);
    }
}

int main(void)
{
    const test_case cases[] = {
        {"reads every half", reads_every_half},
        {"unwraps parameters", unwraps_parameters},
        {"refuses bad views", refuses_bad_views},
        {"refuses broken calls", refuses_broken_calls},
    };
    return test_run("torch_tensor", cases, sizeof cases / sizeof *cases);
}
