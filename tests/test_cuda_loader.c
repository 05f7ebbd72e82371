/* The cuda backend where it cannot be had: what is missing is said, and auto goes on without. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/backend.h"

static const gwf_backend_config config = {.batch = 1};

/* Opening cuda from a folder fails, and says these words. */
static void check_refused(const char *folder, const char *words)
{
    gwf_error err = {0};
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    setenv("GWFLUX_BACKEND_DIR", folder, 1);
    CHECK_FAILS(gwf_backend_open("cuda", &config, &backend, &context, &err), GWF_ERR_BACKEND, err,
                words);
    CU_ASSERT_PTR_NULL(context);
    char names[64] = "";
    CHECK_FAILS(gwf_cuda_devices(names, sizeof names, &err), GWF_ERR_BACKEND, err, words);
    CU_ASSERT_STRING_EQUAL(names, "");
}

static void test_not_installed(void)
{
    check_refused("/nowhere", "libgwflux_cuda.so is not installed (not in /nowhere)");
    unsetenv("GWFLUX_BACKEND_DIR"); /* beside the program, where it is installed: maybe there */
    gwf_error err = {0};
    const gwf_backend *table = NULL;
    const gwf_status status = gwf_backend_cuda.find(&table, &err);
    if (status == GWF_OK)
        CU_ASSERT_STRING_EQUAL(table->name, "cuda")
    else
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "libgwflux_cuda.so"))
}

static void test_damaged(void)
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", test_scratch("damaged"));
    CU_ASSERT_EQUAL(mkdir(folder, 0777), 0);
    FILE *file = fopen(test_scratch("damaged/libgwflux_cuda.so"), "w");
    fputs("not a library", file);
    fclose(file);
    check_refused(folder, "or it is damaged: ");
}

/* A library that the plugin was linked with is not on this machine: the system's words name it. */
static void test_needs_missing_library(void)
{
    check_refused(GWF_TEST_PLUGINS "/orphan", "libgwf_test_parent.so: cannot open shared object");
}

static void test_other_build(void)
{
    check_refused(GWF_TEST_PLUGINS "/other", "belongs to gwflux 0.0.1-0123456789ab, this is");
    check_refused(GWF_TEST_PLUGINS "/stranger", "belongs to another program, this is");
}

static void note_line(void *user, const char *line)
{
    char *lines = user;
    snprintf(lines + strlen(lines), 2048 - strlen(lines), "%s\n", line);
}

static void test_auto_goes_on(void)
{
    char lines[2048] = "";
    const gwf_log log = {note_line, lines};
    const gwf_backend_config logged = {.batch = 1, .log = &log};
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    gwf_error err = {0};
    setenv("GWFLUX_BACKEND_DIR", "/nowhere", 1);
    CHECK_OK(gwf_backend_open("auto", &logged, &backend, &context, &err), err);
    CU_ASSERT_PTR_EQUAL(backend, gwf_backends()[1]);
    CU_ASSERT_STRING_EQUAL(lines, "backend cuda: libgwflux_cuda.so is not installed (not in "
                                  "/nowhere); taking the next one\n");
    backend->close(context);
}

int main(void)
{
    static const test_case tests[] = {
        {"not installed", test_not_installed},
        {"damaged", test_damaged},
        {"a library that it needs is missing", test_needs_missing_library},
        {"of another build, of another program", test_other_build},
        {"auto takes the next one and says why", test_auto_goes_on},
    };
    return test_run("cuda_loader", tests, sizeof tests / sizeof *tests);
}
