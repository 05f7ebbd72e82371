/* The only file that talks to Magics. Its calls set named parameters, then an action (mag_coast,
 * mag_cont, mag_text) draws with them; names are those of the Magics manual. */
#include "analysis/picture_internal.h"

#include <magics/magics_api.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEPS = 6, /* contours on either side of zero */
    TEXT = 512,
};

/* Parts of the limit. Fluxes span decades, so the steps are nearly logarithmic. */
static const double parts[STEPS] = {0.02, 0.05, 0.1, 0.2, 0.5, 1};

/* From strong downward flux (blue) over white to strong upward flux (red). */
static const char *const colours[2 * STEPS - 1] = {
    "rgb(0.02,0.19,0.38)", "rgb(0.13,0.40,0.67)", "rgb(0.26,0.58,0.76)", "rgb(0.57,0.77,0.87)",
    "rgb(0.82,0.90,0.94)", "rgb(1.00,1.00,1.00)", "rgb(0.99,0.86,0.78)", "rgb(0.96,0.65,0.51)",
    "rgb(0.84,0.38,0.30)", "rgb(0.70,0.09,0.17)", "rgb(0.40,0.00,0.12)",
};

/* Page sizes are centimetres; a PNG has GWF_PICTURE_WIDTH pixels on its width. */
static const double page_width = 32;
static const double page_height = 32.0 * GWF_PICTURE_HEIGHT / GWF_PICTURE_WIDTH;

static const double map_margin = 1.6, map_bottom = 3;

static void open_page(const char *stem, const char *format)
{
    mag_setc("output_format", format);
    mag_setc("output_name", stem);
    mag_setc("output_name_first_page_number", "off");
    mag_seti("output_width", GWF_PICTURE_WIDTH);
    mag_setr("super_page_x_length", page_width);
    mag_setr("super_page_y_length", page_height);
    mag_setr("page_x_length", page_width);
    mag_setr("page_y_length", page_height);
    mag_setc("page_frame", "off");
    mag_setc("page_id_line", "off");
    mag_setc("subpage_frame_colour", "grey");
    mag_setr("subpage_x_position", map_margin);
    mag_setr("subpage_y_position", map_bottom);
    mag_setr("subpage_x_length", page_width - 2 * map_margin);
    mag_setr("subpage_y_length", (page_width - 2 * map_margin) / 2);
}

static void set_projection(void)
{
    mag_setc("subpage_map_projection", "cylindrical");
    mag_setr("subpage_lower_left_latitude", -90);
    mag_setr("subpage_lower_left_longitude", -180);
    mag_setr("subpage_upper_right_latitude", 90);
    mag_setr("subpage_upper_right_longitude", 180);
}

static void set_field(const gwf_picture_field *f)
{
    mag_set1r("input_latitudes_list", f->lat, (int)f->nlat);
    mag_set1r("input_longitudes_list", f->lon, (int)f->nlon);
    mag_set2r("input_field", f->values, (int)f->nlon, (int)f->nlat);
}

static void set_legend(const char *text)
{
    mag_setc("legend", "on");
    mag_setc("legend_display_type", "continuous");
    mag_setc("legend_box_mode", "positional");
    mag_setr("legend_box_x_position", 4);
    mag_setr("legend_box_y_position", 0.2);
    mag_setr("legend_box_x_length", page_width - 8);
    mag_setr("legend_box_y_length", 1.9);
    mag_setc("legend_title", "on");
    mag_setc("legend_title_text", text);
    mag_setr("legend_text_font_size", 0.5);
    mag_setc("legend_text_colour", "black");
}

static void draw_shading(const gwf_picture_field *f)
{
    double levels[2 * STEPS];
    for (int i = 0; i < STEPS; i++) {
        levels[STEPS + i] = parts[i] * f->limit;
        levels[STEPS - 1 - i] = -levels[STEPS + i];
    }
    const char *names[2 * STEPS - 1];
    memcpy(names, colours, sizeof names);
    mag_setc("contour", "off");
    mag_setc("contour_highlight", "off");
    mag_setc("contour_label", "off");
    mag_setc("contour_hilo", "off");
    mag_setc("contour_method", "linear"); /* no curve that leaves the range of the field */
    mag_setc("contour_shade", "on");
    mag_setc("contour_shade_method", "area_fill");
    mag_setc("contour_level_selection_type", "level_list");
    mag_set1r("contour_level_list", levels, 2 * STEPS);
    mag_setc("contour_shade_colour_method", "list");
    mag_set1c("contour_shade_colour_list", names, 2 * STEPS - 1);
    mag_cont();
}

/* Last, so that the lines lie above the colours. */
static void draw_coastlines(void)
{
    mag_setc("map_coastline_colour", "charcoal");
    mag_seti("map_coastline_thickness", 2);
    mag_setc("map_coastline_resolution", "low");
    mag_setc("map_grid_colour", "grey");
    mag_setc("map_grid_line_style", "dot");
    mag_setr("map_grid_latitude_increment", 30);
    mag_setr("map_grid_longitude_increment", 60);
    mag_setr("map_label_height", 0.45);
    mag_setc("map_label_colour", "charcoal");
    mag_setc("map_label_top", "off");
    mag_setc("map_label_right", "off");
    mag_coast();
}

/* One line of text whose box begins at y centimetres. */
static void draw_line(const char *text, double y, double size)
{
    mag_set1c("text_lines", &text, 1);
    mag_setc("text_mode", "positional");
    mag_setr("text_box_x_position", map_margin);
    mag_setr("text_box_y_position", y);
    mag_setr("text_box_x_length", page_width - 2 * map_margin);
    mag_setr("text_box_y_length", 0.8);
    mag_setc("text_justification", "left");
    mag_setr("text_font_size", size);
    mag_setc("text_colour", "black");
    mag_text();
}

/* Parts of the texts come from files, and Magics and SVG take what looks like markup for markup. */
static const char *plain(const char *text, char copy[static TEXT])
{
    size_t i = 0;
    for (; i + 1 < TEXT && text[i]; i++)
        copy[i] = text[i] < ' ' || text[i] > '~' || strchr("<>&", text[i]) ? '?' : text[i];
    copy[i] = '\0';
    return copy;
}

void gwf_picture_magics(const gwf_picture *p, const gwf_picture_field *field, const char *stem,
                        const char *format)
{
    /* Magics looks for its coastlines beside the library, which fails where /lib is a link. */
    setenv("MAGPLUS_HOME", GWF_MAGICS_HOME, 0);
    char copy[TEXT];
    mag_open();
    open_page(stem, format);
    set_projection();
    set_field(field);
    set_legend(plain(p->legend, copy));
    draw_shading(field);
    draw_coastlines();
    draw_line(plain(p->title, copy), page_height - 1.1, 0.8);
    draw_line(plain(p->caption, copy), page_height - 1.75, 0.55);
    mag_close();
}
