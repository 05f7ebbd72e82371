/* How far a long run is: a bar on a terminal, a line now and then otherwise. To stderr. */
#ifndef GWF_CLI_PROGRESS_H
#define GWF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct progress {
    bool terminal;
    double start, last; /* seconds */
    size_t before;      /* steps that an earlier run has done */
} progress;

void progress_start(progress *p);
/* done of steps; prints at most twice a second on a terminal, every 30 s otherwise. */
void progress_show(progress *p, size_t done, size_t steps);
/* Ends the bar's line. */
void progress_end(progress *p);

/* "75 s", "12 min", "3.4 h" into text, which is returned. */
const char *progress_duration(double seconds, char text[static 32]);

#endif
