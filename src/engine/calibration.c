#include "engine/calibration.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* |values| are counted in bins of 1/16 of a power of two from 2^-24 to 2^40; the first one takes
 * all that is smaller, the last one all that is larger. */
enum { PER_OCTAVE = 16, LEAST_EXPONENT = -24, OCTAVES = 64, BINS = OCTAVES * PER_OCTAVE };

/* What one layer, or the input, makes. */
typedef struct made {
    int channels;
    float *most;     /* (channels): largest |value| */
    uint32_t *count; /* (channels, BINS); NULL: not counted, it is no convolution */
} made;

struct gwf_calibration {
    const gwf_network *network;
    made *made;   /* the input, then every layer */
    float **mean; /* per map (channels): as it was written last */
    double **sum; /* per layer (channels of in): means of what it read, over the maps; or NULL */
    int maps, next;
};

static int map_channels(const gwf_network *network, int map)
{
    return gwf_slice_channels(network, (gwf_slice){map, GWF_WHOLE});
}

static bool allocate_made(made *m, int channels)
{
    m->channels = channels;
    m->most = calloc((size_t)channels, sizeof *m->most);
    m->count = calloc((size_t)channels * BINS, sizeof *m->count);
    return m->most && m->count;
}

static bool allocate(gwf_calibration *c)
{
    const gwf_network *n = c->network;
    c->made = calloc((size_t)n->n_layers + 1, sizeof *c->made);
    c->mean = calloc((size_t)n->n_maps, sizeof *c->mean);
    c->sum = calloc((size_t)n->n_layers, sizeof *c->sum);
    if (!c->made || !c->mean || !c->sum) return false;
    bool fine = allocate_made(&c->made[0], n->inputs);
    for (int i = 0; i < n->n_maps; i++) {
        c->mean[i] = calloc((size_t)map_channels(n, i), sizeof *c->mean[i]);
        fine = fine && c->mean[i];
    }
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        if (!layer->kernel) continue;
        c->sum[i] = calloc((size_t)gwf_slice_channels(n, layer->in), sizeof *c->sum[i]);
        fine =
            fine && c->sum[i] && allocate_made(&c->made[i + 1], gwf_slice_channels(n, layer->out));
    }
    return fine;
}

gwf_status gwf_calibration_create(const gwf_network *network, gwf_calibration **result,
                                  gwf_error *err)
{
    gwf_calibration *c = calloc(1, sizeof *c);
    *result = c;
    if (c) c->network = network;
    if (c && allocate(c)) return GWF_OK;
    gwf_calibration_free(result);
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory to look at the values of a network");
}

void gwf_calibration_free(gwf_calibration **result)
{
    gwf_calibration *c = *result;
    if (!c) return;
    for (int i = 0; c->made && i <= c->network->n_layers; i++) {
        free(c->made[i].most);
        free(c->made[i].count);
    }
    for (int i = 0; c->mean && i < c->network->n_maps; i++) free(c->mean[i]);
    for (int i = 0; c->sum && i < c->network->n_layers; i++) free(c->sum[i]);
    free(c->made);
    free(c->mean);
    free(c->sum);
    free(c);
    *result = NULL;
}

/* ---- looking ---- */

static int bin_of(float value)
{
    int exponent = 0;
    const float fraction = frexpf(value, &exponent); /* 1/2 to 1 */
    const int bin =
        (exponent - LEAST_EXPONENT) * PER_OCTAVE + (int)((fraction - 0.5f) * 2 * PER_OCTAVE);
    return value == 0 || bin < 0 ? 0 : bin < BINS ? bin : BINS - 1;
}

static void count(made *m, int channel, const float *values, size_t n)
{
    uint32_t *bins = m->count + (size_t)channel * BINS;
    for (size_t i = 0; i < n; i++) {
        const float size = fabsf(values[i]);
        if (size > m->most[channel]) m->most[channel] = size;
        bins[bin_of(size)]++;
    }
}

static float mean_of(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    return (float)(sum / (double)n);
}

/* Values (channels, points) of a slice, by layer `by` (-1: the input). */
static void look(gwf_calibration *c, gwf_slice slice, int by, const float *values, size_t points)
{
    made *m = &c->made[by + 1];
    const int *parts = c->network->maps[slice.map].part_channels;
    float *mean = c->mean[slice.map] + (slice.part == 1 ? parts[0] : 0);
    const int channels = gwf_slice_channels(c->network, slice);
    for (int k = 0; k < channels; k++) {
        const float *from = values + points * (size_t)k;
        mean[k] = mean_of(from, points);
        if (m->count) count(m, k, from, points);
    }
}

void gwf_calibration_begin(gwf_calibration *c, const float *features, size_t points)
{
    c->maps++;
    c->next = 0;
    look(c, c->network->input, -1, features, points);
}

void gwf_calibration_tap(void *user, const char *name, int channels, int rows, int cols,
                         const float *values)
{
    gwf_calibration *c = user;
    const int i = c->next++;
    const gwf_layer *layer = &c->network->layers[i];
    (void)name;
    (void)channels;
    if (c->sum[i]) {
        const float *mean = c->mean[gwf_map_read_by(c->network, layer)];
        for (int k = 0; k < gwf_slice_channels(c->network, layer->in); k++) c->sum[i][k] += mean[k];
    }
    look(c, layer->out, i, values, (size_t)rows * (size_t)cols);
}

/* ---- concluding ---- */

/* What `share` of a channel's |values| do not exceed, to the upper edge of a bin. */
static double reach(const made *m, int channel, double share)
{
    const uint32_t *bins = m->count + (size_t)channel * BINS;
    double all = 0, seen = 0;
    int bin = 0;
    if (share >= 1) return m->most[channel];
    for (int i = 0; i < BINS; i++) all += bins[i];
    for (bin = 0; bin < BINS - 1; bin++) {
        seen += bins[bin];
        if (seen >= share * all) break;
    }
    const double edge =
        ldexp(0.5 + (bin % PER_OCTAVE + 1) / (2.0 * PER_OCTAVE), bin / PER_OCTAVE + LEAST_EXPONENT);
    return fmin(edge, m->most[channel]);
}

static void scales_of(const made *m, double share, float largest_integer, float *scale)
{
    double all = 0;
    for (int k = 0; k < m->channels; k++) all = fmax(all, reach(m, k, share));
    if (all < 1e-20) all = 1; /* it never makes anything */
    for (int k = 0; k < m->channels; k++) {
        const double v = fmax(reach(m, k, share), all / 256);
        scale[k] = (float)(sqrt(v * all) / largest_integer);
    }
}

void gwf_calibration_scales(const gwf_calibration *c, double share, gwf_quantised *q)
{
    const gwf_network *n = c->network;
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        gwf_quantised_layer *of = layer->kernel ? gwf_quantised_find(q, layer->name) : NULL;
        if (!of) continue;
        const int map = gwf_map_read_by(n, layer), first = n->maps[map].part_channels[0];
        const float largest = of->is_signed ? 127 : 255;
        scales_of(&c->made[gwf_maker_of(n, map, 0) + 1], share, largest, of->scale);
        if (n->maps[map].part_channels[1])
            scales_of(&c->made[gwf_maker_of(n, map, 1) + 1], share, largest, of->scale + first);
        for (int k = 0; k < of->channels; k++) of->mean[k] = (float)(c->sum[i][k] / c->maps);
    }
}
