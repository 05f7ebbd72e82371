#include "model/state_dict.h"

#include <stdio.h>

#include "test.h"
#include "torch_file.h"

static gwf_error err;
static const float numbers[6] = {0, 1, 2, 3, 4, 5};
static const test_view plain = {"FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}};

/* What comes of the pickle with the storage `numbers`; frees the pickle. */
static gwf_status read_logged(test_bytes *pickle, gwf_tensor_set *set, gwf_checkpoint_info *info,
                              const gwf_log *log)
{
    test_bytes zip = test_made(pickle, numbers, sizeof numbers);
    const gwf_status status =
        gwf_checkpoint_read_memory("made.pt", zip.data, zip.size, set, info, log, &err);
    free(zip.data);
    return status;
}

static gwf_status read_pickle(test_bytes *pickle, gwf_tensor_set *set)
{
    return read_logged(pickle, set, NULL, NULL);
}

static void collect(void *user, const char *line)
{
    char *text = user;
    snprintf(text + strlen(text), 1000 - strlen(text), "%s\n", line);
}

static void put_pair(test_bytes *b, const char *name)
{
    test_put_text(b, name);
    test_put_tensor(b, plain);
    PUT(b, "s");
}

/* Numbers, objects and nameless things between the tensors do no harm, and are counted. */
static void steps_over_what_is_no_tensor(void)
{
    char text[1000] = "";
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    test_bytes b = {0};
    const gwf_log log = {.write = collect, .user = text};
    PUT(&b, "ccollections\nOrderedDict\n)R");
    put_pair(&b, "v");
    test_put_text(&b, "epoch");
    PUT(&b, "K\x09sNNs");
    test_put_text(&b, "extra");
    PUT(&b, "cmine\nExtra\n)\x81}bs");
    put_pair(&b, "module.w");
    PUT(&b, "}b.");
    CHECK_OK(read_logged(&b, &set, &info, &log), err);
    CU_ASSERT_EQUAL(info.epoch, 9);
    CU_ASSERT_STRING_EQUAL(info.layout, "state_dict");
    CU_ASSERT_EQUAL_FATAL(set.count, 2);
    CU_ASSERT_STRING_EQUAL(set.items[0].name, "v");
    CU_ASSERT_STRING_EQUAL(set.items[1].name, "w");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "made.pt: stepped over 3 entries that are no tensors, the first is epoch\n"));
    gwf_tensor_set_free(&set);
}

static void knows_both_names(void)
{
    static const char *const names[] = {"state_dict", "model_state_dict"};
    for (int i = 0; i < 2; i++) {
        gwf_tensor_set set = {0};
        gwf_checkpoint_info info;
        test_bytes b = {0};
        PUT(&b, "}");
        put_pair(&b, "not_this");
        test_put_text(&b, names[i]);
        PUT(&b, "}");
        put_pair(&b, "w");
        PUT(&b, "s.");
        CHECK_OK(read_logged(&b, &set, &info, NULL), err);
        CU_ASSERT_STRING_EQUAL(info.layout, "training");
        CU_ASSERT_EQUAL(info.epoch, -1);
        CU_ASSERT_EQUAL_FATAL(set.count, 1);
        CU_ASSERT_STRING_EQUAL(set.items[0].name, "w");
        gwf_tensor_set_free(&set);
    }
}

/* Pickles around a good tensor: what stands before, between and after the name and the call. */
static gwf_status read_around(const char *before, const char *name, const char *after)
{
    gwf_tensor_set set = {0};
    test_bytes b = {0};
    test_put(&b, before, strlen(before));
    test_put_text(&b, name);
    test_put_tensor(&b, plain);
    test_put(&b, after, strlen(after));
    const gwf_status status = read_pickle(&b, &set);
    gwf_tensor_set_free(&set);
    return status;
}

static void refuses_bad_state_dicts(void)
{
    gwf_tensor_set set = {0};
    char endless[200];
    memset(endless, 'n', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    CHECK_OK(read_around("}", "w", "s."), err);
    CHECK_FAILS(read_around("}", endless, "s."), GWF_ERR_FORMAT, err, "of 199 bytes is not 1 to");
    CHECK_FAILS(read_around("}", "two\nlines", "s."), GWF_ERR_FORMAT, err, "\"two?lines\"");
    CHECK_FAILS(read_around("}", "", "s."), GWF_ERR_FORMAT, err, "name \"\" of 0 bytes");
    CHECK_FAILS(read_around("}", "w", "\x86."), GWF_ERR_MODEL, err, "holds a tuple, a dictionary");
    test_bytes b = {0};
    PUT(&b, "}K\x05");
    test_put_tensor(&b, plain);
    PUT(&b, "s.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_FORMAT, err, "a tensor's name is an int, a string");
    PUT(&b, "}(");
    test_put_text(&b, "epoch");
    PUT(&b, "K\x05");
    test_put_text(&b, "net");
    PUT(&b, "}u.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_MODEL, err, "with the keys: epoch, net");
    PUT(&b, "}.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_MODEL, err, "with the keys: (none)");
    PUT(&b, "}");
    test_put_text(&b, "model_state_dict");
    PUT(&b, "]s.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_MODEL, err, "model_state_dict is a list");
    PUT(&b, "}");
    test_put_text(&b, "state_dict");
    PUT(&b, "}s.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_MODEL, err, "no tensor of floating numbers");
    PUT(&b, "cnet\nUNet\n)\x81.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_MODEL, err,
                "made.pt: holds an object of net.UNet, a dictionary expected");
    PUT(&b, "}q\1\xff.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_FORMAT, err,
                "made.pt: data.pkl: unknown pickle opcode 0xff at byte 3");
}

int main(void)
{
    const test_case cases[] = {
        {"steps over what is no tensor", steps_over_what_is_no_tensor},
        {"knows both names", knows_both_names},
        {"refuses bad state dicts", refuses_bad_state_dicts},
    };
    return test_run("state_dict", cases, sizeof cases / sizeof *cases);
}
