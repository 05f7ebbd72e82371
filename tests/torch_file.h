/* Checkpoints assembled by hand, good and hostile: bytes, pickle pieces, zips in memory. */
#ifndef GWF_TESTS_TORCH_FILE_H
#define GWF_TESTS_TORCH_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* A growing row of bytes; start from {0}, free data. */
typedef struct test_bytes {
    unsigned char *data;
    size_t size, capacity;
} test_bytes;

static inline void test_put(test_bytes *b, const void *data, size_t n)
{
    if (n >= b->capacity - b->size) {
        b->capacity = 2 * b->capacity + n + 64;
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    if (n) memcpy(b->data + b->size, data, n);
    b->size += n;
}

/* A literal, which may hold zeros. */
#define PUT(bytes, literal) test_put(bytes, literal, sizeof(literal) - 1)

static inline void test_put_number(test_bytes *b, uint64_t number, int width)
{
    for (int i = 0; i < width; i++) {
        const unsigned char byte = (unsigned char)(number >> (8 * i));
        test_put(b, &byte, 1);
    }
}

static inline void test_put_text(test_bytes *b, const char *text)
{
    PUT(b, "X");
    test_put_number(b, strlen(text), 4);
    test_put(b, text, strlen(text));
}

/* LONG1 of 8 bytes. */
static inline void test_put_int(test_bytes *b, long long number)
{
    PUT(b, "\x8a\x08");
    test_put_number(b, (uint64_t)number, 8);
}

static inline void test_put_tuple(test_bytes *b, int n, const long long *numbers)
{
    PUT(b, "(");
    for (int i = 0; i < n; i++) test_put_int(b, numbers[i]);
    PUT(b, "t");
}

typedef struct test_view {
    const char *type, *key; /* "FloatStorage", "0" */
    long long storage, offset;
    int rank;
    long long shape[5], stride[5];
} test_view;

/* What torch writes for a tensor: the call of _rebuild_tensor_v2. */
static inline void test_put_tensor(test_bytes *b, test_view view)
{
    PUT(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    test_put_text(b, "storage");
    PUT(b, "ctorch\n");
    test_put(b, view.type, strlen(view.type));
    PUT(b, "\n");
    test_put_text(b, view.key);
    test_put_text(b, "cpu");
    test_put_int(b, view.storage);
    PUT(b, "tQ");
    test_put_int(b, view.offset);
    test_put_tuple(b, view.rank, view.shape);
    test_put_tuple(b, view.rank, view.stride);
    PUT(b, "\x89"
           "ccollections\nOrderedDict\n)RtR");
}

typedef struct test_entry {
    const char *name;
    const void *data;
    size_t size;
    int compression; /* ZIP_CM_STORE for torch's; 0 is ZIP_CM_STORE */
    int encryption;  /* 0: none */
} test_entry;

static inline void test_zip_add(zip_t *zip, const test_entry *e)
{
    zip_source_t *source = zip_source_buffer(zip, e->data, e->size, 0);
    const zip_int64_t index = zip_file_add(zip, e->name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) abort();
    if (zip_set_file_compression(zip, (zip_uint64_t)index, e->compression, 0) != 0) abort();
    if (e->encryption && zip_file_set_encryption(zip, (zip_uint64_t)index,
                                                 (zip_uint16_t)e->encryption, "secret") != 0)
        abort();
}

/* The zip as bytes; free the data. */
static inline test_bytes test_zip(const test_entry *entries, size_t count)
{
    test_bytes out = {0};
    zip_error_t error;
    char piece[4096];
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    if (!zip) abort();
    zip_source_keep(source);
    for (size_t i = 0; i < count; i++) test_zip_add(zip, &entries[i]);
    if (zip_close(zip) != 0 || zip_source_open(source) != 0) abort();
    for (zip_int64_t got; (got = zip_source_read(source, piece, sizeof piece)) > 0;)
        test_put(&out, piece, (size_t)got);
    zip_source_close(source);
    zip_source_free(source);
    return out;
}

/* A zip of this pickle and one storage "0" of `size` bytes; frees the pickle. */
static inline test_bytes test_made(test_bytes *pickle, const void *storage, size_t size)
{
    const test_entry entries[] = {
        {.name = "made/data.pkl", .data = pickle->data, .size = pickle->size},
        {.name = "made/data/0", .data = storage, .size = size},
    };
    const test_bytes zip = test_zip(entries, 2);
    free(pickle->data);
    *pickle = (test_bytes){0};
    return zip;
}

/* A state dict of one tensor "w". */
static inline test_bytes test_state_dict(test_view view)
{
    test_bytes b = {0};
    PUT(&b, "\x80\x02}");
    test_put_text(&b, "w");
    test_put_tensor(&b, view);
    PUT(&b, "s.");
    return b;
}

/* All of a file; size 0 when it cannot be read. */
static inline test_bytes test_load(const char *path)
{
    test_bytes out = {0};
    char piece[4096];
    FILE *file = fopen(path, "rb");
    for (size_t got; file && (got = fread(piece, 1, sizeof piece, file)) > 0;)
        test_put(&out, piece, got);
    if (file) fclose(file);
    return out;
}

static inline void test_store(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || (size && fwrite(data, 1, size, file) != size)) abort();
    fclose(file);
}

#endif
