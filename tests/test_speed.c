/* The time model on machines so simple that the answer is arithmetic. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/speed.h"
#include "wide_unet.h"

static void check_near(double value, double truth)
{
    if (!(fabs(value - truth) <= 1e-9 * fabs(truth)))
        fprintf(stderr, "\n  %.15g, expected %.15g\n", value, truth);
    CU_ASSERT_TRUE(fabs(value - truth) <= 1e-9 * fabs(truth));
}

/* Networks [rows cut][columns cut] and a machine on which every layer takes the same. */
typedef struct speed_case {
    gwf_tensor_set set;
    gwf_network networks[2][2];
    gwf_layer_speed *layers;
    gwf_machine machine;
} speed_case;

static void begin(speed_case *c, gwf_layer_speed each)
{
    gwf_error err = {0};
    *c = (speed_case){.set = {0}};
    CHECK_OK(wide_unet(&c->set, 488, &err), err);
    for (int i = 0; i < 4; i++) {
        const gwf_edges edges = {GWF_PADDING_ZERO, i / 2, i % 2};
        CHECK_OK(gwf_network_build(&c->set, edges, NULL, &c->networks[i / 2][i % 2], &err), err);
    }
    const gwf_network *n = &c->networks[1][1];
    c->layers = calloc((size_t)n->n_layers, sizeof *c->layers);
    for (int i = 0; i < n->n_layers; i++) {
        c->layers[i] = each;
        if (!n->layers[i].kernel) c->layers[i].weights = 0;
    }
    c->machine = (gwf_machine){.network = n,
                               .layers = c->layers,
                               .copy = 1e10,
                               .near = {1e-6, 1e9},
                               .far = {5e-6, 1e8},
                               .root = 2e9,
                               .node_ranks = 64};
}

static void end(speed_case *c)
{
    for (int i = 0; i < 4; i++) gwf_network_free(&c->networks[i / 2][i % 2]);
    gwf_tensor_set_free(&c->set);
    free(c->layers);
}

static gwf_map_time time_of(const speed_case *c, const gwf_cut *cut)
{
    return gwf_time_of_map(&c->machine, &c->networks[cut->tiling.rows > 1][cut->tiling.cols > 1],
                           cut);
}

/* A straight line through two measurements, never below 0. */
static void test_fit(void)
{
    const gwf_layer conv = {.kernel = 3}, pool = {.kind = GWF_OP_POOL};
    const double points[] = {256, 8192};
    const double line[] = {256 * 2e-6 + 1e-3, 8192 * 2e-6 + 1e-3};
    const double falling[] = {2e-3, 1e-3}, steep[] = {1e-6, 1};
    gwf_layer_speed s = gwf_layer_speed_fit(&conv, points, line);
    check_near(s.point, 2e-6);
    check_near(s.weights, 1e-3);
    CU_ASSERT_EQUAL(s.start, 0);
    s = gwf_layer_speed_fit(&pool, points, line);
    check_near(s.start, 1e-3);
    CU_ASSERT_EQUAL(s.weights, 0);
    s = gwf_layer_speed_fit(&conv, points, falling);
    CU_ASSERT_TRUE(s.point == 0 && s.weights == 1e-3);
    s = gwf_layer_speed_fit(&conv, points, steep);
    CU_ASSERT_TRUE(s.weights == 0 && s.point > 0);
}

/* Arithmetic bounds a large convolution, memory a pooling. */
static void test_sheet(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){0});
    const gwf_network *n = &c.networks[0][0];
    const gwf_sheet sheet = {.flops = 1e12, .memory = 1e12, .start = 3e-6};
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer_speed s = gwf_layer_speed_of_sheet(n, &n->layers[i], &sheet, 8);
        CU_ASSERT_EQUAL(s.start, 3e-6);
        if (strcmp(n->layers[i].name, "conv1.conv.0") == 0) {
            check_near(s.point, 2 * 9 * 488 * 64 / 1e12);
            check_near(s.weights, 4.0 * (9 * 488 + 1) * 64 / 1e12);
        }
        if (strcmp(n->layers[i].name, "pool1") == 0)
            check_near(s.point, 4.0 * 64 * (1 + 0.25) / 1e12);
    }
    end(&c);
}

/* Points are divided among the ranks, weights are not; a map that is whole has no borders. */
static void test_compute(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){.point = 1e-8, .weights = 1e-4, .start = 1e-6});
    const gwf_network *n = &c.networks[0][0];
    int convolutions = 0;
    for (int i = 0; i < n->n_layers; i++) convolutions += n->layers[i].kernel > 0;
    const gwf_cut whole = {64, 128, {1, 1}, 16}, cut = {64, 128, {4, 8}, 16};
    const gwf_map_time one = time_of(&c, &whole), many = time_of(&c, &cut);
    check_near(one.compute, n->n_layers * (8192 * 1e-8 + 1e-6));
    check_near(one.weights, convolutions * 1e-4);
    CU_ASSERT_EQUAL(one.borders, 0);
    check_near(many.compute, n->n_layers * (256 * 1e-8 + 1e-6));
    check_near(many.weights, convolutions * 1e-4);
    end(&c);
}

