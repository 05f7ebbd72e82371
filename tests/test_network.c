/* The list of layers: what the builders make of names and shapes. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/network.h"
#include "model/checkpoint.h"

static void read_golden(const char *name, gwf_tensor_set *set)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    *set = (gwf_tensor_set){0};
    CHECK_OK(gwf_checkpoint_read(test_data(name), set, &info, NULL, &err), err);
}

static int count(const gwf_network *n, gwf_op_kind kind)
{
    int found = 0;
    for (int i = 0; i < n->n_layers; i++) found += n->layers[i].kind == kind;
    return found;
}

static const gwf_layer *layer(const gwf_network *n, const char *name)
{
    for (int i = 0; i < n->n_layers; i++)
        if (strcmp(n->layers[i].name, name) == 0) return &n->layers[i];
    return NULL;
}

static void test_unet(void)
{
    gwf_tensor_set set;
    gwf_network n;
    gwf_error err = {0};
    read_golden("golden/unet.pt", &set);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &n, &err), err);
    CU_ASSERT_STRING_EQUAL(n.architecture, "attention_unet");
    CU_ASSERT_STRING_EQUAL(n.widths, "4, 8, 12, 16, 24");
    CU_ASSERT_TRUE(n.inputs == 366 && n.outputs == 244 && n.divisor == 16);
    /* 5 + 4 blocks of two, 4 gates of two, the head; 4 ups, 4 pools, 4 gates */
    CU_ASSERT_EQUAL(count(&n, GWF_OP_CONV), 18 + 8 + 1);
    CU_ASSERT_EQUAL(count(&n, GWF_OP_UPCONV), 4);
    CU_ASSERT_EQUAL(count(&n, GWF_OP_POOL), 4);
    CU_ASSERT_EQUAL(count(&n, GWF_OP_GATE), 4);
    CU_ASSERT_EQUAL(count(&n, GWF_OP_HALO), 0);
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

/* g and x are the halves of one map: no layer copies them together. */
static void test_concatenation_is_one_map(void)
{
    gwf_tensor_set set;
    gwf_network n;
    gwf_error err = {0};
    read_golden("golden/unet.pt", &set);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &n, &err), err);
    const gwf_layer *x = layer(&n, "conv3.conv.3"), *g = layer(&n, "up4.up.1");
    const gwf_layer *sum = layer(&n, "attn4.Wg+Wx"), *gate = layer(&n, "attn4");
    const gwf_layer *next = layer(&n, "upconv4.conv.0");
    CU_ASSERT_TRUE_FATAL(x && g && sum && gate && next);
    CU_ASSERT_TRUE(g->out.part == 0 && x->out.part == 1 && gate->out.part == 1);
    CU_ASSERT_TRUE(sum->in.part == GWF_WHOLE && next->in.part == GWF_WHOLE);
    CU_ASSERT_TRUE(x->out.map == g->out.map && sum->in.map == g->out.map &&
                   next->in.map == g->out.map && gate->out.map == g->out.map);
    CU_ASSERT_EQUAL(sum->n_terms, 2);
    CU_ASSERT_STRING_EQUAL(sum->terms[0].weight->name, "attn4.Wg.0.weight");
    CU_ASSERT_STRING_EQUAL(sum->terms[1].weight->name, "attn4.Wx.0.weight");
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

static void test_periodic_padding(void)
{
    gwf_tensor_set set;
    gwf_network n;
    gwf_error err = {0};
    read_golden("golden/unet.pt", &set);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_PERIODIC_LON, 0, 0}, NULL, &n, &err),
             err);
    CU_ASSERT_EQUAL(count(&n, GWF_OP_HALO), 30); /* before every 3x3 */
    for (int i = 0; i < n.n_layers; i++) {
        if (n.layers[i].kernel != 3) continue;
        CU_ASSERT_TRUE(n.layers[i].pad_y == 1 && n.layers[i].pad_x == 0);
        CU_ASSERT_EQUAL(n.maps[n.layers[i].in.map].halo_x, 1);
    }
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

static void test_anns(void)
{
    static const struct {
        const char *file, *name;
        int convs, halo, dropped;
    } cases[] = {{"golden/ann_1x1.pt", "ann_1x1", 7, 0, 0},
                 {"golden/ann_3x3.pt", "ann_3x3", 8, 1, 4},
                 {"golden/ann_5x5.pt", "ann_5x5", 9, 2, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gwf_tensor_set set;
        gwf_network n;
        gwf_error err = {0};
        read_golden(cases[i].file, &set);
        const size_t before = set.count;
        CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &n, &err), err);
        CU_ASSERT_STRING_EQUAL(n.architecture, cases[i].name);
        CU_ASSERT_EQUAL(count(&n, GWF_OP_CONV), cases[i].convs);
        CU_ASSERT_EQUAL(n.divisor, 1);
        CU_ASSERT_EQUAL(before - set.count, (size_t)cases[i].dropped); /* bnorm1.* */
        if (cases[i].halo) {
            const gwf_layer *halo = layer(&n, "halo");
            CU_ASSERT_PTR_NOT_NULL_FATAL(halo);
            CU_ASSERT_EQUAL(n.maps[halo->out.map].halo_y, cases[i].halo);
            CU_ASSERT_EQUAL(n.maps[halo->out.map].halo_x, cases[i].halo);
        }
        gwf_network_free(&n);
        gwf_tensor_set_free(&set);
    }
}

/* The published sizes: 37,962,848 parameters with 488 inputs make 11.80 GMAC on a 64 x 128 map. */
static void test_macs(void)
{
    gwf_tensor_set set;
    gwf_network n;
    gwf_error err = {0};
    double macs = 0;
    static const int width[] = {4, 8, 12, 16, 24};
    read_golden("golden/unet.pt", &set);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &n, &err), err);
    for (int k = 0; k < 5; k++) {
        const double points = 16 * 32 / (double)(1 << (2 * k)), w = width[k];
        macs += 9 * points * (k ? width[k - 1] * w : 366 * w) + 9 * points * w * w;
        if (k == 4) break;
        const double inner = width[k] / 2, up = width[k + 1];
        macs += 9 * points * (up * w + 2 * w * inner + inner + 2 * w * w + w * w);
    }
    macs += 16 * 32 * 4 * 244;
    CU_ASSERT_EQUAL(gwf_network_macs(&n, 16, 32), macs);
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

int main(void)
{
    static const test_case tests[] = {
        {"the U-Net's layers", test_unet},
        {"a concatenation is one map", test_concatenation_is_one_map},
        {"periodic padding before every 3x3", test_periodic_padding},
        {"the ANNs' layers", test_anns},
        {"multiply-adds", test_macs},
    };
    return test_run("network", tests, sizeof tests / sizeof *tests);
}
