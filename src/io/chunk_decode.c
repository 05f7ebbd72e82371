/* One raw chunk to stored values: HDF5's filters deflate, fletcher32 and shuffle undone (HDF5 File
 * Format Specification 3.0, IV.A.2.l "The Data Storage - Filter Pipeline Message"). */
#include <byteswap.h>
#include <libdeflate.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "io/slab_internal.h"

enum { CHECKSUM_BYTES = 4 };

/* --- filters -------------------------------------------------------------------------------- */

gwf_inflater *gwf_inflater_create(void)
{
    return (gwf_inflater *)libdeflate_alloc_decompressor();
}

void gwf_inflater_free(gwf_inflater *inflater)
{
    libdeflate_free_decompressor((struct libdeflate_decompressor *)inflater);
}

size_t gwf_chunk_room(const gwf_chunk_layout *layout)
{
    return layout->bytes + CHECKSUM_BYTES;
}

/* Deflate stores what it cannot compress, in blocks with a few bytes of their own. */
size_t gwf_chunk_raw_limit(const gwf_chunk_layout *layout)
{
    return layout->bytes + layout->bytes / 64 + 1024;
}

/* Fletcher's sum over big-endian 16-bit words, as HDF5 computes it (H5checksum.c). */
static uint32_t fletcher32(const uint8_t *bytes, size_t n)
{
    uint32_t sum1 = 0, sum2 = 0;
    size_t words = n / 2;
    while (words > 0) {
        size_t block = words < 360 ? words : 360; /* so many without an overflow */
        words -= block;
        for (; block > 0; block--, bytes += 2) {
            sum1 += (uint32_t)(bytes[0] << 8 | bytes[1]);
            sum2 += sum1;
        }
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    }
    if (n % 2) {
        sum1 += (uint32_t)(bytes[0] << 8);
        sum2 += sum1;
        sum1 = (sum1 & 0xffff) + (sum1 >> 16);
        sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    }
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
    return sum2 << 16 | sum1;
}

/* HDF5 1.6.2 and earlier wrote the two bytes of each half the other way round. */
static bool checksum_fits(const uint8_t *bytes, size_t n)
{
    const uint8_t *end = bytes + n;
    const uint32_t stored =
        (uint32_t)end[0] | (uint32_t)end[1] << 8 | (uint32_t)end[2] << 16 | (uint32_t)end[3] << 24;
    const uint32_t sum = fletcher32(bytes, n);
    return stored == sum || stored == ((sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff));
}

/* Bytes in front of filter `which`: the chunk, and a checksum if one was put there before. */
static size_t size_before(const gwf_chunk_layout *layout, uint32_t mask, int which)
{
    size_t bytes = layout->bytes;
    for (int i = 0; i < which; i++)
        if (layout->filters[i] == GWF_FILTER_FLETCHER32 && !(mask >> i & 1))
            bytes += CHECKSUM_BYTES;
    return bytes;
}

static const char *inflate_whole(gwf_inflater *inflater, const uint8_t *from, size_t n,
                                 uint8_t *bytes, size_t expected)
{
    switch (libdeflate_zlib_decompress((struct libdeflate_decompressor *)inflater, from, n, bytes,
                                       expected, NULL)) {
    case LIBDEFLATE_SUCCESS:
        return NULL;
    case LIBDEFLATE_SHORT_OUTPUT:
        return "it holds fewer values than it should";
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return "it holds more values than it should";
    default:
        return "its deflate stream cannot be decoded";
    }
}

const char *gwf_chunk_undo(const gwf_chunk_layout *layout, gwf_inflater *inflater, uint32_t mask,
                           const uint8_t *raw, size_t raw_bytes, uint8_t *bytes, bool *shuffled)
{
    const uint8_t *at = raw;
    size_t n = raw_bytes;
    *shuffled = false;
    for (int i = layout->n_filters - 1; i >= 0; i--) {
        if (mask >> i & 1) continue;
        if (layout->filters[i] == GWF_FILTER_SHUFFLE) {
            *shuffled = layout->element > 1;
        } else if (layout->filters[i] == GWF_FILTER_DEFLATE) {
            const size_t expected = size_before(layout, mask, i);
            const char *damage = inflate_whole(inflater, at, n, bytes, expected);
            if (damage) return damage;
            at = bytes;
            n = expected;
        } else {
            if (n < CHECKSUM_BYTES || !checksum_fits(at, n - CHECKSUM_BYTES))
                return "its checksum (fletcher32) does not fit";
            n -= CHECKSUM_BYTES;
        }
    }
    if (n != layout->bytes) return "it has not the size of a chunk";
    if (at != bytes) memcpy(bytes, at, n);
    return NULL;
}