/* Two tiles of 64 x 64: 30 exchanges of one message each. */
static void test_borders(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){0});
    const gwf_cut cut = {64, 128, {1, 2}, 16};
    const double bytes = gwf_cost_of_map(&c.networks[0][1], &cut).halo_bytes;
    CU_ASSERT_TRUE(bytes > 0);
    check_near(time_of(&c, &cut).borders, 30 * 1e-6 + bytes / 1e9);
    c.machine.exchange = 1e-5;
    check_near(time_of(&c, &cut).borders, 30 * 1.1e-5 + bytes / 1e9);
    c.machine.node_ranks = 2;
    check_near(time_of(&c, &cut).borders, 30 * 1.1e-5 + bytes / 1e9);
    c.machine.node_ranks = 1; /* now they are on two nodes */
    check_near(time_of(&c, &cut).borders, 30 * 1.5e-5 + bytes / 1e8);
    end(&c);
}

static void test_moving(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){0});
    c.machine.load = (gwf_layer_speed){.point = 1e-7};
    c.machine.store = (gwf_layer_speed){.point = 2e-7, .start = 1e-6};
    const gwf_cut whole = {64, 128, {1, 1}, 16}, cut = {64, 128, {2, 2}, 16};
    const double bytes = 4.0 * 8192 * (488 + 244);
    check_near(time_of(&c, &whole).moving, 8192 * 3e-7 + 1e-6);
    check_near(time_of(&c, &cut).moving,
               2048 * 3e-7 + 1e-6 + bytes / 1e10 + 0.75 * bytes / 2e9 + 6 * 1e-6);
    end(&c);
}

/* Ranks of a node that ask for twice the weights that its memory gives take twice as long. */
static void test_crowding(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){.weights = 1e-3});
    const gwf_network *n = &c.networks[1][1];
    const gwf_cut two = {64, 128, {1, 2}, 16}, many = {64, 128, {4, 8}, 16};
    const double before = time_of(&c, &two).weights;
    const double asked = gwf_cost_of_map(n, &many).weight_bytes / before; /* of one rank */
    c.machine.node_memory = asked * 16;
    check_near(time_of(&c, &two).weights, before);
    check_near(time_of(&c, &many).weights, 2 * before);
    c.machine.node_ranks = 8; /* on four nodes */
    check_near(time_of(&c, &many).weights, before);
    end(&c);
}

/* The three convolutions of the deepest level where only weights count: in tiles always the same,
 * by channels half of it on two ranks plus the maps that all must get. */
static void test_deep(void)
{
    speed_case c;
    begin(&c, (gwf_layer_speed){.weights = 1e-3});
    c.machine.near = (gwf_link){1e-5, 1e12};
    const gwf_cut one = {64, 128, {1, 1}, 16}, cut = {64, 128, {1, 2}, 16};
    gwf_deep_time deep = gwf_time_of_deep(&c.machine, &c.networks[0][0], &one, 4);
    CU_ASSERT_EQUAL(deep.convolutions, 3);
    CU_ASSERT_EQUAL(deep.weight_bytes, 4.0 * (9 * (512 * 1024 + 1024 * 1024 + 1024 * 512) + 2560));
    check_near(deep.tiles, 3e-3);
    check_near(deep.channels, 3e-3);
    deep = gwf_time_of_deep(&c.machine, &c.networks[0][1], &cut, 4);
    /* pool4 (512 x 4 x 8), two convolutions (1024 x 4 x 8), up5 (512 x 8 x 16) */
    const double bytes = 4.0 * (512 * 32 + 2 * 1024 * 32 + 512 * 128) / 2;
    check_near(deep.channels, 1.5e-3 + 4 * 1e-5 + bytes / 1e12);
    /* conv5.conv.0, conv5.conv.3 and up5 exchange columns of 4 points */
    check_near(deep.tiles, 3e-3 + 3 * 1e-5 + 4.0 * 4 * (512 + 1024 + 1024) / 1e12);
    end(&c);
}

int main(void)
{
    static const test_case tests[] = {
        {"a layer fitted to two tiles", test_fit},
        {"a layer from a data sheet", test_sheet},
        {"compute and weights", test_compute},
        {"borders", test_borders},
        {"moving", test_moving},
        {"ranks that share memory", test_crowding},
        {"the deepest level by channels", test_deep},
    };
    return test_run("speed", tests, sizeof tests / sizeof *tests);
}
