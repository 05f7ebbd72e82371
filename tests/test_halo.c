/* The exchange of borders: every byte to its place, in rings of any size, corners, nothing at
 * edges.
 */
#include "parallel/halo.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_mpi.h"

enum { CENTRE = 4, ROUNDS = 3 };

static int opposite(int direction)
{
    return GWF_DIRECTIONS - 1 - direction;
}

/* Bytes that a rank sends in a direction: all different, some none, some too many for MPI to send
 * before they are asked for. */
static size_t size_of(int rank, int direction, size_t factor)
{
    if (direction == CENTRE || (rank + direction) % 5 == 4) return 0;
    return factor * (size_t)(1 + rank * GWF_DIRECTIONS + direction);
}

static unsigned char content(int rank, int direction, int round, size_t i)
{
    return (unsigned char)(rank * 67 + direction * 29 + round * 13 + (int)(i % 241));
}

static void fill(const gwf_halo *halo, const gwf_halo_sizes *sizes, int round)
{
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        unsigned char *to = gwf_halo_send(halo, d);
        for (size_t i = 0; to && i < sizes->send[d]; i++) to[i] = content(test_rank(), d, round, i);
    }
}

static size_t wrong(const gwf_tiles *t, const gwf_halo *halo, const gwf_halo_sizes *sizes,
                    int round)
{
    size_t count = 0;
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        const unsigned char *from = gwf_halo_recv(halo, d);
        count += (from != NULL) != (t->neighbour[d] >= 0 && sizes->recv[d] > 0);
        for (size_t i = 0; from && i < sizes->recv[d]; i++)
            count += from[i] != content(t->neighbour[d], opposite(d), round, i);
    }
    return count;
}

static void exchange(gwf_tiling tiling, bool periodic, size_t factor)
{
    gwf_error err = {0};
    gwf_tiles t;
    gwf_halo *halo = NULL;
    gwf_halo_sizes sizes = {0};
    gwf_tiles_place(test_comm(), tiling, 16 * tiling.rows, 16 * tiling.cols, periodic, &t);
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        sizes.send[d] = size_of(test_rank(), d, factor);
        sizes.recv[d] = t.neighbour[d] < 0 ? 1 : size_of(t.neighbour[d], opposite(d), factor);
    }
    CHECK_OK(gwf_halo_create(&t, &sizes, &halo, &err), err);
    for (int round = 0; halo && round < ROUNDS; round++) {
        fill(halo, &sizes, round);
        CHECK_OK(gwf_halo_begin(halo, &err), err);
        CHECK_OK(gwf_halo_end(halo, &err), err);
        const size_t count = wrong(&t, halo, &sizes, round);
        CU_ASSERT_EQUAL(count, 0);
        if (count)
            fprintf(stderr, "\n  rank %d of %d x %d tiles%s, factor %zu: %zu bytes are wrong\n",
                    test_rank(), tiling.rows, tiling.cols, periodic ? ", periodic" : "", factor,
                    count);
        test_barrier(); /* nobody sends the next round's into this one's check */
    }
    gwf_halo_free(&halo);
    CU_ASSERT_PTR_NULL(halo);
}

/* Every cut of all ranks: rings of each size, columns, corners. */
static void exchange_all(bool periodic)
{
    static const size_t factors[] = {1, 100, 20000};
    for (int rows = 1; rows <= test_ranks(); rows++)
        for (size_t i = 0; i < sizeof factors / sizeof *factors && test_ranks() % rows == 0; i++)
            exchange((gwf_tiling){rows, test_ranks() / rows}, periodic, factors[i]);
}

static void test_rings(void)
{
    exchange_all(true);
}

static void test_edges(void)
{
    exchange_all(false);
}

/* Who borders on whom in a ring: towards growing columns the next rank, at its end the first. */
static void test_neighbours(void)
{
    gwf_tiles t;
    const int ranks = test_ranks(), r = test_rank();
    gwf_tiles_place(test_comm(), (gwf_tiling){1, ranks}, 16, 16 * ranks, true, &t);
    CU_ASSERT_EQUAL(t.neighbour[5], (r + 1) % ranks);
    CU_ASSERT_EQUAL(t.neighbour[3], (r + ranks - 1) % ranks);
    CU_ASSERT_TRUE(t.neighbour[0] == -1 && t.neighbour[1] == -1 && t.neighbour[8] == -1);
    gwf_tiles_place(test_comm(), (gwf_tiling){ranks, 1}, 16 * ranks, 16, false, &t);
    CU_ASSERT_EQUAL(t.neighbour[7], r + 1 < ranks ? r + 1 : -1);
    CU_ASSERT_EQUAL(t.neighbour[1], r - 1);
    CU_ASSERT_TRUE(t.neighbour[3] == -1 && t.neighbour[5] == -1 && t.neighbour[6] == -1);
}

static void test_too_large(void)
{
    gwf_error err = {0};
    gwf_tiles t;
    gwf_halo *halo = NULL;
    const gwf_halo_sizes sizes = {.send = {[5] = (size_t)INT_MAX + 1}};
    gwf_tiles_place(test_comm(), (gwf_tiling){1, test_ranks()}, 16, 16 * test_ranks(), true, &t);
    CHECK_FAILS(gwf_halo_create(&t, &sizes, &halo, &err), GWF_ERR_UNSUPPORTED, err,
                "a border of 2147483648 bytes is too large");
    CU_ASSERT_PTR_NULL(halo);
    gwf_halo_free(&halo);
}

int main(void)
{
    static const test_case cases[] = {
        {"neighbours", test_neighbours},
        {"periodic in longitude", test_rings},
        {"edges on all sides", test_edges},
        {"a border that is too large", test_too_large},
    };
    return test_run_ranks("halo", cases, sizeof cases / sizeof *cases);
}
