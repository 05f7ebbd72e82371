/* Which convolutions read what, and lists that do not fit their network. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/quantised.h"
#include "model/checkpoint.h"

typedef struct setup {
    gwf_tensor_set set;
    gwf_network network;
    gwf_quantised q;
} setup;

static void prepare(const char *checkpoint, gwf_padding padding, setup *s)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    *s = (setup){0};
    CHECK_OK(gwf_checkpoint_read(test_data(checkpoint), &s->set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&s->set, (gwf_edges){padding, 0, 0}, NULL, &s->network, &err), err);
    CHECK_OK(gwf_quantised_create(&s->network, &s->q, &err), err);
}

static void clear(setup *s)
{
    gwf_quantised_free(&s->q);
    gwf_network_free(&s->network);
    gwf_tensor_set_free(&s->set);
}

static int number(const setup *s, const char *name)
{
    for (int i = 0; i < s->network.n_layers; i++)
        if (strcmp(s->network.layers[i].name, name) == 0) return i;
    CU_FAIL("no such layer");
    return 0;
}

static const gwf_layer *layer(const setup *s, const char *name)
{
    return &s->network.layers[number(s, name)];
}

static gwf_quantised_layer *entry(const setup *s, const char *name)
{
    gwf_quantised_layer *found = gwf_quantised_find(&s->q, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

static void check_makers(gwf_padding padding)
{
    setup s;
    prepare("golden/unet.pt", padding, &s);
    const gwf_layer *sum = layer(&s, "attn4.Wg+Wx"), *next = layer(&s, "upconv4.conv.0");
    const int concat = layer(&s, "up4.up.1")->out.map;
    CU_ASSERT_EQUAL(gwf_map_read_by(&s.network, sum), concat);
    CU_ASSERT_EQUAL(gwf_map_read_by(&s.network, next), concat);
    CU_ASSERT_EQUAL(sum->in.map == concat, padding == GWF_PADDING_ZERO);
    CU_ASSERT_EQUAL(gwf_maker_of(&s.network, concat, 0), number(&s, "up4.up.1"));
    CU_ASSERT_EQUAL(gwf_maker_of(&s.network, concat, 1), number(&s, "conv3.conv.3"));
    CU_ASSERT_EQUAL(gwf_maker_of(&s.network, sum->in.map, 1), number(&s, "conv3.conv.3"));
    const int pooled = layer(&s, "conv4.conv.0")->in.map;
    CU_ASSERT_EQUAL(gwf_maker_of(&s.network, pooled, 0), number(&s, "conv3.conv.3"));
    CU_ASSERT_EQUAL(gwf_maker_of(&s.network, layer(&s, "conv1.conv.0")->in.map, 0), -1);
    clear(&s);
}

static void test_makers(void)
{
    check_makers(GWF_PADDING_ZERO);
    check_makers(GWF_PADDING_PERIODIC_LON);
}

static void test_list(void)
{
    setup s;
    gwf_error err = {0};
    prepare("golden/unet.pt", GWF_PADDING_ZERO, &s);
    CU_ASSERT_EQUAL(s.q.n_layers, 18 + 8 + 1 + 4);
    CU_ASSERT_TRUE(entry(&s, "conv1.conv.0")->is_signed);
    CU_ASSERT_EQUAL(entry(&s, "conv1.conv.0")->channels, 366);
    CU_ASSERT_FALSE(entry(&s, "conv1.conv.3")->is_signed);
    CU_ASSERT_FALSE(entry(&s, "conv2.conv.0")->is_signed); /* through a pool */
    CU_ASSERT_FALSE(entry(&s, "attn5.Wg+Wx")->is_signed);
    CU_ASSERT_EQUAL(entry(&s, "attn5.Wg+Wx")->channels, 2 * 16);
    CU_ASSERT_FALSE(entry(&s, "conv1x1")->int8);
    CHECK_OK(gwf_quantised_check(&s.network, &s.q, &err), err);
    clear(&s);
    prepare("golden/ann_3x3.pt", GWF_PADDING_ZERO, &s);
    CU_ASSERT_TRUE(s.q.layers[0].is_signed);
    CU_ASSERT_FALSE(s.q.layers[1].is_signed); /* ReLU */
    CU_ASSERT_TRUE(s.q.layers[2].is_signed);  /* leaky */
    CHECK_OK(gwf_quantised_check(&s.network, &s.q, &err), err);
    clear(&s);
}

/* ---- for a plan ---- */

static void all_int8(setup *s)
{
    for (int i = 0; i < s->q.n_layers; i++) {
        gwf_quantised_layer *l = &s->q.layers[i];
        l->int8 = true;
        for (int c = 0; c < l->channels; c++) l->mean[c] = (float)(100 * i + c);
    }
    for (int c = 0; c < 2 * 12; c++)
        entry(s, "attn4.Wg+Wx")->scale[c] = entry(s, "upconv4.conv.0")->scale[c] = 1.0f + (float)c;
}

