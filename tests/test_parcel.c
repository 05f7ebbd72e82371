/* Results on their way to rank 0: whole, with their label, from whoever sends. */
#include "parallel/parcel.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "test_mpi.h"

enum { EACH = 20 }; /* parcels of a rank */

static float value(int64_t step, size_t i)
{
    return (float)step + (float)(i % 1013) / 1024;
}

/* Steps of a rank: rank, rank + EACH ranks, ... The buffer is used anew at once. */
static void send_all(size_t n)
{
    gwf_error err = {0};
    float *values = malloc(n * sizeof *values);
    for (int k = 0; k < EACH; k++) {
        const gwf_label label = {test_rank() + (int64_t)k * test_ranks(), 1.5 * k + test_rank()};
        for (size_t i = 0; i < n; i++) values[i] = value(label.step, i);
        CHECK_OK(gwf_parcel_send(test_comm(), &label, values, n, &err), err);
        for (size_t i = 0; i < n; i++) values[i] = -1;
    }
    free(values);
}

static size_t check_parcel(const gwf_label *label, const float *values, size_t n, int *arrived)
{
    const int from = (int)(label->step % test_ranks());
    size_t wrong = label->step / test_ranks() != arrived[from]; /* in the order they were sent */
    wrong += !(label->time == 1.5 * arrived[from] + from);
    for (size_t i = 0; i < n; i++) wrong += !(values[i] == value(label->step, i));
    arrived[from]++;
    return wrong;
}

static void receive_all(size_t n)
{
    const struct timespec nap = {0, 100000};
    gwf_error err = {0};
    float *values = malloc((n + 1) * sizeof *values);
    int *arrived = calloc((size_t)test_ranks(), sizeof *arrived);
    int left = EACH * (test_ranks() - 1);
    size_t wrong = 0;
    values[n] = -7; /* behind the end */
    for (gwf_status status = GWF_OK; left > 0 && status == GWF_OK;) {
        gwf_label label = {-1, -1};
        bool there = false;
        status = gwf_parcel_receive(test_comm(), &label, values, n, &there, &err);
        CHECK_OK(status, err);
        if (!there) nanosleep(&nap, NULL);
        if (!there) continue;
        wrong += check_parcel(&label, values, n, arrived);
        left--;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(values[n], -7);
    free(values);
    free(arrived);
}

static void check_size(size_t n)
{
    gwf_error err = {0};
    gwf_label label = {-1, -1};
    float nothing[1] = {5};
    bool there = true;
    if (test_rank() > 0)
        send_all(n);
    else
        receive_all(n);
    test_barrier();
    if (test_rank() == 0) {
        CHECK_OK(gwf_parcel_receive(test_comm(), &label, nothing, 1, &there, &err), err);
        CU_ASSERT_FALSE(there);
        CU_ASSERT_TRUE(label.step == -1 && nothing[0] == 5);
    }
    test_barrier(); /* nobody sends the next case's */
}

static void test_small(void)
{
    check_size(1);
}

/* Too large for MPI to send before it is asked for. */
static void test_large(void)
{
    check_size(300000);
}

static void test_too_large(void)
{
    gwf_error err = {0};
    gwf_label label = {0, 0};
    float one = 0;
    bool there;
    const size_t n = (size_t)INT_MAX + 1;
    if (test_ranks() == 1) return;
    CHECK_FAILS(gwf_parcel_send(test_comm(), &label, &one, n, &err), GWF_ERR_UNSUPPORTED, err,
                "2147483648 values is too large");
    CHECK_FAILS(gwf_parcel_receive(test_comm(), &label, &one, n, &there, &err), GWF_ERR_UNSUPPORTED,
                err, "too large");
    CU_ASSERT_FALSE(there);
}

int main(void)
{
    static const test_case cases[] = {
        {"small parcels", test_small},
        {"large parcels", test_large},
        {"one that is too large", test_too_large},
    };
    return test_run_ranks("parcel", cases, sizeof cases / sizeof *cases);
}
