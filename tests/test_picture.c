/* Pictures: the numbers, and what Magics really drew (pixels of the PNG, shapes of the SVG). */
#include "test.h"

#ifdef GWF_HAVE_MAGICS

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/picture.h"

enum {
    NLAT = 32,
    NLON = 64,
    POINTS = NLAT * NLON,
    PIXELS = GWF_PICTURE_WIDTH * GWF_PICTURE_HEIGHT
};

static double lat[NLAT], lon[NLON];
static float values[POINTS];

static float bump(double y, double x, double y0, double x0)
{
    return (float)exp(-((y - y0) * (y - y0) + (x - x0) * (x - x0)) / (15 * 15));
}

/* Strong upward flux at 45 N 90 E, strong downward flux at 45 S 90 W, nothing elsewhere. */
static gwf_picture two_bumps(void)
{
    for (size_t i = 0; i < NLAT; i++) lat[i] = -90 + 180 * ((double)i + 0.5) / NLAT;
    for (size_t j = 0; j < NLON; j++) lon[j] = 360 * (double)j / NLON;
    for (size_t i = 0; i < NLAT; i++)
        for (size_t j = 0; j < NLON; j++)
            values[i * NLON + j] =
                20 * (bump(lat[i], lon[j], 45, 90) - bump(lat[i], lon[j], -45, 270));
    return (gwf_picture){.title = "two <b>bumps</b>",
                         .caption = "a caption",
                         .legend = "mPa",
                         .nlat = NLAT,
                         .nlon = NLON,
                         .lat = lat,
                         .lon = lon,
                         .values = values};
}

/* --- numbers --------------------------------------------------------------------------------- */

static void limits_are_round(void)
{
    static const struct {
        float value;
        double limit;
    } cases[] = {{0, 1}, {0.0003f, 0.0005}, {0.2f, 0.2}, {-1, 1}, {1.1f, 2}, {-4.9f, 5}, {70, 100}};
    float x[200];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t i = 0; i < 200; i++) x[i] = cases[c].value;
        CU_ASSERT_DOUBLE_EQUAL(gwf_picture_limit(x, 200), cases[c].limit, 1e-9 * cases[c].limit);
    }
}

static void limits_forget_extremes(void)
{
    float x[200];
    for (size_t i = 0; i < 200; i++) x[i] = 1;
    x[17] = 1000;
    CU_ASSERT_EQUAL(gwf_picture_limit(x, 200), 1);
    for (size_t i = 0; i < 200; i++) x[i] = 0;
    x[17] = -1000;
    CU_ASSERT_EQUAL(gwf_picture_limit(x, 200), 1000);
}

