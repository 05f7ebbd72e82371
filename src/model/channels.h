/* Channel tables: which variable at which level each channel of a network or of a data file is. */
#ifndef GWF_MODEL_CHANNELS_H
#define GWF_MODEL_CHANNELS_H

#include "core/error.h"
#include "model/recipe.h"

enum { GWF_VARIABLE_NAME = 16 };

typedef struct gwf_channel {
    char variable[GWF_VARIABLE_NAME]; /* "u", "theta", "uw", "zs", ... */
    int level;                        /* 16..137 as in levels.h; 0: no level (lat, lon, zs) */
    gwf_transform transform;
    double mu, d;
    char units[GWF_VARIABLE_NAME];
} gwf_channel;

typedef struct gwf_channel_table {
    gwf_channel *channels; /* owned */
    int count;
} gwf_channel_table;

void gwf_channel_table_free(gwf_channel_table *table);

/* Names of all channels, "lat", "u 16", "theta 137": one block, to be freed by free(); NULL when out
 * of memory. */
char **gwf_channel_names(const gwf_channel_table *table);

/* What a network reads and writes.
 * features: uvtheta | uvthetaw | uvw; vertical: global | stratosphere_update |
 * stratosphere_only; coordinates: lat, lon, zs come first (the ANNs), or not (the U-Net).
 * Errors: ARGUMENT (unknown word), MISMATCH (the recipe lacks a variable). */
gwf_status gwf_channels_in(const char *features, const char *vertical, int coordinates,
                           const gwf_recipe *recipe, gwf_channel_table *table, gwf_error *err);
gwf_status gwf_channels_out(const char *vertical, const gwf_recipe *recipe,
                            gwf_channel_table *table, gwf_error *err);

/* A family of WINDSET-style files, known by its sizes: channel names in file order. */
typedef struct gwf_family {
    const char *name;      /* "u_v_theta_w" */
    const char *variables; /* after lat, lon, zs: "u v theta w" */
    int idim, odim;        /* channels of `features`, of `output` */
    int levels;            /* per variable: 122 or 60 (the upper ones) */
} gwf_family;

/* The family of a file with these sizes (odim 0: the file has no output) and free text (name,
 * long_name). Two families have 491 channels; odim or the text decides between them, else the
 * first. NULL when the sizes fit none. */
const gwf_family *gwf_family_find(int idim, int odim, const char *text);

/* All families as "name (idim)", separated by ", ". */
const char *gwf_family_names(void);

/* For each channel of a network its 0-based index in a file of this family: index has
 * table->count entries. MISMATCH names the first channel that the family lacks. */
gwf_status gwf_family_select(const gwf_family *family, const gwf_channel_table *table, int *index,
                             gwf_error *err);

#endif
