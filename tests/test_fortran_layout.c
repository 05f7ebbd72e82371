/* Structs cross the border between C and Fortran whole: what the module fills in by name arrives
 * under the same names, and no byte is missing. */
#include <stdint.h>

#include "gwflux.h"
#include "test.h"

/* tests/fortran/layout.f90: members filled with 1, 2, 3, ... */
void fill_shape(gwf_shape *shape, size_t *bytes);
void fill_columns(gwf_columns *columns, size_t *bytes);
void fill_array(gwf_array *array, size_t *bytes);
void fill_window(gwf_window *window, size_t *bytes);
void fill_counters(gwf_counters *counters, size_t *bytes);

static void test_shape(void)
{
    gwf_shape x;
    size_t bytes = 0;
    fill_shape(&x, &bytes);
    CU_ASSERT_EQUAL(bytes, sizeof x);
    CU_ASSERT_EQUAL(x.inputs, 1);
    CU_ASSERT_EQUAL(x.outputs, 2);
    CU_ASSERT_EQUAL(x.levels, 3);
    CU_ASSERT_EQUAL(x.lat, 4);
    CU_ASSERT_EQUAL(x.lon, 5);
}

static void test_columns(void)
{
    gwf_columns x;
    size_t bytes = 0;
    fill_columns(&x, &bytes);
    CU_ASSERT_EQUAL(bytes, sizeof x);
    CU_ASSERT_EQUAL(x.ni, 1);
    CU_ASSERT_EQUAL(x.nj, 2);
    CU_ASSERT_EQUAL((uintptr_t)x.lat, 3);
    CU_ASSERT_EQUAL((uintptr_t)x.lon, 4);
    CU_ASSERT_EQUAL((uintptr_t)x.units, 5);
    CU_ASSERT_EQUAL((uintptr_t)x.id, 6);
}

static void test_array(void)
{
    gwf_array x;
    size_t bytes = 0;
    fill_array(&x, &bytes);
    CU_ASSERT_EQUAL(bytes, sizeof x);
    CU_ASSERT_EQUAL((uintptr_t)x.data, 1);
    CU_ASSERT_EQUAL(x.kind, GWF_REAL32);
    CU_ASSERT_EQUAL(x.levels, 3);
    CU_ASSERT_EQUAL(x.stride_i, 4);
    CU_ASSERT_EQUAL(x.stride_j, 5);
    CU_ASSERT_EQUAL(x.stride_level, 6);
}

static void test_window(void)
{
    gwf_window x;
    size_t bytes = 0;
    fill_window(&x, &bytes);
    CU_ASSERT_EQUAL(bytes, sizeof x);
    CU_ASSERT_EQUAL(x.block, 1);
    CU_ASSERT_EQUAL(x.i, 2);
    CU_ASSERT_EQUAL(x.j, 3);
    CU_ASSERT_EQUAL(x.ni, 4);
    CU_ASSERT_EQUAL(x.nj, 5);
}

static void test_counters(void)
{
    gwf_counters x;
    size_t bytes = 0;
    fill_counters(&x, &bytes);
    CU_ASSERT_EQUAL(bytes, sizeof x);
    CU_ASSERT_EQUAL(x.steps, 1);
    CU_ASSERT_EQUAL(x.computed, 2);
    CU_ASSERT_EQUAL(x.held, 3);
    CU_ASSERT_EQUAL(x.zeroed, 4);
    CU_ASSERT_EQUAL(x.host, 5);
    CU_ASSERT_EQUAL(x.bad_input, 6);
    CU_ASSERT_EQUAL(x.bad_output, 7);
    CU_ASSERT_EQUAL(x.outside, 8);
    CU_ASSERT_EQUAL(x.capped, 9);
    CU_ASSERT_DOUBLE_EQUAL(x.largest, 10.5, 0);
    for (int i = 0; i < 4; i++) CU_ASSERT_DOUBLE_EQUAL(x.seconds[i], 11.5 + i, 0);
}

int main(void)
{
    static const test_case tests[] = {
        {"gwf_shape", test_shape},   {"gwf_columns", test_columns},   {"gwf_array", test_array},
        {"gwf_window", test_window}, {"gwf_counters", test_counters},
    };
    return test_run("fortran_layout", tests, sizeof tests / sizeof *tests);
}
