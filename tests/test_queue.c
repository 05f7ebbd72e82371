/* The queue: every number goes to one rank, once; stopping, leaving, few numbers. */
#include "parallel/queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test_mpi.h"

enum { MOST = 100000 };

/* What one rank saw of a queue. */
typedef struct seen {
    double *times;   /* MOST: how often this rank got each number */
    size_t taken;    /* numbers */
    size_t disorder; /* a number that is not larger than the one before */
} seen;

/* How a rank behaves: called for every number it takes. */
typedef void (*work)(gwf_queue *queue, size_t number, size_t taken);

static void nap(long nanoseconds)
{
    const struct timespec t = {0, nanoseconds};
    nanosleep(&t, NULL);
}

static void serve_until_left(gwf_queue *queue)
{
    gwf_error err = {0};
    bool all_left = false;
    while (!all_left) {
        CHECK_OK(gwf_queue_serve(queue, &all_left, &err), err);
        if (!all_left) nap(200000);
    }
}

static seen drain(gwf_queue *queue, work done)
{
    gwf_error err = {0};
    seen s = {.times = calloc(MOST, sizeof *s.times)};
    gwf_turn turn = GWF_TURN_WAIT;
    size_t number = 0, last = 0;
    while (turn != GWF_TURN_END) {
        const gwf_status status = gwf_queue_next(queue, &turn, &number, &err);
        CHECK_OK(status, err);
        if (status != GWF_OK) break;
        if (turn == GWF_TURN_WAIT) nap(100000);
        if (turn != GWF_TURN_TAKE) continue;
        CU_ASSERT_TRUE_FATAL(number < MOST);
        s.disorder += s.taken > 0 && number <= last;
        last = number;
        s.times[number]++;
        s.taken++;
        if (done) done(queue, number, s.taken);
    }
    CHECK_OK(gwf_queue_next(queue, &turn, &number, &err), err);
    CU_ASSERT_EQUAL(turn, GWF_TURN_END); /* and stays so */
    CHECK_OK(gwf_queue_leave(queue, &err), err);
    if (test_rank() == 0) serve_until_left(queue);
    return s;
}

/* Collective: a queue of n from start to end; *given: what rank 0 handed out. Afterwards s->times
 * are those of all ranks. */
static seen run(size_t n, work done, size_t *given)
{
    gwf_error err = {0};
    gwf_queue *queue = NULL;
    CHECK_OK(gwf_queue_create(test_comm(), test_rank() == 0 ? n : 0, &queue, &err), err);
    seen s = drain(queue, done);
    double told = (double)gwf_queue_given(queue);
    CHECK_OK(gwf_comm_broadcast(test_comm(), &told, sizeof told, 0, &err), err);
    *given = (size_t)told;
    gwf_queue_free(&queue);
    CU_ASSERT_PTR_NULL(queue);
    CHECK_OK(gwf_comm_sum(test_comm(), s.times, MOST, &err), err);
    CU_ASSERT_EQUAL(s.disorder, 0);
    return s;
}

/* Numbers that not exactly one rank got. */
static size_t wrong(const seen *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < MOST; i++) count += s->times[i] != (i < n);
    return count;
}

/* --- all are handed out ---------------------------------------------------------------------- */

static void check_all(size_t n)
{
    size_t given = 0;
    seen s = run(n, NULL, &given);
    CU_ASSERT_EQUAL(given, n);
    CU_ASSERT_EQUAL(wrong(&s, n), 0);
    free(s.times);
}

static void test_once(void)
{
    check_all(1000);
    check_all(997); /* a queue after a queue: nothing is left of the first */
}

static void test_none(void)
{
    check_all(0);
}

static void test_fewer_than_ranks(void)
{
    for (size_t n = 1; n <= 3; n++) check_all(n);
}

/* --- a slow rank ----------------------------------------------------------------------------- */

/* The last rank is slow: its first number lasts until all are handed out. */
static void work_slowly(gwf_queue *queue, size_t number, size_t taken)
{
    enum { PATIENCE = 20000 }; /* ms */
    const char *gone = test_scratch_of_all("all are given");
    (void)number;
    if (test_rank() == 0) {
        if (gwf_queue_given(queue) == 200) CU_ASSERT_EQUAL(symlink("x", gone), 0);
        return;
    }
    if (test_rank() < test_ranks() - 1 || taken > 1) return;
    char target[2];
    for (int i = 0; i < PATIENCE && readlink(gone, target, sizeof target) < 0; i++) nap(1000000);
}

static void test_slow_rank(void)
{
    size_t given = 0;
    seen s = run(200, work_slowly, &given);
    if (test_ranks() > 1) CU_ASSERT_TRUE(test_rank() < test_ranks() - 1 || s.taken <= 2);
    CU_ASSERT_EQUAL(wrong(&s, 200), 0);
    free(s.times);
    if (test_rank() == 0) unlink(test_scratch_of_all("all are given"));
    test_barrier();
}

/* --- stopping -------------------------------------------------------------------------------- */

static int stopper;

/* The stopper's third number is the last that it wants anyone to get. */
static void work_and_stop(gwf_queue *queue, size_t number, size_t taken)
{
    gwf_error err = {0};
    (void)number;
    nap(200000);
    if (test_rank() != stopper || taken != 3) return;
    CHECK_OK(gwf_queue_stop(queue, &err), err);
    CHECK_OK(gwf_queue_stop(queue, &err), err); /* twice is once */
}

/* Numbers that are given are taken, each once, and they are the first ones. */
static void test_stop(void)
{
    for (stopper = 0; stopper < test_ranks(); stopper++) {
        size_t given = 0;
        seen s = run(MOST, work_and_stop, &given);
        CU_ASSERT_TRUE(given >= 3 && given < MOST);
        CU_ASSERT_EQUAL(wrong(&s, given), 0);
        free(s.times);
    }
}

/* Rank 0 stops before anyone has asked. */
static void test_stop_at_once(void)
{
    gwf_error err = {0};
    gwf_queue *queue = NULL;
    CHECK_OK(gwf_queue_create(test_comm(), 50, &queue, &err), err);
    if (test_rank() == 0) CHECK_OK(gwf_queue_stop(queue, &err), err);
    test_barrier();
    seen s = drain(queue, NULL);
    CU_ASSERT_EQUAL(s.taken, 0);
    CU_ASSERT_EQUAL(gwf_queue_given(queue), 0);
    free(s.times);
    gwf_queue_free(&queue);
}

static void test_free_nothing(void)
{
    gwf_queue *queue = NULL;
    gwf_queue_free(&queue);
    CU_ASSERT_PTR_NULL(queue);
}

int main(void)
{
    static const test_case cases[] = {
        {"every number exactly once", test_once},
        {"no numbers", test_none},
        {"fewer numbers than ranks", test_fewer_than_ranks},
        {"a slow rank gets fewer", test_slow_rank},
        {"a rank stops all", test_stop},
        {"stopped before the first", test_stop_at_once},
        {"nothing to free", test_free_nothing},
    };
    return test_run_ranks("queue", cases, sizeof cases / sizeof *cases);
}
