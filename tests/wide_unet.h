/* The tensors of the Attention U-Net with the published widths: names and shapes are what a network
 * is built from. All zero, or with weights that keep values near 1 from layer to layer. */
#ifndef GWF_TESTS_WIDE_UNET_H
#define GWF_TESTS_WIDE_UNET_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>

#include "engine/tensor.h"

static inline gwf_status wide_add(gwf_tensor_set *set, const char *prefix, const char *suffix,
                                  int rank, const size_t *shape, gwf_error *err)
{
    char name[GWF_TENSOR_NAME];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    return gwf_tensor_set_add(set, name, rank, shape, NULL, err);
}

typedef struct wide_shape {
    int out, in, kernel;
} wide_shape;

static inline gwf_status wide_conv(gwf_tensor_set *set, const char *prefix, wide_shape s,
                                   gwf_error *err)
{
    const size_t kernel = (size_t)s.kernel;
    const size_t shape[] = {(size_t)s.out, (size_t)s.in, kernel, kernel};
    GWF_TRY(wide_add(set, prefix, "weight", 4, shape, err));
    return wide_add(set, prefix, "bias", 1, shape, err);
}

/* Convolution `at` of a module, 3x3, and the BatchNorm behind it. */
static inline gwf_status wide_pair(gwf_tensor_set *set, const char *module, int at, wide_shape s,
                                   gwf_error *err)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const size_t channels = (size_t)s.out;
    char name[64];
    snprintf(name, sizeof name, "%s.%d", module, at);
    s.kernel = 3;
    GWF_TRY(wide_conv(set, name, s, err));
    snprintf(name, sizeof name, "%s.%d", module, at + 1);
    for (int i = 0; i < 4; i++) GWF_TRY(wide_add(set, name, parts[i], 1, &channels, err));
    return GWF_OK;
}

/* The way up from level k: upsampling, gate and two convolutions. */
static inline gwf_status wide_up(gwf_tensor_set *set, int k, int w, int deeper, gwf_error *err)
{
    static const char *const branches[] = {"Wg", "Wx"};
    char module[32];
    snprintf(module, sizeof module, "up%d.up", k);
    GWF_TRY(wide_pair(set, module, 1, (wide_shape){w, deeper, 0}, err));
    snprintf(module, sizeof module, "upconv%d.conv", k);
    GWF_TRY(wide_pair(set, module, 0, (wide_shape){w, 2 * w, 0}, err));
    GWF_TRY(wide_pair(set, module, 3, (wide_shape){w, w, 0}, err));
    for (int i = 0; i < 2; i++) {
        snprintf(module, sizeof module, "attn%d.%s", k, branches[i]);
        GWF_TRY(wide_pair(set, module, 0, (wide_shape){w / 2, w, 0}, err));
    }
    snprintf(module, sizeof module, "attn%d.Psi", k);
    return wide_pair(set, module, 0, (wide_shape){1, w / 2, 0}, err);
}

/* 244 outputs. The caller frees the set, also after a failure. */
static inline gwf_status wide_unet(gwf_tensor_set *set, int inputs, gwf_error *err)
{
    static const int width[] = {64, 128, 256, 512, 1024};
    char module[32];
    for (int k = 1; k <= 5; k++) {
        const int w = width[k - 1];
        snprintf(module, sizeof module, "conv%d.conv", k);
        GWF_TRY(wide_pair(set, module, 0, (wide_shape){w, k > 1 ? width[k - 2] : inputs, 0}, err));
        GWF_TRY(wide_pair(set, module, 3, (wide_shape){w, w, 0}, err));
        if (k > 1) GWF_TRY(wide_up(set, k, width[k - 2], w, err));
    }
    return wide_conv(set, "conv1x1", (wide_shape){244, width[0], 1}, err);
}

static inline bool wide_ends(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Even values in `middle` +- `half`, always the same. */
static inline void wide_fill(gwf_tensor *t, uint64_t *state, double middle, double half)
{
    for (size_t i = 0; i < t->size; i++) {
        *state = *state * 6364136223846793005U + 1442695040888963407U;
        t->data[i] = (float)(middle + half * ((double)(*state >> 40) / 8388608.0 - 1));
    }
}

static inline void wide_randomise(gwf_tensor_set *set)
{
    uint64_t state = 1;
    for (size_t i = 0; i < set->count; i++) {
        gwf_tensor *t = &set->items[i];
        if (t->rank == 4)
            wide_fill(t, &state, 0, sqrt(6.0 * (double)t->shape[0] / (double)t->size));
        else if (wide_ends(t->name, ".running_var"))
            wide_fill(t, &state, 1.25, 0.75);
        else if (wide_ends(t->name, ".weight"))
            wide_fill(t, &state, 1, 0.4);
        else
            wide_fill(t, &state, 0, 0.4);
    }
}

#endif
