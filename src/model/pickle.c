#include "model/pickle.h"

#include <stdlib.h>

#include "model/pickle_machine.h"

static gwf_status op_proto(machine *m)
{
    uint64_t protocol;
    GWF_TRY(take_number(m, m->op->width, &protocol));
    if (protocol < 2 || protocol > 5) return FAIL(m, "protocol %d, 2 to 5 expected", (int)protocol);
    return GWF_OK;
}

/* Frames only help who reads from a stream. */
static gwf_status op_frame(machine *m)
{
    uint64_t size;
    return take_number(m, m->op->width, &size);
}

static gwf_status op_stop(machine *m)
{
    gwf_value *value;
    GWF_TRY(pop(m, &value));
    m->root = value;
    return GWF_OK;
}

static gwf_status op_mark(machine *m)
{
    if (m->mark_count >= m->values->limits.marks)
        return FAIL(m, "more than the %zu nested marks that are allowed", m->values->limits.marks);
    m->marks[m->mark_count++] = m->stack.count;
    return GWF_OK;
}

static gwf_status op_pop(machine *m)
{
    gwf_value *value;
    if (m->mark_count && m->marks[m->mark_count - 1] == m->stack.count) {
        m->mark_count--; /* as Python does: POP also takes away a mark */
        return GWF_OK;
    }
    return pop(m, &value);
}

static gwf_status op_pop_mark(machine *m)
{
    gwf_value **items;
    size_t count;
    return pop_to_mark(m, &items, &count);
}

static gwf_status op_dup(machine *m)
{
    gwf_value *value;
    GWF_TRY(peek(m, &value));
    return push(m, value);
}

static gwf_status op_none(machine *m)
{
    gwf_value *value;
    return push_new(m, GWF_NONE, &value);
}

static gwf_status op_bool(machine *m)
{
    gwf_value *value;
    GWF_TRY(push_new(m, GWF_BOOL, &value));
    value->integer = m->op->width;
    return GWF_OK;
}

/* Only the widest, BININT, is signed. */
static gwf_status op_int(machine *m)
{
    uint64_t number;
    gwf_value *value;
    GWF_TRY(take_number(m, m->op->width, &number));
    GWF_TRY(push_new(m, GWF_INT, &value));
    value->integer = m->op->width == 4 ? (int32_t)(uint32_t)number : (long long)number;
    return GWF_OK;
}

/* LONG1, LONG4: width is that of the length; two's complement, little-endian. */
static gwf_status op_long(machine *m)
{
    uint64_t size, number = 0;
    const unsigned char *bytes;
    gwf_value *value;
    GWF_TRY(take_number(m, m->op->width, &size));
    GWF_TRY(take(m, size, &bytes));
    GWF_TRY(push_new(m, size > 8 ? GWF_BIG_INT : GWF_INT, &value));
    if (size == 0 || size > 8) return GWF_OK;
    if (bytes[size - 1] & 0x80) number = UINT64_MAX;
    for (size_t i = (size_t)size; i-- > 0;) number = number << 8 | bytes[i];
    value->integer = (long long)number;
    return GWF_OK;
}

/* The one big-endian number of the format. */
static gwf_status op_float(machine *m)
{
    const unsigned char *bytes;
    gwf_value *value;
    uint64_t bits = 0;
    GWF_TRY(take(m, (uint64_t)m->op->width, &bytes));
    GWF_TRY(push_new(m, GWF_FLOAT, &value));
    for (int i = 0; i < m->op->width; i++) bits = bits << 8 | bytes[i];
    memcpy(&value->real, &bits, sizeof value->real);
    return GWF_OK;
}

/* Strings and bytes: width is that of the length. */
static gwf_status op_text(machine *m)
{
    uint64_t size;
    const unsigned char *bytes;
    gwf_value *value;
    GWF_TRY(take_number(m, m->op->width, &size));
    GWF_TRY(take(m, size, &bytes));
    GWF_TRY(push_new(m, m->op->kind, &value));
    value->text = (gwf_text){(const char *)bytes, (size_t)size};
    return GWF_OK;
}

static gwf_status op_empty(machine *m)
{
    gwf_value *value;
    return push_new(m, m->op->kind, &value);
}

