/* The machine that a pickle is a program for: bytes in, a stack with marks, a memo. Inner part of
 * pickle.c, which holds the opcodes. */
#ifndef GWF_MODEL_PICKLE_MACHINE_H
#define GWF_MODEL_PICKLE_MACHINE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/value.h"

typedef struct machine {
    const unsigned char *bytes;
    size_t size, at;         /* at: the next byte to read */
    size_t op_at;            /* where the opcode stands that is being run */
    const struct opcode *op; /* that opcode */
    gwf_values *values;
    gwf_value_list stack, memo; /* memo: NULL where nothing was put */
    size_t *marks;              /* heights of the stack */
    size_t mark_count;
    const gwf_value *root; /* set by STOP */
    gwf_error *err;
} machine;

struct opcode {
    const char *name;
    gwf_status (*run)(machine *m); /* NULL: known, and not allowed here */
    int width;                     /* bytes of the number that follows, or how many values */
    gwf_value_kind kind;           /* of the value that is made or filled */
};

/* "opcode NAME at byte N: ..." into the machine's error. */
__attribute__((format(printf, 2, 3))) static inline void report(machine *m, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gwf_fail(m->err, GWF_ERR_FORMAT, "opcode %s at byte %zu: %s", m->op->name, m->op_at, text);
}

/* A macro so that the compiler sees that what fails is not GWF_OK. */
#define FAIL(m, ...) (report(m, __VA_ARGS__), GWF_ERR_FORMAT)

static inline gwf_status take(machine *m, uint64_t n, const unsigned char **bytes)
{
    if (n > m->size - m->at)
        return FAIL(m, "%llu bytes expected, the pickle ends after %zu", (unsigned long long)n,
                    m->size - m->at);
    *bytes = m->bytes + m->at;
    m->at += (size_t)n;
    return GWF_OK;
}

static inline gwf_status take_number(machine *m, int width, uint64_t *number)
{
    const unsigned char *bytes;
    GWF_TRY(take(m, (uint64_t)width, &bytes));
    *number = 0;
    for (int i = width; i-- > 0;) *number = *number << 8 | bytes[i];
    return GWF_OK;
}

static inline gwf_status take_line(machine *m, gwf_text *line)
{
    const unsigned char *start = m->bytes + m->at, *end = memchr(start, '\n', m->size - m->at);
    if (!end) return FAIL(m, "the pickle ends within a name");
    *line = (gwf_text){(const char *)start, (size_t)(end - start)};
    m->at += line->size + 1;
    return GWF_OK;
}

static inline gwf_status push(machine *m, gwf_value *value)
{
    return gwf_values_append(m->values, &m->stack, &value, 1, m->err);
}

static inline gwf_status push_new(machine *m, gwf_value_kind kind, gwf_value **value)
{
    GWF_TRY(gwf_values_add(m->values, kind, value, m->err));
    return push(m, *value);
}

static inline gwf_status peek(machine *m, gwf_value **value)
{
    const size_t floor = m->mark_count ? m->marks[m->mark_count - 1] : 0;
    if (m->stack.count <= floor) return FAIL(m, "nothing on the stack");
    *value = m->stack.items[m->stack.count - 1];
    return GWF_OK;
}

static inline gwf_status pop(machine *m, gwf_value **value)
{
    GWF_TRY(peek(m, value));
    m->stack.count--;
    return GWF_OK;
}

/* Everything above the last mark leaves the stack; *items is good until the next push. */
static inline gwf_status pop_to_mark(machine *m, gwf_value ***items, size_t *count)
{
    if (!m->mark_count) return FAIL(m, "no mark on the stack");
    const size_t mark = m->marks[--m->mark_count];
    *count = m->stack.count - mark;
    *items = *count ? m->stack.items + mark : NULL;
    m->stack.count = mark;
    return GWF_OK;
}

#endif
