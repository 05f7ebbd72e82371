/* What the machine can do at best: that it is measured where the processor has it. How fast it is
 * no test can know. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/machine.h"

/* Does /proc/cpuinfo list it? */
static bool has_flag(const char *flag)
{
    char line[16384], word[64];
    bool found = false;
    FILE *info = fopen("/proc/cpuinfo", "r");
    snprintf(word, sizeof word, " %s ", flag);
    while (info && !found && fgets(line, sizeof line, info)) {
        if (strncmp(line, "flags", 5) != 0) continue;
        line[strcspn(line, "\n")] = ' ';
        found = strstr(line, word) != NULL;
    }
    if (info) fclose(info);
    return found;
}

static void check_rate(double rate, bool expected)
{
    if (expected)
        CU_ASSERT_TRUE(rate > 0 && isfinite(rate))
    else
        CU_ASSERT_EQUAL(rate, 0);
}

static void test_measure(void)
{
    gwf_error err = {0};
    const bool amx = has_flag("amx_tile");
    for (int threads = 1; threads <= 2; threads++) {
        machine m;
        CHECK_OK(machine_measure(threads, &m, &err), err);
        CU_ASSERT_EQUAL(m.threads, threads);
        if (has_flag("avx512f"))
            CU_ASSERT_STRING_EQUAL(m.instructions, "AVX-512")
        else if (has_flag("avx2"))
            CU_ASSERT_STRING_EQUAL(m.instructions, "AVX2")
        check_rate(m.fp32, true);
        check_rate(m.bf16, has_flag("avx512_bf16") && !amx);
        check_rate(m.int8, has_flag("avx512_vnni") && !amx);
        check_rate(m.memory, true);
    }
}

static void test_memory(void)
{
    long kilobytes = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    const double before = machine_peak_memory();
    while (status && fgets(line, sizeof line, status) && !kilobytes)
        sscanf(line, "VmHWM: %ld kB", &kilobytes);
    if (status) fclose(status);
    CU_ASSERT_TRUE(before > 0);
    CHECK_AT_MOST(fabs(before - 1024.0 * (double)kilobytes), 4e6); /* Linux counts in batches */
}

int main(void)
{
    static const test_case tests[] = {
        {"measured where the processor has it", test_measure},
        {"peak memory", test_memory},
    };
    return test_run("machine", tests, sizeof tests / sizeof *tests);
}
