#include "test.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"

static void test_fail_and_prefix(void)
{
    gwf_error err = {0};
    CU_ASSERT_EQUAL(gwf_fail(&err, GWF_ERR_IO, "%s: %d bytes", "x.nc", 7), GWF_ERR_IO);
    gwf_error_prefix(&err, "step %d", 3);
    CU_ASSERT_STRING_EQUAL(err.text, "step 3: x.nc: 7 bytes");
    CU_ASSERT_EQUAL(err.status, GWF_ERR_IO);
    CU_ASSERT_EQUAL(gwf_fail(NULL, GWF_ERR_DISK, "nobody reads this"), GWF_ERR_DISK);
    gwf_error_prefix(NULL, "nor this");
}

static void test_long_texts_are_cut(void)
{
    gwf_error err = {0};
    char text[3000];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    gwf_fail(&err, GWF_ERR_IO, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
    gwf_error_prefix(&err, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.text), sizeof err.text - 1);
}

static void test_control_characters(void)
{
    gwf_error err = {0};
    gwf_fail(&err, GWF_ERR_IO, "tensor %s", "a\033[31m\nb\x7f");
    CU_ASSERT_STRING_EQUAL(err.text, "tensor a?[31m?b?");
}

static void test_names(void)
{
    CU_ASSERT_STRING_EQUAL(gwf_status_name(GWF_OK), "GWF_OK");
    CU_ASSERT_STRING_EQUAL(gwf_status_name(GWF_ERR_MISMATCH), "GWF_ERR_MISMATCH");
    CU_ASSERT_STRING_EQUAL(gwf_status_text(GWF_ERR_DISK), "no space left for the output");
    CU_ASSERT_STRING_EQUAL(gwf_status_name((gwf_status)999), "unknown status");
    CU_ASSERT_STRING_EQUAL(gwf_status_name(GWF_ERR_STOPPED), "GWF_ERR_STOPPED");
}

static void keep(void *user, const char *line)
{
    snprintf(user, 64, "%s", line);
}

static void test_log(void)
{
    char line[64] = "";
    const gwf_log log = {keep, line}, silent = {0};
    gwf_log_line(&log, "%d steps", 5);
    CU_ASSERT_STRING_EQUAL(line, "5 steps");
    gwf_log_line(&silent, "nobody listens");
    gwf_log_line(NULL, "nobody listens");
}

int main(void)
{
    static const test_case tests[] = {
        {"a failure keeps status and text", test_fail_and_prefix},
        {"texts too long are cut, never overrun", test_long_texts_are_cut},
        {"control characters stay out of messages", test_control_characters},
        {"statuses have names and texts", test_names},
        {"log lines reach the listener", test_log},
    };
    return test_run("error", tests, sizeof tests / sizeof *tests);
}
