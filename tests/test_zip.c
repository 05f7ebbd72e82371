#include "model/zip.h"

#include <stdio.h>

#include "test.h"
#include "torch_file.h"

static gwf_error err;

static const test_entry good[] = {
    {.name = "net/data.pkl", .data = "pickle", .size = 6},
    {.name = "net/data/0", .data = "0123456789", .size = 10},
    {.name = "net/data/empty", .data = "", .size = 0},
    {.name = "net/code/net.py", .data = "x", .size = 1},
};
enum { GOOD = sizeof good / sizeof good[0] };

static gwf_status open_bytes(test_bytes bytes, gwf_zip **zip)
{
    return gwf_zip_open_memory(bytes.data, bytes.size, zip, &err);
}

static void check_good(gwf_zip *zip)
{
    unsigned char *bytes;
    size_t size;
    CU_ASSERT_TRUE(gwf_zip_has(zip, "data/0"));
    CU_ASSERT_FALSE(gwf_zip_has(zip, "data/1"));
    CU_ASSERT_TRUE(gwf_zip_has_folder(zip, "code/"));
    CU_ASSERT_FALSE(gwf_zip_has_folder(zip, "coda/"));
    CHECK_OK(gwf_zip_load(zip, "data.pkl", 100, &bytes, &size, &err), err);
    CU_ASSERT_EQUAL(size, 6);
    CU_ASSERT_EQUAL(memcmp(bytes, "pickle", 6), 0);
    free(bytes);
    CHECK_OK(gwf_zip_load(zip, "data/empty", 0, &bytes, &size, &err), err);
    CU_ASSERT_EQUAL(size, 0);
    free(bytes);
}

static void opens_memory_and_file(void)
{
    gwf_zip *zip;
    test_bytes bytes = test_zip(good, GOOD);
    CHECK_OK(open_bytes(bytes, &zip), err);
    CU_ASSERT_EQUAL(gwf_zip_size(zip), bytes.size);
    check_good(zip);
    gwf_zip_close(&zip);
    CU_ASSERT_PTR_NULL(zip);
    const char *path = test_scratch("good.pt");
    test_store(path, bytes.data, bytes.size);
    CHECK_OK(gwf_zip_open_file(path, &zip, &err), err);
    CU_ASSERT_EQUAL(gwf_zip_size(zip), bytes.size);
    check_good(zip);
    gwf_zip_close(&zip);
    gwf_zip_close(&zip);
    free(bytes.data);
}

static void reads_in_pieces(void)
{
    gwf_zip *zip;
    gwf_zip_entry entry;
    char piece[10];
    test_bytes bytes = test_zip(good, GOOD);
    CHECK_OK(open_bytes(bytes, &zip), err);
    CHECK_OK(gwf_zip_entry_open(zip, "data/0", &entry, &err), err);
    CU_ASSERT_EQUAL(entry.size, 10);
    CHECK_OK(gwf_zip_entry_read(&entry, piece, 4, &err), err);
    CU_ASSERT_EQUAL(memcmp(piece, "0123", 4), 0);
    CHECK_OK(gwf_zip_entry_read(&entry, piece, 6, &err), err);
    CU_ASSERT_EQUAL(memcmp(piece, "456789", 6), 0);
    CHECK_OK(gwf_zip_entry_finish(&entry, &err), err);
    CHECK_FAILS(gwf_zip_entry_read(&entry, piece, 1, &err), GWF_ERR_FORMAT, err,
                "data/0 ends after 10 of 10 bytes");
    gwf_zip_entry_close(&entry);
    gwf_zip_entry_close(&entry);
    gwf_zip_close(&zip);
    free(bytes.data);
}

static void refuses_entries(void)
{
    gwf_zip *zip;
    gwf_zip_entry entry;
    unsigned char *bytes;
    size_t size;
    const test_entry bad[] = {
        good[0],
        {.name = "net/data/deflated", .data = "00000000", .size = 8, .compression = ZIP_CM_DEFLATE},
        {.name = "net/data/secret", .data = "00", .size = 2, .encryption = ZIP_EM_AES_256},
    };
    test_bytes file = test_zip(bad, sizeof bad / sizeof bad[0]);
    CHECK_OK(open_bytes(file, &zip), err);
    CHECK_FAILS(gwf_zip_entry_open(zip, "data/7", &entry, &err), GWF_ERR_FORMAT, err,
                "entry data/7 is missing");
    CHECK_FAILS(gwf_zip_entry_open(zip, "data/deflated", &entry, &err), GWF_ERR_FORMAT, err,
                "data/deflated is compressed");
    CHECK_FAILS(gwf_zip_entry_open(zip, "data/secret", &entry, &err), GWF_ERR_FORMAT, err,
                "data/secret is encrypted");
    CHECK_FAILS(gwf_zip_load(zip, "data.pkl", 5, &bytes, &size, &err), GWF_ERR_FORMAT, err,
                "data.pkl has 6 bytes, at most 5");
    CU_ASSERT_PTR_NULL(bytes);
    char endless[700];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    CU_ASSERT_FALSE(gwf_zip_has(zip, endless));
    gwf_zip_close(&zip);
    free(file.data);
}

