#include "core/calendar.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY_SECONDS = 86400 };
static const double most_seconds = 4e12; /* more than GWF_CALENDAR_YEAR years, far from overflow */

/* --- names ---------------------------------------------------------------------------------- */

static const char *const names[GWF_CALENDARS] = {
    "standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"};

static const struct {
    const char *name;
    gwf_calendar calendar;
} aliases[] = {
    {"", GWF_CALENDAR_STANDARD},      {"gregorian", GWF_CALENDAR_STANDARD},
    {"365_day", GWF_CALENDAR_NOLEAP}, {"no_leap", GWF_CALENDAR_NOLEAP},
    {"365", GWF_CALENDAR_NOLEAP},     {"366_day", GWF_CALENDAR_ALL_LEAP},
    {"366", GWF_CALENDAR_ALL_LEAP},   {"360", GWF_CALENDAR_360_DAY},
    {"360day", GWF_CALENDAR_360_DAY}, {"thirty_day_months", GWF_CALENDAR_360_DAY},
};

bool gwf_calendar_from_name(const char *name, gwf_calendar *calendar)
{
    for (int i = 0; i < GWF_CALENDARS; i++)
        if (strcasecmp(name, names[i]) == 0) {
            *calendar = (gwf_calendar)i;
            return true;
        }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(name, aliases[i].name) == 0) {
            *calendar = aliases[i].calendar;
            return true;
        }
    return false;
}

const char *gwf_calendar_name(gwf_calendar calendar)
{
    return calendar >= 0 && calendar < GWF_CALENDARS ? names[calendar] : "unknown";
}

bool gwf_calendars_agree(gwf_calendar a, gwf_calendar b)
{
    return a == b ||
           (a <= GWF_CALENDAR_PROLEPTIC_GREGORIAN && b <= GWF_CALENDAR_PROLEPTIC_GREGORIAN);
}

/* --- days ----------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years that begin in March end with the leap day: the day within such a year does not depend on
 * it. march_day(3, 1) = 0, march_day(2, 29) = 365. */
