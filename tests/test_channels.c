#include "test.h"

#include <stdio.h>
#include <string.h>

#include "model/channels.h"

static const gwf_recipe *era5(void)
{
    return gwf_recipe_find("era5-released");
}

static void check_channel(const gwf_channel_table *table, int i, const char *variable, int level)
{
    CU_ASSERT_TRUE_FATAL(i < table->count);
    CU_ASSERT_STRING_EQUAL(table->channels[i].variable, variable);
    CU_ASSERT_EQUAL(table->channels[i].level, level);
}

static gwf_channel_table inputs(const char *features, const char *vertical, int coordinates)
{
    gwf_channel_table table;
    gwf_error err = {0};
    CHECK_OK(gwf_channels_in(features, vertical, coordinates, era5(), &table, &err), err);
    return table;
}

static void sizes(void)
{
    const struct {
        const char *features, *vertical;
        int without, with; /* channels without and with lat, lon, zs */
    } rows[] = {
        {"uvtheta", "global", 366, 369},
        {"uvthetaw", "global", 488, 491},
        {"uvw", "global", 366, 369},
        {"uvtheta", "stratosphere_update", 366, 369},
        {"uvtheta", "stratosphere_only", 180, 183},
        {"uvthetaw", "stratosphere_only", 240, 243},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int coordinates = 0; coordinates <= 1; coordinates++) {
            gwf_channel_table table = inputs(rows[i].features, rows[i].vertical, coordinates);
            CU_ASSERT_EQUAL(table.count, coordinates ? rows[i].with : rows[i].without);
            gwf_channel_table_free(&table);
            CU_ASSERT_TRUE(!table.channels && table.count == 0);
        }
}

static void order_of_inputs(void)
{
    gwf_channel_table table = inputs("uvthetaw", "global", 1);
    check_channel(&table, 0, "lat", 0);
    check_channel(&table, 1, "lon", 0);
    check_channel(&table, 2, "zs", 0);
    check_channel(&table, 3, "u", 16);
    check_channel(&table, 124, "u", 137);
    check_channel(&table, 125, "v", 16);
    check_channel(&table, 247, "theta", 16);
    check_channel(&table, 369, "w", 16);
    check_channel(&table, 490, "w", 137);
    gwf_channel_table_free(&table);
    table = inputs("uvw", "stratosphere_only", 0);
    check_channel(&table, 0, "u", 16);
    check_channel(&table, 59, "u", 75);
    check_channel(&table, 60, "v", 16);
    check_channel(&table, 120, "w", 16);
    check_channel(&table, 179, "w", 75);
    gwf_channel_table_free(&table);
}

static void order_of_outputs(void)
{
    const struct {
        const char *vertical;
        int levels;
    } rows[] = {{"global", 122}, {"stratosphere_update", 60}, {"stratosphere_only", 60}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gwf_channel_table table;
        gwf_error err = {0};
        CHECK_OK(gwf_channels_out(rows[i].vertical, era5(), &table, &err), err);
        CU_ASSERT_EQUAL(table.count, 2 * rows[i].levels);
        check_channel(&table, 0, "uw", 16);
        check_channel(&table, rows[i].levels - 1, "uw", 15 + rows[i].levels);
        check_channel(&table, rows[i].levels, "vw", 16);
        check_channel(&table, 2 * rows[i].levels - 1, "vw", 15 + rows[i].levels);
        gwf_channel_table_free(&table);
    }
}

static void scalings_are_the_recipes(void)
{
    gwf_channel_table table = inputs("uvthetaw", "global", 1);
    for (int i = 0; i < table.count; i++) {
        const gwf_channel *channel = &table.channels[i];
        const gwf_scaling *scaling = gwf_recipe_scaling(era5(), channel->variable);
        CU_ASSERT_EQUAL(channel->mu, scaling->mu);
        CU_ASSERT_EQUAL(channel->d, scaling->d);
        CU_ASSERT_EQUAL(channel->transform, scaling->transform);
        CU_ASSERT_STRING_EQUAL(channel->units, scaling->units);
    }
    CU_ASSERT_EQUAL(table.channels[490].transform, GWF_CUBE_ROOT);
    gwf_channel_table_free(&table);
}

static void errors(void)
{
    gwf_channel_table table;
    gwf_error err = {0};
    CHECK_FAILS(gwf_channels_in("uvt", "global", 0, era5(), &table, &err), GWF_ERR_ARGUMENT, err,
                "features: expected uvtheta, uvthetaw or uvw, found \"uvt\"");
    CHECK_FAILS(gwf_channels_in("uvw", "low", 0, era5(), &table, &err), GWF_ERR_ARGUMENT, err,
                "found \"low\"");
    CHECK_FAILS(gwf_channels_out("", era5(), &table, &err), GWF_ERR_ARGUMENT, err, "vertical");
    CHECK_FAILS(gwf_channels_in("uvthetaw", "global", 1, gwf_recipe_find("wxcbench"), &table, &err),
                GWF_ERR_MISMATCH, err, "features uvthetaw: recipe wxcbench has no constants for w");
    CU_ASSERT_TRUE(!table.channels && table.count == 0);
    gwf_channel_table_free(&table);
    CU_ASSERT_EQUAL(gwf_channels_out("nowhere", era5(), &table, NULL), GWF_ERR_ARGUMENT);
}

int main(void)
{
    const test_case cases[] = {
        {"sizes", sizes},
        {"order of inputs", order_of_inputs},
        {"order of outputs", order_of_outputs},
        {"scalings are the recipe's", scalings_are_the_recipes},
        {"errors", errors},
    };
    return test_run("channels", cases, sizeof cases / sizeof *cases);
}
