/* Plain values, as a pickle describes them: numbers, texts, containers, and objects that were
 * never made.
 *
 * All values of one pickle live in one arena (gwf_values) with a budget, are shared where the
 * pickle shares them, and are freed together. Texts are views into the pickle's bytes, which must
 * outlive the arena. Containers may contain themselves: walk them only to a fixed depth. */
#ifndef GWF_MODEL_VALUE_H
#define GWF_MODEL_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

/* Kind and its name in messages. */
#define GWF_VALUE_KINDS(X)                                                                         \
    X(GWF_NONE, "None")                                                                            \
    X(GWF_BOOL, "a bool")                                                                          \
    X(GWF_INT, "an int")                                                                           \
    X(GWF_BIG_INT, "an int beyond 64 bits")                                                        \
    X(GWF_FLOAT, "a float")                                                                        \
    X(GWF_STRING, "a string")                                                                      \
    X(GWF_BYTES, "bytes")                                                                          \
    X(GWF_LIST, "a list")                                                                          \
    X(GWF_TUPLE, "a tuple")                                                                        \
    X(GWF_SET, "a set")                                                                            \
    X(GWF_DICT, "a dictionary")                                                                    \
    X(GWF_GLOBAL, "a name")                                                                        \
    X(GWF_PERSISTENT, "a storage")                                                                 \
    X(GWF_OBJECT, "an object")

typedef enum gwf_value_kind {
#define GWF_VALUE_ENUM(kind, name) kind,
    GWF_VALUE_KINDS(GWF_VALUE_ENUM)
#undef GWF_VALUE_ENUM
} gwf_value_kind;

typedef struct gwf_value gwf_value;

/* Not terminated; may hold any byte. */
typedef struct gwf_text {
    const char *bytes;
    size_t size;
} gwf_text;

typedef struct gwf_value_list {
    gwf_value **items;
    size_t count, capacity;
} gwf_value_list;

struct gwf_value {
    gwf_value_kind kind;
    union {
        long long integer;   /* BOOL, INT */
        double real;         /* FLOAT */
        gwf_text text;       /* STRING, BYTES */
        gwf_value_list list; /* LIST, TUPLE, SET; DICT: key, value, key, value, ... */
        struct {
            gwf_text module, name;
        } global; /* GLOBAL: "torch._utils", "_rebuild_tensor_v2": a name and nothing more */
        struct {
            const gwf_value *maker, *args;
        } object; /* OBJECT: what would be called with what; PERSISTENT: args alone */
    };
};

/* What one pickle may cost. */
typedef struct gwf_value_limits {
    size_t values; /* number of values        */
    size_t bytes;  /* of the arena            */
    size_t memo;   /* entries of the memo     */
    size_t marks;  /* nesting of open MARKs   */
} gwf_value_limits;

extern const gwf_value_limits gwf_value_default_limits;

/* The arena. Start from {.limits = ...}. */
typedef struct gwf_values {
    gwf_value_limits limits;
    struct gwf_value_chunk *chunks; /* the newest first */
    size_t room;                    /* bytes left in the newest chunk */
    size_t count, bytes;
} gwf_values;

void gwf_values_free(gwf_values *values);

/* A new value of this kind, everything else zero. Errors: FORMAT beyond the budget, MEMORY. */
gwf_status gwf_values_add(gwf_values *values, gwf_value_kind kind, gwf_value **added,
                          gwf_error *err);

/* Append n items (borrowed pointers) to a list. Errors as above. */
gwf_status gwf_values_append(gwf_values *values, gwf_value_list *list, gwf_value *const *items,
                             size_t n, gwf_error *err);

const char *gwf_value_kind_name(const gwf_value *value);

bool gwf_text_is(gwf_text text, const char *expected);

/* value is the name module.name. */
bool gwf_value_is_global(const gwf_value *value, const char *module, const char *name);

/* The entry of a dictionary under a string key, the last one if there are several; NULL when there
 * is none or dict is not a dictionary. */
const gwf_value *gwf_value_get(const gwf_value *dict, const char *key);

enum { GWF_SHOWN = 64 };

/* A text made fit for a message: printable ASCII, shortened; buffer is returned. */
const char *gwf_text_show(gwf_text text, char buffer[static GWF_SHOWN]);

/* "a list", "an object of numpy dtype", "the name torch FloatStorage": for messages. */
const char *gwf_value_show(const gwf_value *value, char buffer[static 3 * GWF_SHOWN]);

#endif
