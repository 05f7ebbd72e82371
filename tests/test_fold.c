/* Folding BatchNorm into a convolution: against the two steps done one after the other. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fold.h"

static float noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

static const gwf_tensor *add(gwf_tensor_set *set, const char *name, int rank, size_t out, size_t in,
                             float offset, unsigned *seed)
{
    const size_t shape[] = {out, in, 3, 3};
    gwf_tensor *t = NULL;
    gwf_error err = {0};
    CHECK_OK(gwf_tensor_set_add(set, name, rank, shape, &t, &err), err);
    for (size_t i = 0; i < t->size; i++) t->data[i] = offset + 0.5f * noise(seed);
    return t;
}

/* Two terms over the parts (5, 7) of a map, 3 channels out: the gate's sum. */
typedef struct setup {
    gwf_tensor_set set;
    gwf_map maps[2];
    gwf_network network;
    gwf_layer layer;
} setup;

static void prepare(setup *s)
{
    unsigned seed = 1;
    static const char *const names[2][6] = {{"a.w", "a.b", "a.g", "a.t", "a.m", "a.v"},
                                            {"b.w", "b.b", "b.g", "b.t", "b.m", "b.v"}};
    *s = (setup){.maps = {{{5, 7}, 0, 0, 0}, {{3, 0}, 0, 0, 0}}};
    for (int t = 0; t < 2; t++) {
        add(&s->set, names[t][0], 4, 3, t ? 7 : 5, 0, &seed);
        add(&s->set, names[t][1], 1, 3, 0, 0, &seed);
        add(&s->set, names[t][2], 1, 3, 0, 1, &seed);
        add(&s->set, names[t][3], 1, 3, 0, 0, &seed);
        add(&s->set, names[t][4], 1, 3, 0, 0, &seed);
        add(&s->set, names[t][5], 1, 3, 0, 1, &seed);
    }
    s->network = (gwf_network){.maps = s->maps, .n_maps = 2};
    s->layer = (gwf_layer){.kind = GWF_OP_CONV,
                           .name = "gate",
                           .in = {0, GWF_WHOLE},
                           .out = {1, GWF_WHOLE},
                           .kernel = 3,
                           .n_terms = 2};
    for (int t = 0; t < 2; t++) {
        const gwf_tensor *first = &s->set.items[6 * t];
        s->layer.terms[t] =
            (gwf_conv_term){first, first + 1, first + 2, first + 3, first + 4, first + 5};
    }
}

/* norm(conv(x)) summed over the terms for one patch x of 12 channels x 9, output k. */
static double two_steps(const setup *s, const float *patch, size_t k)
{
    double total = 0;
    for (int t = 0; t < 2; t++) {
        const gwf_conv_term *term = &s->layer.terms[t];
        const size_t n = term->weight->shape[1] * 9;
        const float *x = patch + (t ? 5 * 9 : 0);
        double sum = term->bias->data[k];
        for (size_t i = 0; i < n; i++) sum += (double)term->weight->data[k * n + i] * x[i];
        total += (sum - term->mean->data[k]) / sqrt(term->variance->data[k] + 1e-5) *
                     term->gamma->data[k] +
                 term->beta->data[k];
    }
    return total;
}

static void test_fold_equals_two_steps(void)
{
    static const int blocks[] = {1, 8, 16};
    setup s;
    gwf_error err = {0};
    float patch[12 * 9];
    unsigned seed = 99;
    prepare(&s);
    for (size_t i = 0; i < sizeof patch / sizeof *patch; i++) patch[i] = noise(&seed);
    for (int b = 0; b < 3; b++) {
        const int block = blocks[b];
        const size_t part0 = (size_t)((5 + block - 1) / block * block);
        const size_t in = part0 + (size_t)((7 + block - 1) / block * block);
        gwf_folded folded;
        CHECK_OK(gwf_fold(&s.network, &s.layer, block, &folded, &err), err);
        for (size_t k = 0; k < 3; k++) {
            double got = folded.bias[k];
            for (size_t c = 0; c < 12; c++)
                for (size_t i = 0; i < 9; i++)
                    got += (double)folded.weights[(k * in + (c < 5 ? c : c - 5 + part0)) * 9 + i] *
                           patch[c * 9 + i];
            CHECK_AT_MOST(fabs(got - two_steps(&s, patch, k)), 1e-6);
        }
        /* Everything that rounding up added is zero. */
        double sum = 0;
        for (size_t k = 0; k < 3; k++)
            for (size_t c = 5; c < part0; c++)
                for (size_t i = 0; i < 9; i++)
                    sum += fabs((double)folded.weights[(k * in + c) * 9 + i]);
        CU_ASSERT_EQUAL(sum, 0);
        gwf_folded_free(&folded);
    }
    gwf_tensor_set_free(&s.set);
}

static void test_overflow(void)
{
    setup s;
    gwf_error err = {0};
    gwf_folded folded;
    prepare(&s);
    s.set.items[0].data[2] = 3e38f;
    s.set.items[5].data[0] = 1e-5f; /* the norm makes it 300 times larger */
    CHECK_FAILS(gwf_fold(&s.network, &s.layer, 16, &folded, &err), GWF_ERR_MODEL, err,
                "tensor a.w with its BatchNorm is too large");
    gwf_tensor_set_free(&s.set);
}

int main(void)
{
    static const test_case tests[] = {
        {"folded weights do what conv and norm do in two steps", test_fold_equals_two_steps},
        {"weights that overflow are named", test_overflow},
    };
    return test_run("fold", tests, sizeof tests / sizeof *tests);
}
