#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

enum { BAR = 30 };

const char *progress_duration(double seconds, char text[static 32])
{
    if (seconds < 120)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 7200)
        snprintf(text, 32, "%.0f min", seconds / 60);
    else
        snprintf(text, 32, "%.1f h", seconds / 3600);
    return text;
}

void progress_start(progress *p)
{
    *p = (progress){.terminal = isatty(STDERR_FILENO), .start = gwf_now()};
    p->last = p->start;
}

static void draw(const progress *p, size_t done, size_t steps, double rate)
{
    char left[32], bar[BAR + 1];
    const int filled = (int)(BAR * done / steps);
    progress_duration((double)(steps - done) / rate, left);
    if (!p->terminal) {
        fprintf(stderr, "gwflux: step %zu of %zu, %.1f steps/s, %s left\n", done, steps, rate,
                left);
        return;
    }
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)filled);
    bar[BAR] = '\0';
    fprintf(stderr, "\r[%s] %zu/%zu  %.1f steps/s  %s left   ", bar, done, steps, rate, left);
    fflush(stderr);
}

void progress_show(progress *p, size_t done, size_t steps)
{
    const double t = gwf_now();
    const bool last = done == steps && p->terminal;
    if (t - p->last < (p->terminal ? 0.5 : 30) && !last) return;
    p->last = t;
    draw(p, done, steps, t > p->start ? (double)(done - p->before) / (t - p->start) : 0);
}

void progress_end(progress *p)
{
    if (p->terminal && p->last > p->start) fputc('\n', stderr);
}
