/* What every test program shares: a main that runs one CUnit suite, and checks that say what they
 * saw. NaN never passes: comparisons are written so that a NaN fails them. */
#ifndef GWF_TESTS_TEST_H
#define GWF_TESTS_TEST_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case;

/* Run all cases as one suite, print CUnit's closing lines; 0 only when every case ran and passed.
 * In main: return test_run("tensor", cases, sizeof cases / sizeof *cases); */
int test_run(const char *suite, const test_case *cases, size_t count);

/* A message for the reader that something was not tested, and why. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* sqrt(sum (x-truth)^2 / sum truth^2) in double; NaN anywhere gives NaN. */
double test_relative_l2(const float *x, const float *truth, size_t n);

/* A path inside this test's own scratch folder (made on first use, removed at exit); static
 * storage, 8 paths alive at a time. */
const char *test_scratch(const char *name);

/* Paths below the source tree's tests/ (or $GWFLUX_TEST_DATA, where the tests have moved) and below
 * ../shared; NULL (shared only) when not there. */
const char *test_data(const char *name);
const char *test_shared(const char *name);

/* The call succeeds; prints the error's text when not. */
#define CHECK_OK(call, err)                                                                        \
    do {                                                                                           \
        const gwf_status check_status_ = (call);                                                   \
        if (check_status_ != GWF_OK)                                                               \
            fprintf(stderr, "\n  %s:%d: %s\n", __FILE__, __LINE__, (err).text);                    \
        CU_ASSERT_EQUAL(check_status_, GWF_OK);                                                    \
    } while (0)

/* The call fails with this status and a text that contains `words`. */
#define CHECK_FAILS(call, code, err, words)                                                        \
    do {                                                                                           \
        const gwf_status check_status_ = (call);                                                   \
        if (check_status_ != (code) || !strstr((err).text, words))                                 \
            fprintf(stderr, "\n  %s:%d: status %s, text \"%s\", expected %s \"%s\"\n", __FILE__,   \
                    __LINE__, gwf_status_name(check_status_), (err).text, gwf_status_name(code),   \
                    words);                                                                        \
        CU_ASSERT_EQUAL(check_status_, code);                                                      \
        CU_ASSERT_PTR_NOT_NULL(strstr((err).text, words));                                         \
    } while (0)

/* value <= limit, false for NaN. */
#define CHECK_AT_MOST(value, limit)                                                                \
    do {                                                                                           \
        const double check_value_ = (value), check_limit_ = (limit);                               \
        if (!(check_value_ <= check_limit_))                                                       \
            fprintf(stderr, "\n  %s:%d: %s = %g, at most %g\n", __FILE__, __LINE__, #value,        \
                    check_value_, check_limit_);                                                   \
        CU_ASSERT_TRUE(check_value_ <= check_limit_);                                              \
    } while (0)

#endif
