#include "test.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATHS = 8, PATH_SIZE = 1024 };
static char scratch[PATH_SIZE];

static char *next_path(void)
{
    static char paths[PATHS][PATH_SIZE];
    static int next;
    return paths[next++ % PATHS];
}

static void remove_scratch(void)
{
    char command[PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", scratch);
}

const char *test_scratch(const char *name)
{
    if (!scratch[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(scratch, sizeof scratch, "%s/gwflux-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(scratch)) abort();
        atexit(remove_scratch);
    }
    char *path = next_path();
    snprintf(path, PATH_SIZE, "%.900s/%.100s", scratch, name);
    return path;
}

const char *test_data(const char *name)
{
    char *path = next_path();
    const char *folder = getenv("GWFLUX_TEST_DATA");
    if (folder)
        snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    else
        snprintf(path, PATH_SIZE, "%s/tests/%s", GWF_SOURCE_DIR, name);
    return path;
}

const char *test_shared(const char *name)
{
    char *path = next_path();
    snprintf(path, PATH_SIZE, "%s/../shared/%s", GWF_SOURCE_DIR, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("skipped: ", stdout);
    vfprintf(stdout, format, args);
    fputs("\n", stdout);
    va_end(args);
}

double test_relative_l2(const float *x, const float *truth, size_t n)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        const double t = truth[i], d = (double)x[i] - t;
        difference += d * d;
        norm += t * t;
    }
    return sqrt(difference / norm);
}

int test_run(const char *suite, const test_case *cases, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS) return 1;
    CU_pSuite s = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; s && i < count; i++)
        if (!CU_add_test(s, cases[i].name, cases[i].run)) s = NULL;
    if (!s) {
        fprintf(stderr, "%s: CUnit: %s\n", suite, CU_get_error_msg());
        CU_cleanup_registry();
        return 1;
    }
    setenv("GWFLUX_CACHE", "off", 1); /* tests leave nothing in the user's folder */
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    const bool passed = CU_get_number_of_failures() == 0 && CU_get_number_of_tests_run() == count &&
                        CU_get_number_of_suites_failed() == 0;
    CU_cleanup_registry();
    return passed ? 0 : 1;
}
