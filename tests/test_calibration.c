/* What an observer finds against the values themselves, kept and sorted here. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/calibration.h"
#include "model/checkpoint.h"

enum { ROWS = 16, COLS = 16, POINTS = ROWS * COLS, MAPS = 3, LAYERS = 96 };

/* Every layer's result of every map. */
typedef struct record {
    gwf_calibration *c;
    char name[LAYERS][GWF_LAYER_NAME];
    int channels[LAYERS], rows[LAYERS];
    float *values[LAYERS][MAPS];
    int map, next;
} record;

static void keep(void *user, const char *name, int channels, int rows, int cols,
                 const float *values)
{
    record *r = user;
    const int i = r->next++;
    const size_t bytes = (size_t)channels * (size_t)(rows * cols) * sizeof *values;
    snprintf(r->name[i], GWF_LAYER_NAME, "%s", name);
    r->channels[i] = channels;
    r->rows[i] = rows;
    r->values[i][r->map] = malloc(bytes);
    memcpy(r->values[i][r->map], values, bytes);
    gwf_calibration_tap(r->c, name, channels, rows, cols, values);
}

static void watch(const gwf_network *network, record *r, float *inputs[MAPS])
{
    gwf_error err = {0};
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    const gwf_backend_config config = {.batch = 1};
    float *output = malloc(POINTS * (size_t)network->outputs * sizeof *output);
    CHECK_OK(gwf_calibration_create(network, &r->c, &err), err);
    CHECK_OK(gwf_backend_ref.open(&config, &context, &err), err);
    const gwf_site site = {&gwf_backend_ref, context, ROWS, COLS, NULL, NULL};
    CHECK_OK(gwf_plan_create(network, &site, &plan, &err), err);
    CHECK_OK(gwf_plan_set_tap(plan, keep, r, &err), err);
    for (r->map = 0; r->map < MAPS; r->map++) {
        const size_t n = POINTS * (size_t)network->inputs;
        inputs[r->map] = malloc(n * sizeof(float));
        for (size_t i = 0; i < n; i++)
            inputs[r->map][i] =
                (float)(sin(0.37 * (double)i) * (1 + r->map) + 0.01 * (double)(i % 7));
        r->next = 0;
        gwf_calibration_begin(r->c, inputs[r->map], POINTS);
        CHECK_OK(gwf_plan_run(plan, 1, (const float *const *)&inputs[r->map], &output, &err), err);
    }
    gwf_plan_free(&plan);
    gwf_backend_ref.close(context);
    free(output);
}

static int found(const record *r, const char *name)
{
    for (int i = 0; i < r->next; i++)
        if (strcmp(r->name[i], name) == 0) return i;
    CU_FAIL("no such layer");
    return 0;
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* What a share of a channel's |values| over all maps do not exceed. */
static double quantile(float *const maps[MAPS], int channel, size_t plane, double share)
{
    float *all = malloc(MAPS * plane * sizeof *all);
    for (size_t m = 0; m < MAPS; m++)
        for (size_t i = 0; i < plane; i++)
            all[m * plane + i] = fabsf(maps[m][plane * (size_t)channel + i]);
    qsort(all, MAPS * plane, sizeof *all, ascending);
    const size_t place = (size_t)ceil(share * (double)(MAPS * plane)) - 1;
    const double value = all[place];
    free(all);
    return value;
}

/* The scales of channels that were made together, from the values they take. `slack`: what bins
 * round up by. */
static void check_scales(float *const maps[MAPS], int channels, size_t plane, double share,
                         double largest, const float *scale, double slack)
{
    double all = 0;
    for (int c = 0; c < channels; c++) all = fmax(all, quantile(maps, c, plane, share));
    for (int c = 0; c < channels; c++) {
        const double v = fmax(quantile(maps, c, plane, share), all / 256);
        const double truth = sqrt(v * all) / largest;
        CHECK_AT_MOST(truth, scale[c] * (1 + 1e-6));
        CHECK_AT_MOST(scale[c], truth * slack * (1 + 1e-6));
    }
}

static void check_means(float *const maps[MAPS], int channels, size_t plane, const float *mean)
{
    for (int c = 0; c < channels; c++) {
        double sum = 0;
        for (int m = 0; m < MAPS; m++)
            for (size_t i = 0; i < plane; i++) sum += maps[m][plane * (size_t)c + i];
        CHECK_AT_MOST(fabs(mean[c] - sum / (MAPS * (double)plane)), 1e-5);
    }
}

static void check_layers(const record *r, float *const inputs[MAPS], gwf_quantised *q)
{
    const int x = found(r, "conv3.conv.3"), g = found(r, "up4.up.1");
    const gwf_quantised_layer *first = gwf_quantised_find(q, "conv1.conv.0");
    const gwf_quantised_layer *pooled = gwf_quantised_find(q, "conv4.conv.0");
    const gwf_quantised_layer *before = gwf_quantised_find(q, "attn4.Wg+Wx");
    const gwf_quantised_layer *after = gwf_quantised_find(q, "upconv4.conv.0");
    const size_t plane = (size_t)r->rows[x] * (size_t)r->rows[x];
    const int n = r->channels[x];
    gwf_calibration_scales(r->c, 1, q);
    check_scales(inputs, first->channels, POINTS, 1, 127, first->scale, 1);
    check_means(inputs, first->channels, POINTS, first->mean);
    check_scales(r->values[x], n, plane, 1, 255, pooled->scale, 1);
    check_scales(r->values[g], n, plane, 1, 255, before->scale, 1);
    check_scales(r->values[x], n, plane, 1, 255, before->scale + n, 1);
    check_scales(r->values[x], n, plane, 1, 255, after->scale + n, 1);
    check_means(r->values[found(r, "pool3")], n, plane / 4, pooled->mean);
    check_means(r->values[g], n, plane, after->mean);
    check_means(r->values[x], n, plane, before->mean + n);
    check_means(r->values[found(r, "attn4")], n, plane, after->mean + n);
    gwf_calibration_scales(r->c, 0.9, q);
    check_scales(inputs, first->channels, POINTS, 0.9, 127, first->scale, 1 + 1.0 / 16);
    check_scales(r->values[g], n, plane, 0.9, 255, before->scale, 1 + 1.0 / 16);
}

static void check_network(gwf_padding padding)
{
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    gwf_quantised q = {0};
    float *inputs[MAPS];
    record *r = calloc(1, sizeof *r);
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){padding, 0, 0}, NULL, &network, &err), err);
    CHECK_OK(gwf_quantised_create(&network, &q, &err), err);
    watch(&network, r, inputs);
    check_layers(r, inputs, &q);
    CHECK_OK(gwf_quantised_check(&network, &q, &err), err);
    for (int m = 0; m < MAPS; m++) {
        for (int i = 0; i < r->next; i++) free(r->values[i][m]);
        free(inputs[m]);
    }
    gwf_calibration_free(&r->c);
    gwf_quantised_free(&q);
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
    free(r);
}

static void test_zero(void)
{
    check_network(GWF_PADDING_ZERO);
}

static void test_periodic(void)
{
    check_network(GWF_PADDING_PERIODIC_LON);
}

int main(void)
{
    static const test_case tests[] = {
        {"scales and means of a U-Net", test_zero},
        {"the same where maps have borders", test_periodic},
    };
    return test_run("calibration", tests, sizeof tests / sizeof *tests);
}
