#include "model/torch_tensor.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/size.h"

/* ---- storage types ---- */

static uint64_t little_endian(const unsigned char *bytes, int width)
{
    uint64_t bits = 0;
    for (int i = width; i-- > 0;) bits = bits << 8 | bytes[i];
    return bits;
}

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void from_f64(const unsigned char *bytes, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = little_endian(bytes + 8 * i, 8);
        double wide;
        memcpy(&wide, &bits, sizeof wide);
        x[i] = (float)wide;
    }
}

static void from_f32(const unsigned char *bytes, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) x[i] = float_of_bits((uint32_t)little_endian(bytes + 4 * i, 4));
}

/* bfloat16 is the upper half of a float32. */
static void from_bf16(const unsigned char *bytes, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = float_of_bits((uint32_t)little_endian(bytes + 2 * i, 2) << 16);
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. */
static float half(uint32_t bits)
{
    const uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu;
    const uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) return copysignf((float)mantissa * 0x1p-24f, float_of_bits(sign));
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | mantissa << 13);
    return float_of_bits(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

static void from_f16(const unsigned char *bytes, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) x[i] = half((uint32_t)little_endian(bytes + 2 * i, 2));
}

static const gwf_torch_type types[] = {
    {"DoubleStorage", "float64", 8, from_f64}, {"FloatStorage", "float32", 4, from_f32},
    {"HalfStorage", "float16", 2, from_f16},   {"BFloat16Storage", "bfloat16", 2, from_bf16},
    {"LongStorage", "int64", 8, NULL},         {"IntStorage", "int32", 4, NULL},
    {"ShortStorage", "int16", 2, NULL},        {"CharStorage", "int8", 1, NULL},
    {"ByteStorage", "uint8", 1, NULL},         {"BoolStorage", "bool", 1, NULL},
};

static const gwf_torch_type *find_type(const gwf_value *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (gwf_value_is_global(name, "torch", types[i].torch)) return &types[i];
    return NULL;
}

/* ---- arguments ---- */

/* Item i of a tuple; NULL beyond its end or when it is no tuple. */
static const gwf_value *item(const gwf_value *tuple, size_t i)
{
    return tuple->kind == GWF_TUPLE && i < tuple->list.count ? tuple->list.items[i] : NULL;
}

static bool is_call(const gwf_value *value, const char *name)
{
    return value->kind == GWF_OBJECT &&
           gwf_value_is_global(value->object.maker, "torch._utils", name);
}

const gwf_value *gwf_torch_tensor_find(const gwf_value *value)
{
    /* A parameter holds a tensor; anything deeper than a few wrappers is no file of torch's. */
    for (int depth = 0; value && depth < 4; depth++) {
        if (is_call(value, "_rebuild_tensor_v2")) return value;
        if (!is_call(value, "_rebuild_parameter") &&
            !is_call(value, "_rebuild_parameter_with_state"))
            return NULL;
        value = item(value->object.args, 0);
    }
    return NULL;
}

/* A number of elements: an int that is not negative. */
static gwf_status parse_count(const gwf_value *value, const char *what, size_t *count,
                              gwf_error *err)
{
    char shown[3 * GWF_SHOWN];
    if (!value || value->kind != GWF_INT)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s is %s, an int expected", what,
                        value ? gwf_value_show(value, shown) : "missing");
    if (value->integer < 0 || (unsigned long long)value->integer > SIZE_MAX)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s is %lld, 0 or more expected", what,
                        value->integer);
    *count = (size_t)value->integer;
    return GWF_OK;
}

/* ("storage", torch.FloatStorage, key, device, number of elements) */
static gwf_status parse_storage(const gwf_value *storage, gwf_torch_tensor *tensor, gwf_error *err)
{
    char shown[3 * GWF_SHOWN];
    if (!storage || storage->kind != GWF_PERSISTENT)
        return gwf_fail(err, GWF_ERR_FORMAT, "its storage is %s, a storage expected",
                        storage ? gwf_value_show(storage, shown) : "missing");
    const gwf_value *tag = item(storage->object.args, 0), *type = item(storage->object.args, 1);
    const gwf_value *key = item(storage->object.args, 2), *count = item(storage->object.args, 4);
    if (!tag || tag->kind != GWF_STRING || !gwf_text_is(tag->text, "storage") || !type || !key ||
        key->kind != GWF_STRING)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "its storage is not written as (\"storage\", type, key, device, size)");
    tensor->type = find_type(type);
    if (!tensor->type)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "its storage has the type %s; float64, float32, float16, bfloat16 or "
                        "integers expected",
                        gwf_value_show(type, shown));
    tensor->key = key->text;
    return parse_count(count, "the size of its storage", &tensor->storage, err);
}

