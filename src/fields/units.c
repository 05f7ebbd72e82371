#include "fields/units.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <udunits2.h>

enum { UNIT_TEXT = 256 };

/* Spellings that udunits2 does not read, or reads as something else (mb is its millibarn, C its
 * coulomb). Whole texts; a geopotential metre is a metre of height at standard gravity. */
static const struct spelling {
    const char *found, *meant;
} spellings[] = {
    {"", "1"},       {"(0 - 1)", "1"},  {"(0-1)", "1"},         {"0 - 1", "1"},
    {"0-1", "1"},    {"none", "1"},     {"None", "1"},          {"-", "1"},
    {"~", "1"},      {"unitless", "1"}, {"dimensionless", "1"}, {"Numeric", "1"},
    {"C", "degC"},   {"deg C", "degC"}, {"degree C", "degC"},   {"degrees C", "degC"},
    {"deg K", "K"},  {"degree K", "K"}, {"degrees K", "K"},     {"gpm", "m"},
    {"gpdm", "dam"},
};

/* udunits2's parser keeps its state in global variables, so one thread at a time. The system is
 * read once and kept: it stays reachable until the process ends. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ut_system *unit_system;

static gwf_status load_system(gwf_error *err)
{
    if (unit_system) return GWF_OK;
    ut_set_error_message_handler(ut_ignore); /* it would print */
    unit_system = ut_read_xml(NULL);
    if (unit_system) return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "units: udunits2 cannot read its database (is UDUNITS2_XML_PATH right, is the "
                    "package with its data there?)");
}

/* text without the blanks around it; false when it is too long to be a unit. */
static bool trim(const char *text, char *trimmed)
{
    while (isspace((unsigned char)*text)) text++;
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1])) n--;
    if (n >= UNIT_TEXT / 2) return false;
    memcpy(trimmed, text, n);
    trimmed[n] = '\0';
    return true;
}

/* "mb/s" -> "mbar/s": every word that is just mb. out holds twice the text. */
static void millibars(const char *text, char *out)
{
    for (const char *c = text; *c;) {
        size_t n = 0;
        while (isalpha((unsigned char)c[n])) n++;
        const bool is_mb = n == 2 && strncmp(c, "mb", 2) == 0;
        if (n == 0) n = 1;
        memcpy(out, c, n);
        out += n;
        c += n;
        if (is_mb) out = stpcpy(out, "ar");
    }
    *out = '\0';
}

/* NULL when it is not a unit. The lock is held, the system loaded. */
static ut_unit *parse(const char *text)
{
    char trimmed[UNIT_TEXT], meant[2 * UNIT_TEXT];
    if (!trim(text, trimmed)) return NULL;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strcmp(trimmed, spellings[i].found) == 0)
            return ut_parse(unit_system, spellings[i].meant, UT_UTF8);
    millibars(trimmed, meant);
    return ut_parse(unit_system, meant, UT_UTF8);
}

/* A step this long loses nothing of the scale to an offset of some hundreds. */
static bool linear(const cv_converter *converter, double *scale, double *offset)
{
    const double step = 1 << 20;
    *offset = cv_convert_double(converter, 0);
    *scale = (cv_convert_double(converter, step) - *offset) / step;
    if (!isfinite(*scale) || !isfinite(*offset) || *scale == 0) return false;
    const double at[] = {-3, 2, 1000};
    for (int i = 0; i < 3; i++) {
        const double truth = cv_convert_double(converter, at[i]);
        const double size = fabs(*offset) + fabs(*scale * at[i]);
        if (!(fabs(*scale * at[i] + *offset - truth) <= 1e-9 * size)) return false;
    }
    return true;
}

static gwf_status convert(ut_unit *from, ut_unit *to, double *scale, double *offset, gwf_error *err,
                          const char *const texts[2])
{
    cv_converter *converter = ut_get_converter(from, to);
    if (!converter)
        return gwf_fail(err, GWF_ERR_MISMATCH, "units \"%.64s\" cannot become \"%.64s\"", texts[0],
                        texts[1]);
    const bool is_linear = linear(converter, scale, offset);
    cv_free(converter);
    if (is_linear) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "units \"%.64s\" become \"%.64s\" by more than a factor and an offset",
                    texts[0], texts[1]);
}

static gwf_status parse_and_convert(const char *const texts[2], double *scale, double *offset,
                                    gwf_error *err)
{
    GWF_TRY(load_system(err));
    ut_unit *units[2] = {parse(texts[0]), parse(texts[1])};
    gwf_status status;
    if (units[0] && units[1])
        status = convert(units[0], units[1], scale, offset, err, texts);
    else
        status = gwf_fail(err, GWF_ERR_MISMATCH,
                          "\"%.64s\" is not a unit that udunits2 knows (to convert \"%.64s\" to "
                          "\"%.64s\")",
                          texts[units[0] ? 1 : 0], texts[0], texts[1]);
    ut_free(units[0]);
    ut_free(units[1]);
    return status;
}

gwf_status gwf_units_convert(const char *from, const char *to, double *scale, double *offset,
                             gwf_error *err)
{
    const char *const texts[2] = {from, to};
    *scale = 1;
    *offset = 0;
    pthread_mutex_lock(&lock);
    const gwf_status status = parse_and_convert(texts, scale, offset, err);
    pthread_mutex_unlock(&lock);
    return status;
}
