#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/levels.h"

static void ends_of_the_table(void)
{
    CU_ASSERT_EQUAL(GWF_LEVELS, 122);
    CU_ASSERT_EQUAL(gwf_level_at(0)->number, 16);
    CU_ASSERT_EQUAL(gwf_level_at(0)->a, 145.375);
    CU_ASSERT_EQUAL(gwf_level_at(0)->b, 0);
    CU_ASSERT_EQUAL(gwf_level_at(121)->number, 137);
    CU_ASSERT_EQUAL(gwf_level_at(121)->a, 0);
    CU_ASSERT_EQUAL(gwf_level_at(121)->b, 0.99902343750);
    CU_ASSERT_PTR_NULL(gwf_level_at(-1));
    CU_ASSERT_PTR_NULL(gwf_level_at(122));
    CU_ASSERT_EQUAL(gwf_l137_level(1)->a, 1);
    CU_ASSERT_PTR_EQUAL(gwf_l137_level(16), gwf_level_at(0));
    CU_ASSERT_PTR_NULL(gwf_l137_level(0));
    CU_ASSERT_PTR_NULL(gwf_l137_level(138));
}

static void numbers_in_order(void)
{
    for (int k = 0; k < GWF_LEVELS; k++)
        CU_ASSERT_EQUAL(gwf_level_at(k)->number, GWF_FIRST_LEVEL + k);
}

/* Nominal pressures of the data set's description, hPa, at p_s = 1013.25 hPa. */
static void nominal_pressures(void)
{
    const struct {
        int channel;
        double hpa, half_digit; /* half of the last printed digit */
    } rows[] = {{0, 1.45, 0.005}, {13, 9.8, 0.05},   {20, 19.9, 0.05},  {32, 49.6, 0.05},
                {44, 98.4, 0.05}, {58, 197.3, 0.05}, {59, 206.8, 0.05}, {80, 508, 0.5},
                {98, 850, 0.5},   {117, 1000, 0.5}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double p = gwf_level_pressure(gwf_level_at(rows[i].channel), 101325) / 100;
        CHECK_AT_MOST(fabs(p - rows[i].hpa), rows[i].half_digit);
    }
}

static void check_monotone(double surface_pressure)
{
    for (int k = 1; k < GWF_LEVELS; k++)
        CU_ASSERT_TRUE(gwf_level_pressure(gwf_level_at(k), surface_pressure) >
                       gwf_level_pressure(gwf_level_at(k - 1), surface_pressure));
    CU_ASSERT_TRUE(gwf_level_pressure(gwf_level_at(GWF_LEVELS - 1), surface_pressure) <
                   surface_pressure);
}

static void pressures_grow_downward(void)
{
    check_monotone(48000); /* the highest mountains */
    check_monotone(101325);
    check_monotone(108500);
}

/* Against the published list itself, where it is there. */
static void every_row_of_the_list(void)
{
    const char *path = test_shared("data/era5_l137_full_levels.txt");
    if (!path) {
        test_skip("the list of L137 levels is not there");
        return;
    }
    FILE *list = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    char line[256];
    int seen = 0;
    while (fgets(line, sizeof line, list)) {
        int number;
        double a, b;
        if (sscanf(line, "%d %lf %lf", &number, &a, &b) != 3) continue;
        const gwf_level *level = gwf_l137_level(number);
        CU_ASSERT_PTR_NOT_NULL_FATAL(level);
        CU_ASSERT_TRUE(level->number == number && level->a == a && level->b == b);
        seen++;
    }
    fclose(list);
    CU_ASSERT_EQUAL(seen, GWF_L137);
}

int main(void)
{
    const test_case cases[] = {
        {"ends of the table", ends_of_the_table},
        {"numbers in order", numbers_in_order},
        {"nominal pressures", nominal_pressures},
        {"pressures grow downward", pressures_grow_downward},
        {"every row of the published list", every_row_of_the_list},
    };
    return test_run("levels", cases, sizeof cases / sizeof *cases);
}
