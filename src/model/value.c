#include "model/value.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"

enum { CHUNK = 64 * 1024, ALIGNMENT = 16 };

typedef struct gwf_value_chunk {
    struct gwf_value_chunk *next;
    size_t size;
    alignas(ALIGNMENT) unsigned char bytes[];
} gwf_value_chunk;

/* A training checkpoint of the published U-Net has some 60 thousand values. */
const gwf_value_limits gwf_value_default_limits = {
    .values = (size_t)1 << 21,
    .bytes = (size_t)1 << 28,
    .memo = (size_t)1 << 21,
    .marks = 1024,
};

void gwf_values_free(gwf_values *values)
{
    for (gwf_value_chunk *chunk = values->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *values = (gwf_values){.limits = values->limits};
}

static gwf_status add_chunk(gwf_values *values, size_t size, gwf_error *err)
{
    gwf_value_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu bytes of values", size);
    chunk->next = values->chunks;
    chunk->size = size;
    values->chunks = chunk;
    values->room = size;
    return GWF_OK;
}

static gwf_status allocate(gwf_values *values, size_t size, void **memory, gwf_error *err)
{
    if (!gwf_size_add(values->bytes, size, &size) || size > values->limits.bytes)
        return gwf_fail(err, GWF_ERR_FORMAT, "it needs more than the %zu bytes that are allowed",
                        values->limits.bytes);
    size = gwf_size_round_up(size - values->bytes, ALIGNMENT);
    if (values->room < size) GWF_TRY(add_chunk(values, size > CHUNK ? size : CHUNK, err));
    *memory = values->chunks->bytes + (values->chunks->size - values->room);
    values->room -= size;
    values->bytes += size;
    return GWF_OK;
}

gwf_status gwf_values_add(gwf_values *values, gwf_value_kind kind, gwf_value **added,
                          gwf_error *err)
{
    void *memory = NULL;
    if (values->count >= values->limits.values)
        return gwf_fail(err, GWF_ERR_FORMAT, "it has more than the %zu values that are allowed",
                        values->limits.values);
    GWF_TRY(allocate(values, sizeof(gwf_value), &memory, err));
    values->count++;
    *added = memory;
    memset(*added, 0, sizeof **added);
    (*added)->kind = kind;
    return GWF_OK;
}

/* The old items stay in the arena: at most as much again as the new ones take. Nothing can wrap:
 * count and capacity number pointers that exist. */
static gwf_status reserve(gwf_values *values, gwf_value_list *list, size_t count, gwf_error *err)
{
    void *memory = NULL;
    const size_t capacity = count > 2 * list->capacity ? count : 2 * list->capacity;
    GWF_TRY(allocate(values, capacity * sizeof *list->items, &memory, err));
    if (list->count) memcpy(memory, list->items, list->count * sizeof *list->items);
    list->items = memory;
    list->capacity = capacity;
    return GWF_OK;
}

gwf_status gwf_values_append(gwf_values *values, gwf_value_list *list, gwf_value *const *items,
                             size_t n, gwf_error *err)
{
    if (n == 0) return GWF_OK;
    if (n > list->capacity - list->count) GWF_TRY(reserve(values, list, list->count + n, err));
    memcpy(list->items + list->count, items, n * sizeof *items);
    list->count += n;
    return GWF_OK;
}

const char *gwf_value_kind_name(const gwf_value *value)
{
    switch (value->kind) {
#define GWF_VALUE_NAME(kind, name)                                                                 \
    case kind:                                                                                     \
        return name;
        GWF_VALUE_KINDS(GWF_VALUE_NAME)
#undef GWF_VALUE_NAME
    }
    return "an unknown kind";
}

bool gwf_text_is(gwf_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.bytes, expected, text.size) == 0;
}

bool gwf_value_is_global(const gwf_value *value, const char *module, const char *name)
{
    return value->kind == GWF_GLOBAL && gwf_text_is(value->global.module, module) &&
           gwf_text_is(value->global.name, name);
}

const gwf_value *gwf_value_get(const gwf_value *dict, const char *key)
{
    if (dict->kind != GWF_DICT) return NULL;
    for (size_t i = dict->list.count; i >= 2; i -= 2) {
        const gwf_value *k = dict->list.items[i - 2];
        if (k->kind == GWF_STRING && gwf_text_is(k->text, key)) return dict->list.items[i - 1];
    }
    return NULL;
}

const char *gwf_text_show(gwf_text text, char buffer[static GWF_SHOWN])
{
    const size_t shown = text.size < GWF_SHOWN - 4 ? text.size : GWF_SHOWN - 4;
    for (size_t i = 0; i < shown; i++)
        buffer[i] = text.bytes[i] >= ' ' && text.bytes[i] <= '~' ? text.bytes[i] : '?';
    memcpy(buffer + shown, shown < text.size ? "..." : "", shown < text.size ? 4 : 1);
    return buffer;
}

const char *gwf_value_show(const gwf_value *value, char buffer[static 3 * GWF_SHOWN])
{
    char module[GWF_SHOWN], name[GWF_SHOWN];
    const bool object = value->kind == GWF_OBJECT;
    const gwf_value *named = object ? value->object.maker : value;
    if (named->kind != GWF_GLOBAL) return gwf_value_kind_name(value);
    snprintf(buffer, 3 * GWF_SHOWN, "%s %s.%s", object ? "an object of" : "the name",
             gwf_text_show(named->global.module, module), gwf_text_show(named->global.name, name));
    return buffer;
}