static void measures_the_globe(void)
{
    gwf_picture p = two_bumps();
    gwf_picture_numbers n = gwf_picture_measure(&p);
    CU_ASSERT_DOUBLE_EQUAL(n.mean, 0, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(fabs(n.largest), 20, 1);
    for (size_t i = 0; i < POINTS; i++) values[i] = -3;
    n = gwf_picture_measure(&p);
    CU_ASSERT_DOUBLE_EQUAL(n.mean, -3, 1e-12);
    CU_ASSERT_EQUAL(n.largest, -3);
    /* Only north of 30 N: a quarter of the area; NLAT rows resolve it to a few per cent. */
    for (size_t i = 0; i < POINTS; i++) values[i] = lat[i / NLON] > 30 ? 1 : 0;
    CU_ASSERT_DOUBLE_EQUAL(gwf_picture_measure(&p).mean, 0.25, 0.02);
}

/* --- pictures -------------------------------------------------------------------------------- */

typedef struct pixel {
    unsigned char red, green, blue;
} pixel;

static pixel *read_png(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    pixel *pixels = calloc(PIXELS, sizeof *pixels);
    CU_ASSERT_TRUE_FATAL(pixels && png_image_begin_read_from_file(&image, path));
    CU_ASSERT_EQUAL_FATAL(image.width, GWF_PICTURE_WIDTH);
    CU_ASSERT_EQUAL_FATAL(image.height, GWF_PICTURE_HEIGHT);
    image.format = PNG_FORMAT_RGB;
    CU_ASSERT_TRUE_FATAL(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    return pixels;
}

static int count_colours(const pixel *pixels)
{
    static unsigned char seen[1 << 12]; /* four bits of each */
    int count = 0;
    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < PIXELS; i++) {
        const int code = pixels[i].red >> 4 << 8 | pixels[i].green >> 4 << 4 | pixels[i].blue >> 4;
        count += !seen[code];
        seen[code] = 1;
    }
    return count;
}

/* Where the map lies: 1.6 of 32 cm on either side, its lower edge 3 of 19.2 cm from below. */
static pixel at(const pixel *pixels, double north, double east)
{
    const double cm = GWF_PICTURE_WIDTH / 32.0, width = 28.8 * cm;
    const double x = 1.6 * cm + (east + 180) / 360 * width;
    const double y = GWF_PICTURE_HEIGHT - 3 * cm - (north + 90) / 360 * width;
    return pixels[(size_t)y * GWF_PICTURE_WIDTH + (size_t)x];
}

static bool is_white(pixel p)
{
    return p.red > 250 && p.green > 250 && p.blue > 250;
}

static void draws_a_png(void)
{
    const gwf_picture p = two_bumps();
    gwf_error err = {0};
    const char *path = test_scratch("bumps.png");
    CHECK_OK(gwf_picture_draw(&p, path, &err), err);
    pixel *pixels = read_png(path);
    const int colours = count_colours(pixels);
    if (colours < 12) fprintf(stderr, "\n  %d colours\n", colours);
    CU_ASSERT_TRUE(colours >= 12);
    const pixel up = at(pixels, 46.5, 92), down = at(pixels, -46.5, -92);
    CU_ASSERT_TRUE(up.red > 2 * up.blue && up.red > 2 * up.green);
    CU_ASSERT_TRUE(down.blue > 2 * down.red);
    CU_ASSERT_TRUE(is_white(at(pixels, -46.5, 92)));
    CU_ASSERT_TRUE(is_white(at(pixels, 46.5, -152)));
    free(pixels);
}

/* The field reaches over the date line: no gap there. */
static void closes_the_date_line(void)
{
    gwf_picture p = two_bumps();
    gwf_error err = {0};
    const char *path = test_scratch("closed.png");
    for (size_t i = 0; i < POINTS; i++) values[i] = 3 + (float)(i % 7) * 0.01f;
    CHECK_OK(gwf_picture_draw(&p, path, &err), err);
    pixel *pixels = read_png(path);
    for (double east = -179.5; east < 180; east += 0.5)
        CU_ASSERT_FALSE(is_white(at(pixels, -46.3, east)));
    for (double north = -89.5; north < 90; north += 0.5)
        CU_ASSERT_FALSE(is_white(at(pixels, north, -150.3)));
    free(pixels);
}

/* A few points far beyond the colours have the last colour. */
static void extremes_have_the_last_colour(void)
{
    gwf_picture p = two_bumps();
    gwf_error err = {0};
    const char *path = test_scratch("extremes.png");
    for (size_t i = 0; i < POINTS; i++) {
        const bool here = fabs(lat[i / NLON] - 45) < 9 && fabs(lon[i % NLON] - 90) < 6;
        values[i] = here ? -500 : 0.5f;
    }
    CHECK_OK(gwf_picture_draw(&p, path, &err), err);
    pixel *pixels = read_png(path);
    const pixel middle = at(pixels, 46.5, 92);
    CU_ASSERT_TRUE(middle.red < 10 && middle.green < 60 && middle.blue > 90);
    free(pixels);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    char *text = calloc(1 << 23, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_TRUE(fread(text, 1, (1 << 23) - 1, f) > 1000);
    fclose(f);
    return text;
}

/* Both ends and the middle of the colours, the texts; what looks like markup is gone. */
static void draws_an_svg(void)
{
    static const char *const words[] = {"rgb(5,48,96)",     "rgb(102,0,30)", "rgb(209,229,239)",
                                        "two ?b?bumps?/b?", "a caption",     "mPa"};
    const gwf_picture p = two_bumps();
    gwf_error err = {0};
    const char *path = test_scratch("bumps.SVG");
    CHECK_OK(gwf_picture_draw(&p, path, &err), err);
    char *text = read_text(path);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strstr(text, words[i])) fprintf(stderr, "\n  no %s\n", words[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, words[i]));
    }
    free(text);
}

