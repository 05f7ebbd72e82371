/* The cache: what is written is read, and whatever happens to the files, nothing else is. */
#include "core/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/checksum.h"
#include "test.h"

static const char key[] = "cpu, oneDNN 2.6.3, AVX-512, 2 threads: 3x3 64 x 64 x 128";
static const char blob[] = "direct\0and more\n";

static char said[1024];

static void hear(void *user, const char *line)
{
    (void)user;
    snprintf(said, sizeof said, "%s", line);
}

static const gwf_log ears = {hear, NULL};

/* The file of the key in a folder. */
static const char *file_of(const char *folder)
{
    static char path[2048];
    char name[GWF_CHECKSUM_TEXT];
    gwf_error err = {0};
    CHECK_OK(gwf_checksum_bytes(key, strlen(key), name, &err), err);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* 1: the blob is read, 0: it is absent, -1: something else is. */
static int found(const char *folder)
{
    void *bytes = NULL;
    size_t size = 0;
    said[0] = '\0';
    if (!gwf_cache_read(folder, key, &ears, &bytes, &size)) return 0;
    const bool same = size == sizeof blob && memcmp(bytes, blob, size) == 0;
    free(bytes);
    return same ? 1 : -1;
}

static void write_blob(const char *folder)
{
    said[0] = '\0';
    gwf_cache_write(folder, key, blob, sizeof blob, &ears);
}

static void test_written_is_read(void)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", test_scratch("new/folder"));
    CU_ASSERT_EQUAL(found(folder), 0);
    CU_ASSERT_STRING_EQUAL(said, "");
    write_blob(folder);
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT_EQUAL(found(folder), 1);
    gwf_cache_write(folder, key, "other", 5, &ears);
    CU_ASSERT_EQUAL(found(folder), -1);
    gwf_cache_write(folder, key, NULL, 0, &ears);
    CU_ASSERT_EQUAL(found(folder), -1);
    write_blob(folder);
    CU_ASSERT_EQUAL(found(folder), 1);
    remove(file_of(folder));
    CU_ASSERT_EQUAL(rmdir(folder), 0); /* nothing else was left there */
}

static void test_none(void)
{
    CU_ASSERT_EQUAL(unsetenv("GWFLUX_CACHE"), 0);
    CU_ASSERT_EQUAL(unsetenv("XDG_CACHE_HOME"), 0);
    CU_ASSERT_EQUAL(unsetenv("HOME"), 0);
    static const char *const none[] = {NULL, "off", ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        write_blob(none[i]);
        CU_ASSERT_EQUAL(found(none[i]), 0);
        CU_ASSERT_STRING_EQUAL(said, "");
    }
    setenv("GWFLUX_CACHE", "off", 1);
    setenv("HOME", test_scratch("off"), 1);
    write_blob("");
    CU_ASSERT_EQUAL(found(""), 0);
    gwf_cache_write(test_scratch("line"), "two\nlines", blob, sizeof blob, &ears);
    CU_ASSERT_NOT_EQUAL(access(test_scratch("line"), F_OK), 0);
}

/* Each variable in turn, the weakest first. */
static void test_variables(void)
{
    static const struct {
        const char *name, *below;
    } variables[] = {
        {"HOME", "/.cache/gwflux"}, {"XDG_CACHE_HOME", "/gwflux"}, {"GWFLUX_CACHE", ""}};
    char folder[2048];
    unsetenv("GWFLUX_CACHE");
    unsetenv("XDG_CACHE_HOME");
    for (int i = 0; i < 3; i++) {
        snprintf(folder, sizeof folder, "%s", test_scratch(variables[i].name));
        setenv(variables[i].name, folder, 1);
        strcat(folder, variables[i].below);
        CU_ASSERT_EQUAL(found(folder), 0);
        write_blob("");
        CU_ASSERT_EQUAL(found(folder), 1);
        CU_ASSERT_EQUAL(found(""), 1);
    }
}

static void put_file(const char *path, const char *content, size_t size)
{
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(content, 1, size, file), size);
    fclose(file);
}

/* Cut at every length, and every byte changed. */
static void test_damaged(void)
{
    char folder[1024], content[1024], path[2048];
    snprintf(folder, sizeof folder, "%s", test_scratch("damaged"));
    write_blob(folder);
    snprintf(path, sizeof path, "%s", file_of(folder));
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    const size_t size = fread(content, 1, sizeof content, file);
    fclose(file);
    int read = 0, silent = 0;
    for (size_t i = 0; i < size; i++) {
        put_file(path, content, i);
        read += found(folder) != 0;
        silent += !strstr(said, "a damaged file of the cache");
        content[i] ^= 1;
        put_file(path, content, size);
        content[i] ^= 1;
        read += found(folder) != 0;
        silent += !strstr(said, "a damaged file of the cache");
    }
    CU_ASSERT_EQUAL(read, 0);
    CU_ASSERT_EQUAL(silent, 0);
    content[size] = 'x';
    put_file(path, content, size + 1);
    CU_ASSERT_EQUAL(found(folder), 0);
    write_blob(folder);
    CU_ASSERT_EQUAL(found(folder), 1);
}

/* Another key's file in this one's place: two keys of one name. */
static void test_foreign(void)
{
    char folder[1024], mine[2048];
    snprintf(folder, sizeof folder, "%s", test_scratch("foreign"));
    snprintf(mine, sizeof mine, "%s", file_of(folder));
    gwf_cache_write(folder, "another", blob, sizeof blob, &ears);
    char name[GWF_CHECKSUM_TEXT], other[2048];
    CU_ASSERT_EQUAL(gwf_checksum_bytes("another", 7, name, NULL), GWF_OK);
    snprintf(other, sizeof other, "%s/%s", folder, name);
    CU_ASSERT_EQUAL(rename(other, mine), 0);
    CU_ASSERT_EQUAL(found(folder), 0);
    CU_ASSERT_EQUAL(mkdir(other, 0777), 0);
    void *bytes = NULL;
    size_t size = 0;
    CU_ASSERT_FALSE(gwf_cache_read(folder, "another", &ears, &bytes, &size));
}

static void test_claimed(void)
{
    const char *folder = test_scratch("claimed");
    CU_ASSERT_TRUE(gwf_cache_claim(folder, key, blob, sizeof blob, &ears));
    CU_ASSERT_FALSE(gwf_cache_claim(folder, key, "other", 5, &ears));
    CU_ASSERT_EQUAL(found(folder), 1);
    CU_ASSERT_FALSE(gwf_cache_claim("off", key, blob, sizeof blob, &ears));
    CU_ASSERT_TRUE(gwf_cache_is_on(folder));
    CU_ASSERT_FALSE(gwf_cache_is_on("off"));
    CU_ASSERT_FALSE(gwf_cache_is_on(NULL));
    remove(file_of(folder));
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void test_unwritable(void)
{
    const char *path = test_scratch("file");
    put_file(path, "x", 1);
    write_blob(path); /* a file is no folder, for root neither */
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "is not remembered"));
    CU_ASSERT_EQUAL(found(path), 0);
}

int main(void)
{
    static const test_case tests[] = {
        {"what is written is read", test_written_is_read},
        {"off, and nowhere to go", test_none},
        {"the folder by the environment", test_variables},
        {"damaged files are absent, with a message", test_damaged},
        {"foreign files are absent", test_foreign},
        {"the first one's stays", test_claimed},
        {"an unwritable folder is a message", test_unwritable},
    };
    return test_run("cache", tests, sizeof tests / sizeof *tests);
}