/* The uppermost values become one tuple. */
static gwf_status op_tuple_n(machine *m)
{
    gwf_value *items[3] = {0}, *tuple;
    for (int i = m->op->width; i-- > 0;) GWF_TRY(pop(m, &items[i]));
    GWF_TRY(gwf_values_add(m->values, GWF_TUPLE, &tuple, m->err));
    GWF_TRY(gwf_values_append(m->values, &tuple->list, items, (size_t)m->op->width, m->err));
    return push(m, tuple);
}

/* TUPLE, FROZENSET: everything above the mark. */
static gwf_status op_from_mark(machine *m)
{
    gwf_value **items, *value;
    size_t count;
    GWF_TRY(pop_to_mark(m, &items, &count));
    GWF_TRY(gwf_values_add(m->values, m->op->kind, &value, m->err));
    GWF_TRY(gwf_values_append(m->values, &value->list, items, count, m->err));
    return push(m, value);
}

/* Put items into the container on top; those of an object are dropped. */
static gwf_status extend(machine *m, gwf_value *const *items, size_t count)
{
    gwf_value *container;
    char shown[3 * GWF_SHOWN];
    GWF_TRY(peek(m, &container));
    if (container->kind == GWF_OBJECT) return GWF_OK;
    if (container->kind != m->op->kind)
        return FAIL(m, "cannot fill %s", gwf_value_show(container, shown));
    if (container->kind == GWF_DICT && count % 2) return FAIL(m, "a key without a value");
    return gwf_values_append(m->values, &container->list, items, count, m->err);
}

/* APPENDS, SETITEMS, ADDITEMS. */
static gwf_status op_extend(machine *m)
{
    gwf_value **items;
    size_t count;
    GWF_TRY(pop_to_mark(m, &items, &count));
    return extend(m, items, count);
}

static gwf_status op_append(machine *m)
{
    gwf_value *item;
    GWF_TRY(pop(m, &item));
    return extend(m, &item, 1);
}

static gwf_status op_setitem(machine *m)
{
    gwf_value *pair[2];
    GWF_TRY(pop(m, &pair[1]));
    GWF_TRY(pop(m, &pair[0]));
    return extend(m, pair, 2);
}

static gwf_status op_global(machine *m)
{
    gwf_text module, name;
    gwf_value *value;
    GWF_TRY(take_line(m, &module));
    GWF_TRY(take_line(m, &name));
    GWF_TRY(push_new(m, GWF_GLOBAL, &value));
    value->global.module = module;
    value->global.name = name;
    return GWF_OK;
}

static gwf_status op_stack_global(machine *m)
{
    gwf_value *module, *name, *value;
    GWF_TRY(pop(m, &name));
    GWF_TRY(pop(m, &module));
    if (module->kind != GWF_STRING || name->kind != GWF_STRING)
        return FAIL(m, "module and name are not strings");
    GWF_TRY(push_new(m, GWF_GLOBAL, &value));
    value->global.module = module->text;
    value->global.name = name->text;
    return GWF_OK;
}

static gwf_status push_object(machine *m, const gwf_value *maker, const gwf_value *args)
{
    gwf_value *value;
    char shown[3 * GWF_SHOWN];
    if (args->kind != GWF_TUPLE)
        return FAIL(m, "arguments are %s, a tuple expected", gwf_value_show(args, shown));
    if (gwf_value_is_global(maker, "collections", "OrderedDict") && args->list.count == 0)
        return push_new(m, GWF_DICT, &value);
    if (maker->kind != GWF_GLOBAL && maker->kind != GWF_OBJECT)
        return FAIL(m, "%s cannot make an object", gwf_value_show(maker, shown));
    GWF_TRY(push_new(m, GWF_OBJECT, &value));
    value->object.maker = maker;
    value->object.args = args;
    return GWF_OK;
}

/* REDUCE, NEWOBJ: a maker and a tuple. Nothing is made. */
static gwf_status op_object(machine *m)
{
    gwf_value *maker, *args;
    GWF_TRY(pop(m, &args));
    GWF_TRY(pop(m, &maker));
    return push_object(m, maker, args);
}

