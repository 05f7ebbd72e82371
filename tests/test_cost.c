/* Counts of a tiled map against hand counts, against the published sizes, and what must hold for
 * every tiling. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "engine/cost.h"
#include "model/checkpoint.h"
#include "wide_unet.h"

static void read_golden(const char *name, gwf_tensor_set *set)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    *set = (gwf_tensor_set){0};
    CHECK_OK(gwf_checkpoint_read(test_data(name), set, &info, NULL, &err), err);
}

static void build(gwf_tensor_set *set, gwf_padding padding, gwf_tiling t, gwf_network *n)
{
    gwf_error err = {0};
    const gwf_edges edges = {padding, t.rows > 1, t.cols > 1};
    CHECK_OK(gwf_network_build(set, edges, NULL, n, &err), err);
}

static const gwf_layer *layer(const gwf_network *n, const char *name)
{
    for (int i = 0; i < n->n_layers; i++)
        if (strcmp(n->layers[i].name, name) == 0) return &n->layers[i];
    return NULL;
}

/* 64 x 128 points: 11.22 GMAC with the 366 inputs of the papers, 11.80 with 488. */
static void test_published_sizes(void)
{
    static const struct {
        int inputs;
        double gmac;
    } cases[] = {{366, 11.22}, {488, 11.80}};
    for (size_t i = 0; i < 2; i++) {
        gwf_tensor_set set = {0};
        gwf_network n;
        gwf_error err = {0};
        CHECK_OK(wide_unet(&set, cases[i].inputs, &err), err);
        build(&set, GWF_PADDING_ZERO, (gwf_tiling){1, 1}, &n);
        const gwf_cut cut = {64, 128, {1, 1}, 1};
        const gwf_cost cost = gwf_cost_of_map(&n, &cut);
        CHECK_AT_MOST(cost.macs * 1e-9 - cases[i].gmac, 0.005);
        CHECK_AT_MOST(cases[i].gmac - cost.macs * 1e-9, 0.005);
        CU_ASSERT_TRUE(cost.halo_bytes == 0 && cost.halo_messages == 0);
        gwf_network_free(&n);
        gwf_tensor_set_free(&set);
    }
}