static int64_t march_day(int month, int day)
{
    return (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
}

static gwf_date march_date(int64_t year, int64_t day_of_year)
{
    const int m = (int)((5 * day_of_year + 2) / 153);
    const int month = m < 10 ? m + 3 : m - 9;
    return (gwf_date){year + (month <= 2), month, (int)(day_of_year - (153 * m + 2) / 5) + 1};
}

static int64_t gregorian_day(gwf_date d)
{
    const int64_t y = d.year - (d.month <= 2);
    return 365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
           march_day(d.month, d.day) - 719468; /* 1970-01-01 */
}

static gwf_date gregorian_date(int64_t day)
{
    const int64_t n = day + 719468, era = floor_div(n, 146097), in_era = n - era * 146097;
    const int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    return march_date(era * 400 + y, in_era - (365 * y + y / 4 - y / 100));
}

/* The same day 0: 1969-12-19 in the Julian calendar. */
static int64_t julian_day(gwf_date d)
{
    const int64_t y = d.year - (d.month <= 2);
    return 365 * y + floor_div(y, 4) + march_day(d.month, d.day) - 719470;
}

static gwf_date julian_date(int64_t day)
{
    const int64_t n = day + 719470, era = floor_div(n, 1461), in_era = n - era * 1461;
    const int64_t y = (in_era - in_era / 1460) / 365;
    return march_date(era * 4 + y, in_era - 365 * y);
}

/* Years of 365 or 366 days that are all alike. */
static const int before_month[2][13] = {
    {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366},
};

static gwf_date uniform_date(int64_t day, int leap)
{
    const int *before = before_month[leap];
    const int64_t year = floor_div(day, before[12]), in_year = day - year * before[12];
    int month = 1;
    while (before[month] <= in_year) month++;
    return (gwf_date){1970 + year, month, (int)in_year - before[month - 1] + 1};
}

static bool is_leap(gwf_calendar calendar, int64_t year)
{
    if (calendar == GWF_CALENDAR_JULIAN) return year % 4 == 0;
    if (calendar == GWF_CALENDAR_STANDARD && year < 1583) return year % 4 == 0;
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_length(gwf_calendar calendar, int64_t year, int month)
{
    if (calendar == GWF_CALENDAR_360_DAY) return 30;
    const int leap = calendar == GWF_CALENDAR_NOLEAP     ? 0
                     : calendar == GWF_CALENDAR_ALL_LEAP ? 1
                                                         : is_leap(calendar, year);
    return before_month[leap][month] - before_month[leap][month - 1];
}

/* 1 BC, which astronomers call year 0, is year -1 in calendars without a year 0. */
static bool has_year_zero(gwf_calendar calendar)
{
    return calendar != GWF_CALENDAR_STANDARD && calendar != GWF_CALENDAR_JULIAN;
}

static const int64_t first_gregorian_day = -141427; /* 1582-10-15 */

bool gwf_calendar_day(gwf_calendar calendar, gwf_date date, int64_t *day)
{
    gwf_date d = date;
    if (d.year < -GWF_CALENDAR_YEAR || d.year > GWF_CALENDAR_YEAR) return false;
    if (!has_year_zero(calendar) && d.year == 0) return false;
    if (!has_year_zero(calendar) && d.year < 0) d.year++;
    if (d.month < 1 || d.month > 12 || d.day < 1) return false;
    if (d.day > month_length(calendar, d.year, d.month)) return false;
    switch (calendar) {
    case GWF_CALENDAR_PROLEPTIC_GREGORIAN:
        *day = gregorian_day(d);
        return true;
    case GWF_CALENDAR_JULIAN:
        *day = julian_day(d);
        return true;
    case GWF_CALENDAR_360_DAY:
        *day = (d.year - 1970) * 360 + (d.month - 1) * 30 + d.day - 1;
        return true;
    case GWF_CALENDAR_NOLEAP:
    case GWF_CALENDAR_ALL_LEAP: {
        const int *before = before_month[calendar == GWF_CALENDAR_ALL_LEAP];
        *day = (d.year - 1970) * before[12] + before[d.month - 1] + d.day - 1;
        return true;
    }
    default:
        *day = gregorian_day(d);
        if (*day >= first_gregorian_day) return true;
        *day = julian_day(d);
        return *day < first_gregorian_day; /* else one of the ten days that were left out */
    }
}

gwf_date gwf_calendar_date(gwf_calendar calendar, int64_t day)
{
    gwf_date date;
    switch (calendar) {
    case GWF_CALENDAR_PROLEPTIC_GREGORIAN:
        return gregorian_date(day);
    case GWF_CALENDAR_360_DAY: {
        const int64_t year = floor_div(day, 360), in_year = day - year * 360;
        return (gwf_date){1970 + year, (int)(in_year / 30) + 1, (int)(in_year % 30) + 1};
    }
    case GWF_CALENDAR_NOLEAP:
        return uniform_date(day, 0);
    case GWF_CALENDAR_ALL_LEAP:
        return uniform_date(day, 1);
    case GWF_CALENDAR_JULIAN:
        date = julian_date(day);
        break;
    default:
        date = day >= first_gregorian_day ? gregorian_date(day) : julian_date(day);
    }
    if (date.year <= 0) date.year--;
    return date;
}

/* --- "UNITS since DATE" --------------------------------------------------------------------- */

static const struct {
    const char *name; /* with blanks around each: " s sec " */
    int64_t unit, parts;
} units_known[] = {
    {" s sec secs second seconds ", 1, 1},
    {" min mins minute minutes ", 60, 1},
    {" h hr hrs hour hours ", 3600, 1},
    {" d day days ", DAY_SECONDS, 1},
    {" week weeks ", 7 * DAY_SECONDS, 1},
    {" ms msec msecs millisecond milliseconds ", 1, 1000},
    {" us microsecond microseconds ", 1, 1000000},
    {" ns nanosecond nanoseconds ", 1, 1000000000},
};

static void skip_blanks(const char **text)
{
    while (isspace((unsigned char)**text)) ++*text;
}

/* The next word, in small letters, between blanks: " hours ". False when it is longer than any. */
static bool next_word(const char **text, char *word, size_t size)
{
    size_t n = 0;
    word[n++] = ' ';
    for (skip_blanks(text); **text && !isspace((unsigned char)**text); ++*text) {
        if (n + 2 >= size) return false;
        word[n++] = (char)tolower((unsigned char)**text);
    }
    word[n++] = ' ';
    word[n] = '\0';
    return n > 2;
}

static bool parse_unit(const char **text, gwf_time_units *scale)
{
    char word[24];
    if (!next_word(text, word, sizeof word)) return false;
    for (size_t i = 0; i < sizeof units_known / sizeof *units_known; i++)
        if (strstr(units_known[i].name, word)) {
            scale->unit = units_known[i].unit;
            scale->parts = units_known[i].parts;
            return true;
        }
    return false;
}

/* Digits, at most `most` of them. */
static bool parse_digits(const char **text, int most, int64_t *number)
{
    int n = 0;
    for (*number = 0; isdigit((unsigned char)**text); n++, ++*text) {
        if (n == most) return false;
        *number = *number * 10 + (**text - '0');
    }
    return n > 0;
}

static bool parse_char(const char **text, char c)
{
    if (**text != c) return false;
    ++*text;
    return true;
}

static bool parse_date(const char **text, gwf_date *date)
{
    int64_t year, month, day;
    skip_blanks(text);
    const bool before_christ = parse_char(text, '-');
    if (!parse_digits(text, 6, &year) || !parse_char(text, '-') || !parse_digits(text, 2, &month) ||
        !parse_char(text, '-') || !parse_digits(text, 2, &day))
        return false;
    *date = (gwf_date){before_christ ? -year : year, (int)month, (int)day};
    return true;
}

/* ".000": a fraction that is nothing. */
static bool parse_no_fraction(const char **text)
{
    if (!parse_char(text, '.')) return true;
    while (**text == '0') ++*text;
    return !isdigit((unsigned char)**text);
}

/* "6", "06:00", "06:00:00.0" */
static bool parse_clock(const char **text, int64_t *seconds)
{
    int64_t hour = 0, minute = 0, second = 0;
    if (!parse_digits(text, 2, &hour)) return false;
    if (parse_char(text, ':')) {
        if (!parse_digits(text, 2, &minute)) return false;
        if (parse_char(text, ':') && (!parse_digits(text, 2, &second) || !parse_no_fraction(text)))
            return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

/* "+01:00", "-5", "+0530" behind the sign. */
static bool parse_offset(const char **text, int64_t *seconds)
{
    int64_t hours, minutes = 0;
    if (!parse_digits(text, 4, &hours)) return false;
    if (parse_char(text, ':')) {
        if (!parse_digits(text, 2, &minutes)) return false;
    } else if (hours >= 100) {
        minutes = hours % 100;
        hours /= 100;
    }
    *seconds = hours * 3600 + minutes * 60;
    return hours <= 14 && minutes < 60;
}

/* Nothing, UTC in one of its spellings, or a distance from it. */
static bool parse_zone(const char **text, int64_t *offset)
{
    static const char *const utc[] = {"UTC", "GMT", "Z"};
    *offset = 0;
    skip_blanks(text);
    for (size_t i = 0; i < sizeof utc / sizeof *utc; i++)
        if (strncasecmp(*text, utc[i], strlen(utc[i])) == 0) {
            *text += strlen(utc[i]);
            return true;
        }
    if (**text != '+' && **text != '-') return true;
    const bool west = *(*text)++ == '-';
    if (!parse_offset(text, offset)) return false;
    if (west) *offset = -*offset;
    return true;
}

/* What may follow the date. */
static bool parse_time_of_day(const char **text, int64_t *seconds, int64_t *offset)
{
    *seconds = *offset = 0;
    if (**text && !isspace((unsigned char)**text) && **text != 'T' && **text != 't' &&
        **text != 'Z' && **text != 'z')
        return false;
    if (**text == 'T' || **text == 't') ++*text;
    skip_blanks(text);
    if (isdigit((unsigned char)**text) && !parse_clock(text, seconds)) return false;
    if (!parse_zone(text, offset)) return false;
    skip_blanks(text);
    return **text == '\0';
}

gwf_status gwf_time_units_parse(const char *units, gwf_calendar calendar, gwf_time_units *scale,
                                gwf_error *err)
{
    const char *at = units;
    char since[8];
    gwf_date date;
    int64_t day, seconds, offset;
    *scale = (gwf_time_units){.calendar = calendar, .unit = 1, .parts = 1};
    if (!parse_unit(&at, scale))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "time units '%.100s': expected seconds, minutes, hours, days or weeks "
                        "'since' a date",
                        units);
    if (!next_word(&at, since, sizeof since) || strcmp(since, " since ") != 0)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "time units '%.100s': expected 'since' and a date after the unit", units);
    if (!parse_date(&at, &date) || !parse_time_of_day(&at, &seconds, &offset))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "time units '%.100s': expected a date like 1900-01-01 00:00:00 after "
                        "'since', in whole seconds",
                        units);
    if (!gwf_calendar_day(calendar, date, &day))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "time units '%.100s': there is no such date in the calendar %s", units,
                        gwf_calendar_name(calendar));
    scale->origin = day * DAY_SECONDS + seconds - offset;
    return GWF_OK;
}

/* --- times ---------------------------------------------------------------------------------- */

bool gwf_time_seconds(const gwf_time_units *scale, double time, int64_t *seconds)
{
    const double since = time * (double)scale->unit / (double)scale->parts;
    if (!(fabs(since) < most_seconds)) return false;
    *seconds = scale->origin + llround(since);
    return llabs(*seconds) < (int64_t)most_seconds;
}

double gwf_time_value(const gwf_time_units *scale, int64_t seconds)
{
    const int64_t since = seconds - scale->origin;
    if (since % scale->unit == 0) return (double)(since / scale->unit) * (double)scale->parts;
    return (double)since / (double)scale->unit;
}

void gwf_time_text(gwf_calendar calendar, int64_t seconds, char text[GWF_DATE_TEXT])
{
    const int64_t day = floor_div(seconds, DAY_SECONDS);
    const int rest = (int)(seconds - day * DAY_SECONDS);
    const gwf_date d = gwf_calendar_date(calendar, day);
    snprintf(text, GWF_DATE_TEXT, "%04lld-%02d-%02d %02d:%02d:%02d", (long long)d.year, d.month,
             d.day, rest / 3600, rest / 60 % 60, rest % 60);
}
