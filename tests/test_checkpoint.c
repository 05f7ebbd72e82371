#include "model/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "test.h"
#include "torch_file.h"

static gwf_error err;

/* ---- what PyTorch says ---- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The next "tensor" of the text and its values, bit by bit. */
static void check_golden_tensor(FILE *text, const gwf_tensor *tensor)
{
    char name[128];
    int rank;
    CU_ASSERT_EQUAL_FATAL(fscanf(text, " tensor %127s %d", name, &rank), 2);
    CU_ASSERT_STRING_EQUAL(tensor->name, name);
    CU_ASSERT_EQUAL_FATAL(tensor->rank, rank);
    for (int d = 0; d < rank; d++) {
        size_t size;
        CU_ASSERT_EQUAL_FATAL(fscanf(text, "%zu", &size), 1);
        CU_ASSERT_EQUAL(tensor->shape[d], size);
    }
    for (size_t i = 0; i < tensor->size; i++) {
        uint32_t bits;
        CU_ASSERT_EQUAL_FATAL(fscanf(text, "%" SCNx32, &bits), 1);
        CU_ASSERT_EQUAL(bits_of(tensor->data[i]), bits);
    }
}

static void check_golden_file(FILE *text, const char *file)
{
    char layout[32], storage[64], path[64];
    long long epoch;
    size_t count;
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    CU_ASSERT_EQUAL_FATAL(fscanf(text, "%lld %31s %63s %zu", &epoch, layout, storage, &count), 4);
    for (char *c = storage; *c; c++)
        if (*c == ',') *c = ' ';
    snprintf(path, sizeof path, "golden/%s", file);
    CHECK_OK(gwf_checkpoint_read(test_data(path), &set, &info, NULL, &err), err);
    CU_ASSERT_EQUAL(info.epoch, epoch);
    CU_ASSERT_STRING_EQUAL(info.layout, layout);
    CU_ASSERT_STRING_EQUAL(info.storage, storage);
    CU_ASSERT_EQUAL_FATAL(set.count, count);
    for (size_t i = 0; i < count; i++) check_golden_tensor(text, &set.items[i]);
    gwf_tensor_set_free(&set);
}

static void reads_what_pytorch_wrote(void)
{
    FILE *text = fopen(test_data("golden/checkpoints.txt"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    char file[40];
    int files = 0;
    for (; fscanf(text, " checkpoint %39s", file) == 1; files++) check_golden_file(text, file);
    CU_ASSERT_EQUAL(files, 9);
    fclose(text);
}

/* Sum of (i + 1) * bits[i], modulo 2^64. */
static uint64_t checksum(const gwf_tensor *tensor)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < tensor->size; i++) sum += (i + 1) * (uint64_t)bits_of(tensor->data[i]);
    return sum;
}

/* One line of checkpoint_fixtures.txt after the file's name. */
static void check_fixture_line(FILE *text, const gwf_tensor *tensor)
{
    char name[128];
    int rank;
    uint64_t sum;
    CU_ASSERT_EQUAL_FATAL(fscanf(text, "%127s %d", name, &rank), 2);
    CU_ASSERT_STRING_EQUAL(tensor->name, name);
    CU_ASSERT_EQUAL_FATAL(tensor->rank, rank);
    for (int d = 0; d < rank; d++) {
        size_t size;
        CU_ASSERT_EQUAL_FATAL(fscanf(text, "%zu", &size), 1);
        CU_ASSERT_EQUAL(tensor->shape[d], size);
    }
    CU_ASSERT_EQUAL_FATAL(fscanf(text, "%" SCNx64, &sum), 1);
    CU_ASSERT_EQUAL(checksum(tensor), sum);
}

