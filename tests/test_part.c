/* A file that has its name only when it is complete. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/part.h"

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static bool holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    if (!file) return false;
    const size_t n = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    return n == strlen(text) && strcmp(found, text) == 0;
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void test_name_comes_last(void)
{
    gwf_part p;
    gwf_error err = {0};
    const char *path = test_scratch("new");
    CHECK_OK(gwf_part_open(path, false, &p, &err), err);
    CU_ASSERT_FALSE(there(p.part));
    CHECK_OK(gwf_part_create(&p, &err), err);
    put(p.part, "complete");
    CU_ASSERT_FALSE(there(path));
    CHECK_OK(gwf_part_finish(&p, &err), err);
    CU_ASSERT_TRUE(holds(path, "complete"));
    CU_ASSERT_FALSE(there(p.part));
    gwf_part_free(&p);
}

static void test_existing_files(void)
{
    gwf_part p;
    gwf_error err = {0};
    const char *path = test_scratch("old"), *part = test_scratch("old.part");
    put(path, "old");
    CHECK_FAILS(gwf_part_open(path, false, &p, &err), GWF_ERR_EXISTS, err, "old: exists");
    remove(path);
    put(part, "steps");
    CHECK_FAILS(gwf_part_open(path, false, &p, &err), GWF_ERR_EXISTS, err,
                "old.part: holds what an earlier run has finished");
    CU_ASSERT_TRUE(holds(part, "steps"));
    put(path, "old");
    CHECK_OK(gwf_part_open(path, true, &p, &err), err);
    CHECK_OK(gwf_part_create(&p, &err), err);
    CU_ASSERT_TRUE(holds(part, ""));
    CU_ASSERT_TRUE(holds(path, "old"));
    gwf_part_remove(&p);
    CU_ASSERT_FALSE(there(part));
    gwf_part_free(&p);
}

static void test_appeared_meanwhile(void)
{
    gwf_part p;
    gwf_error err = {0};
    const char *path = test_scratch("race");
    CHECK_OK(gwf_part_open(path, false, &p, &err), err);
    CHECK_OK(gwf_part_create(&p, &err), err);
    put(p.part, "ours");
    put(path, "theirs");
    CHECK_FAILS(gwf_part_finish(&p, &err), GWF_ERR_EXISTS, err, "has appeared meanwhile");
    CU_ASSERT_TRUE(holds(path, "theirs"));
    CU_ASSERT_TRUE(holds(p.part, "ours"));
    gwf_part_free(&p);
}

/* PATH.part too is only ever there as a whole. */
static void test_draft(void)
{
    gwf_part p;
    gwf_error err = {0};
    int descriptor = -1;
    const char *path = test_scratch("drafted");
    CHECK_OK(gwf_part_open(path, false, &p, &err), err);
    put(p.draft, "left by a killed run");
    CHECK_OK(gwf_part_create_draft(&p, &err), err);
    CU_ASSERT_TRUE(holds(p.draft, ""));
    CU_ASSERT_FALSE(there(p.part));
    put(p.draft, "structure");
    CHECK_OK(gwf_part_publish_draft(&p, &err), err);
    CU_ASSERT_TRUE(holds(p.part, "structure"));
    CU_ASSERT_FALSE(there(p.draft));
    CHECK_OK(gwf_part_create_draft(&p, &err), err);
    CHECK_FAILS(gwf_part_publish_draft(&p, &err), GWF_ERR_EXISTS, err, "has appeared meanwhile");
    CU_ASSERT_TRUE(holds(p.part, "structure"));
    CU_ASSERT_FALSE(there(p.draft));
    CHECK_OK(gwf_part_descriptor(&p, &descriptor, &err), err);
    CHECK_OK(gwf_part_lock(&p, descriptor, true, &err), err);
    int second = -1;
    CHECK_OK(gwf_part_descriptor(&p, &second, &err), err);
    CHECK_FAILS(gwf_part_lock(&p, second, false, &err), GWF_ERR_IO, err, "another process");
    close(descriptor);
    CHECK_OK(gwf_part_lock(&p, second, false, &err), err);
    close(second);
    p.overwrite = true;
    CHECK_OK(gwf_part_create_draft(&p, &err), err);
    put(p.draft, "new");
    CHECK_OK(gwf_part_publish_draft(&p, &err), err);
    CU_ASSERT_TRUE(holds(p.part, "new"));
    gwf_part_free(&p);
}

static void test_refusals(void)
{
    gwf_part p;
    gwf_error err = {0};
    const char *folder = test_scratch("folder");
    mkdir(folder, 0700);
    CHECK_FAILS(gwf_part_open("", true, &p, &err), GWF_ERR_ARGUMENT, err, "is empty");
    CHECK_FAILS(gwf_part_open(folder, true, &p, &err), GWF_ERR_IO, err, "is a directory");
    CHECK_FAILS(gwf_part_open("/dev/null", true, &p, &err), GWF_ERR_IO, err, "device");
    CHECK_FAILS(gwf_part_open("https://example.org/x.nc", true, &p, &err), GWF_ERR_NOT_FOUND, err,
                "example.org");
    CHECK_OK(gwf_part_open("/nowhere/x", true, &p, &err), err);
    CHECK_FAILS(gwf_part_create(&p, &err), GWF_ERR_IO, err, "No such file or directory");
    gwf_part_free(&p);
    gwf_part_free(&p);
}

static void test_replaces(void)
{
    const char *a = test_scratch("a"), *b = test_scratch("b"), *link_to_a = test_scratch("c");
    put(a, "1");
    put(b, "1");
    CU_ASSERT_EQUAL(symlink(a, link_to_a), 0);
    CU_ASSERT_TRUE(gwf_part_replaces(a, a));
    CU_ASSERT_TRUE(gwf_part_replaces(a, link_to_a));
    CU_ASSERT_FALSE(gwf_part_replaces(a, b));
    CU_ASSERT_FALSE(gwf_part_replaces(a, test_scratch("none")));
    const char *input = test_scratch("out.part");
    put(input, "1");
    CU_ASSERT_TRUE(gwf_part_replaces(test_scratch("out"), input));
    const char *draft = test_scratch("o.part.new");
    put(draft, "1");
    CU_ASSERT_TRUE(gwf_part_replaces(test_scratch("o"), draft));
}

int main(void)
{
    static const test_case tests[] = {
        {"the name comes last", test_name_comes_last},
        {"existing files stay unless told", test_existing_files},
        {"a file that appears meanwhile stays", test_appeared_meanwhile},
        {"a draft becomes the .part", test_draft},
        {"what cannot be written is refused", test_refusals},
        {"what writing would take away", test_replaces},
    };
    return test_run("part", tests, sizeof tests / sizeof *tests);
}
