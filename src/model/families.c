/* The families of WINDSET-style files and where each channel lies in them. */
#include "model/channels.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "model/levels.h"

/* name, variables, idim, odim, levels, the words in a file's name or text that tell it from
 * another family of the same sizes */
#define FAMILY_LIST(X)                                                                             \
    X("u_v_theta_w", "u v theta w", 491, 244, GWF_LEVELS, "u_v_theta_w")                           \
    X("u_v_theta", "u v theta", 369, 244, GWF_LEVELS, "u_v_theta")                                 \
    X("u_v_t_p", "u v T P", 491, 366, GWF_LEVELS, "u_v_t_p")                                       \
    X("stratosphere_u_v_theta_w_N2", "u v theta w N2", 303, 120, GWF_STRATOSPHERE_LEVELS,          \
      "stratosphere")                                                                              \
    X("ifs_u_v_theta_w", "u v theta w", 491, 244, GWF_LEVELS, "ifs")

#define FAMILY_ROW(name, variables, idim, odim, levels, words)                                     \
    {name, variables, idim, odim, levels},
#define FAMILY_WORDS(name, variables, idim, odim, levels, words) words,
static const gwf_family families[] = {FAMILY_LIST(FAMILY_ROW)};
static const char *const family_words[] = {FAMILY_LIST(FAMILY_WORDS)};
enum { FAMILIES = sizeof families / sizeof *families };

static const char *const coordinate_names[] = {"lat", "lon", "zs"};
enum { COORDINATES = sizeof coordinate_names / sizeof *coordinate_names };

/* Whether words stand in the text in any case, as a whole: "ifs" is not in "gifs", and "u_v_t_p"
 * not in "u_v_t_pressure". */
static bool text_has(const char *text, const char *words)
{
    const size_t length = strlen(words);
    for (const char *at = text; *at; at++)
        if (strncasecmp(at, words, length) == 0 && !isalpha((unsigned char)at[length]) &&
            (at == text || !isalpha((unsigned char)at[-1])))
            return true;
    return false;
}

const gwf_family *gwf_family_find(int idim, int odim, const char *text)
{
    const gwf_family *first = NULL, *named = NULL;
    for (int i = 0; i < FAMILIES; i++) {
        const gwf_family *family = &families[i];
        if (family->idim != idim || (odim != 0 && family->odim != odim)) continue;
        if (!first) first = family;
        /* The later rows are the special ones: "IFS u_v_theta_w" is the IFS family. */
        if (text && text_has(text, family_words[i])) named = family;
    }
    return named ? named : first;
}

const char *gwf_family_names(void)
{
#define FAMILY_NAME(name, variables, idim, odim, levels, words) ", " name " (" #idim ")"
    return &FAMILY_LIST(FAMILY_NAME)[2];
}

/* Position of a variable in a list of words separated by one space, -1 when it is not there. */
static int position(const char *list, const char *variable)
{
    const size_t length = strlen(variable);
    for (int i = 0; *list; i++) {
        const size_t word = strcspn(list, " ");
        if (word == length && strncmp(list, variable, word) == 0) return i;
        list += word;
        if (*list) list++;
    }
    return -1;
}

/* 0-based index of a channel in a file of the family, -1 when the family lacks it. */
static int index_of(const gwf_family *family, const gwf_channel *channel)
{
    if (channel->level == 0) {
        for (int i = 0; i < COORDINATES; i++)
            if (strcmp(coordinate_names[i], channel->variable) == 0) return i;
        return -1;
    }
    const int variable = position(family->variables, channel->variable);
    if (variable < 0 || channel->level < GWF_FIRST_LEVEL ||
        channel->level >= GWF_FIRST_LEVEL + family->levels)
        return -1;
    return COORDINATES + variable * family->levels + channel->level - GWF_FIRST_LEVEL;
}

static gwf_status lacks(const gwf_family *family, const gwf_channel *channel, gwf_error *err)
{
    const gwf_level *level = channel->level > 0 ? gwf_level_at(channel->level - GWF_FIRST_LEVEL)
                                                : NULL; /* a file may say any number */
    const gwf_level *lowest = gwf_level_at(family->levels - 1);
    const double standard = 101325;
    gwf_fail(err, GWF_ERR_MISMATCH,
             "the family %s holds lat lon zs %s at levels %d to %d (down to %.4g hPa)",
             family->name, family->variables, GWF_FIRST_LEVEL, lowest->number,
             gwf_level_pressure(lowest, standard) / 100);
    if (level)
        gwf_error_prefix(err, "no channel %s at level %d (about %.3g hPa) in the file",
                         channel->variable, level->number,
                         gwf_level_pressure(level, standard) / 100);
    else if (channel->level == 0)
        gwf_error_prefix(err, "no channel %s (of no level) in the file", channel->variable);
    else
        gwf_error_prefix(err, "no channel %s at level %d in the file", channel->variable,
                         channel->level);
    return GWF_ERR_MISMATCH;
}

gwf_status gwf_family_select(const gwf_family *family, const gwf_channel_table *table, int *index,
                             gwf_error *err)
{
    for (int i = 0; i < table->count; i++) {
        index[i] = index_of(family, &table->channels[i]);
        if (index[i] < 0) return lacks(family, &table->channels[i], err);
    }
    return GWF_OK;
}
