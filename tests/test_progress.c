/* What a long run tells: on a terminal a bar, elsewhere a line now and then. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"

static void test_durations(void)
{
    char text[32];
    CU_ASSERT_STRING_EQUAL(progress_duration(0.4, text), "0 s");
    CU_ASSERT_STRING_EQUAL(progress_duration(75, text), "75 s");
    CU_ASSERT_STRING_EQUAL(progress_duration(720, text), "12 min");
    CU_ASSERT_STRING_EQUAL(progress_duration(12240, text), "3.4 h");
}

/* What show() writes to stderr for a progress that started `ago` seconds ago. */
static void capture(progress p, size_t done, size_t steps, char text[static 256])
{
    FILE *file = tmpfile();
    const int before = dup(STDERR_FILENO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    progress_show(&p, done, steps);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    text[fread(text, 1, 255, file)] = '\0';
    fclose(file);
}

static progress started(bool terminal, double ago)
{
    progress p;
    progress_start(&p);
    p.terminal = terminal;
    p.start -= ago;
    p.last -= ago;
    return p;
}

static void test_bar(void)
{
    char text[256];
    capture(started(true, 10), 25, 50, text);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "\r[###############...............] 25/50  2.5 steps/s  10 s"));
    capture(started(true, 0), 1, 50, text);
    CU_ASSERT_STRING_EQUAL(text, ""); /* too soon */
    capture(started(true, 10), 50, 50, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "[##############################] 50/50"));
}

static void test_lines(void)
{
    char text[256];
    capture(started(false, 60), 30, 90, text);
    CU_ASSERT_STRING_EQUAL(text, "gwflux: step 30 of 90, 0.5 steps/s, 2 min left\n");
    capture(started(false, 10), 30, 90, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    capture(started(false, 10), 90, 90, text);
    CU_ASSERT_STRING_EQUAL(text, ""); /* the summary says it */
}

int main(void)
{
    static const test_case tests[] = {
        {"durations", test_durations},
        {"a bar on a terminal", test_bar},
        {"a line now and then elsewhere", test_lines},
    };
    return test_run("progress", tests, sizeof tests / sizeof *tests);
}
