/* Writes the checkpoints that a user must get a clear message for into a folder:
 *
 *   make_bad_checkpoints FOLDER GOOD.pt */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torch_file.h"

static void keep(const char *folder, const char *name, test_bytes bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_store(path, bytes.data, bytes.size);
    free(bytes.data);
}

static test_bytes with_pickle(test_bytes pickle)
{
    static const float storage[8] = {0};
    return test_made(&pickle, storage, sizeof storage);
}

/* GLOBAL os system, an argument, REDUCE: what an unpickler would execute; then an opcode that no
 * pickle has. */
static test_bytes hostile_opcode(void)
{
    test_bytes b = {0};
    PUT(&b, "\x80\x02"
            "cos\nsystem\nX\x0a\x00\x00\x00touch pwned\x85R"
            "\xf7.");
    return with_pickle(b);
}

/* Lists of ten references to the list before, 30 deep: 10^30 items for whoever walks it. */
static test_bytes memo_bomb(void)
{
    test_bytes b = {0};
    PUT(&b, "\x80\x02]q\x00");
    for (int i = 1; i <= 30; i++) {
        PUT(&b, "](");
        for (int k = 0; k < 10; k++) {
            PUT(&b, "h");
            test_put_number(&b, (uint64_t)(i - 1), 1);
        }
        PUT(&b, "eq");
        test_put_number(&b, (uint64_t)i, 1);
    }
    PUT(&b, ".");
    return with_pickle(b);
}

static test_view tensor_view(long long storage, long long size)
{
    return (test_view){"FloatStorage", "0", storage, 0, 1, {size}, {1}};
}

static test_bytes short_storage(void)
{
    return with_pickle(test_state_dict(tensor_view(1000, 1000)));
}

static test_bytes nan_weight(void)
{
    const float storage[2] = {1, NAN};
    test_bytes b = test_state_dict(tensor_view(2, 2));
    return test_made(&b, storage, sizeof storage);
}

/* golden/unet.pt with other values in its storage 5, conv1.conv.1.running_var. */
static void keep_bad_variance(const char *folder, const char *good)
{
    static const float variance[4] = {1, 1, -0.5f, 1};
    char path[1024];
    snprintf(path, sizeof path, "%s/variance.pt", folder);
    test_bytes whole = test_load(good);
    test_store(path, whole.data, whole.size);
    free(whole.data);
    zip_t *zip = zip_open(path, 0, NULL);
    if (!zip) abort();
    const char *name = "unet/data/5"; /* away and anew: what replaces it may become compressed */
    const zip_int64_t old = zip_name_locate(zip, name, 0);
    zip_source_t *source = zip_source_buffer(zip, variance, sizeof variance, 0);
    if (old < 0 || zip_delete(zip, (zip_uint64_t)old) != 0) abort();
    const zip_int64_t index = zip_file_add(zip, name, source, 0);
    if (index < 0 || zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0 ||
        zip_close(zip) != 0)
        abort();
}

static test_bytes first_half(const char *path)
{
    test_bytes b = test_load(path);
    b.size /= 2;
    return b;
}

int main(int argc, char **argv)
{
    test_bytes text = {0}, empty = {0};
    if (argc != 3) return 2;
    PUT(&text, "this is not a checkpoint\n");
    keep(argv[1], "text.pt", text);
    keep(argv[1], "empty.pt", empty);
    keep(argv[1], "truncated.pt", first_half(argv[2]));
    keep(argv[1], "opcode.pt", hostile_opcode());
    keep(argv[1], "bomb.pt", memo_bomb());
    keep(argv[1], "short.pt", short_storage());
    keep(argv[1], "nan.pt", nan_weight());
    keep_bad_variance(argv[1], argv[2]);
    return 0;
}
