/* Calendars and "UNITS since DATE" against dates computed with cftime 1.6.2 (the library of
 * netcdf4-python), and against what every calendar must keep. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/calendar.h"

/* cftime.num2date(time, units, calendar) */
static const struct {
    const char *units;
    double time;
    gwf_calendar calendar; /* in the order of the enum */
    const char *date;
} dates[] = {
    {"hours since 1900-01-01", 920472.0, 0, "2005-01-03 00:00:00"},
    {"hours since 1900-01-01", 920472.0, 1, "2005-01-03 00:00:00"},
    {"hours since 1900-01-01", 920472.0, 2, "2005-01-02 00:00:00"},
    {"hours since 1900-01-01", 920472.0, 3, "2005-01-29 00:00:00"},
    {"hours since 1900-01-01", 920472.0, 4, "2004-10-16 00:00:00"},
    {"hours since 1900-01-01", 920472.0, 5, "2006-07-14 00:00:00"},
    {"days since 1-1-1", 735000.25, 0, "2013-05-11 06:00:00"},
    {"days since 1-1-1", 735000.25, 1, "2013-05-13 06:00:00"},
    {"days since 1-1-1", 735000.25, 2, "2013-04-28 06:00:00"},
    {"days since 1-1-1", 735000.25, 3, "2014-09-13 06:00:00"},
    {"days since 1-1-1", 735000.25, 4, "2009-03-13 06:00:00"},
    {"days since 1-1-1", 735000.25, 5, "2042-09-01 06:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 0, "1582-10-03 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 1, "1582-10-15 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 2, "1582-10-03 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 3, "1583-11-02 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 4, "1579-07-06 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577735.0, 5, "1605-10-26 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 0, "1582-10-04 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 1, "1582-10-16 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 2, "1582-10-04 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 3, "1583-11-03 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 4, "1579-07-07 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577736.0, 5, "1605-10-27 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 0, "1582-10-15 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 1, "1582-10-17 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 2, "1582-10-05 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 3, "1583-11-04 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 4, "1579-07-08 00:00:00"},
    {"days since 0001-01-01 00:00:00", 577737.0, 5, "1605-10-28 00:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 0, "2005-01-23 06:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 1, "2005-01-23 06:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 2, "2005-01-23 06:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 3, "2005-02-01 06:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 4, "2004-12-28 06:00:00"},
    {"seconds since 1970-01-01", 1106460000.0, 5, "2005-07-27 06:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 0, "2000-02-29 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 1, "2000-02-29 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 2, "2000-02-29 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 3, "2000-03-01 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 4, "2000-02-29 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1.0, 5, "2000-02-29 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 0, "2000-03-01 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 1, "2000-03-01 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 2, "2000-03-01 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 3, "2000-03-02 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 4, "2000-03-01 00:00:00"},
    {"minutes since 2000-02-28 23:59:00", 1441.0, 5, "2000-02-30 00:00:00"},
    {"days since 1900-02-28", 1.0, 0, "1900-03-01 00:00:00"},
    {"days since 1900-02-28", 1.0, 1, "1900-03-01 00:00:00"},
    {"days since 1900-02-28", 1.0, 2, "1900-02-29 00:00:00"},
    {"days since 1900-02-28", 1.0, 3, "1900-03-01 00:00:00"},
    {"days since 1900-02-28", 1.0, 4, "1900-02-29 00:00:00"},
    {"days since 1900-02-28", 1.0, 5, "1900-02-29 00:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 0, "2005-12-17 06:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 1, "2005-01-23 06:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 2, "2005-12-04 06:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 3, "2009-07-11 06:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 4, "1991-02-28 06:00:00"},
    {"days since -4713-11-24 12:00:00", 2453393.75, 5, "2102-11-18 06:00:00"},
    {"days since 1850-01-01", -1000000.0, 0, "-889-02-13 00:00:00"},
    {"days since 1850-01-01", -1000000.0, 1, "-888-02-05 00:00:00"},
    {"days since 1850-01-01", -1000000.0, 2, "-889-02-25 00:00:00"},
    {"days since 1850-01-01", -1000000.0, 3, "-890-04-11 00:00:00"},
    {"days since 1850-01-01", -1000000.0, 4, "-883-10-05 00:00:00"},
    {"days since 1850-01-01", -1000000.0, 5, "-928-03-21 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 0, "29379-01-26 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 1, "29379-01-26 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 2, "29378-07-05 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 3, "29397-04-06 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 4, "29322-05-28 00:00:00"},
    {"days since 2000-01-01", 10000000.0, 5, "29777-10-11 00:00:00"},
};

static void test_dates(void)
{
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        gwf_time_units scale;
        gwf_error err = {0};
        int64_t seconds = 0;
        char text[GWF_DATE_TEXT] = "";
        CHECK_OK(gwf_time_units_parse(dates[i].units, dates[i].calendar, &scale, &err), err);
        CU_ASSERT_TRUE(gwf_time_seconds(&scale, dates[i].time, &seconds));
        gwf_time_text(dates[i].calendar, seconds, text);
        if (strcmp(text, dates[i].date) != 0)
            fprintf(stderr, "\n  %g %s, %s: %s, cftime says %s\n", dates[i].time, dates[i].units,
                    gwf_calendar_name(dates[i].calendar), text, dates[i].date);
        CU_ASSERT_STRING_EQUAL(text, dates[i].date);
        CU_ASSERT_EQUAL(gwf_time_value(&scale, seconds), dates[i].time);
    }
}

/* Every day of some millennia: the date of a day is the day of that date, and follows the one of
 * the day before. */
static void test_every_day(void)
{
    for (int c = 0; c < GWF_CALENDARS; c++) {
        gwf_date before = gwf_calendar_date((gwf_calendar)c, -1500001);
        int wrong = 0;
        for (int64_t day = -1500000; day < 1500000; day++) {
            const gwf_date d = gwf_calendar_date((gwf_calendar)c, day);
            int64_t back = 0;
            const bool next_day = d.year == before.year && d.month == before.month;
            const bool follows =
                next_day
                    ? d.day == before.day + 1
                    : d.day == 1 && (d.year == before.year ? d.month == before.month + 1
                                                           : d.month == 1 && before.month == 12);
            const bool left_out = c == GWF_CALENDAR_STANDARD && d.year == 1582 && d.month == 10 &&
                                  d.day == 15 && before.day == 4;
            wrong += !gwf_calendar_day((gwf_calendar)c, d, &back) || back != day;
            wrong += !follows && !left_out;
            before = d;
        }
        CU_ASSERT_EQUAL(wrong, 0);
    }
}

static void test_dates_that_are_not(void)
{
    static const struct {
        gwf_calendar calendar;
        gwf_date date;
    } none[] = {
        {GWF_CALENDAR_STANDARD, {1582, 10, 5}},   {GWF_CALENDAR_STANDARD, {1582, 10, 14}},
        {GWF_CALENDAR_STANDARD, {1900, 2, 29}},   {GWF_CALENDAR_STANDARD, {0, 1, 1}},
        {GWF_CALENDAR_JULIAN, {0, 1, 1}},         {GWF_CALENDAR_JULIAN, {1901, 2, 29}},
        {GWF_CALENDAR_NOLEAP, {2004, 2, 29}},     {GWF_CALENDAR_360_DAY, {2004, 1, 31}},
        {GWF_CALENDAR_ALL_LEAP, {2001, 2, 30}},   {GWF_CALENDAR_PROLEPTIC_GREGORIAN, {1500, 2, 29}},
        {GWF_CALENDAR_STANDARD, {2000, 13, 1}},   {GWF_CALENDAR_STANDARD, {2000, 0, 1}},
        {GWF_CALENDAR_STANDARD, {2000, 1, 0}},    {GWF_CALENDAR_STANDARD, {2000, 4, 31}},
        {GWF_CALENDAR_STANDARD, {1000000, 1, 1}},
    };
    int64_t day;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CU_ASSERT_FALSE(gwf_calendar_day(none[i].calendar, none[i].date, &day));
    CU_ASSERT_TRUE(gwf_calendar_day(GWF_CALENDAR_STANDARD, (gwf_date){1500, 2, 29}, &day));
    CU_ASSERT_TRUE(gwf_calendar_day(GWF_CALENDAR_ALL_LEAP, (gwf_date){2001, 2, 29}, &day));
    CU_ASSERT_TRUE(gwf_calendar_day(GWF_CALENDAR_360_DAY, (gwf_date){2001, 2, 30}, &day));
}

/* One instant, 2005-01-23 06:00:00 UTC (Unix time 1106460000 by date -u), in many spellings. */
static void test_spellings(void)
{
    static const struct {
        const char *units;
        double time;
    } same[] = {
        {"seconds since 1970-01-01", 1106460000},
        {"s since 1970-1-1 0:0:0", 1106460000},
        {"secs since 1970-01-01T00:00:00Z", 1106460000},
        {"Hours Since 1970-01-01 00:00:0.0", 1106460000 / 3600.0},
        {"hr since 1970-01-01 01:00 +01:00", 1106460000 / 3600.0},
        {"h since 1969-12-31 19:00:00 -5", 1106460000 / 3600.0},
        {"hours since 1970-01-01 05:30:00+0530", 1106460000 / 3600.0},
        {"days since 2005-01-23", 0.25},
        {"day since 2005-01-23 00:00:00 UTC", 0.25},
        {"  d  since  2005-01-22 ", 1.25},
        {"minutes since 2005-01-23 06:00:00.000 GMT", 0},
        {"mins since 2005-01-23 06", 0},
        {"weeks since 2005-01-09 06:00", 2},
        {"milliseconds since 2005-01-23", 21600000},
        {"ns since 1970-01-01", 1106460000e9},
        {"days since 2005-01-23", 0.250001},          /* 0.09 s late: rounded */
        {"hours since 1900-01-01", 920958.000000001}, /* a float's worth too late */
        {"hours since 1900-01-01", 920957.999999999}, /* and too early */
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        gwf_time_units scale;
        gwf_error err = {0};
        int64_t seconds = 0;
        CHECK_OK(gwf_time_units_parse(same[i].units, GWF_CALENDAR_STANDARD, &scale, &err), err);
        CU_ASSERT_TRUE(gwf_time_seconds(&scale, same[i].time, &seconds));
        if (seconds != 1106460000)
            fprintf(stderr, "\n  %s: %lld\n", same[i].units, (long long)seconds);
        CU_ASSERT_EQUAL(seconds, 1106460000);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *units, *words;
    } bad[] = {
        {"", "expected seconds, minutes"},
        {"months since 1900-01-01", "'months since 1900-01-01': expected seconds, minutes"},
        {"years since 1900-01-01", "expected seconds, minutes"},
        {"day as %Y%m%d.%f", "expected 'since'"},
        {"hours", "expected 'since'"},
        {"hours since", "expected a date like"},
        {"hours since yesterday", "expected a date like"},
        {"hours since 1900", "expected a date like"},
        {"hours since 1900-01-01x", "expected a date like"},
        {"hours since 1900-01-01 24:00:00", "expected a date like"},
        {"hours since 1900-01-01 00:60", "expected a date like"},
        {"hours since 1900-01-01 00:00:00.5", "in whole seconds"},
        {"hours since 1900-01-01 00:00:00 PST", "expected a date like"},
        {"hours since 1900-01-01 00:00:00 +15", "expected a date like"},
        {"hours since 99999999999999999999-01-01", "expected a date like"},
        {"hours since 1900-02-29", "there is no such date in the calendar standard"},
        {"hours since 0000-01-01", "there is no such date in the calendar standard"},
        {"hoursandhoursandhoursandhours since 1900-01-01", "expected seconds, minutes"},
    };
    gwf_time_units scale;
    gwf_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_FAILS(gwf_time_units_parse(bad[i].units, GWF_CALENDAR_STANDARD, &scale, &err),
                    GWF_ERR_FORMAT, err, bad[i].words);
    static const double times[] = {NAN, INFINITY, -INFINITY, 1e300, -1e12};
    int64_t seconds;
    CHECK_OK(gwf_time_units_parse("days since 2000-01-01", GWF_CALENDAR_STANDARD, &scale, &err),
             err);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        CU_ASSERT_FALSE(gwf_time_seconds(&scale, times[i], &seconds));
}

static void test_names(void)
{
    static const struct {
        const char *name, *cf;
    } known[] = {
        {"", "standard"},
        {"gregorian", "standard"},
        {"Standard", "standard"},
        {"NOLEAP", "noleap"},
        {"365_day", "noleap"},
        {"366_day", "all_leap"},
        {"360_day", "360_day"},
        {"360", "360_day"},
        {"THIRTY_DAY_MONTHS", "360_day"},
        {"julian", "julian"},
        {"proleptic_gregorian", "proleptic_gregorian"},
    };
    gwf_calendar calendar;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        CU_ASSERT_TRUE(gwf_calendar_from_name(known[i].name, &calendar));
        CU_ASSERT_STRING_EQUAL(gwf_calendar_name(calendar), known[i].cf);
    }
    CU_ASSERT_FALSE(gwf_calendar_from_name("none", &calendar));
    CU_ASSERT_FALSE(gwf_calendar_from_name("mayan", &calendar));
    CU_ASSERT_TRUE(gwf_calendars_agree(GWF_CALENDAR_STANDARD, GWF_CALENDAR_PROLEPTIC_GREGORIAN));
    CU_ASSERT_FALSE(gwf_calendars_agree(GWF_CALENDAR_STANDARD, GWF_CALENDAR_360_DAY));
    CU_ASSERT_FALSE(gwf_calendars_agree(GWF_CALENDAR_NOLEAP, GWF_CALENDAR_360_DAY));
}

int main(void)
{
    static const test_case tests[] = {
        {"dates as cftime has them", test_dates},
        {"every day of some millennia", test_every_day},
        {"dates that a calendar does not have", test_dates_that_are_not},
        {"one instant in many spellings", test_spellings},
        {"units that are refused", test_refusals},
        {"names of calendars", test_names},
    };
    return test_run("calendar", tests, sizeof tests / sizeof *tests);
}
