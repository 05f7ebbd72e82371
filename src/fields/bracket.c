#include "fields/bracket.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 4 /* targets */, LINE = 64 / sizeof(float) /* of the cache */ };

gwf_status gwf_bracket_create(int source, int target, bool hold, gwf_bracket *bracket,
                              gwf_error *err)
{
    gwf_bracket *b = bracket;
    const size_t from = (size_t)source * GWF_BLOCK, to = (size_t)target * GWF_BLOCK;
    const size_t targets = (size_t)target;
    *b = (gwf_bracket){.source = source, .target = target, .hold = hold};
    b->from = calloc(from, sizeof *b->from);
    b->to = calloc(to, sizeof *b->to);
    b->way = calloc(to, sizeof *b->way);
    b->above = calloc(to, sizeof *b->above);
    b->least = calloc(targets, sizeof *b->least);
    b->most = calloc(targets, sizeof *b->most);
    b->weightless = calloc(targets, sizeof *b->weightless);
    if (b->from && b->to && b->way && b->above && b->least && b->most && b->weightless)
        return GWF_OK;
    gwf_bracket_free(b);
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory to interpolate from %d to %d levels",
                    source, target);
}

void gwf_bracket_free(gwf_bracket *bracket)
{
    free(bracket->from);
    free(bracket->to);
    free(bracket->way);
    free(bracket->above);
    free(bracket->least);
    free(bracket->most);
    free(bracket->weightless);
    *bracket = (gwf_bracket){0};
}

/* --- finding -------------------------------------------------------------------------------- */

/* Columns whose target x does not lie above the level. */
GWF_LANES static int count_below(const double *restrict level, const double *restrict x, int n)
{
    int count = 0;
    for (int c = 0; c < n; c++) count += level[c] <= x[c];
    return count;
}

/* The lowest level from k on that no column's target is above, taking k for one; of the next level
 * `count` columns are below. */
static int skip_down(gwf_bracket *b, const double *x, int k, int *count)
{
    *count = 0;
    for (; k < b->source - 2; k++) {
        *count = count_below(gwf_row(b->from, k + 1), x, b->columns);
        if (*count < b->columns) return k;
    }
    *count = 0; /* the last level is nobody's upper one */
    return k;
}

/* Coordinates of the levels about a target where the columns differ. */
typedef struct levels_about {
    double high[GWF_BLOCK], low[GWF_BLOCK];
} levels_about;

/* The columns whose target x is not above level k have it for their upper one; how many. */
GWF_LANES static int step_down(levels_about *about, const double *restrict level,
                               const double *restrict x, int k, int *restrict above, int n)
{
    const double *restrict next = level + GWF_BLOCK;
    double *restrict high = about->high, *restrict low = about->low;
    int count = 0;
    for (int c = 0; c < n; c++) {
        const int below = level[c] <= x[c];
        high[c] = below ? level[c] : high[c];
        low[c] = below ? next[c] : low[c];
        above[c] = below ? k : above[c];
        count += below;
    }
    return count;
}

/* Each column finds its own levels, from `least` on. */
static void search(gwf_bracket *b, int t, const double *x, levels_about *about)
{
    const int n = b->columns;
    int *above = b->above + (size_t)t * GWF_BLOCK;
    memcpy(about->high, gwf_row(b->from, b->least[t]), (size_t)n * sizeof *about->high);
    memcpy(about->low, gwf_row(b->from, b->least[t] + 1), (size_t)n * sizeof *about->low);
    for (int c = 0; c < n; c++) above[c] = b->least[t];
    for (int k = b->least[t] + 1; k < b->source - 1; k++) {
        if (step_down(about, gwf_row(b->from, k), x, k, above, n) == 0) break;
        b->most[t] = k;
    }
}

/* How many columns are at one of their levels. */
GWF_LANES static int find_way(const double *restrict high, const double *restrict low,
                              const double *restrict x, double end, double *restrict way, int n)
{
    int count = 0;
    for (int c = 0; c < n; c++) {
        const double f = (x[c] - high[c]) / (low[c] - high[c]);
        const double below = f < -end ? 0 : f, held = below > 1 + end ? 1 : below;
        way[c] = held;
        count += (held == 0) | (held == 1);
    }
    return count;
}

