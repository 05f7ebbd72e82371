#include "engine/fold.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/builder.h"

static int rounded(int channels, int block)
{
    return (channels + block - 1) / block * block;
}

int gwf_rounded_channels(const gwf_network *network, gwf_slice slice, int block)
{
    const int *parts = network->maps[slice.map].part_channels;
    if (slice.part != GWF_WHOLE) return rounded(parts[slice.part], block);
    return rounded(parts[0], block) + rounded(parts[1], block);
}

/* Where the channels that one term reads stand in the rounded input: channel c of the term is
 * start + c, plus gap from channel `split` on. */
typedef struct span {
    int start, split, gap;
} span;

static span term_span(const gwf_network *network, const gwf_layer *layer, int term, int block)
{
    const int *parts = network->maps[layer->in.map].part_channels;
    const int first = rounded(parts[0], block);
    if (layer->n_terms == 2) return (span){.start = term ? first : 0, .split = parts[term]};
    if (layer->in.part != GWF_WHOLE) return (span){.split = parts[layer->in.part]};
    return (span){.split = parts[0], .gap = first - parts[0]};
}

/* Rounding to float32 must not overflow. */
static gwf_status check_finite(const gwf_conv_term *term, const gwf_folded *folded, size_t weights,
                               size_t biases, gwf_error *err)
{
    bool finite = true;
    for (size_t i = 0; i < weights; i++) finite &= isfinite(folded->weights[i]) != 0;
    for (size_t i = 0; i < biases; i++) finite &= isfinite(folded->bias[i]) != 0;
    if (finite) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MODEL, "tensor %s with its BatchNorm is too large for float32",
                    term->weight->name);
}

static void fold_term(const gwf_conv_term *term, span at, size_t in, size_t taps,
                      gwf_folded *folded)
{
    const size_t outs = term->weight->shape[0], ins = term->weight->shape[1];
    for (size_t k = 0; k < outs; k++) {
        const double scale =
            term->gamma ? term->gamma->data[k] / sqrt(term->variance->data[k] + GWF_NORM_EPSILON)
                        : 1;
        const double mean = term->gamma ? term->mean->data[k] : 0;
        const double beta = term->gamma ? term->beta->data[k] : 0;
        const double bias = beta + (term->bias->data[k] - mean) * scale;
        folded->bias[k] = (float)(folded->bias[k] + bias);
        const float *from = term->weight->data + k * ins * taps;
        for (size_t c = 0; c < ins; c++) {
            const size_t place = (size_t)at.start + c + ((int)c >= at.split ? (size_t)at.gap : 0);
            float *to = folded->weights + (k * in + place) * taps;
            for (size_t t = 0; t < taps; t++) to[t] = (float)(scale * from[c * taps + t]);
        }
    }
}

gwf_status gwf_fold(const gwf_network *network, const gwf_layer *layer, int block,
                    gwf_folded *folded, gwf_error *err)
{
    const size_t taps = (size_t)(layer->kernel * layer->kernel);
    const size_t out = (size_t)gwf_rounded_channels(network, layer->out, block);
    const size_t in = (size_t)gwf_rounded_channels(network, layer->in, block);
    *folded = (gwf_folded){.weights = calloc(out * in * taps, sizeof(float)),
                           .bias = calloc(out, sizeof(float))};
    if (!folded->weights || !folded->bias) {
        gwf_folded_free(folded);
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the weights of layer %s", layer->name);
    }
    gwf_status status = GWF_OK;
    for (int i = 0; i < layer->n_terms && status == GWF_OK; i++) {
        fold_term(&layer->terms[i], term_span(network, layer, i, block), in, taps, folded);
        status = check_finite(&layer->terms[i], folded, out * in * taps, out, err);
    }
    if (status != GWF_OK) gwf_folded_free(folded);
    return status;
}

void gwf_folded_free(gwf_folded *folded)
{
    free(folded->weights);
    free(folded->bias);
    *folded = (gwf_folded){0};
}
