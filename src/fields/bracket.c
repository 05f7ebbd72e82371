#include "fields/bracket.h"

#include <stdlib.h>
#include <string.h>

gwf_status gwf_bracket_create(int source, int target, gwf_bracket *bracket, gwf_error *err)
{
    gwf_bracket *b = bracket;
    const size_t from = (size_t)source * GWF_BLOCK, to = (size_t)target * GWF_BLOCK;
    *b = (gwf_bracket){.source = source, .target = target};
    b->from = calloc(from, sizeof *b->from);
    b->to = calloc(to, sizeof *b->to);
    b->way = calloc(to, sizeof *b->way);
    b->above = calloc(to, sizeof *b->above);
    b->least = calloc((size_t)target, sizeof *b->least);
    b->most = calloc((size_t)target, sizeof *b->most);
    if (b->from && b->to && b->way && b->above && b->least && b->most) return GWF_OK;
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
    *bracket = (gwf_bracket){0};
}

/* --- finding -------------------------------------------------------------------------------- */

/* Whether some target lies above the level that the search would begin at. */
GWF_LANES static int any_above(const double *restrict level, const double *restrict x, int n)
{
    int found = 0;
    for (int c = 0; c < n; c++) found |= x[c] < level[c];
    return found;
}

/* A target's row while it is searched for. */
typedef struct search {
    const double *x;
    double *high, *low; /* coordinates of the levels above and below */
    int *above;
} search;

/* Columns whose target is not above level k have it for the one above; how many there are. */
GWF_LANES static int step_down(const search *s, const double *restrict level,
                               const double *restrict next, int k, int n)
{
    const double *restrict x = s->x;
    double *restrict high = s->high, *restrict low = s->low;
    int *restrict above = s->above;
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

GWF_LANES static void find_way(const search *s, double *restrict way, int n)
{
    const double *restrict x = s->x, *restrict high = s->high, *restrict low = s->low;
    for (int c = 0; c < n; c++) way[c] = (x[c] - high[c]) / (low[c] - high[c]);
}

/* The search for target t begins at level k; where that for the next one may begin. */
static int find_row(gwf_bracket *b, int t, int k)
{
    const int n = b->columns;
    double high[GWF_BLOCK], low[GWF_BLOCK];
    const search s = {gwf_row(b->to, t), high, low, b->above + (size_t)t * GWF_BLOCK};
    if (any_above(gwf_row(b->from, k), s.x, n)) k = 0;
    for (int c = 0; c < n; c++) {
        high[c] = gwf_row(b->from, k)[c];
        low[c] = gwf_row(b->from, k + 1)[c];
        s.above[c] = k;
    }
    b->least[t] = b->most[t] = k;
    for (int j = k + 1; j < b->source - 1; j++) {
        const int count = step_down(&s, gwf_row(b->from, j), gwf_row(b->from, j + 1), j, n);
        if (count == 0) break;
        if (count == n) b->least[t] = j;
        b->most[t] = j;
    }
    find_way(&s, gwf_row(b->way, t), n);
    return b->least[t];
}

void gwf_bracket_find(gwf_bracket *bracket, int columns)
{
    int k = 0;
    bracket->columns = columns;
    for (int t = 0; t < bracket->target; t++) k = find_row(bracket, t, k);
}

GWF_LANES static void hold_ends(double *way, int n)
{
    for (int c = 0; c < n; c++) {
        const double least = way[c] > 0 ? way[c] : 0;
        way[c] = least < 1 ? least : 1;
    }
}

void gwf_bracket_hold_ends(gwf_bracket *bracket)
{
    for (int t = 0; t < bracket->target; t++) hold_ends(gwf_row(bracket->way, t), bracket->columns);
}

/* --- applying ------------------------------------------------------------------------------- */

GWF_LANES static void interpolate(const float *restrict a, const float *restrict b,
                                  const double *restrict way, double *restrict value, int n)
{
    for (int c = 0; c < n; c++) {
        const double high = a[c], low = b[c], f = way[c];
        const double between = high + (low - high) * f;
        value[c] = f == 0 ? high : f == 1 ? low : between;
    }
}

GWF_LANES static void take_below(const int *restrict above, int k, gwf_block_field field,
                                 float *restrict a, float *restrict b, int n)
{
    const float *restrict level = field.values + k * field.stride;
    const float *restrict next = level + field.stride;
    for (int c = 0; c < n; c++) {
        a[c] = above[c] >= k ? level[c] : a[c];
        b[c] = above[c] >= k ? next[c] : b[c];
    }
}

void gwf_bracket_apply(const gwf_bracket *bracket, int t, gwf_block_field field, double *value)
{
    const int n = bracket->columns, least = bracket->least[t];
    const int *above = bracket->above + (size_t)t * GWF_BLOCK;
    const double *way = bracket->way + (size_t)t * GWF_BLOCK;
    const float *level = field.values + least * field.stride;
    float a[GWF_BLOCK], b[GWF_BLOCK];
    if (least == bracket->most[t]) { /* the same for all */
        interpolate(level, level + field.stride, way, value, n);
        return;
    }
    memcpy(a, level, (size_t)n * sizeof *a);
    memcpy(b, level + field.stride, (size_t)n * sizeof *b);
    for (int k = least + 1; k <= bracket->most[t]; k++) take_below(above, k, field, a, b, n);
    interpolate(a, b, way, value, n);
}
