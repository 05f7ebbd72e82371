/* The inner loops of blocked.c that look at values; included there once for each type of the values
 * that are read (IN) and written (OUT: f32 or bf16) and each size of blocks (BLOCK: 8 or 16). */

#define JOIN(stem, in, out, block)   stem##_##in##_##out##_##block
#define EXPAND(stem, in, out, block) JOIN(stem, in, out, block)
#define NAME(stem)                   EXPAND(stem, IN, OUT, BLOCK)
#define CALL(prefix, type)           prefix##type
#define FLOAT_OF(type)               CALL(float_of_, type)
#define OF_FLOAT(type)               CALL(of_float_, type)

/* A square of channels x pixels from (channels, n pixels) to pixels x BLOCK, zeros in further
 * channels. */
static inline void NAME(load_part)(OUT *to, const float *from, size_t channels, size_t n,
                                   size_t width)
{
    for (size_t c = 0; c < BLOCK; c++)
        for (size_t i = 0; i < width; i++)
            to[i * BLOCK + c] = OF_FLOAT(OUT)(c < channels ? from[c * n + i] : 0);
}

static inline __attribute__((always_inline)) void NAME(load_square)(OUT *to, const float *from,
                                                                    size_t n)
{
    lanes rows[SIDE];
    for (size_t c = 0; c < SIDE; c++) memcpy(&rows[c], from + c * n, sizeof rows[c]);
    transpose(rows);
    for (size_t i = 0; i < SIDE; i++)
        for (size_t c = 0; c < SIDE; c++) to[i * BLOCK + c] = OF_FLOAT(OUT)(rows[i][c]);
}

GWF_WIDE static void NAME(load)(void *block, const float *from, size_t channels, size_t n)
{
    OUT *to = block;
    for (size_t p = 0; p < n; p += SIDE) {
        const size_t width = n - p < SIDE ? n - p : SIDE;
        if (BLOCK == SIDE && channels == SIDE && width == SIDE)
            NAME(load_square)(to + p * BLOCK, from + p, n);
        else
            NAME(load_part)(to + p * BLOCK, from + p, channels, n, width);
    }
}

/* And back. */
static inline void NAME(store_part)(const IN *from, float *to, size_t channels, size_t n,
                                    size_t width)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < width; i++) to[c * n + i] = FLOAT_OF(IN)(from[i * BLOCK + c]);
}

static inline __attribute__((always_inline)) void NAME(store_square)(const IN *from, float *to,
                                                                     size_t n)
{
    lanes rows[SIDE];
    for (size_t i = 0; i < SIDE; i++)
        for (size_t c = 0; c < SIDE; c++) rows[i][c] = FLOAT_OF(IN)(from[i * BLOCK + c]);
    transpose(rows);
    for (size_t c = 0; c < SIDE; c++) memcpy(to + c * n, &rows[c], sizeof rows[c]);
}

GWF_WIDE static void NAME(store)(const void *block, float *to, size_t channels, size_t n)
{
    const IN *from = block;
    for (size_t p = 0; p < n; p += SIDE) {
        const size_t width = n - p < SIDE ? n - p : SIDE;
        if (BLOCK == SIDE && channels == SIDE && width == SIDE)
            NAME(store_square)(from + p * BLOCK, to + p, n);
        else
            NAME(store_part)(from + p * BLOCK, to + p, channels, n, width);
    }
}

GWF_WIDE static void NAME(copy)(void *block, const void *from_block, size_t n)
{
    OUT *restrict to = block;
    const IN *restrict from = from_block;
    for (size_t i = 0; i < n * BLOCK; i++) to[i] = OF_FLOAT(OUT)(FLOAT_OF(IN)(from[i]));
}

/* `cols` pixels, each the largest of two of the upper and two of the lower row. */
GWF_WIDE static void NAME(pool)(void *row, const void *upper_row, const void *lower_row,
                                size_t cols)
{
    OUT *restrict out = row;
    const IN *restrict upper = upper_row, *restrict lower = lower_row;
    for (size_t x = 0; x < cols; x++, out += BLOCK, upper += 2 * BLOCK, lower += 2 * BLOCK)
        for (size_t c = 0; c < BLOCK; c++) {
            const float above = gwf_larger(FLOAT_OF(IN)(upper[c]), FLOAT_OF(IN)(upper[BLOCK + c]));
            const float below = gwf_larger(FLOAT_OF(IN)(lower[c]), FLOAT_OF(IN)(lower[BLOCK + c]));
            out[c] = OF_FLOAT(OUT)(gwf_larger(above, below));
        }
}

/* n pixels times the first channel of the gate's. */
GWF_WIDE static void NAME(scale)(void *block, const void *gates, size_t n)
{
    OUT *restrict out = block;
    const IN *restrict gate = gates;
    for (size_t p = 0; p < n; p++) {
        const float factor = FLOAT_OF(IN)(gate[p * BLOCK]);
        for (size_t c = 0; c < BLOCK; c++)
            out[p * BLOCK + c] = OF_FLOAT(OUT)(FLOAT_OF(OUT)(out[p * BLOCK + c]) * factor);
    }
}

/* n pixels times the gate's, channel by channel. */
GWF_WIDE static void NAME(multiply)(void *block, const void *gates, size_t n)
{
    OUT *restrict out = block;
    const IN *restrict gate = gates;
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
