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

/* As if another process had kept this one. */
static void keep(const char *folder, const char *way)
{
    char key[256];
    const gwf_contest contest = {.key = "a contest"};
    gwf_contest_key(&contest, key, sizeof key);
    gwf_cache_write(folder, key, way, strlen(way), NULL);
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
    char folder[1024];
    static const double last[] = {3, 2, 1}, second[] = {3, 1, 2}, fails[] = {3, 2, -1};
    static const double none[] = {-1, -1, -1};
    const double *const races[] = {last, second, fails, none};
    static const int winners[] = {2, 1, 1, 0};
    int timed;
    for (int i = 0; i < 4; i++) {
        snprintf(folder, sizeof folder, "%s%d", test_scratch("race"), i);
        CU_ASSERT_EQUAL(run(races[i], true, folder, &timed), winners[i]);
        CU_ASSERT_EQUAL(timed, 3);
    }
}

/* What nobody would know of later is not measured. */
static void test_rule(void)
{
    static const double last[] = {3, 2, 1};
    int timed;
    CU_ASSERT_EQUAL(run(last, true, NULL, &timed), 0);
    CU_ASSERT_EQUAL(timed, 0);
    CU_ASSERT_EQUAL(run(last, true, "off", &timed), 0);
    CU_ASSERT_EQUAL(timed, 0);
    CU_ASSERT_EQUAL(run(last, false, test_scratch("rule"), &timed), 0);
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
    CU_ASSERT_EQUAL(run(first, false, folder, &timed), 0); /* tune off: by rule, always */
    keep(folder, "quicker");                               /* a way that there is no more */
    CU_ASSERT_EQUAL(run(first, true, folder, &timed), 0);
    CU_ASSERT_EQUAL(timed, 3);
}

/* Two processes measure at the same time: the second one to be through takes the first one's. */
static const char *shared;

static gwf_status time_late(void *user, int way, double *seconds, gwf_error *err)
{
    keep(shared, "odd");
    return time_way(user, way, seconds, err);
}

static void test_agreement(void)
{
    static const double second[] = {3, 1, 2};
    char folder[1024];
    race r = {second, 0};
    snprintf(folder, sizeof folder, "%s", test_scratch("shared"));
    shared = folder;
    const gwf_backend_config config = {.batch = 1, .tune = true, .cache = folder};
    const gwf_contest contest = {"a contest", 3, name, time_late, &r};
    CU_ASSERT_EQUAL(gwf_fastest_way(&config, &contest), 2);
    CU_ASSERT_EQUAL(r.timed, 3);
}

/* ---- runs of one way ---- */

typedef struct runs {
    const double *seconds;
    int n;
} runs;

static gwf_status run_once(void *user, double *seconds, gwf_error *err)
{
    runs *r = user;
    (void)err;
    *seconds = r->seconds[r->n++];
    return GWF_OK;
}

/* Until two agree, and no longer with what is hopeless. */
static void test_runs(void)
{
    static const double quiet[] = {.005, .0051},
                        disturbed[] = {.009, .007, .005, .008, .006, .0051};
    static const double slow[] = {.009, .008, .006}, long_ones[] = {.9, .7, .5};
    static const struct {
        const double *seconds;
        double least, fastest;
        int n;
    } cases[] = {{quiet, .009, .005, 2},
                 {disturbed, .009, .005, 6},
                 {slow, .003, .006, 3},
                 {long_ones, 9, .5, 3}};
    for (int i = 0; i < 4; i++) {
        runs r = {cases[i].seconds, 0};
        double seconds = 0;
        gwf_error err = {0};
        const gwf_stopwatch watch = {run_once, &r, cases[i].least};
        CHECK_OK(gwf_fastest_run(&watch, &seconds, &err), err);
        CU_ASSERT_EQUAL(seconds, cases[i].fastest);
        CU_ASSERT_EQUAL(r.n, cases[i].n);
    }
}

int main(void)
{
    static const test_case tests[] = {
        {"the fastest is taken", test_fastest},
        {"nothing is measured in vain", test_rule},
        {"the fastest is remembered", test_remembered},
        {"processes agree", test_agreement},
        {"runs until two agree", test_runs},
    };
    return test_run("tune", tests, sizeof tests / sizeof *tests);
}