static void check_maps(gwf_padding padding)
{
    setup s;
    gwf_int8 *maps = NULL;
    float *scales = NULL, *mean = NULL;
    gwf_error err = {0};
    prepare("golden/unet.pt", padding, &s);
    all_int8(&s);
    CHECK_OK(gwf_quantised_maps(&s.network, &s.q, 16, &maps, &scales, &err), err);
    const gwf_layer *sum = layer(&s, "attn4.Wg+Wx");
    const int both[2] = {sum->in.map, gwf_map_read_by(&s.network, sum)};
    for (int i = 0; i < 2; i++) { /* parts of 12 in places of 16 */
        const gwf_int8 *map = &maps[both[i]];
        CU_ASSERT_PTR_NOT_NULL_FATAL(map->scale);
        CU_ASSERT_FALSE(map->is_signed);
        CU_ASSERT_TRUE(map->scale[0] == 1 && map->scale[11] == 12 && map->scale[12] == 1);
        CU_ASSERT_TRUE(map->scale[16] == 13 && map->scale[27] == 24 && map->scale[31] == 1);
    }
    CU_ASSERT_TRUE(maps[s.network.input.map].is_signed);
    CU_ASSERT_PTR_NULL(maps[s.network.output.map].scale);
    CU_ASSERT_PTR_NULL(maps[layer(&s, "attn4.Psi.0")->out.map].scale);
    CHECK_OK(gwf_quantised_mean(&s.network, &s.q, sum, 16, &mean, &err), err);
    CU_ASSERT_TRUE(mean[16] - mean[11] == 1 && mean[12] == 0 && mean[31] == 0);
    free(mean);
    free(maps);
    free(scales);
    CHECK_OK(gwf_quantised_maps(&s.network, NULL, 16, &maps, &scales, &err), err);
    for (int i = 0; i < s.network.n_maps; i++) CU_ASSERT_PTR_NULL(maps[i].scale);
    free(maps);
    free(scales);
    clear(&s);
}

static void test_maps(void)
{
    check_maps(GWF_PADDING_ZERO);
    check_maps(GWF_PADDING_PERIODIC_LON);
}

/* ---- lists that do not fit ---- */

static void refuse(setup *s, const char *words)
{
    gwf_error err = {0};
    CHECK_FAILS(gwf_quantised_check(&s->network, &s->q, &err), GWF_ERR_MODEL, err, words);
}

static void test_refusals(void)
{
    static const float bad[] = {0, -1, NAN, INFINITY, 1e-42f};
    setup s;
    gwf_error err = {0};
    prepare("golden/unet.pt", GWF_PADDING_ZERO, &s);
    gwf_quantised_layer *l = entry(&s, "conv3.conv.0");
    strcpy(l->name, "conv9");
    refuse(&s, "layer conv9, expected conv3.conv.0 in its place");
    strcpy(l->name, "conv3.conv.0");
    l->channels--;
    refuse(&s, "layer conv3.conv.0 reads 7 unsigned channels, expected 8 unsigned");
    l->channels++;
    l->is_signed = true;
    refuse(&s, "reads 8 signed channels");
    l->is_signed = false;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        l->scale[3] = bad[i];
        refuse(&s, "layer conv3.conv.0, channel 3: scale");
    }
    l->scale[3] = 1;
    l->mean[2] = NAN;
    refuse(&s, "layer conv3.conv.0, channel 2");
    l->mean[2] = 0;
    entry(&s, "attn3.Wg+Wx")->int8 = true;
    refuse(&s, "upconv3.conv.0 and attn3.Wg+Wx read the same map, but only one in 8 bits");
    entry(&s, "upconv3.conv.0")->int8 = true;
    CHECK_OK(gwf_quantised_check(&s.network, &s.q, &err), err);
    entry(&s, "upconv3.conv.0")->scale[8] = 2; /* x: also in attn3, and pooled in conv3 */
    refuse(&s, "read the same values with different scales");
    entry(&s, "attn3.Wg+Wx")->scale[8] = 2;
    refuse(&s, "attn3.Wg+Wx and conv3.conv.0 read the same values");
    l->scale[0] = 2;
    CHECK_OK(gwf_quantised_check(&s.network, &s.q, &err), err);
    s.q.n_layers--;
    refuse(&s, "30 layers, the network has 31");
    s.q.n_layers++;
    clear(&s);
}

int main(void)
{
    static const test_case tests[] = {
        {"where values come from", test_makers},
        {"every convolution of a network", test_list},
        {"maps and means for a plan", test_maps},
        {"lists that do not fit are refused", test_refusals},
    };
    return test_run("quantised", tests, sizeof tests / sizeof *tests);
}
