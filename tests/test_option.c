#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/option.h"

static void test_defaults(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(options);
    CU_ASSERT_STRING_EQUAL(options->backend, "auto");
    CU_ASSERT_STRING_EQUAL(options->precision, "auto");
    CU_ASSERT_EQUAL(options->threads, 0);
    CU_ASSERT_EQUAL(options->batch, 0);
    CU_ASSERT_STRING_EQUAL(options->tune, "on");
    gwf_options_free(&options);
    CU_ASSERT_PTR_NULL(options);
}

static void test_set(void)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_EQUAL(gwf_options_set(options, "backend", "ref"), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_set(options, "threads", "3"), GWF_OK);
    CU_ASSERT_STRING_EQUAL(options->backend, "ref");
    CU_ASSERT_EQUAL(options->threads, 3);
    char folder[] = "/first"; /* a text is copied */
    CU_ASSERT_EQUAL(gwf_options_set(options, "cache", folder), GWF_OK);
    folder[1] = 'F';
    CU_ASSERT_STRING_EQUAL(options->cache, "/first");
    CU_ASSERT_EQUAL(gwf_options_set(options, "cache", "/second"), GWF_OK);
    CU_ASSERT_STRING_EQUAL(options->cache, "/second");
    gwf_options_free(&options);
}

static void check_refused(gwf_options *options, const char *name, const char *value,
                          const char *words)
{
    CU_ASSERT_EQUAL(gwf_options_set(options, name, value), GWF_ERR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_options_message(options), words));
}

static void test_refusals(void)
{
    gwf_options *options = gwf_options_create();
    check_refused(options, "backend", "gpu", "option backend: expected auto|");
    check_refused(options, "precision", "fp64", "option precision: expected auto|fp32|fp32-fast|");
    check_refused(options, "batch", "65", "expected a number from 0 to 64, found 65");
    check_refused(options, "tune", "maybe", "expected on|off, found maybe");
    check_refused(options, "threads", "-1", "expected a number from 0 to 1024, found -1");
    check_refused(options, "threads", "1025", "found 1025");
    check_refused(options, "threads", "2x", "found 2x");
    check_refused(options, "threads", "", "found ");
    check_refused(options, "threads", "99999999999999999999", "expected a number");
    check_refused(options, "colour", "blue", "option colour: there is none of that name");
    check_refused(options, "threads", NULL, "no value given");
    check_refused(options, NULL, "1", "(null)");
    CU_ASSERT_EQUAL(gwf_options_set(NULL, "threads", "1"), GWF_ERR_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(gwf_options_message(NULL));
    gwf_options_free(NULL);
    CU_ASSERT_EQUAL(options->threads, 0);
    gwf_options_free(&options);
}

int main(void)
{
    static const test_case tests[] = {
        {"defaults", test_defaults},
        {"values are set", test_set},
        {"unknown names and values out of bounds are refused", test_refusals},
    };
    return test_run("option", tests, sizeof tests / sizeof *tests);
}
