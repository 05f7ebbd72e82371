/* Logarithm, exponential and cube root as a few plain operations without branches, so that a loop
 * of them becomes vector instructions, and the same bits come out whatever those are. The C
 * library's functions are better in the last bit, but take one value at a time. */
#ifndef GWF_CORE_ELEMENTARY_H
#define GWF_CORE_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

/* Before a function with such loops: it is compiled for several vector lengths, and the machine's
 * best is chosen when the program starts. (Clang's are not found from other files.) */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define GWF_LANES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GWF_LANES
#endif

static inline uint64_t gwf_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double gwf_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Whole numbers below 2^52 to double and back: they stand in the last bits of 2^52 + n. */
static inline double gwf_whole(uint64_t n)
{
    return gwf_of_bits(n | 0x4330000000000000) - 0x1p52;
}

/* ln x of a normal x > 0, within 1e-11 (beside 1 also within 1e-10 of itself). Anything else: no
 * meaning, no harm. x = 2^e m with m from sqrt(1/2) to sqrt(2); ln m = 2 artanh s,
 * s = (m - 1) / (m + 1): s times a polynomial in s^2 whose largest error is least. */
static inline double gwf_ln(double x)
{
    const uint64_t root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    const uint64_t e = (gwf_bits(x) - root_half + one) >> 52;
    const double m = gwf_of_bits(gwf_bits(x) - (e << 52) + one);
    const double power = gwf_whole(e) - 1023, s = (m - 1) / (m + 1), z = s * s;
    double sum = 0.23332382856937612;
    sum = sum * z + 0.28550737114634928;
    sum = sum * z + 0.40000122753686729;
    sum = sum * z + 0.66666666553020334;
    return power * 0.6931471805599453 + (2 * s + s * z * sum);
}

/* e^x for |x| <= 700, within 1e-11 of itself. x = n ln 2 + r; a polynomial in r. */
static inline double gwf_e_to(double x)
{
    const double to_whole = 0x1.8p52, shifted = x * 1.4426950408889634 + to_whole;
    const double r = x - (shifted - to_whole) * 0.6931471805599453;
    double sum = 0.000024876182752880761;
    sum = sum * r + 0.00019899287616791352;
    sum = sum * r + 0.0013888824134774204;
    sum = sum * r + 0.0083332984667351388;
    sum = sum * r + 0.04166666685371625;
    sum = sum * r + 0.16666666719038149;
    sum = sum * r + 0.49999999999910100;
    sum = 1 + (r + r * r * sum);
    return gwf_of_bits(gwf_bits(sum) + (gwf_bits(shifted) << 52)); /* times 2^n */
}

/* The cube root of a normal x, with its sign, within 1e-10 of itself; 0, infinities and NaN are
 * their own. y = |x|^(-1/3) from a guess (good to 4 %: a third of the exponent's bits) by two steps
 * of y (1 + e/3 + 2 e^2/9), e = 1 - |x| y^3. */
static inline double gwf_cube_root(double x)
{
    const uint64_t sign = 0x8000000000000000;
    const double a = gwf_of_bits(gwf_bits(x) & ~sign);
    const double guess = 1430188264 - gwf_whole(gwf_bits(a) >> 32) / 3;
    double y = gwf_of_bits(gwf_bits(guess + 0x1p52) << 32);
    for (int i = 0; i < 2; i++) {
        const double e = 1 - a * y * y * y;
        y *= 1 + e * (1.0 / 3 + e * (2.0 / 9));
    }
    return gwf_of_bits(gwf_bits(a * y * y) | (gwf_bits(x) & sign));
}

#endif
