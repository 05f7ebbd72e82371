/* The inner loops of blocked.c that look at values; included there once for each type of the values
 * that are read (IN) and written (OUT: f32 or bf16) and each size of blocks (BLOCK: 8 or 16). */

#define JOIN(stem, in, out, block)   stem##_##in##_##out##_##block
#define EXPAND(stem, in, out, block) JOIN(stem, in, out, block)
#define NAME(stem)                   EXPAND(stem, IN, OUT, BLOCK)
#define CALL(prefix, type)           prefix##type
#define FLOAT_OF(type)               CALL(float_of_, type)
#define OF_FLOAT(type)               CALL(of_float_, type)

/* (channels, n pixels) to one block of pixels x BLOCK, zeros in further channels, in squares that
 * stay in cache. */
GWF_WIDE static void NAME(load)(void *block, const float *from, int channels, size_t n)
{
    OUT *to = block;
    for (size_t p = 0; p < n; p += SQUARE) {
        const size_t width = n - p < SQUARE ? n - p : SQUARE;
        for (int c = 0; c < channels; c++)
            for (size_t i = 0; i < width; i++)
                to[(p + i) * BLOCK + (size_t)c] = OF_FLOAT(OUT)(from[(size_t)c * n + p + i]);
        for (int c = channels; c < BLOCK; c++)
            for (size_t i = 0; i < width; i++)
                to[(p + i) * BLOCK + (size_t)c] = OF_FLOAT(OUT)(0.0f);
    }
}

/* And back. */
GWF_WIDE static void NAME(store)(const void *block, float *to, int channels, size_t n)
{
    const IN *from = block;
    for (size_t p = 0; p < n; p += SQUARE) {
        const size_t width = n - p < SQUARE ? n - p : SQUARE;
        for (int c = 0; c < channels; c++)
            for (size_t i = 0; i < width; i++)
                to[(size_t)c * n + p + i] = FLOAT_OF(IN)(from[(p + i) * BLOCK + (size_t)c]);
    }
}

GWF_WIDE static void NAME(copy)(void *block, const void *from_block, size_t n)
{
    OUT *to = block;
    const IN *from = from_block;
    for (size_t i = 0; i < n * BLOCK; i++) to[i] = OF_FLOAT(OUT)(FLOAT_OF(IN)(from[i]));
}

/* `cols` pixels, each the largest of two of the upper and two of the lower row. */
GWF_WIDE static void NAME(pool)(void *row, const void *upper_row, const void *lower_row,
                                size_t cols)
{
    OUT *out = row;
    const IN *upper = upper_row, *lower = lower_row;
    for (size_t x = 0; x < cols; x++, out += BLOCK, upper += 2 * BLOCK, lower += 2 * BLOCK)
        for (size_t c = 0; c < BLOCK; c++) {
            const float above = larger(FLOAT_OF(IN)(upper[c]), FLOAT_OF(IN)(upper[BLOCK + c]));
            const float below = larger(FLOAT_OF(IN)(lower[c]), FLOAT_OF(IN)(lower[BLOCK + c]));
            out[c] = OF_FLOAT(OUT)(larger(above, below));
        }
}

/* n pixels times the first channel of the gate's. */
GWF_WIDE static void NAME(scale)(void *block, const void *gates, size_t n)
{
    OUT *out = block;
    const IN *gate = gates;
    for (size_t p = 0; p < n; p++) {
        const float factor = FLOAT_OF(IN)(gate[p * BLOCK]);
        for (size_t c = 0; c < BLOCK; c++)
            out[p * BLOCK + c] = OF_FLOAT(OUT)(FLOAT_OF(OUT)(out[p * BLOCK + c]) * factor);
    }
}

/* n pixels times the gate's, channel by channel. */
GWF_WIDE static void NAME(multiply)(void *block, const void *gates, size_t n)
{
    OUT *out = block;
    const IN *gate = gates;
    for (size_t i = 0; i < n * BLOCK; i++)
        out[i] = OF_FLOAT(OUT)(FLOAT_OF(OUT)(out[i]) * FLOAT_OF(IN)(gate[i]));
}

static const loops NAME(loops) = {NAME(load), NAME(store), NAME(copy),
                                  NAME(pool), NAME(scale), NAME(multiply)};

#undef JOIN
#undef EXPAND
#undef NAME
#undef CALL
#undef FLOAT_OF
#undef OF_FLOAT
#undef IN
#undef OUT
#undef BLOCK
