#include "backend/phases.h"

void gwf_phase_weights(const gwf_op *op, int phase, float *weights)
{
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    const int lower = phase / 2, right = phase % 2;
    for (size_t f = 0; f < filters; f++) {
        double sums[2][2] = {{0}};
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
                sums[ky > lower][kx > right] += op->weights[9 * f + (size_t)(3 * ky + kx)];
        for (int i = 0; i < 4; i++) weights[4 * f + (size_t)i] = (float)sums[i / 2][i % 2];
    }
}
