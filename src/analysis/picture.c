#include "analysis/picture_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

static const double pi = 3.14159265358979323846;
static const double quantile = 0.99;
enum { MOST_POINTS = 10000, CHATTER = 4096 };

/* --- numbers --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double round_up(double x)
{
    const double power = pow(10, floor(log10(x)));
    const double lead = x / power * (1 - 1e-6); /* 0.2f is a little above 0.2 */
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

double gwf_picture_limit(const float *values, size_t count)
{
    float *sorted = count ? malloc(count * sizeof *sorted) : NULL;
    if (!sorted) return -1;
    for (size_t i = 0; i < count; i++) sorted[i] = fabsf(values[i]);
    qsort(sorted, count, sizeof *sorted, compare);
    const double high = sorted[(size_t)(quantile * (double)(count - 1))];
    const double top = sorted[count - 1];
    free(sorted);
    return high > 0 ? round_up(high) : top > 0 ? round_up(top) : 1;
}

gwf_picture_numbers gwf_picture_measure(const gwf_picture *p)
{
    gwf_picture_numbers n = {0};
    double sum = 0, weights = 0;
    for (size_t i = 0; i < p->nlat; i++) {
        const double weight = cos(p->lat[i] * pi / 180);
        const float *row = p->values + i * p->nlon;
        for (size_t j = 0; j < p->nlon; j++) {
            sum += weight * (double)row[j];
            weights += weight;
            if (fabs((double)row[j]) > fabs(n.largest)) n.largest = (double)row[j];
        }
    }
    n.mean = weights > 0 ? sum / weights : 0;
    return n;
}

/* --- the field, closed ----------------------------------------------------------------------- */

/* A little inside the last contour, beyond which Magics has no colour. */
static double clamp(double x, double end)
{
    const double limit = 0.9999 * end;
    return x > limit ? limit : x < -limit ? -limit : x;
}

static double row_mean(const float *row, size_t count)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++) sum += (double)row[j];
    return sum / (double)count;
}

static double to_west(double lon)
{
    return lon - 360 * floor((lon + 180) / 360); /* -180 <= result < 180 */
}

/* The column furthest west, once longitudes run from 180 W. */
static size_t first_column(const gwf_picture *p)
{
    size_t first = 0;
    for (size_t j = 1; j < p->nlon; j++)
        if (to_west(p->lon[j]) < to_west(p->lon[first])) first = j;
    return first;
}

/* One more column on either side, a turn away, so that the map has no gap at the date line. */
static void close_longitude(const gwf_picture *p, gwf_picture_field *f)
{
    const size_t n = p->nlon, first = first_column(p);
    for (size_t j = 0; j < f->nlon; j++) {
        const size_t from = (first + n - 1 + j) % n;
        f->lon[j] = to_west(p->lon[from]);
        for (size_t i = 0; i < p->nlat; i++)
            f->values[(i + 1) * f->nlon + j] = clamp((double)p->values[i * n + from], f->limit);
    }
    f->lon[0] -= 360;
    f->lon[f->nlon - 1] += 360;
}

/* A pole has the mean of the row next to it. */
static void close_latitude(const gwf_picture *p, gwf_picture_field *f)
{
    double *south = f->values, *north = f->values + (f->nlat - 1) * f->nlon;
    const double s = row_mean(p->values, p->nlon);
    const double n = row_mean(p->values + (p->nlat - 1) * p->nlon, p->nlon);
    memcpy(f->lat + 1, p->lat, p->nlat * sizeof *f->lat);
    f->lat[0] = -90;
    f->lat[f->nlat - 1] = 90;
    for (size_t j = 0; j < f->nlon; j++) {
        south[j] = clamp(s, f->limit);
        north[j] = clamp(n, f->limit);
    }
}

static void free_field(gwf_picture_field *f)
{
    free(f->lat);
    free(f->lon);
    free(f->values);
}

static gwf_status make_field(const gwf_picture *p, gwf_picture_field *f, gwf_error *err)
{
    if (p->nlat < 2 || p->nlon < 2 || p->nlat > MOST_POINTS || p->nlon > MOST_POINTS)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "a picture of %zu x %zu points cannot be drawn",
                        p->nlat, p->nlon);
    f->nlat = p->nlat + 2;
    f->nlon = p->nlon + 2;
    f->limit = gwf_picture_limit(p->values, p->nlat * p->nlon);
    f->lat = calloc(f->nlat, sizeof *f->lat);
    f->lon = calloc(f->nlon, sizeof *f->lon);
    f->values = calloc(f->nlat * f->nlon, sizeof *f->values);
    if (!f->lat || !f->lon || !f->values || f->limit < 0)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a picture");
    close_longitude(p, f);
    close_latitude(p, f);
    return GWF_OK;
}

/* --- the process ----------------------------------------------------------------------------- */

