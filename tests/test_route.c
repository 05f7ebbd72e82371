/* Columns from those who have them to those who want them: every value to its place, whoever has
 * what; what is missing or there twice is named. */
#include "parallel/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "decomposition.h"
#include "test_mpi.h"

enum { ROUNDS = 3 };

/* Different for every id, row and round, and exact. */
static float value_of(int id, int row, int round)
{
    return (float)(id * 311 + row * 7 + round * 100003);
}

/* --- exchanges ------------------------------------------------------------------------------ */

typedef struct exchange {
    gwf_route *route;
    ids have, want;
    int rows;
} exchange;

static void fill(const exchange *e, int round)
{
    const gwf_route_place *out = gwf_route_out(e->route);
    float *values = gwf_route_values(e->route);
    for (int i = 0; i < e->have.n; i++)
        for (int k = 0; k < e->rows && out[i].first != GWF_NOWHERE; k++)
            values[out[i].first + (size_t)k * out[i].stride] = value_of(e->have.id[i], k, round);
}

static int wrong(const exchange *e, int round)
{
    int count = 0;
    const gwf_route_place *in = gwf_route_in(e->route);
    const float *values = gwf_route_values(e->route);
    for (int i = 0; i < e->want.n; i++)
        for (int k = 0; k < e->rows; k++)
            count += !(values[in[i].first + (size_t)k * in[i].stride] ==
                       value_of(e->want.id[i], k, round));
    return count;
}

/* A run is as long as it can be, and what it says is so. */
static int wrong_runs(const gwf_route_place *place, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        const bool nowhere = place[i].first == GWF_NOWHERE;
        const bool joined = i + 1 < n && (nowhere ? place[i + 1].first == GWF_NOWHERE
                                                  : place[i + 1].first == place[i].first + 1 &&
                                                        place[i + 1].stride == place[i].stride);
        count += place[i].run != (joined ? place[i + 1].run + 1 : 1);
    }
    return count;
}

/* Which ids another rank or this one wants is not known here: all that somebody wants have a place.
 */
static int wrong_nowhere(const exchange *e, int total, decomposition wants)
{
    int count = 0;
    char *wanted = calloc((size_t)total, 1);
    for (int r = 0; r < test_ranks(); r++) {
        ids list = ids_of(wants, total, r);
        for (int i = 0; i < list.n; i++) wanted[list.id[i]] = 1;
        free(list.id);
    }
    for (int i = 0; i < e->have.n; i++)
        count += (gwf_route_out(e->route)[i].first == GWF_NOWHERE) == wanted[e->have.id[i]];
    free(wanted);
    return count;
}

static void go(decomposition have, decomposition want, int total, int rows)
{
    gwf_error err = {0};
    exchange e = {.have = ids_of(have, total, test_rank()),
                  .want = ids_of(want, total, test_rank()),
                  .rows = rows};
    const gwf_route_ids who = {.total = total,
                               .n_have = e.have.n,
                               .have = e.have.id,
                               .n_want = e.want.n,
                               .want = e.want.id};
    CHECK_OK(gwf_route_create(test_comm(), &who, rows, &e.route, &err), err);
    if (!e.route) return;
    int count = wrong_runs(gwf_route_out(e.route), e.have.n) +
                wrong_runs(gwf_route_in(e.route), e.want.n) + wrong_nowhere(&e, total, want);
    for (int round = 0; round < ROUNDS; round++) {
        fill(&e, round);
        const long before = test_allocations();
        CU_ASSERT_TRUE(before > 0);
        CHECK_OK(gwf_route_begin(e.route, &err), err);
        CHECK_OK(gwf_route_end(e.route, &err), err);
        CU_ASSERT_EQUAL(test_allocations(), before);
        count += wrong(&e, round);
    }
    if (count) fprintf(stderr, "\n  %d to %d, %d x %d: %d wrong\n", have, want, total, rows, count);
    CU_ASSERT_EQUAL(count, 0);
    gwf_route_free(&e.route);
    CU_ASSERT_PTR_NULL(e.route);
    free(e.have.id);
    free(e.want.id);
}