static void reads_the_shared_fixtures(void)
{
    static const char *const names[] = {"ann_1x1_uvtheta_epoch2.pt", "ann_3x3_uvtheta_epoch2.pt",
                                        "unet_w8_uvtheta_epoch3.pt"};
    FILE *text = fopen(test_data("golden/checkpoint_fixtures.txt"), "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (int i = 0; i < 3; i++) {
        char path[80], file[40];
        gwf_tensor_set set = {0};
        gwf_checkpoint_info info;
        snprintf(path, sizeof path, "fixtures/%s", names[i]);
        if (!test_shared(path)) {
            test_skip("%s is not here", path);
            break;
        }
        CHECK_OK(gwf_checkpoint_read(test_shared(path), &set, &info, NULL, &err), err);
        CU_ASSERT_EQUAL(info.epoch, i < 2 ? 2 : 3);
        CU_ASSERT_TRUE_FATAL(set.count > 0);
        for (size_t k = 0; k < set.count; k++) {
            CU_ASSERT_EQUAL_FATAL(fscanf(text, " %39s", file), 1);
            CU_ASSERT_STRING_EQUAL(file, names[i]);
            check_fixture_line(text, &set.items[k]);
        }
        gwf_tensor_set_free(&set);
    }
    fclose(text);
}

/* ---- files made here ---- */

static const float numbers[6] = {0, 1, 2, 3, 4, 5};

static gwf_status read_bytes(test_bytes bytes, gwf_tensor_set *set, gwf_checkpoint_info *info)
{
    const gwf_status status =
        gwf_checkpoint_read_memory("made.pt", bytes.data, bytes.size, set, info, NULL, &err);
    if (status != GWF_OK) CU_ASSERT_TRUE(set->count == 0 && set->items == NULL);
    return status;
}

static const test_view plain = {"FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}};

/* What comes of the pickle with the storage `numbers`; frees the pickle. */
static gwf_status read_pickle(test_bytes *pickle, gwf_tensor_set *set)
{
    test_bytes zip = test_made(pickle, numbers, sizeof numbers);
    const gwf_status status = read_bytes(zip, set, NULL);
    free(zip.data);
    return status;
}

static void reads_a_made_file(void)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    test_bytes pickle = test_state_dict(plain), zip = test_made(&pickle, numbers, sizeof numbers);
    CHECK_OK(read_bytes(zip, &set, &info), err);
    CU_ASSERT_EQUAL(info.epoch, -1);
    CU_ASSERT_EQUAL_FATAL(set.count, 1);
    CU_ASSERT_STRING_EQUAL(set.items[0].name, "w");
    for (size_t i = 0; i < 6; i++) CU_ASSERT_EQUAL(set.items[0].data[i], numbers[i]);
    gwf_tensor_set_free(&set);
    free(zip.data);
}

/* Larger than one piece, seen by several tensors across the seams. */
static void reads_long_shared_storages(void)
{
    enum { LONG = 100003 };
    static const test_view views[] = {
        {"FloatStorage", "0", LONG, 32000, 1, {40000}, {1}},
        {"FloatStorage", "0", LONG, 0, 1, {LONG}, {1}},
        {"FloatStorage", "0", LONG, 3, 2, {2, 50000}, {1, 2}},
        {"FloatStorage", "0", LONG, LONG - 1, 0, {0}, {0}},
    };
    static float storage[LONG];
    gwf_tensor_set set = {0};
    test_bytes pickle = {0};
    for (size_t i = 0; i < LONG; i++) storage[i] = (float)i;
    PUT(&pickle, "}");
    for (int i = 0; i < 4; i++) {
        const char name[2] = {(char)('a' + i), '\0'};
        test_put_text(&pickle, name);
        test_put_tensor(&pickle, views[i]);
        PUT(&pickle, "s");
    }
    PUT(&pickle, ".");
    test_bytes zip = test_made(&pickle, storage, sizeof storage);
    CHECK_OK(read_bytes(zip, &set, NULL), err);
    CU_ASSERT_EQUAL_FATAL(set.count, 4);
    int wrong = 0;
    for (size_t i = 0; i < 40000; i++) wrong += set.items[0].data[i] != (float)(32000 + i);
    for (size_t i = 0; i < LONG; i++) wrong += set.items[1].data[i] != (float)i;
    for (size_t i = 0; i < 100000; i++)
        wrong += set.items[2].data[i] != (float)(3 + i / 50000 + 2 * (i % 50000));
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(set.items[3].data[0], (float)(LONG - 1));
    gwf_tensor_set_free(&set);
    free(zip.data);
}