/* --- values --------------------------------------------------------------------------------- */

/* Interleave `size` planes of n bytes: out[i * size + k] = plane[k][i]. */
static void join_rest(const uint8_t *const *plane, size_t size, size_t i, size_t n, uint8_t *out)
{
    for (; i < n; i++)
        for (size_t k = 0; k < size; k++) out[i * size + k] = plane[k][i];
}

#ifdef __SSE2__
static __m128i load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

static void store(uint8_t *to, __m128i x)
{
    _mm_storeu_si128((__m128i *)to, x);
}

static size_t join2(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m128i a = load(plane[0] + i), b = load(plane[1] + i);
        store(out + 2 * i, _mm_unpacklo_epi8(a, b));
        store(out + 2 * i + 16, _mm_unpackhi_epi8(a, b));
    }
    return i;
}

static size_t join4(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m128i a = load(plane[0] + i), b = load(plane[1] + i);
        const __m128i c = load(plane[2] + i), d = load(plane[3] + i);
        const __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
        const __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
        uint8_t *to = out + 4 * i;
        store(to, _mm_unpacklo_epi16(ab0, cd0));
        store(to + 16, _mm_unpackhi_epi16(ab0, cd0));
        store(to + 32, _mm_unpacklo_epi16(ab1, cd1));
        store(to + 48, _mm_unpackhi_epi16(ab1, cd1));
    }
    return i;
}

/* Eight planes: pairs, then fours as above, then both halves. */
static size_t join8(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    uint8_t low[64], high[64];
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const uint8_t *const first[4] = {plane[0] + i, plane[1] + i, plane[2] + i, plane[3] + i};
        const uint8_t *const last[4] = {plane[4] + i, plane[5] + i, plane[6] + i, plane[7] + i};
        join4(first, 16, low);
        join4(last, 16, high);
        for (size_t k = 0; k < 4; k++) {
            const __m128i a = load(low + 16 * k), b = load(high + 16 * k);
            store(out + 8 * i + 32 * k, _mm_unpacklo_epi32(a, b));
            store(out + 8 * i + 32 * k + 16, _mm_unpackhi_epi32(a, b));
        }
    }
    return i;
}
#else
static size_t join2(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 2; k++) out[2 * i + k] = plane[k][i];
    return n;
}

static size_t join4(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 4; k++) out[4 * i + k] = plane[k][i];
    return n;
}

static size_t join8(const uint8_t *const *plane, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 8; k++) out[8 * i + k] = plane[k][i];
    return n;
}
#endif

/* Shuffle stores the first bytes of all values, then the second ones and so on. Taking the planes
 * from the other end swaps the byte order on the way. */
static void join(const gwf_chunk_layout *layout, const uint8_t *bytes, size_t first, size_t n,
                 uint8_t *out)
{
    const uint8_t *plane[8];
    const size_t size = layout->element, values = layout->bytes / size;
    for (size_t k = 0; k < size; k++)
        plane[layout->swapped ? size - 1 - k : k] = bytes + k * values + first;
    const size_t done = size == 2   ? join2(plane, n, out)
                        : size == 4 ? join4(plane, n, out)
                                    : join8(plane, n, out);
    join_rest(plane, size, done, n, out);
}

/* In place, any alignment. */
#define SWAP(bits)                                                                                 \
    static void swap##bits(uint8_t *bytes, size_t n)                                               \
    {                                                                                              \
        for (size_t i = 0; i < n; i++, bytes += sizeof(uint##bits##_t)) {                          \
            uint##bits##_t x;                                                                      \
            memcpy(&x, bytes, sizeof x);                                                           \
            x = bswap_##bits(x);                                                                   \
            memcpy(bytes, &x, sizeof x);                                                           \
        }                                                                                          \
    }

SWAP(16)
SWAP(32)
SWAP(64)

void gwf_chunk_values(const gwf_chunk_layout *layout, const uint8_t *bytes, bool shuffled,
                      size_t first, size_t n, void *stored)
{
    const size_t size = layout->element;
    if (shuffled) {
        join(layout, bytes, first, n, stored);
        return;
    }
    memcpy(stored, bytes + first * size, n * size);
    if (!layout->swapped) return;
    if (size == 2) swap16(stored, n);
    if (size == 4) swap32(stored, n);
    if (size == 8) swap64(stored, n);
}