static void test_exchanges(void)
{
    for (int have = 0; have < PARTITIONS; have++)
        for (int want = 0; want < DECOMPOSITIONS; want++) {
            go((decomposition)have, (decomposition)want, 8 * 12, 3);
            go((decomposition)have, (decomposition)want, 16 * 32, 200);
            go((decomposition)have, (decomposition)want, 3, 2);
        }
}

/* Latitude bands on both sides: all in one run, and nothing moves. */
static void test_stays(void)
{
    gwf_error err = {0};
    ids mine = ids_of(BANDS, 64, test_rank());
    gwf_route *route = NULL;
    const gwf_route_ids who = {.total = 64,
                               .complete = true,
                               .n_have = mine.n,
                               .have = mine.id,
                               .n_want = mine.n,
                               .want = mine.id};
    CHECK_OK(gwf_route_create(test_comm(), &who, 5, &route, &err), err);
    if (route) {
        const gwf_route_place *out = gwf_route_out(route), *in = gwf_route_in(route);
        CU_ASSERT_EQUAL(memcmp(out, in, (size_t)mine.n * sizeof *in), 0);
        CU_ASSERT_TRUE(mine.n == 0 || (in[0].run == mine.n && in[0].stride == (size_t)mine.n));
        CU_ASSERT_TRUE(mine.n == 0 || gwf_route_values(route)[in[0].first] == 0);
    }
    gwf_route_free(&route);
    free(mine.id);
}

/* What was written stays, also where others received it. */
static void test_kept(void)
{
    gwf_error err = {0};
    exchange e = {.have = ids_of(SCATTERED, 96, test_rank()),
                  .want = ids_of(EVERYONE, 96, test_rank()),
                  .rows = 4};
    const gwf_route_ids who = {
        .total = 96, .n_have = e.have.n, .have = e.have.id, .n_want = e.want.n, .want = e.want.id};
    CHECK_OK(gwf_route_create(test_comm(), &who, e.rows, &e.route, &err), err);
    if (e.route) fill(&e, 1);
    for (int round = 0; e.route && round < ROUNDS; round++) {
        CHECK_OK(gwf_route_begin(e.route, &err), err);
        CHECK_OK(gwf_route_end(e.route, &err), err);
        CU_ASSERT_EQUAL(wrong(&e, 1), 0);
    }
    gwf_route_free(&e.route);
    free(e.have.id);
    free(e.want.id);
}

/* --- what is refused ------------------------------------------------------------------------ */

typedef struct spoilt {
    int id, from, to; /* rank `from` loses it; rank `to` has it once more; -1: nobody */
} spoilt;

static void refuse_on(const gwf_comm *comm, const gwf_route_ids *who, int rows, gwf_status status,
                      const char *words)
{
    gwf_error err = {0};
    gwf_route *route = NULL;
    CHECK_FAILS(gwf_route_create(comm, who, rows, &route, &err), status, err, words);
    CU_ASSERT_PTR_NULL(route);
    if (status == GWF_ERR_DATA && strstr(words, "is "))
        CU_ASSERT_EQUAL(strncmp(err.text, "rank", 4) != 0, 1);
}

static void name(const void *user, int id, char *text, size_t size)
{
    snprintf(text, size, "%s number %d", (const char *)user, id);
}

/* Latitude bands of 24 ids, spoilt; everyone wants all that is there but for the last id. */
static void refuse(const gwf_comm *comm, spoilt s, bool complete, bool named, const char *words)
{
    const int rank = gwf_comm_rank(comm), ranks = gwf_comm_size(comm);
    int have[48], want[23], n = 0;
    for (int i = 0; i < 24; i++)
        if (i * ranks / 24 == rank && !(s.id == i && s.from == rank)) have[n++] = i;
    if (s.to == rank) have[n++] = s.id;
    for (int i = 0; i < 23; i++) want[i] = 22 - i;
    const gwf_route_ids who = {.total = 24,
                               .complete = complete,
                               .n_have = n,
                               .have = have,
                               .n_want = 23,
                               .want = want,
                               .describe = named ? name : NULL,
                               .user = "cell"};
    refuse_on(comm, &who, 2, GWF_ERR_DATA, words);
}

