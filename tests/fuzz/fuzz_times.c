/* Fuzz what is read from the text of a time axis: "UNITS since DATE" in any calendar. What is
 * accepted must name a day that the calendar has, and times in it must come back. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/calendar.h"

static void check(const gwf_time_units *scale, double time)
{
    int64_t seconds, again, day;
    char text[GWF_DATE_TEXT];
    if (!gwf_time_seconds(scale, time, &seconds)) return;
    if (!gwf_time_seconds(scale, gwf_time_value(scale, seconds), &again)) abort();
    if (again != seconds) abort();
    gwf_time_text(scale->calendar, seconds, text);
    if (!text[0]) abort();
    const int64_t of = seconds / 86400 - (seconds % 86400 < 0);
    const gwf_date date = gwf_calendar_date(scale->calendar, of);
    if (llabs(date.year) <= GWF_CALENDAR_YEAR &&
        (!gwf_calendar_day(scale->calendar, date, &day) || day != of))
        abort();
}

/* The first byte: the calendar; eight for a time; the rest is text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const double usual[] = {0, 1, -1, 0.5, 920952, 38372.25, -1e6, 1e7};
    double time;
    gwf_time_units scale;
    gwf_error err = {0};
    gwf_calendar calendar;
    if (size < 1 + sizeof time) return 0;
    memcpy(&time, data + 1, sizeof time);
    const size_t n = size - 1 - sizeof time;
    char *text = calloc(n + 1, 1);
    memcpy(text, data + 1 + sizeof time, n);
    gwf_calendar_from_name(text, &calendar);
    if (gwf_time_units_parse(text, data[0] % GWF_CALENDARS, &scale, &err) == GWF_OK) {
        check(&scale, time);
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) check(&scale, usual[i]);
    } else if (!err.text[0]) {
        abort(); /* a refusal must say why */
    }
    free(text);
    return 0;
}