/* NEWOBJ_EX: named arguments as well, which are dropped. */
static gwf_status op_object_ex(machine *m)
{
    gwf_value *named;
    GWF_TRY(pop(m, &named));
    return op_object(m);
}

/* The state is dropped: of a state dict it is `_metadata`, of objects nothing is wanted. */
static gwf_status op_build(machine *m)
{
    gwf_value *state, *object;
    char shown[3 * GWF_SHOWN];
    GWF_TRY(pop(m, &state));
    GWF_TRY(peek(m, &object));
    if (object->kind != GWF_OBJECT && object->kind != GWF_DICT)
        return FAIL(m, "cannot set the state of %s", gwf_value_show(object, shown));
    return GWF_OK;
}

static gwf_status op_persistent(machine *m)
{
    gwf_value *args, *value;
    GWF_TRY(pop(m, &args));
    GWF_TRY(push_new(m, GWF_PERSISTENT, &value));
    value->object.args = args;
    return GWF_OK;
}

static gwf_status put(machine *m, uint64_t index)
{
    gwf_value *value, *const nothing = NULL;
    GWF_TRY(peek(m, &value));
    if (index >= m->values->limits.memo)
        return FAIL(m, "memo entry %llu, fewer than %zu are allowed", (unsigned long long)index,
                    m->values->limits.memo);
    while (m->memo.count <= index)
        GWF_TRY(gwf_values_append(m->values, &m->memo, &nothing, 1, m->err));
    m->memo.items[index] = value;
    return GWF_OK;
}

static gwf_status op_put(machine *m)
{
    uint64_t index;
    GWF_TRY(take_number(m, m->op->width, &index));
    return put(m, index);
}

static gwf_status op_memoize(machine *m)
{
    return put(m, m->memo.count);
}

static gwf_status op_get(machine *m)
{
    uint64_t index;
    GWF_TRY(take_number(m, m->op->width, &index));
    if (index >= m->memo.count || !m->memo.items[index])
        return FAIL(m, "memo entry %llu was never set", (unsigned long long)index);
    return push(m, m->memo.items[index]);
}

/* Every opcode of the format: name, function (none: known, and not allowed here), width, kind. */

