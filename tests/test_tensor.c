#include "test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/tensor.h"

static void test_add_and_find(void)
{
    gwf_tensor_set set = {0};
    gwf_error err = {0};
    const size_t shape[] = {3, 4};
    gwf_tensor *added = NULL;
    for (int i = 0; i < 200; i++) { /* the list grows several times */
        char name[32];
        snprintf(name, sizeof name, "layer%d.weight", i);
        CHECK_OK(gwf_tensor_set_add(&set, name, 2, shape, &added, &err), err);
        added->data[11] = (float)i;
    }
    CU_ASSERT_EQUAL(gwf_tensor_set_values(&set), 2400);
    const gwf_tensor *found = gwf_tensor_set_find(&set, "layer123.weight");
    CU_ASSERT_PTR_NOT_NULL(found);
    if (found) CU_ASSERT_EQUAL(found->data[11], 123.0f);
    CU_ASSERT_PTR_NULL(gwf_tensor_set_find(&set, "layer200.weight"));
    gwf_tensor_set_free(&set);
    CU_ASSERT_EQUAL(set.count, 0);
}

static void test_refusals(void)
{
    gwf_tensor_set set = {0};
    gwf_error err = {0};
    char name[GWF_TENSOR_NAME + 1];
    const size_t shape[] = {2, 2, 2, 2, 2}, huge[] = {SIZE_MAX / 2, 3};
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_OK(gwf_tensor_set_add(&set, "a", 1, shape, NULL, &err), err);
    CHECK_FAILS(gwf_tensor_set_add(&set, "a", 1, shape, NULL, &err), GWF_ERR_FORMAT, err,
                "a stands there twice");
    CHECK_FAILS(gwf_tensor_set_add(&set, name, 1, shape, NULL, &err), GWF_ERR_FORMAT, err,
                "name of 128 characters");
    CHECK_FAILS(gwf_tensor_set_add(&set, "b", 5, shape, NULL, &err), GWF_ERR_FORMAT, err,
                "b has 5 dimensions");
    CHECK_FAILS(gwf_tensor_set_add(&set, "c", 2, huge, NULL, &err), GWF_ERR_FORMAT, err,
                "c is too large");
    CU_ASSERT_EQUAL(set.count, 1);
    gwf_tensor_set_free(&set);
}

static void test_scalar_and_text(void)
{
    gwf_tensor_set set = {0};
    gwf_error err = {0};
    gwf_tensor *scalar = NULL;
    char text[96];
    const size_t shape[] = {64, 366, 3, 3};
    CHECK_OK(gwf_tensor_set_add(&set, "s", 0, NULL, &scalar, &err), err);
    CU_ASSERT_EQUAL(scalar->size, 1);
    CU_ASSERT_STRING_EQUAL(gwf_shape_text(4, shape, text), "(64, 366, 3, 3)");
    CU_ASSERT_STRING_EQUAL(gwf_shape_text(0, shape, text), "()");
    gwf_tensor_set_free(&set);
}

int main(void)
{
    static const test_case tests[] = {
        {"tensors are added and found", test_add_and_find},
        {"doubles, long names and overflowing shapes are refused", test_refusals},
        {"a scalar has one value, shapes print", test_scalar_and_text},
    };
    return test_run("tensor", tests, sizeof tests / sizeof *tests);
}