/* The optimizer's storage is not even in the file, and an evil call changes nothing. */
static void reads_the_weights_alone(void)
{
    const char *path = test_scratch("executed");
    char command[1200];
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    test_bytes b = {0};
    test_view missing = plain;
    missing.key = "99";
    snprintf(command, sizeof command, "touch %s", path);
    PUT(&b, "\x80\x02}(");
    test_put_text(&b, "optimizer_state_dict");
    PUT(&b, "}");
    test_put_text(&b, "exp_avg");
    test_put_tensor(&b, missing);
    PUT(&b, "s");
    test_put_text(&b, "model_state_dict");
    PUT(&b, "}");
    test_put_text(&b, "module.w");
    test_put_tensor(&b, plain);
    PUT(&b, "s");
    test_put_text(&b, "evil");
    PUT(&b, "cos\nsystem\n");
    test_put_text(&b, command);
    PUT(&b, "\x85Ru.");
    test_bytes zip = test_made(&b, numbers, sizeof numbers);
    CHECK_OK(read_bytes(zip, &set, &info), err);
    CU_ASSERT_STRING_EQUAL(info.layout, "training");
    CU_ASSERT_EQUAL_FATAL(set.count, 1);
    CU_ASSERT_STRING_EQUAL(set.items[0].name, "w");
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    gwf_tensor_set_free(&set);
    free(zip.data);
}

/* ---- refused ---- */

/* Two tensors in one dictionary. */
static gwf_status read_two(const char *name, test_view first, const char *other, test_view second)
{
    gwf_tensor_set set = {0};
    test_bytes b = {0};
    PUT(&b, "}");
    test_put_text(&b, name);
    test_put_tensor(&b, first);
    PUT(&b, "s");
    test_put_text(&b, other);
    test_put_tensor(&b, second);
    PUT(&b, "s.");
    const gwf_status status = read_pickle(&b, &set);
    gwf_tensor_set_free(&set);
    return status;
}

static void refuses_tensors_that_disagree(void)
{
    test_view half = plain, larger = plain;
    half.type = "HalfStorage";
    larger.storage = 7;
    CHECK_OK(read_two("v", plain, "w", plain), err);
    CHECK_FAILS(read_two("v", plain, "w", half), GWF_ERR_FORMAT, err,
                "tensors v and w read entry data/0 as float32 and as float16");
    CHECK_FAILS(read_two("v", plain, "w", larger), GWF_ERR_FORMAT, err,
                "tensor w: entry data/0 has 24 bytes, too short for 7");
    CHECK_FAILS(read_two("w", plain, "module.w", plain), GWF_ERR_FORMAT, err,
                "w stands there twice");
}

static void refuses_weights_that_are_not_finite(void)
{
    static const float nan_at_4[6] = {0, 1, 2, 3, NAN, 5}, inf_at_0[6] = {-INFINITY, 1, 2, 3, 4, 5};
    gwf_tensor_set set = {0};
    test_bytes pickle = test_state_dict(plain), zip = test_made(&pickle, nan_at_4, sizeof nan_at_4);
    CHECK_FAILS(read_bytes(zip, &set, NULL), GWF_ERR_MODEL, err,
                "tensor w of shape (2, 3) is nan at index (1, 1), finite expected");
    free(zip.data);
    pickle = test_state_dict(plain);
    zip = test_made(&pickle, inf_at_0, sizeof inf_at_0);
    CHECK_FAILS(read_bytes(zip, &set, NULL), GWF_ERR_MODEL, err, "is -inf at index (0, 0)");
    free(zip.data);
}

/* A good checkpoint with one more entry. */
static gwf_status read_with(const char *entry, const char *text)
{
    gwf_tensor_set set = {0};
    test_bytes pickle = test_state_dict(plain);
    const test_entry entries[] = {
        {.name = "made/data.pkl", .data = pickle.data, .size = pickle.size},
        {.name = "made/data/0", .data = numbers, .size = sizeof numbers},
        {.name = entry, .data = text, .size = strlen(text)},
    };
    test_bytes zip = test_zip(entries, 3);
    const gwf_status status = read_bytes(zip, &set, NULL);
    gwf_tensor_set_free(&set);
    free(pickle.data);
    free(zip.data);
    return status;
}

static void bounds_the_number_of_entries(void)
{
    gwf_tensor_set set = {0};
    test_bytes b = {0};
    PUT(&b, "}");
    test_put_text(&b, "state_dict");
    PUT(&b, "}(");
    for (int i = 0; i < 16385; i++) PUT(&b, "NN");
    PUT(&b, "us.");
    CHECK_FAILS(read_pickle(&b, &set), GWF_ERR_FORMAT, err,
                "the state dict has 16385 entries, at most 16384 expected");
}

