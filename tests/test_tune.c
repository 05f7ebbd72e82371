/* Choosing by measuring, with times that the test makes up. */
#include "backend/tune.h"

#include <stdio.h>
#include <string.h>

#include "core/cache.h"
#include "test.h"

typedef struct race {
    const double *seconds; /* of each way; negative: it fails */
    int timed;             /* calls */
} race;

static const char *name(void *user, int way)
{
    static const char *const names[] = {"plain", "quick", "odd"};
    (void)user;
    return names[way];
}

static gwf_status time_way(void *user, int way, double *seconds, gwf_error *err)
{
    race *r = user;
    r->timed++;
    if (r->seconds[way] < 0) return gwf_fail(err, GWF_ERR_MEMORY, "no memory");
    *seconds = r->seconds[way];
    return GWF_OK;
}

/* The way that is taken; *timed: how many were measured. */
static int run(const double seconds[3], bool tune, const char *cache, int *timed)
{
    race r = {seconds, 0};
    const gwf_backend_config config = {.batch = 1, .tune = tune, .cache = cache};
    const gwf_contest contest = {"a contest", 3, name, time_way, &r};
    const int way = gwf_fastest_way(&config, &contest);
    *timed = r.timed;
    return way;
}

static void test_fastest(void)
{
    static const double last[] = {3, 2, 1}, second[] = {3, 1, 2}, fails[] = {3, 2, -1};
    static const double none[] = {-1, -1, -1};
    int timed;
    CU_ASSERT_EQUAL(run(last, true, NULL, &timed), 2);
    CU_ASSERT_EQUAL(timed, 3);
    CU_ASSERT_EQUAL(run(second, true, "off", &timed), 1);
    CU_ASSERT_EQUAL(run(fails, true, NULL, &timed), 1);
    CU_ASSERT_EQUAL(run(none, true, NULL, &timed), 0);
    CU_ASSERT_EQUAL(run(last, false, NULL, &timed), 0);
    CU_ASSERT_EQUAL(timed, 0);
}

static void test_remembered(void)
{
    static const double second[] = {3, 1, 2}, first[] = {1, 2, 3};
    char folder[1024];
    int timed;
    snprintf(folder, sizeof folder, "%s", test_scratch("cache"));
    CU_ASSERT_EQUAL(run(first, false, folder, &timed), 0);
    CU_ASSERT_EQUAL(run(second, true, folder, &timed), 1); /* nothing was kept before */
    CU_ASSERT_EQUAL(timed, 3);
    CU_ASSERT_EQUAL(run(first, true, folder, &timed), 1);
    CU_ASSERT_EQUAL(timed, 0);
    CU_ASSERT_EQUAL(run(first, false, folder, &timed), 0);    /* tune off: by rule, always */
    gwf_cache_write(folder, "a contest", "quicker", 7, NULL); /* a way that there is no more */
    CU_ASSERT_EQUAL(run(first, true, folder, &timed), 0);
    CU_ASSERT_EQUAL(timed, 3);
}

int main(void)
{
    static const test_case tests[] = {
        {"the fastest is taken", test_fastest},
        {"and remembered", test_remembered},
    };
    return test_run("tune", tests, sizeof tests / sizeof *tests);
}
