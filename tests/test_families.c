#include "test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "model/channels.h"

enum { MOST = 491 };

static void check_found(int idim, int odim, const char *text, const char *name)
{
    const gwf_family *family = gwf_family_find(idim, odim, text);
    if (!name) {
        CU_ASSERT_PTR_NULL(family);
        return;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(family);
    CU_ASSERT_STRING_EQUAL(family->name, name);
}

static void found_by_size(void)
{
    check_found(491, 244, "", "u_v_theta_w");
    check_found(369, 244, "", "u_v_theta");
    check_found(369, 0, NULL, "u_v_theta");
    check_found(491, 366, "", "u_v_t_p");
    check_found(303, 120, "", "stratosphere_u_v_theta_w_N2");
    check_found(491, 0, "", "u_v_theta_w");
    check_found(491, 120, "", NULL);
    check_found(366, 0, "", NULL);
    check_found(0, 0, "", NULL);
    check_found(-1, 244, "", NULL);
}

static void found_by_text(void)
{
    check_found(491, 0, "wxc_input_u_v_t_p_output_theta_uw_vw_era5_2015.nc", "u_v_t_p");
    check_found(491, 0, "1x1_inputfeatures_u_v_theta_w_uw_vw_era5_hourly.nc", "u_v_theta_w");
    check_found(491, 244, "WINDSET from the IFS at 1 km", "ifs_u_v_theta_w");
    check_found(491, 244, "windset_ifs_2020.nc", "ifs_u_v_theta_w");
    check_found(491, 244, "some gifs", "u_v_theta_w");
    check_found(491, 366, "IFS u_v_theta_w", "u_v_t_p"); /* sizes come first */
    check_found(491, 0, "u_v_t", "u_v_theta_w");
}

static void names_of_all(void)
{
    CU_ASSERT_STRING_EQUAL(gwf_family_names(),
                           "u_v_theta_w (491), u_v_theta (369), u_v_t_p (491), "
                           "stratosphere_u_v_theta_w_N2 (303), ifs_u_v_theta_w (491)");
}

/* Selecting from a family gives exactly these 0-based ranges, in this order. */
static void check_ranges(int idim, int odim, const char *features, int coordinates,
                         const int (*ranges)[2])
{
    gwf_channel_table table;
    gwf_error err = {0};
    int index[MOST], expected = 0;
    CHECK_OK(gwf_channels_in(features, "global", coordinates, gwf_recipe_find("era5-released"),
                             &table, &err),
             err);
    CHECK_OK(gwf_family_select(gwf_family_find(idim, odim, ""), &table, index, &err), err);
    for (; (*ranges)[1]; ranges++)
        for (int channel = (*ranges)[0]; channel < (*ranges)[1]; channel++, expected++) {
            CU_ASSERT_TRUE_FATAL(expected < table.count);
            CU_ASSERT_EQUAL(index[expected], channel);
        }
    CU_ASSERT_EQUAL(expected, table.count);
    gwf_channel_table_free(&table);
}

static void published_ranges(void)
{
    check_ranges(491, 244, "uvtheta", 0, (const int[][2]){{3, 369}, {0, 0}});
    check_ranges(491, 244, "uvthetaw", 0, (const int[][2]){{3, 491}, {0, 0}});
    check_ranges(491, 244, "uvw", 0, (const int[][2]){{3, 247}, {369, 491}, {0, 0}});
    check_ranges(491, 244, "uvtheta", 1, (const int[][2]){{0, 369}, {0, 0}});
    check_ranges(491, 244, "uvthetaw", 1, (const int[][2]){{0, 491}, {0, 0}});
    check_ranges(491, 244, "uvw", 1, (const int[][2]){{0, 247}, {369, 491}, {0, 0}});
    check_ranges(369, 244, "uvtheta", 0, (const int[][2]){{3, 369}, {0, 0}});
}

static void stratosphere_from_both(void)
{
    gwf_channel_table table;
    gwf_error err = {0};
    int index[MOST];
    CHECK_OK(gwf_channels_in("uvthetaw", "stratosphere_only", 1, gwf_recipe_find("era5-released"),
                             &table, &err),
             err);
    CHECK_OK(gwf_family_select(gwf_family_find(303, 120, ""), &table, index, &err), err);
    for (int i = 0; i < 243; i++) CU_ASSERT_EQUAL(index[i], i); /* N2 comes after w */
    CHECK_OK(gwf_family_select(gwf_family_find(491, 244, ""), &table, index, &err), err);
    CU_ASSERT_EQUAL(index[2], 2);
    CU_ASSERT_EQUAL(index[3], 3);
    CU_ASSERT_EQUAL(index[62], 62);
    CU_ASSERT_EQUAL(index[63], 125);
    CU_ASSERT_EQUAL(index[242], 3 + 3 * 122 + 59);
    gwf_channel_table_free(&table);
}

static void check_lacks(int idim, int odim, gwf_channel channel, const char *words)
{
    gwf_error err = {0};
    int index;
    const gwf_channel_table table = {.channels = &channel, .count = 1};
    CHECK_FAILS(gwf_family_select(gwf_family_find(idim, odim, ""), &table, &index, &err),
                GWF_ERR_MISMATCH, err, words);
}

static void lacking_channels(void)
{
    check_lacks(369, 244, (gwf_channel){.variable = "w", .level = 29},
                "no channel w at level 29 (about 9.82 hPa) in the file: the family u_v_theta holds "
                "lat lon zs u v theta at levels 16 to 137 (down to 1012 hPa)");
    check_lacks(303, 120, (gwf_channel){.variable = "u", .level = 76},
                "at levels 16 to 75 (down to 206.8 hPa)");
    check_lacks(491, 366, (gwf_channel){.variable = "theta", .level = 16}, "family u_v_t_p");
    check_lacks(491, 244, (gwf_channel){.variable = "ps", .level = 0},
                "no channel ps (of no level)");
    check_lacks(491, 244, (gwf_channel){.variable = "u", .level = 15}, "u at level 15 in");
    check_lacks(491, 244, (gwf_channel){.variable = "u", .level = 138}, "u at level 138 in");
    check_lacks(491, 244, (gwf_channel){.variable = "u", .level = INT_MIN}, "-2147483648");
    check_lacks(491, 244, (gwf_channel){.variable = "u", .level = INT_MAX}, "2147483647");
    check_lacks(491, 244, (gwf_channel){.variable = "thet", .level = 16}, "thet at level 16");
    check_lacks(491, 244, (gwf_channel){.variable = "", .level = 16}, "no channel  at level 16");
}

int main(void)
{
    const test_case cases[] = {
        {"found by size", found_by_size},
        {"found by text", found_by_text},
        {"names of all", names_of_all},
        {"published ranges", published_ranges},
        {"stratosphere from both families", stratosphere_from_both},
        {"lacking channels", lacking_channels},
    };
    return test_run("families", cases, sizeof cases / sizeof *cases);
}
