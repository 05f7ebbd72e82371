/* Calendars of the CF conventions (section 4.4.1) and "UNITS since DATE", in whole seconds.
 *
 * Seconds count from 1970-01-01 00:00:00 UTC for the calendars that label real days (standard,
 * proleptic_gregorian, julian), and from 1970-01-01 of their own for noleap, all_leap and 360_day;
 * gwf_calendars_agree() says which may be compared. Pure functions. */
#ifndef GWF_CORE_CALENDAR_H
#define GWF_CORE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef enum gwf_calendar {
    GWF_CALENDAR_STANDARD, /* Julian until 1582-10-04, Gregorian from 1582-10-15; no year 0 */
    GWF_CALENDAR_PROLEPTIC_GREGORIAN,
    GWF_CALENDAR_JULIAN, /* no year 0 */
    GWF_CALENDAR_NOLEAP,
    GWF_CALENDAR_ALL_LEAP,
    GWF_CALENDAR_360_DAY,
    GWF_CALENDARS
} gwf_calendar;

typedef struct gwf_date {
    int64_t year;
    int month, day; /* from 1 */
} gwf_date;

enum { GWF_CALENDAR_YEAR = 100000, GWF_DATE_TEXT = 40 }; /* years beyond +-100000 are refused */

/* A CF name, or one of its aliases (gregorian, 365_day, 366_day; 360 and THIRTY_DAY_MONTHS as FMS
 * writes them; "" is standard), in any case. */
bool gwf_calendar_from_name(const char *name, gwf_calendar *calendar);
const char *gwf_calendar_name(gwf_calendar calendar);

/* Whether times in the two may be compared: the same, or standard and proleptic_gregorian (which
 * differ before 1582 only in how days are called). */
bool gwf_calendars_agree(gwf_calendar a, gwf_calendar b);

/* Day number of a date and back; false for a date the calendar does not have. */
bool gwf_calendar_day(gwf_calendar calendar, gwf_date date, int64_t *day);
gwf_date gwf_calendar_date(gwf_calendar calendar, int64_t day);

/* What a time axis counts: time = (seconds - origin) * parts / unit. */
typedef struct gwf_time_units {
    gwf_calendar calendar;
    int64_t origin; /* seconds                                                       */
    int64_t unit;   /* seconds of one unit (3600 for hours), 1 where parts is not 1  */
    int64_t parts;  /* of a second in one unit (1000 for milliseconds), else 1       */
} gwf_time_units;

/* "hours since 1900-01-01 00:00:0.0", "days since 1-1-1", "seconds since 1970-01-01T00:00:00+01:00"
 * with weeks, days, hours, minutes, seconds, milli-, micro- and nanoseconds and their usual short
 * forms. FORMAT with one line: months, years and other units, dates the calendar does not have,
 * origins with a fraction of a second. */
gwf_status gwf_time_units_parse(const char *units, gwf_calendar calendar, gwf_time_units *scale,
                                gwf_error *err);

/* Nearest whole second; false when it is not finite or beyond the calendar's years. */
bool gwf_time_seconds(const gwf_time_units *scale, double time, int64_t *seconds);
double gwf_time_value(const gwf_time_units *scale, int64_t seconds);

/* "2005-01-23 06:00:00" */
void gwf_time_text(gwf_calendar calendar, int64_t seconds, char text[GWF_DATE_TEXT]);

#endif
