/* libFuzzer target for the checkpoint reader. The first byte chooses what the others are:
 *   Z  a whole file: the container
 *   P  a pickle, read by itself under small limits
 *   D  the data.pkl of an otherwise good file with the storages 0 and 1 of 64 bytes
 * so that the fuzzer need not build zips with right checksums to get behind the container.
 *
 * clang -fsanitize=fuzzer,address,undefined; seeds in corpus_checkpoint/ (make_corpus.py). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/checkpoint.h"
#include "model/pickle.h"
#include "torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a caller may count on, whatever the bytes were. */
static void read_file(const void *bytes, size_t size)
{
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_error err = {0};
    const gwf_status status =
        gwf_checkpoint_read_memory("fuzz.pt", bytes, size, &set, &info, NULL, &err);
    if (status != GWF_OK && (set.count || set.items || err.status != status)) abort();
    if (status == GWF_OK && (!set.count || !info.storage[0] || strchr(err.text, '\n'))) abort();
    for (size_t i = 0; i < set.count; i++)
        for (size_t k = 0; k < set.items[i].size; k++)
            if (!isfinite(set.items[i].data[k])) abort();
    gwf_tensor_set_free(&set);
}

static void read_pickle(const uint8_t *data, size_t size)
{
    gwf_values values = {
        .limits = {.values = 1 << 16, .bytes = 1 << 22, .memo = 1 << 12, .marks = 64}};
    const gwf_value *root = NULL;
    char shown[3 * GWF_SHOWN];
    if (gwf_pickle_read(data, size, &values, &root, NULL) == GWF_OK) gwf_value_show(root, shown);
    if (values.count > values.limits.values || values.bytes > values.limits.bytes + 16) abort();
    gwf_values_free(&values);
}

static void read_data(const uint8_t *data, size_t size)
{
    static const unsigned char storage[64] = {1, 2, 3, 0x3c, 5, 6, 7, 0x3c};
    const test_entry entries[] = {
        {.name = "fuzz/data.pkl", .data = data, .size = size},
        {.name = "fuzz/data/0", .data = storage, .size = sizeof storage},
        {.name = "fuzz/data/1", .data = storage, .size = sizeof storage},
    };
    test_bytes zip = test_zip(entries, 3);
    read_file(zip.data, zip.size);
    free(zip.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] == 'Z') read_file(data + 1, size - 1);
    if (data[0] == 'P') read_pickle(data + 1, size - 1);
    if (data[0] == 'D') read_data(data + 1, size - 1);
    return 0;
}