typedef struct format {
    const char *name;  /* as Magics has it, and the ending of the path */
    const char *begin; /* how a file of this format begins */
    const char *end;   /* what is among its last bytes once it is complete */
} format;

static const format formats[] = {
    {"png", "\211PNG\r\n\032\n", "IEND"}, {"pdf", "%PDF-", "%%EOF"}, {"svg", "<?xml", "</svg>"}};

static const format *format_of(const char *path)
{
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && i < sizeof formats / sizeof *formats; i++)
        if (strcasecmp(ending + 1, formats[i].name) == 0) return &formats[i];
    return NULL;
}

/* Whether a whole picture is there: Magics says nothing reliable about that. */
static bool is_picture(const char *path, const format *f)
{
    char begin[8] = "", last[17] = "";
    const size_t length = strlen(f->begin);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    const bool read = fread(begin, 1, length, file) == length && fseek(file, -16, SEEK_END) == 0 &&
                      fread(last, 1, 16, file) == 16;
    fclose(file);
    return read && memcmp(begin, f->begin, length) == 0 &&
           memmem(last, 16, f->end, strlen(f->end)) != NULL;
}

/* In the child; never returns. What is printed goes into the pipe. */
static _Noreturn void draw_and_exit(const gwf_picture *p, const gwf_picture_field *field,
                                    const char *stem, const format *f, int out)
{
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    gwf_picture_magics(p, field, stem, f->name);
    fflush(NULL);
    _exit(0);
}

/* All that the child prints, the first part of it kept, until it ends. */
static void listen(int in, char *chatter, size_t size)
{
    char rest[512];
    size_t used = 0;
    for (;;) {
        const bool room = used + 1 < size;
        const ssize_t n =
            read(in, room ? chatter + used : rest, room ? size - 1 - used : sizeof rest);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        if (room) used += (size_t)n;
    }
    chatter[used] = '\0';
}

/* The line of Magics' chatter that says what went wrong. */
static const char *reason(char *chatter)
{
    char *rest = NULL;
    for (char *line = strtok_r(chatter, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strstr(line, "ERROR") || strstr(line, "terminate") || strstr(line, "exception"))
            return line;
    return "it gave no reason: does it find its own data, is there room?";
}

/* Draw stem.NAME in a child process. */
static gwf_status draw_apart(const gwf_picture *p, const gwf_picture_field *field, const char *stem,
                             const format *f, char chatter[static CHATTER], gwf_error *err)
{
    int ends[2], state = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return gwf_fail(err, GWF_ERR_IO, "no pipe for drawing (%s)", strerror(errno));
    fflush(NULL); /* or the child would print it again */
    const pid_t child = fork();
    if (child == 0) draw_and_exit(p, field, stem, f, ends[1]);
    close(ends[1]);
    if (child > 0) listen(ends[0], chatter, CHATTER);
    close(ends[0]);
    if (child < 0) return gwf_fail(err, GWF_ERR_IO, "no process for drawing (%s)", strerror(errno));
    while (waitpid(child, &state, 0) < 0 && errno == EINTR) continue;
    return GWF_OK;
}

/* Magics adds the ending by itself and does not say when it cannot write: find out before. */
static gwf_status check_writable(const char *file, const char *path, gwf_error *err)
{
    const int descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return gwf_fail(err, GWF_ERR_IO, "%s: cannot be written (%s)", path, strerror(errno));
    close(descriptor);
    return GWF_OK;
}

static gwf_status draw_file(const gwf_picture *p, const gwf_picture_field *field, const char *path,
                            const format *f, gwf_error *err)
{
    char stem[4096], file[4096 + 8], chatter[CHATTER] = "";
    if (snprintf(stem, sizeof stem, "%s.part", path) >= (int)sizeof stem)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "the path of the picture is too long");
    snprintf(file, sizeof file, "%s.%s", stem, f->name);
    GWF_TRY(check_writable(file, path, err));
    gwf_status status = draw_apart(p, field, stem, f, chatter, err);
    if (status == GWF_OK && !is_picture(file, f))
        status = gwf_fail(err, GWF_ERR_INTERNAL, "%s: Magics drew no picture (%.200s)", path,
                          reason(chatter));
    if (status == GWF_OK && rename(file, path) != 0)
        status = gwf_fail(err, GWF_ERR_IO, "%s: cannot be written (%s)", path, strerror(errno));
    if (status != GWF_OK) unlink(file);
    return status;
}

gwf_status gwf_picture_draw(const gwf_picture *p, const char *path, gwf_error *err)
{
    gwf_picture_field field = {0};
    const format *f = format_of(path);
    if (!f)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%s: expected a picture's name that ends in .png, .pdf or .svg", path);
    gwf_status status = make_field(p, &field, err);
    if (status == GWF_OK) status = draw_file(p, &field, path, f, err);
    free_field(&field);
    return status;
}