static void draws_a_pdf(void)
{
    const gwf_picture p = two_bumps();
    gwf_error err = {0};
    CHECK_OK(gwf_picture_draw(&p, test_scratch("bumps.pdf"), &err), err);
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void refuses_what_cannot_be_written(void)
{
    gwf_picture p = two_bumps();
    gwf_error err = {0};
    CHECK_FAILS(gwf_picture_draw(&p, test_scratch("a.gif"), &err), GWF_ERR_ARGUMENT, err,
                "ends in .png, .pdf or .svg");
    CHECK_FAILS(gwf_picture_draw(&p, test_scratch("none/a.png"), &err), GWF_ERR_IO, err,
                "none/a.png: cannot be written (No such file");
    p.nlat = 1;
    CHECK_FAILS(gwf_picture_draw(&p, test_scratch("a.png"), &err), GWF_ERR_ARGUMENT, err, "1 x 64");
    CU_ASSERT_FALSE(exists(test_scratch("a.png")));
}

/* A picture that does not fit on the disk never carries its name. */
static void leaves_no_half_picture(void)
{
    const gwf_picture p = two_bumps();
    const char *path = test_scratch("half.png");
    struct rlimit old;
    gwf_error err = {0};
    getrlimit(RLIMIT_FSIZE, &old);
    const struct rlimit small = {.rlim_cur = 20000, .rlim_max = old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const gwf_status status = gwf_picture_draw(&p, path, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_FAILS(status, GWF_ERR_INTERNAL, err, "half.png: Magics drew no picture");
    CU_ASSERT_FALSE(exists(path));
    CU_ASSERT_FALSE(exists(test_scratch("half.png.part.png")));
}

/* Magics finds no coastlines, draws nothing and says nothing; its chatter is not ours either. */
static void reports_a_broken_magics(void)
{
    const gwf_picture p = two_bumps();
    const char *path = test_scratch("broken.png");
    gwf_error err = {0};
    setenv("MAGPLUS_HOME", "/nowhere", 1);
    const gwf_status status = gwf_picture_draw(&p, path, &err);
    unsetenv("MAGPLUS_HOME");
    CHECK_FAILS(status, GWF_ERR_INTERNAL, err, "broken.png: Magics drew no picture");
    CU_ASSERT_FALSE(exists(path));
}

int main(void)
{
    static const test_case cases[] = {
        {"colours end at round numbers", limits_are_round},
        {"a few extremes do not take the colours", limits_forget_extremes},
        {"mean and largest value", measures_the_globe},
        {"a PNG has the field in the right places", draws_a_png},
        {"no gap at the date line and the poles", closes_the_date_line},
        {"extremes have the last colour", extremes_have_the_last_colour},
        {"an SVG has colours and texts", draws_an_svg},
        {"a PDF", draws_a_pdf},
        {"refuses what cannot be drawn or written", refuses_what_cannot_be_written},
        {"leaves no half picture", leaves_no_half_picture},
        {"reports a broken Magics", reports_a_broken_magics},
    };
    return test_run("picture", cases, sizeof cases / sizeof *cases);
}

#else

static void skipped(void)
{
    test_skip("pictures: this build has no Magics");
}

int main(void)
{
    static const test_case cases[] = {{"skipped", skipped}};
    return test_run("picture", cases, 1);
}

#endif
