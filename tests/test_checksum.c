/* SHA-256 against the published vectors (FIPS 180-2, appendix B; the empty message). */
#include "core/checksum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
static const char two_blocks[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

static const char *file_of(const char *name, const void *bytes, size_t size)
{
    const char *path = test_scratch(name);
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, f), size);
    fclose(f);
    return path;
}

static void bytes(void)
{
    gwf_error err = {0};
    char hex[GWF_CHECKSUM_TEXT];
    CHECK_OK(gwf_checksum_bytes("abc", 3, hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, abc);
    CHECK_OK(gwf_checksum_bytes(NULL, 0, hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, nothing);
    const char *text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK_OK(gwf_checksum_bytes(text, strlen(text), hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, two_blocks);
}

static void files(void)
{
    gwf_error err = {0};
    char hex[GWF_CHECKSUM_TEXT];
    CHECK_OK(gwf_checksum_file(file_of("abc", "abc", 3), hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, abc);
    CHECK_OK(gwf_checksum_file(file_of("empty", "", 0), hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, nothing);
}

/* Longer than one piece. */
static void million(void)
{
    enum { MILLION = 1000000 };
    gwf_error err = {0};
    char hex[GWF_CHECKSUM_TEXT], *a = malloc(MILLION);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    memset(a, 'a', MILLION);
    CHECK_OK(gwf_checksum_bytes(a, MILLION, hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, million_a);
    CHECK_OK(gwf_checksum_file(file_of("million", a, MILLION), hex, &err), err);
    CU_ASSERT_STRING_EQUAL(hex, million_a);
    free(a);
}

static void missing(void)
{
    gwf_error err = {0};
    char hex[GWF_CHECKSUM_TEXT] = "old";
    CHECK_FAILS(gwf_checksum_file(test_scratch("none"), hex, &err), GWF_ERR_NOT_FOUND, err, "none");
    CU_ASSERT_STRING_EQUAL(hex, "");
    CHECK_FAILS(gwf_checksum_file("/tmp", hex, &err), GWF_ERR_NOT_FOUND, err, "regular file");
}

int main(void)
{
    const test_case cases[] = {{"bytes", bytes},
                               {"files", files},
                               {"a million a", million},
                               {"missing file, folder", missing}};
    return test_run("checksum", cases, sizeof cases / sizeof *cases);
}