/* The search for target t begins at level k; where that for the next one may begin. */
static int find_row(gwf_bracket *b, int t, int k)
{
    const double *x = gwf_row(b->to, t), end = b->hold ? 0 : INFINITY;
    double *const way = gwf_row(b->way, t);
    int count, least = skip_down(b, x, k, &count);
    if (least == k && k > 0 && count_below(gwf_row(b->from, k), x, b->columns) < b->columns)
        least = skip_down(b, x, 0, &count);
    b->least[t] = b->most[t] = least;
    if (count == 0) {
        const double *level = gwf_row(b->from, least);
        b->weightless[t] = find_way(level, level + GWF_BLOCK, x, end, way, b->columns);
    } else {
        levels_about about;
        search(b, t, x, &about);
        b->weightless[t] = find_way(about.high, about.low, x, end, way, b->columns);
    }
    return least;
}

void gwf_bracket_find(gwf_bracket *bracket, int columns)
{
    int k = 0;
    bracket->columns = columns;
    for (int t = 0; t < bracket->target; t++) k = find_row(bracket, t, k);
}

/* --- applying ------------------------------------------------------------------------------- */

GWF_LANES static void take_below(const int *restrict above, int k, gwf_block_field field,
                                 gwf_block_pair *pair, int n)
{
    const float *restrict level = field.values + k * field.stride;
    const float *restrict next = level + field.stride;
    float *restrict high = pair->copies[0], *restrict low = pair->copies[1];
    for (int c = 0; c < n; c++) {
        high[c] = above[c] >= k ? level[c] : high[c];
        low[c] = above[c] >= k ? next[c] : low[c];
    }
}

/* A level without weight does not count. */
GWF_LANES static void replace_weightless(const double *restrict way, gwf_block_pair *pair, int n)
{
    float *restrict high = pair->copies[0], *restrict low = pair->copies[1];
    for (int c = 0; c < n; c++) {
        const float a = high[c], b = low[c];
        high[c] = way[c] == 1 ? b : a;
        low[c] = way[c] == 0 ? a : b;
    }
}

/* Rows are far apart in memory: the one that a coming target needs is asked for early. */
static void fetch(const gwf_bracket *b, int t, gwf_block_field field)
{
    const int coming = t + AHEAD < b->target ? t + AHEAD : b->target - 1;
    const float *row = field.values + (b->most[coming] + 1) * field.stride;
    for (int c = 0; c < b->columns; c += LINE) __builtin_prefetch(row + c);
}

void gwf_bracket_pair(const gwf_bracket *bracket, int t, gwf_block_field field,
                      gwf_block_pair *pair)
{
    const gwf_bracket *b = bracket;
    const int n = b->columns, least = b->least[t], most = b->most[t];
    const float *level = field.values + least * field.stride, *next = level + field.stride;
    fetch(b, t, field);
    pair->high = level;
    pair->low = next;
    if (least == most && !b->weightless[t]) return;
    pair->high = memcpy(pair->copies[0], level, (size_t)n * sizeof *level);
    pair->low = memcpy(pair->copies[1], next, (size_t)n * sizeof *next);
    for (int k = least + 1; k <= most; k++)
        take_below(b->above + (size_t)t * GWF_BLOCK, k, field, pair, n);
    if (b->weightless[t]) replace_weightless(b->way + (size_t)t * GWF_BLOCK, pair, n);
}

GWF_LANES static void interpolate(const float *restrict high, const float *restrict low,
                                  const double *restrict way, double *restrict value, int n)
{
    for (int c = 0; c < n; c++) value[c] = gwf_between(high[c], low[c], way[c]);
}

void gwf_bracket_apply(const gwf_bracket *bracket, int t, gwf_block_field field, double *value)
{
    gwf_block_pair pair;
    gwf_bracket_pair(bracket, t, field, &pair);
    interpolate(pair.high, pair.low, bracket->way + (size_t)t * GWF_BLOCK, value, bracket->columns);
}
