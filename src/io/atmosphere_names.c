/* Which quantity a variable is: by CF standard name, ECMWF's parameter id, or short name. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "io/atmosphere_internal.h"

static const struct {
    const char *word, *text;
    bool levels;
} quantities[GWF_QUANTITIES] = {
#define GWF_QUANTITY_ROW(code, word, text, levels) [code] = {word, text, levels},
    GWF_QUANTITY_LIST(GWF_QUANTITY_ROW)
#undef GWF_QUANTITY_ROW
};

const char *gwf_quantity_word(gwf_quantity quantity)
{
    return quantity >= 0 && quantity < GWF_QUANTITIES ? quantities[quantity].word : "?";
}

const char *gwf_quantity_text(gwf_quantity quantity)
{
    return quantity >= 0 && quantity < GWF_QUANTITIES ? quantities[quantity].text : "?";
}

bool gwf_quantity_has_levels(gwf_quantity quantity)
{
    return quantity >= 0 && quantity < GWF_QUANTITIES && quantities[quantity].levels;
}

/* --- recognition ---------------------------------------------------------------------------- */

/* Names between blanks, the likelier first. Standard names: CF's table (with its aliases). Codes:
 * ECMWF's table 128. Short names: ECMWF, its Climate Data Store, CMIP, CAM, MERRA, FMS, NCEP. */
static const struct {
    const char *standard_names;
    int code;
    const char *names;
} known[GWF_QUANTITIES] = {
    [GWF_U] = {" eastward_wind ", 131, " u ua U uwnd ucomp u_component_of_wind "},
    [GWF_V] = {" northward_wind ", 132, " v va V vwnd vcomp v_component_of_wind "},
    [GWF_T] = {" air_temperature ", 130, " t ta T temp temperature air "},
    [GWF_THETA] = {" air_potential_temperature ", 3, " pt theta THETA th potential_temperature "},
    [GWF_OMEGA] = {" lagrangian_tendency_of_air_pressure "
                   "vertical_air_velocity_expressed_as_tendency_of_pressure ",
                   135, " w omega OMEGA wap vertical_velocity "},
    [GWF_W] = {" upward_air_velocity ", 0, " w W wz wa "},
    [GWF_SP] = {" surface_air_pressure ", 134, " sp ps PS SP aps surface_pressure "},
    [GWF_LNSP] = {" logarithm_of_surface_pressure logarithm_of_surface_air_pressure ", 152,
                  " lnsp LNSP lsp logarithm_of_surface_pressure "},
    [GWF_ZS] = {" surface_geopotential surface_altitude geopotential ", 129,
                " z zs phis PHIS orog geosp zsurf geopotential_at_surface geopotential "},
};

/* Place of a word in a list, from 1; 0 when it is not there. */
static int place_in(const char *list, const char *word)
{
    const size_t length = strlen(word);
    int place = 1;
    for (const char *at = list + 1; *at; place++) {
        const size_t n = strcspn(at, " ");
        if (n == length && strncmp(at, word, n) == 0) return place;
        at += n + 1;
    }
    return 0;
}

/* cdo's names for what it has no table for: var131, param131.128.0 */
static bool is_code_name(const char *name, int code)
{
    char var[32], param[32];
    snprintf(var, sizeof var, "var%d", code);
    snprintf(param, sizeof param, "param%d.128", code);
    return code && (strcmp(name, var) == 0 || strncmp(name, param, strlen(param)) == 0);
}

/* w is omega for ECMWF and an upward velocity for models: only the unit tells. */
static bool unit_fits(gwf_quantity quantity, const char *units)
{
    if (quantity == GWF_OMEGA) return tolower((unsigned char)units[0]) != 'm';
    if (quantity == GWF_W) return tolower((unsigned char)units[0]) == 'm';
    return true;
}

/* A variable v of standard name northward_sea_water_velocity. Only of wind: many archives have
 * standard names for the rest that are not CF's. */
static bool is_no_wind(gwf_quantity quantity, const char *standard_name)
{
    return (quantity == GWF_U || quantity == GWF_V) && standard_name[0] &&
           !strcasestr(standard_name, "wind") && strcmp(standard_name, "unknown") != 0;
}

int gwf_atm_fit(gwf_quantity quantity, const gwf_atm_label *label)
{
    if (!(quantities[quantity].levels ? label->upper : label->surface)) return 0;
    const int name = place_in(known[quantity].names, label->name);
    const int by_name = name ? 100 - name : 0;
    if (label->standard_name[0]) {
        if (place_in(known[quantity].standard_names, label->standard_name)) return 400 + by_name;
        for (int q = 0; q < GWF_QUANTITIES; q++) /* says that it is something else */
            if (place_in(known[q].standard_names, label->standard_name)) return 0;
    }
    if (label->code && label->code == known[quantity].code) return 300 + by_name;
    if (is_code_name(label->name, known[quantity].code)) return 200;
    if (is_no_wind(quantity, label->standard_name)) return 0;
    return name && unit_fits(quantity, label->units) ? by_name : 0;
}

/* --- the caller's mapping ------------------------------------------------------------------- */

/* "u=NAME": the name when the word is the quantity's. */
static const char *name_for(const char *entry, gwf_quantity quantity)
{
    const size_t n = strlen(quantities[quantity].word);
    return strncmp(entry, quantities[quantity].word, n) == 0 && entry[n] == '=' ? entry + n + 1
                                                                                : NULL;
}

const char *gwf_atm_mapped(const gwf_atmosphere_config *config, gwf_quantity quantity)
{
    const char *name = NULL;
    for (int i = 0; i < config->n_mapping && !name; i++)
        name = name_for(config->mapping[i], quantity);
    return name;
}

static gwf_status check_entry(const gwf_atmosphere_config *config, int i, gwf_error *err)
{
    const char *entry = config->mapping[i];
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        const char *name = name_for(entry, (gwf_quantity)q);
        if (!name) continue;
        if (!name[0]) return gwf_fail(err, GWF_ERR_ARGUMENT, "'%s': a name is missing", entry);
        for (int k = 0; k < i; k++)
            if (name_for(config->mapping[k], (gwf_quantity)q))
                return gwf_fail(err, GWF_ERR_ARGUMENT, "'%.100s' and '%.100s': one name only",
                                config->mapping[k], entry);
        return GWF_OK;
    }
    char words[128] = "";
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        const size_t used = strlen(words);
        snprintf(words + used, sizeof words - used, "%s%s", q ? ", " : "", quantities[q].word);
    }
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "'%.200s': expected QUANTITY=NAME with one of the quantities %s", entry, words);
}

gwf_status gwf_atm_check_mapping(const gwf_atmosphere_config *config, gwf_error *err)
{
    for (int i = 0; i < config->n_mapping; i++) GWF_TRY(check_entry(config, i, err));
    return GWF_OK;
}