static int band_of(const gwf_comm *comm, int id)
{
    return id * gwf_comm_size(comm) / 24;
}

static void refuse_all(const gwf_comm *comm)
{
    char words[128];
    const int last = gwf_comm_size(comm) - 1, first = gwf_comm_named(comm, 0);
    for (int id = 0; id < 24; id += 23)
        for (int k = 0; k <= last; k += last ? last : 1) {
            const int there = band_of(comm, id), low = there < k ? there : k;
            if (there == k)
                snprintf(words, sizeof words, "column %d is registered twice on rank %d", id + 1,
                         gwf_comm_named(comm, k));
            else
                snprintf(words, sizeof words, "column %d is registered on rank %d and on rank %d",
                         id + 1, gwf_comm_named(comm, low), gwf_comm_named(comm, there + k - low));
            refuse(comm, (spoilt){id, -1, k}, false, false, words);
        }
    snprintf(words, sizeof words, "column 6 is on no rank, but rank %d needs it", first);
    refuse(comm, (spoilt){5, band_of(comm, 5), -1}, false, false, words);
    refuse(comm, (spoilt){23, last, -1}, true, false, "column 24 is on no rank");
    refuse(comm, (spoilt){3, band_of(comm, 3), -1}, true, true, "cell number 3 is on no rank");
    snprintf(words, sizeof words, "column id 25, expected 1 to 24");
    refuse(comm, (spoilt){24, -1, last}, true, false, words);
    refuse(comm, (spoilt){-1, -1, last}, true, false, "column id 0, expected 1 to 24");
}

static void test_refusals(void)
{
    refuse_all(test_comm());
}

/* Of several the one with the lowest id. */
static void test_lowest(void)
{
    static const int all[] = {0, 1, 2}, second[] = {1};
    const int rank = test_rank(), n = rank == 0 ? 3 : rank < 3;
    const gwf_route_ids who = {.total = 30, .n_have = n, .have = rank == 1 ? second : all};
    if (test_ranks() > 2)
        refuse_on(test_comm(), &who, 1, GWF_ERR_DATA,
                  "column 1 is registered on rank 0 and on rank 2");
    const gwf_route_ids none = {.total = 30, .n_want = rank == 0 ? 3 : rank < 3, .want = all};
    refuse_on(test_comm(), &none, 1, GWF_ERR_DATA, "column 1 is on no rank, but rank 0 needs it");
}

/* Ranks are called as the launcher numbers them. */
static void test_part_of_the_ranks(void)
{
    gwf_error err = {0};
    gwf_comm *part = NULL;
    const int colour = test_rank() == 0 && test_ranks() > 1 ? -1 : 0;
    CHECK_OK(gwf_comm_split(test_comm(), colour, -test_rank(), &part, &err), err);
    if (part) CU_ASSERT_EQUAL(gwf_comm_named(part, 0), test_ranks() - 1);
    if (part) refuse_all(part);
    gwf_comm_free(&part);
    test_barrier();
}

static void test_too_large(void)
{
    static const int three[] = {0, 1, 2};
    const bool first = test_rank() == 0;
    const gwf_route_ids who = {
        .total = 3, .n_have = first ? 3 : 0, .have = three, .n_want = 3, .want = three};
    refuse_on(test_comm(), &who, 1 << 30, GWF_ERR_UNSUPPORTED,
              "3 columns of 1073741824 values are too many for a message");
    const int twice[] = {0, 0};
    const gwf_route_ids again = {
        .total = 3, .n_have = first ? 3 : 0, .have = three, .n_want = 2, .want = twice};
    refuse_on(test_comm(), &again, 1, GWF_ERR_INTERNAL, "id 0 is wanted twice");
}

int main(void)
{
    static const test_case cases[] = {
        {"every value to its place", test_exchanges},
        {"what stays on the rank", test_stays},
        {"what is not written anew", test_kept},
        {"missing and twice", test_refusals},
        {"of several", test_lowest},
        {"on a part of the ranks", test_part_of_the_ranks},
        {"too large", test_too_large},
    };
    return test_run_ranks("route", cases, sizeof cases / sizeof *cases);
}
