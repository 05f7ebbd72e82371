#include "test.h"

#include <stdio.h>

#include "engine/arena.h"

static bool collide(const gwf_extent *a, const gwf_extent *b)
{
    const bool together = a->first <= b->last && b->first <= a->last;
    return a->bytes && b->bytes && together && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

static void test_chain_shares(void)
{
    /* Each map is needed by its own step and the next: never more than two at a time. */
    gwf_extent chain[10];
    for (int i = 0; i < 10; i++) chain[i] = (gwf_extent){.bytes = 768, .first = i, .last = i + 1};
    CU_ASSERT_EQUAL(gwf_arena_lay_out(chain, 10), 1536);
}

static void test_nothing_collides(void)
{
    enum { N = 60 };
    gwf_extent e[N];
    unsigned state = 7;
    for (int round = 0; round < 50; round++) {
        size_t size = 0;
        for (int i = 0; i < N; i++) {
            state = state * 1664525u + 1013904223u;
            const int first = (int)(state >> 8) % 40, length = (int)(state >> 16) % 12;
            e[i] =
                (gwf_extent){.bytes = (state >> 20) % 5000, .first = first, .last = first + length};
        }
        const size_t arena = gwf_arena_lay_out(e, N);
        for (int i = 0; i < N; i++) {
            CU_ASSERT_EQUAL(e[i].offset % 256, 0);
            if (e[i].bytes && e[i].offset + e[i].bytes > size) size = e[i].offset + e[i].bytes;
            for (int j = 0; j < i; j++) CU_ASSERT_FALSE(collide(&e[i], &e[j]));
        }
        CU_ASSERT_TRUE(arena >= size && arena < size + 256);
    }
}

int main(void)
{
    static const test_case tests[] = {
        {"a chain of maps needs room for two", test_chain_shares},
        {"maps that live together never overlap", test_nothing_collides},
    };
    return test_run("arena", tests, sizeof tests / sizeof *tests);
}
