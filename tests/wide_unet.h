/* The tensors of the Attention U-Net with the published widths, all zero: names and shapes are what
 * a network is built from. */
#ifndef GWF_TESTS_WIDE_UNET_H
#define GWF_TESTS_WIDE_UNET_H

#include <stdio.h>

#include "engine/tensor.h"
#include "test.h"

static inline void wide_add(gwf_tensor_set *set, const char *prefix, const char *suffix, int rank,
                            const size_t *shape)
{
    char name[GWF_TENSOR_NAME];
    gwf_error err = {0};
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    CHECK_OK(gwf_tensor_set_add(set, name, rank, shape, NULL, &err), err);
}

static inline void wide_conv(gwf_tensor_set *set, const char *prefix, int out, int in, int kernel)
{
    const size_t shape[] = {(size_t)out, (size_t)in, (size_t)kernel, (size_t)kernel};
    wide_add(set, prefix, "weight", 4, shape);
    wide_add(set, prefix, "bias", 1, shape);
}

/* Convolution `at` of a module and the BatchNorm behind it. */
static inline void wide_pair(gwf_tensor_set *set, const char *module, int at, int out, int in)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const size_t channels = (size_t)out;
    char name[64];
    snprintf(name, sizeof name, "%s.%d", module, at);
    wide_conv(set, name, out, in, 3);
    snprintf(name, sizeof name, "%s.%d", module, at + 1);
    for (int i = 0; i < 4; i++) wide_add(set, name, parts[i], 1, &channels);
}

/* 244 outputs. The caller frees the set. */
static inline void wide_unet(gwf_tensor_set *set, int inputs)
{
    static const int width[] = {64, 128, 256, 512, 1024};
    char module[32];
    for (int k = 1; k <= 5; k++) {
        snprintf(module, sizeof module, "conv%d.conv", k);
        wide_pair(set, module, 0, width[k - 1], k > 1 ? width[k - 2] : inputs);
        wide_pair(set, module, 3, width[k - 1], width[k - 1]);
        if (k == 1) continue;
        const int w = width[k - 2];
        snprintf(module, sizeof module, "up%d.up", k);
        wide_pair(set, module, 1, w, width[k - 1]);
        snprintf(module, sizeof module, "upconv%d.conv", k);
        wide_pair(set, module, 0, w, 2 * w);
        wide_pair(set, module, 3, w, w);
        snprintf(module, sizeof module, "attn%d.Wg", k);
        wide_pair(set, module, 0, w / 2, w);
        snprintf(module, sizeof module, "attn%d.Wx", k);
        wide_pair(set, module, 0, w / 2, w);
        snprintf(module, sizeof module, "attn%d.Psi", k);
        wide_pair(set, module, 0, 1, w / 2);
    }
    wide_conv(set, "conv1x1", 244, width[0], 1);
}

#endif