static const struct opcode opcodes[256] = {
    [0x80] = {"PROTO", op_proto, 1, 0},
    [0x95] = {"FRAME", op_frame, 8, 0},
    ['.'] = {"STOP", op_stop, 0, 0},
    ['('] = {"MARK", op_mark, 0, 0},
    ['0'] = {"POP", op_pop, 0, 0},
    ['1'] = {"POP_MARK", op_pop_mark, 0, 0},
    ['2'] = {"DUP", op_dup, 0, 0},
    ['N'] = {"NONE", op_none, 0, 0},
    [0x88] = {"NEWTRUE", op_bool, 1, 0},
    [0x89] = {"NEWFALSE", op_bool, 0, 0},
    ['K'] = {"BININT1", op_int, 1, 0},
    ['M'] = {"BININT2", op_int, 2, 0},
    ['J'] = {"BININT", op_int, 4, 0},
    [0x8a] = {"LONG1", op_long, 1, 0},
    [0x8b] = {"LONG4", op_long, 4, 0},
    ['G'] = {"BINFLOAT", op_float, 8, 0},
    ['U'] = {"SHORT_BINSTRING", op_text, 1, GWF_STRING},
    ['T'] = {"BINSTRING", op_text, 4, GWF_STRING},
    [0x8c] = {"SHORT_BINUNICODE", op_text, 1, GWF_STRING},
    ['X'] = {"BINUNICODE", op_text, 4, GWF_STRING},
    [0x8d] = {"BINUNICODE8", op_text, 8, GWF_STRING},
    ['C'] = {"SHORT_BINBYTES", op_text, 1, GWF_BYTES},
    ['B'] = {"BINBYTES", op_text, 4, GWF_BYTES},
    [0x8e] = {"BINBYTES8", op_text, 8, GWF_BYTES},
    [0x96] = {"BYTEARRAY8", op_text, 8, GWF_BYTES},
    [']'] = {"EMPTY_LIST", op_empty, 0, GWF_LIST},
    ['}'] = {"EMPTY_DICT", op_empty, 0, GWF_DICT},
    [')'] = {"EMPTY_TUPLE", op_empty, 0, GWF_TUPLE},
    [0x8f] = {"EMPTY_SET", op_empty, 0, GWF_SET},
    ['t'] = {"TUPLE", op_from_mark, 0, GWF_TUPLE},
    [0x85] = {"TUPLE1", op_tuple_n, 1, 0},
    [0x86] = {"TUPLE2", op_tuple_n, 2, 0},
    [0x87] = {"TUPLE3", op_tuple_n, 3, 0},
    [0x91] = {"FROZENSET", op_from_mark, 0, GWF_SET},
    ['a'] = {"APPEND", op_append, 0, GWF_LIST},
    ['e'] = {"APPENDS", op_extend, 0, GWF_LIST},
    ['s'] = {"SETITEM", op_setitem, 0, GWF_DICT},
    ['u'] = {"SETITEMS", op_extend, 0, GWF_DICT},
    [0x90] = {"ADDITEMS", op_extend, 0, GWF_SET},
    ['c'] = {"GLOBAL", op_global, 0, 0},
    [0x93] = {"STACK_GLOBAL", op_stack_global, 0, 0},
    ['R'] = {"REDUCE", op_object, 0, 0},
    [0x81] = {"NEWOBJ", op_object, 0, 0},
    [0x92] = {"NEWOBJ_EX", op_object_ex, 0, 0},
    ['b'] = {"BUILD", op_build, 0, 0},
    ['Q'] = {"BINPERSID", op_persistent, 0, 0},
    ['q'] = {"BINPUT", op_put, 1, 0},
    ['r'] = {"LONG_BINPUT", op_put, 4, 0},
    [0x94] = {"MEMOIZE", op_memoize, 0, 0},
    ['h'] = {"BINGET", op_get, 1, 0},
    ['j'] = {"LONG_BINGET", op_get, 4, 0},
    ['i'] = {"INST", NULL, 0, 0},
    ['o'] = {"OBJ", NULL, 0, 0},
    [0x82] = {"EXT1", NULL, 0, 0},
    [0x83] = {"EXT2", NULL, 0, 0},
    [0x84] = {"EXT4", NULL, 0, 0},
    ['P'] = {"PERSID", NULL, 0, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0, 0},
    ['I'] = {"INT", NULL, 0, 0},
    ['L'] = {"LONG", NULL, 0, 0},
    ['F'] = {"FLOAT", NULL, 0, 0},
    ['S'] = {"STRING", NULL, 0, 0},
    ['V'] = {"UNICODE", NULL, 0, 0},
    ['l'] = {"LIST", NULL, 0, 0},
    ['d'] = {"DICT", NULL, 0, 0},
    ['p'] = {"PUT", NULL, 0, 0},
    ['g'] = {"GET", NULL, 0, 0},
};

static gwf_status step(machine *m)
{
    if (m->at >= m->size)
        return gwf_fail(m->err, GWF_ERR_FORMAT, "the pickle ends at byte %zu without STOP",
                        m->size);
    m->op_at = m->at++;
    const unsigned code = m->bytes[m->op_at];
    const struct opcode *op = &opcodes[code];
    if (!op->name)
        return gwf_fail(m->err, GWF_ERR_FORMAT, "unknown pickle opcode 0x%02x at byte %zu", code,
                        m->op_at);
    m->op = op;
    if (!op->run) return FAIL(m, "not allowed in a checkpoint");
    return op->run(m);
}

gwf_status gwf_pickle_read(const void *bytes, size_t size, gwf_values *values,
                           const gwf_value **root, gwf_error *err)
{
    machine m = {.bytes = bytes, .size = size, .values = values, .err = err};
    m.marks = calloc(values->limits.marks ? values->limits.marks : 1, sizeof *m.marks);
    if (!m.marks) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a pickle's marks");
    gwf_status status = GWF_OK;
    while (!m.root && status == GWF_OK) status = step(&m);
    free(m.marks);
    if (status == GWF_OK) *root = m.root;
    return status;
}