static gwf_status parse_counts(const gwf_value *tuple, const char *what, int rank, size_t *counts,
                               gwf_error *err)
{
    if (!tuple || tuple->kind != GWF_TUPLE || tuple->list.count != (size_t)rank)
        return gwf_fail(err, GWF_ERR_FORMAT, "its %s is no tuple of %d ints", what, rank);
    for (int i = 0; i < rank; i++)
        GWF_TRY(parse_count(tuple->list.items[i], what, &counts[i], err));
    return GWF_OK;
}

static gwf_status parse_view(const gwf_value *args, gwf_torch_tensor *tensor, gwf_error *err)
{
    const gwf_value *shape = item(args, 2);
    const size_t rank = shape && shape->kind == GWF_TUPLE ? shape->list.count : 0;
    if (rank > GWF_TENSOR_RANK)
        return gwf_fail(err, GWF_ERR_FORMAT, "it has %zu dimensions, at most %d expected", rank,
                        GWF_TENSOR_RANK);
    tensor->rank = (int)rank;
    GWF_TRY(parse_count(item(args, 1), "its offset", &tensor->offset, err));
    GWF_TRY(parse_counts(shape, "shape", tensor->rank, tensor->shape, err));
    GWF_TRY(parse_counts(item(args, 3), "stride", tensor->rank, tensor->stride, err));
    if (!gwf_size_product(tensor->shape, tensor->rank, &tensor->size))
        return gwf_fail(err, GWF_ERR_FORMAT, "its shape is too large to count");
    return GWF_OK;
}

/* The last element a view touches lies in the storage. */
static gwf_status check_bounds(const gwf_torch_tensor *t, gwf_error *err)
{
    size_t last = t->offset, reach = 0;
    char text[96];
    bool fits = true;
    if (t->size == 0) return GWF_OK;
    for (int i = 0; i < t->rank && fits; i++)
        fits =
            gwf_size_mul(t->shape[i] - 1, t->stride[i], &reach) && gwf_size_add(last, reach, &last);
    if (fits && last < t->storage) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "its storage of %zu elements is too short for shape %s from element %zu",
                    t->storage, gwf_shape_text(t->rank, t->shape, text), t->offset);
}

static bool is_contiguous(const gwf_torch_tensor *t)
{
    size_t expected = 1;
    for (int i = t->rank; i-- > 0; expected *= t->shape[i])
        if (t->shape[i] != 1 && t->stride[i] != expected) return false;
    return true;
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata]) */
gwf_status gwf_torch_tensor_parse(const gwf_value *call, gwf_torch_tensor *tensor, gwf_error *err)
{
    const gwf_value *args = call->object.args, *metadata = item(args, 6);
    *tensor = (gwf_torch_tensor){0};
    GWF_TRY(parse_storage(item(args, 0), tensor, err));
    GWF_TRY(parse_view(args, tensor, err));
    if (metadata && metadata->kind == GWF_DICT && metadata->list.count)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "it is marked as negated or conjugated, plain numbers expected");
    GWF_TRY(check_bounds(tensor, err));
    tensor->contiguous = tensor->size == 0 || is_contiguous(tensor);
    return GWF_OK;
}

void gwf_torch_tensor_gather(const gwf_torch_tensor *tensor, const float *storage, float *x)
{
    size_t index[GWF_TENSOR_RANK] = {0}, at = tensor->offset;
    for (size_t i = 0; i < tensor->size; i++) {
        x[i] = storage[at];
        for (int d = tensor->rank; d-- > 0;) {
            at += tensor->stride[d];
            if (++index[d] < tensor->shape[d]) break;
            at -= tensor->shape[d] * tensor->stride[d];
            index[d] = 0;
        }
    }
}