static void notices_damage(void)
{
    gwf_zip *zip;
    unsigned char *bytes;
    size_t size;
    test_bytes file = test_zip(good, GOOD);
    unsigned char *digits = memmem(file.data, file.size, "0123456789", 10);
    CU_ASSERT_PTR_NOT_NULL_FATAL(digits);
    digits[3] ^= 1;
    CHECK_OK(open_bytes(file, &zip), err);
    CHECK_FAILS(gwf_zip_load(zip, "data/0", 100, &bytes, &size, &err), GWF_ERR_FORMAT, err,
                "data/0 is damaged: its CRC-32 is wrong");
    CU_ASSERT_PTR_NULL(bytes);
    gwf_zip_close(&zip);
    for (size_t cut = 4; cut < file.size; cut++)
        CHECK_FAILS(gwf_zip_open_memory(file.data, cut, &zip, &err), GWF_ERR_FORMAT, err,
                    "truncated or damaged");
    free(file.data);
}

/* An entry whose directory record claims more bytes than the file has. */
static void refuses_false_sizes(void)
{
    gwf_zip *zip;
    gwf_zip_entry entry;
    static const unsigned char huge[8] = {0xf0, 0xff, 0xff, 0x7f, 0xf0, 0xff, 0xff, 0x7f};
    test_bytes file = test_zip(good, GOOD);
    unsigned char *name = file.data, *directory = NULL;
    while ((name = memmem(name, file.size - (size_t)(name - file.data), "net/data/0", 10)))
        directory = name++;
    CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
    memcpy(directory - 46 + 20, huge, sizeof huge); /* compressed and real size */
    CHECK_OK(open_bytes(file, &zip), err);
    CHECK_FAILS(gwf_zip_entry_open(zip, "data/0", &entry, &err), GWF_ERR_FORMAT, err,
                "data/0 claims 2147483632 bytes, the whole file has");
    gwf_zip_close(&zip);
    free(file.data);
}

static void recognises_other_files(void)
{
    static const char old[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    const test_entry flat[] = {{.name = "data.pkl", .data = "x", .size = 1},
                               {.name = "a/b/data.pkl", .data = "x", .size = 1}};
    char name[600];
    memset(name, 'n', sizeof name);
    memcpy(name + sizeof name - 10, "/data.pkl", 10);
    const test_entry endless[] = {{.name = name, .data = "x", .size = 1}};
    gwf_zip *zip;
    CHECK_FAILS(gwf_zip_open_memory("", 0, &zip, &err), GWF_ERR_FORMAT, err, "is empty");
    CHECK_FAILS(gwf_zip_open_memory("PK", 2, &zip, &err), GWF_ERR_FORMAT, err, "not a zip");
    CHECK_FAILS(gwf_zip_open_memory("\x89HDF\r\n", 6, &zip, &err), GWF_ERR_FORMAT, err,
                "not a zip");
    CHECK_FAILS(gwf_zip_open_memory(old, sizeof old - 1, &zip, &err), GWF_ERR_FORMAT, err,
                "torch before 1.6");
    test_bytes bytes = test_zip(flat, 2);
    CHECK_FAILS(open_bytes(bytes, &zip), GWF_ERR_FORMAT, err, "a zip of 2 entries, but no PyTorch");
    CU_ASSERT_PTR_NULL(zip);
    free(bytes.data);
    bytes = test_zip(endless, 1);
    CHECK_FAILS(open_bytes(bytes, &zip), GWF_ERR_FORMAT, err, "name of 591 bytes");
    free(bytes.data);
}

static void recognises_missing_files(void)
{
    gwf_zip *zip;
    CHECK_FAILS(gwf_zip_open_file(test_scratch("nope.pt"), &zip, &err), GWF_ERR_NOT_FOUND, err,
                "cannot be opened: No such file");
    CHECK_FAILS(gwf_zip_open_file("/tmp", &zip, &err), GWF_ERR_NOT_FOUND, err,
                "is not a regular file");
    const char *path = test_scratch("empty.pt");
    test_store(path, "", 0);
    CHECK_FAILS(gwf_zip_open_file(path, &zip, &err), GWF_ERR_FORMAT, err, "is empty");
    test_store(path, "PK\3\4cut off", 11);
    CHECK_FAILS(gwf_zip_open_file(path, &zip, &err), GWF_ERR_FORMAT, err, "truncated or damaged");
    CU_ASSERT_PTR_NULL(zip);
}

int main(void)
{
    const test_case cases[] = {
        {"opens memory and file", opens_memory_and_file},
        {"reads in pieces", reads_in_pieces},
        {"refuses entries", refuses_entries},
        {"notices damage", notices_damage},
        {"refuses false sizes", refuses_false_sizes},
        {"recognises other files", recognises_other_files},
        {"recognises missing files", recognises_missing_files},
    };
    return test_run("zip", cases, sizeof cases / sizeof *cases);
}