/* Every value of a convolution and its bias, once. */
static void test_weights(void)
{
    gwf_tensor_set set = {0};
    gwf_network n;
    gwf_error err = {0};
    double values = 0;
    CHECK_OK(wide_unet(&set, 488, &err), err);
    for (size_t i = 0; i < set.count; i++) {
        const gwf_tensor *t = &set.items[i];
        if (t->rank == 4) values += (double)t->size;
        if (t->rank == 4) values += (double)t->shape[0]; /* its bias */
        /* Wg and Wx are one convolution, with one bias */
        if (t->rank == 4 && strstr(t->name, ".Wx.")) values -= (double)t->shape[0];
    }
    build(&set, GWF_PADDING_ZERO, (gwf_tiling){4, 8}, &n);
    const gwf_cut whole = {64, 128, {1, 1}, 1}, cut = {64, 128, {4, 8}, 1};
    CU_ASSERT_EQUAL(gwf_cost_of_map(&n, &cut).weight_bytes, 4 * values);
    CU_ASSERT_EQUAL(gwf_cost_of_map(&n, &whole).weight_bytes, 4 * values);
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

/* One border counted on paper: conv4.conv.3 of the small net, 16 channels, level 3 of a 64 x 128
 * map in 2 x 4 tiles of 32 x 32, so 4 x 4 points a tile. */
static void test_by_hand(void)
{
    gwf_tensor_set set;
    gwf_network n;
    const gwf_tiling t = {2, 4};
    read_golden("golden/unet.pt", &set);
    for (int periodic = 0; periodic < 2; periodic++) {
        build(&set, periodic ? GWF_PADDING_PERIODIC_LON : GWF_PADDING_ZERO, t, &n);
        const gwf_layer *halo = layer(&n, "conv4.conv.3.halo"), *conv = layer(&n, "conv4.conv.3");
        CU_ASSERT_TRUE_FATAL(halo && conv);
        const gwf_cut cut = {64, 128, t, 1};
        const gwf_cost corner = gwf_cost_of_layer(&n, halo, &cut, 0);
        const gwf_cost edge = gwf_cost_of_layer(&n, halo, &cut, 1);
        /* below 4, beside 4 and one in the corner; the seam adds a side and a corner */
        CU_ASSERT_EQUAL(corner.halo_messages, periodic ? 5 : 3);
        CU_ASSERT_EQUAL(corner.halo_bytes, 4 * 16 * (periodic ? 4 + 2 * (4 + 1) : 4 + 4 + 1));
        CU_ASSERT_EQUAL(edge.halo_messages, 5);
        CU_ASSERT_EQUAL(edge.halo_bytes, 4 * 16 * (4 + 2 * (4 + 1)));
        CU_ASSERT_EQUAL(gwf_cost_of_slowest(&n, halo, &cut).halo_messages, 5);
        CU_ASSERT_EQUAL(corner.map_bytes, 4 * 16 * (4 * 4 + 6 * 6));
        CU_ASSERT_TRUE(corner.macs == 0 && corner.weight_bytes == 0);
        const gwf_cost work = gwf_cost_of_layer(&n, conv, &cut, 0);
        CU_ASSERT_EQUAL(work.macs, 9.0 * 16 * 16 * 4 * 4);
        CU_ASSERT_EQUAL(work.weight_bytes, 4 * (9 * 16 * 16 + 16));
        CU_ASSERT_EQUAL(work.map_bytes, 4 * 16 * (6 * 6 + 4 * 4));
        CU_ASSERT_TRUE(work.halo_bytes == 0 && work.halo_messages == 0);
        /* blocks of 12 channels: 16 become 24 */
        const gwf_cut blocks = {64, 128, t, 12};
        CU_ASSERT_EQUAL(gwf_cost_of_layer(&n, halo, &blocks, 1).halo_bytes, 4 * 24 * 14);
        gwf_network_free(&n);
    }
    gwf_tensor_set_free(&set);
}

/* A ring of one tile is a copy, one of two sends both its sides to the same rank. */
static void test_rings(void)
{
    gwf_tensor_set set;
    gwf_network n;
    read_golden("golden/unet.pt", &set);
    build(&set, GWF_PADDING_PERIODIC_LON, (gwf_tiling){2, 1}, &n);
    const gwf_cut column = {64, 128, {2, 1}, 1};
    const gwf_layer *halo = layer(&n, "conv1.conv.3.halo");
    CU_ASSERT_PTR_NOT_NULL_FATAL(halo);
    /* down, and the two corners, which wrap around to the same tile */
    CU_ASSERT_EQUAL(gwf_cost_of_layer(&n, halo, &column, 0).halo_messages, 3);
    CU_ASSERT_EQUAL(gwf_cost_of_layer(&n, halo, &column, 0).halo_bytes, 4 * 4 * (128 + 2));
    gwf_network_free(&n);
    build(&set, GWF_PADDING_PERIODIC_LON, (gwf_tiling){1, 2}, &n);
    const gwf_cut row = {64, 128, {1, 2}, 1};
    halo = layer(&n, "conv1.conv.3.halo");
    CU_ASSERT_PTR_NOT_NULL_FATAL(halo);
    CU_ASSERT_EQUAL(gwf_cost_of_layer(&n, halo, &row, 0).halo_messages, 2);
    CU_ASSERT_EQUAL(gwf_cost_of_layer(&n, halo, &row, 0).halo_bytes, 4 * 4 * 2 * 64);
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

static const gwf_tiling tilings[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 5}, {4, 8}};

/* Whatever the tiling: the tiles' multiply-adds add up to the whole map's, the largest is no less
 * than the mean, what is sent is received, weights do not depend on the tile. */
static void test_all_tilings(void)
{
    gwf_tensor_set set;
    read_golden("golden/unet.pt", &set);
    for (size_t k = 0; k < sizeof tilings / sizeof *tilings; k++) {
        gwf_network n;
        const gwf_tiling t = tilings[k];
        const gwf_cut cut = {64, 128, t, 1};
        const int ranks = t.rows * t.cols;
        build(&set, GWF_PADDING_PERIODIC_LON, t, &n);
        double macs = 0, most = 0;
        for (int i = 0; i < n.n_layers; i++) {
            const gwf_cost slowest = gwf_cost_of_slowest(&n, &n.layers[i], &cut);
            most += slowest.macs;
            if (n.layers[i].kind != GWF_OP_HALO) CU_ASSERT_EQUAL(slowest.halo_bytes, 0);
            for (int r = 0; r < ranks; r++) {
                const gwf_cost cost = gwf_cost_of_layer(&n, &n.layers[i], &cut, r);
                macs += cost.macs;
                CU_ASSERT_TRUE(cost.macs <= slowest.macs && cost.halo_bytes <= slowest.halo_bytes);
            }
        }
        CU_ASSERT_EQUAL(macs, gwf_network_macs(&n, 64, 128));
        CU_ASSERT_EQUAL(most, gwf_cost_of_map(&n, &cut).macs);
        CHECK_AT_MOST(macs / ranks, most);
        gwf_network_free(&n);
    }
    gwf_tensor_set_free(&set);
}

/* 1x1 networks need no neighbours; 3x3 and 5x5 exchange once, however deep. */
static void test_anns(void)
{
    static const struct {
        const char *file;
        int messages, width;
    } cases[] = {
        {"golden/ann_1x1.pt", 0, 0}, {"golden/ann_3x3.pt", 5, 1}, {"golden/ann_5x5.pt", 5, 2}};
    for (size_t i = 0; i < 3; i++) {
        gwf_tensor_set set;
        gwf_network n;
        const gwf_tiling t = {2, 3};
        const gwf_cut cut = {32, 48, t, 1};
        const int w = cases[i].width;
        read_golden(cases[i].file, &set);
        build(&set, GWF_PADDING_ZERO, t, &n);
        const gwf_cost cost = gwf_cost_of_map(&n, &cut);
        CU_ASSERT_EQUAL(cost.halo_messages, cases[i].messages);
        CU_ASSERT_EQUAL(cost.halo_bytes, 4.0 * n.inputs * (3 * 16 * w + 2 * w * w));
        gwf_network_free(&n);
        gwf_tensor_set_free(&set);
    }
}

static void test_moving(void)
{
    const gwf_cut whole = {64, 128, {1, 1}, 1}, two = {64, 128, {1, 2}, 1},
                  uneven = {48, 32, {2, 1}, 1};
    CU_ASSERT_EQUAL(gwf_cost_of_moving(&whole, 488), 0);
    CU_ASSERT_EQUAL(gwf_cost_of_moving(&two, 488), 4 * 488 * 64 * 64);
    CU_ASSERT_EQUAL(gwf_cost_of_moving(&uneven, 3), 4 * 3 * 16 * 32); /* rank 0 keeps 32 rows */
}

static void test_channel_share(void)
{
    gwf_tensor_set set = {0};
    gwf_network n;
    gwf_error err = {0};
    CHECK_OK(wide_unet(&set, 488, &err), err);
    build(&set, GWF_PADDING_ZERO, (gwf_tiling){1, 1}, &n);
    const gwf_layer *deep = layer(&n, "conv5.conv.3"), *psi = layer(&n, "attn5.Psi.0");
    CU_ASSERT_TRUE_FATAL(deep && psi);
    static const struct {
        int ranks;
        double share;
    } cases[] = {{1, 1}, {2, 1.0 / 2}, {3, 22.0 / 64}, {64, 1.0 / 64}, {512, 1.0 / 64}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(gwf_cost_channel_share(&n, deep, 16, cases[i].ranks), cases[i].share);
        CU_ASSERT_EQUAL(gwf_cost_channel_share(&n, psi, 16, cases[i].ranks), 1);
    }
    const gwf_cut cut = {64, 128, {4, 8}, 16};
    CU_ASSERT_EQUAL(gwf_cost_of_result(&n, deep, &cut), 4 * 1024 * 4 * 8);
    gwf_network_free(&n);
    gwf_tensor_set_free(&set);
}

int main(void)
{
    static const test_case tests[] = {
        {"the published sizes", test_published_sizes},
        {"every weight once", test_weights},
        {"a border counted by hand", test_by_hand},
        {"rings of one and two tiles", test_rings},
        {"what holds for every tiling", test_all_tilings},
        {"the ANNs exchange once", test_anns},
        {"to and from rank 0", test_moving},
        {"shares of output channels", test_channel_share},
    };
    return test_run("cost", tests, sizeof tests / sizeof *tests);
}