static void heeds_other_entries(void)
{
    CHECK_OK(read_with("made/byteorder", "little"), err);
    CHECK_OK(read_with("made/version", "3\n"), err);
    CHECK_OK(read_with("made/.storage_alignment", "64"), err);
    CHECK_FAILS(read_with("made/byteorder", "big"), GWF_ERR_FORMAT, err,
                "made.pt: byte order is \"big\", little expected");
    CHECK_FAILS(read_with("made/constants.pkl", ""), GWF_ERR_FORMAT, err, "TorchScript archive");
    CHECK_FAILS(read_with("made/code/net.py", ""), GWF_ERR_FORMAT, err, "TorchScript archive");
}

static gwf_status read_file(const char *path)
{
    gwf_tensor_set set = {0};
    const gwf_status status = gwf_checkpoint_read(path, &set, NULL, NULL, &err);
    CU_ASSERT_EQUAL(set.count, 0);
    gwf_tensor_set_free(&set);
    return status;
}

static void recognises_other_files(void)
{
    const char *path = test_scratch("not.pt");
    CHECK_FAILS(read_file(test_data("golden/checkpoint_old_container.pt")), GWF_ERR_FORMAT, err,
                "checkpoint_old_container.pt: is in the container of torch before 1.6");
    CHECK_FAILS(read_file(test_data("golden/checkpoint_torchscript.pt")), GWF_ERR_FORMAT, err,
                "is a TorchScript archive");
    CHECK_FAILS(read_file(path), GWF_ERR_NOT_FOUND, err, "not.pt: cannot be opened");
    test_store(path, "", 0);
    CHECK_FAILS(read_file(path), GWF_ERR_FORMAT, err, "not.pt: is empty");
    test_store(path, "CDF\1", 4);
    CHECK_FAILS(read_file(path), GWF_ERR_FORMAT, err, "not.pt: is not a PyTorch checkpoint");
}

/* Every way to cut a real file, and every byte of it changed in turn: an error or a result, and
 * nothing kept. */
static void survives_damage(void)
{
    test_bytes file = test_load(test_data("golden/checkpoint_training.pt"));
    gwf_tensor_set set = {0};
    CU_ASSERT_TRUE_FATAL(file.size > 0);
    for (size_t cut = 4; cut < file.size; cut += 7) {
        const test_bytes part = {.data = file.data, .size = cut};
        CU_ASSERT_EQUAL(read_bytes(part, &set, NULL), GWF_ERR_FORMAT);
    }
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x41;
        read_bytes(file, &set, NULL);
        file.data[i] ^= 0x41;
        gwf_tensor_set_free(&set);
    }
    CHECK_OK(read_bytes(file, &set, NULL), err);
    gwf_tensor_set_free(&set);
    free(file.data);
}

static void collect(void *user, const char *line)
{
    char *text = user;
    snprintf(text + strlen(text), 1000 - strlen(text), "%s\n", line);
}

static void says_what_it_read(void)
{
    char text[1000] = "";
    gwf_tensor_set set = {0};
    const gwf_log log = {.write = collect, .user = text};
    CHECK_OK(
        gwf_checkpoint_read(test_data("golden/checkpoint_training.pt"), &set, NULL, &log, &err),
        err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "8 tensors with 79 weights, stored as float32\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "stepped over 1 integer tensors\n"));
    gwf_tensor_set_free(&set);
}

int main(void)
{
    const test_case cases[] = {
        {"reads what PyTorch wrote", reads_what_pytorch_wrote},
        {"reads the shared fixtures", reads_the_shared_fixtures},
        {"reads a made file", reads_a_made_file},
        {"reads long shared storages", reads_long_shared_storages},
        {"reads the weights alone", reads_the_weights_alone},
        {"refuses tensors that disagree", refuses_tensors_that_disagree},
        {"refuses weights that are not finite", refuses_weights_that_are_not_finite},
        {"bounds the number of entries", bounds_the_number_of_entries},
        {"heeds other entries", heeds_other_entries},
        {"recognises other files", recognises_other_files},
        {"survives damage", survives_damage},
        {"says what it read", says_what_it_read},
    };
    return test_run("checkpoint", cases, sizeof cases / sizeof *cases);
}
