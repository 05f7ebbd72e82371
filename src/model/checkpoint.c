#include "model/checkpoint.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "model/pickle.h"
#include "model/state_dict.h"
#include "model/torch_tensor.h"
#include "model/zip.h"

enum {
    MOST_PICKLE = 64 << 20, /* bytes; 0.3 MB for the published U-Net's training checkpoints */
    MOST_TENSORS = 16384,   /* the published U-Net has 340 */
    PIECE = 32768,          /* elements of a storage that are read at once */
    MOST_SHARING = 4,       /* values per byte of the file, see take_tensor */
    SMALL = 1 << 20,        /* values that are fine in any file */
    MOST_WIDTH = 8,         /* bytes of the widest element */
};

typedef struct weight {
    gwf_torch_tensor view;
    size_t index; /* in the set */
    bool done;
} weight;

/* Everything one read needs; freed by release(). */
typedef struct job {
    gwf_zip *zip;
    unsigned char *pickle;
    gwf_values values;
    weight *weights;
    size_t count, total;    /* weights; their values */
    size_t integers, other; /* entries stepped over */
    char first_other[GWF_SHOWN];
    unsigned char *bytes; /* PIECE elements as stored ...      */
    float *piece;         /* ... and as float32                */
    gwf_tensor_set *set;
    const gwf_log *log;
} job;

/* ---- from the file to a plain value ---- */

static gwf_status check_byte_order(gwf_zip *zip, gwf_error *err)
{
    unsigned char *bytes;
    size_t size;
    char shown[GWF_SHOWN];
    if (!gwf_zip_has(zip, "byteorder")) return GWF_OK; /* torch < 2.1 */
    GWF_TRY(gwf_zip_load(zip, "byteorder", 64, &bytes, &size, err));
    const gwf_text order = {(const char *)bytes, size};
    gwf_status status = GWF_OK;
    if (!gwf_text_is(order, "little"))
        status = gwf_fail(err, GWF_ERR_FORMAT, "byte order is \"%s\", little expected",
                          gwf_text_show(order, shown));
    free(bytes);
    return status;
}

static gwf_status read_pickle(job *j, const gwf_value **root, gwf_error *err)
{
    size_t size = 0;
    if (gwf_zip_has(j->zip, "constants.pkl") || gwf_zip_has_folder(j->zip, "code/"))
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "is a TorchScript archive, a checkpoint with the state dict expected: "
                        "torch.save(model.state_dict(), ...)");
    GWF_TRY(check_byte_order(j->zip, err));
    GWF_TRY(gwf_zip_load(j->zip, "data.pkl", MOST_PICKLE, &j->pickle, &size, err));
    const gwf_status status = gwf_pickle_read(j->pickle, size, &j->values, root, err);
    if (status != GWF_OK) gwf_error_prefix(err, "data.pkl");
    return status;
}

/* ---- from the state dict to a list of views ---- */

/* Views can repeat elements, so a small file could ask for any memory: refuse what no honest file
 * does. Two bytes make at most one value where nothing is shared. */
static gwf_status check_total(job *j, size_t size, const char *name, gwf_error *err)
{
    size_t most = 0;
    if (!gwf_size_mul(gwf_zip_size(j->zip), MOST_SHARING, &most) ||
        !gwf_size_add(most, SMALL, &most))
        most = SIZE_MAX;
    if (!gwf_size_add(j->total, size, &j->total) || j->total > most)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "with tensor %s of %zu values there are more than %zu, which a file of "
                        "%zu bytes does not hold",
                        name, size, most, gwf_zip_size(j->zip));
    return GWF_OK;
}

static void note_type(gwf_checkpoint_info *info, const char *type)
{
    const char *found = strstr(info->storage, type);
    /* "float16" also stands within "bfloat16". */
    while (found && found != info->storage && found[-1] != ' ') found = strstr(found + 1, type);
    const size_t used = strlen(info->storage);
    if (!found)
        snprintf(info->storage + used, sizeof info->storage - used, "%s%s", used ? " " : "", type);
}

static gwf_status take_tensor(job *j, const gwf_value *key, const gwf_value *call,
                              gwf_checkpoint_info *info, gwf_error *err)
{
    char name[GWF_TENSOR_NAME];
    weight *w = &j->weights[j->count];
    GWF_TRY(gwf_state_dict_name(key, name, err));
    const gwf_status status = gwf_torch_tensor_parse(call, &w->view, err);
    if (status != GWF_OK) {
        gwf_error_prefix(err, "tensor %s", name);
        return status;
    }
    if (!w->view.type->to_float) {
        j->integers++;
        return GWF_OK;
    }
    GWF_TRY(check_total(j, w->view.size, name, err));
    GWF_TRY(gwf_tensor_set_add(j->set, name, w->view.rank, w->view.shape, NULL, err));
    note_type(info, w->view.type->name);
    w->index = j->set->count - 1;
    j->count++;
    return GWF_OK;
}

static void step_over(job *j, const gwf_value *key)
{
    if (j->other++ > 0) return;
    const gwf_text unnamed = {"(no name)", 9};
    gwf_text_show(key->kind == GWF_STRING ? key->text : unnamed, j->first_other);
}

static gwf_status take_tensors(job *j, const gwf_value *dict, gwf_checkpoint_info *info,
                               gwf_error *err)
{
    const size_t entries = dict->list.count / 2;
    if (entries > MOST_TENSORS)
        return gwf_fail(err, GWF_ERR_FORMAT, "the state dict has %zu entries, at most %d expected",
                        entries, MOST_TENSORS);
    j->weights = calloc(entries ? entries : 1, sizeof *j->weights);
    if (!j->weights) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu tensors", entries);
    for (size_t i = 0; i < entries; i++) {
        const gwf_value *key = dict->list.items[2 * i];
        const gwf_value *call = gwf_torch_tensor_find(dict->list.items[2 * i + 1]);
        if (call)
            GWF_TRY(take_tensor(j, key, call, info, err));
        else
            step_over(j, key);
    }
    if (j->count == 0)
        return gwf_fail(err, GWF_ERR_MODEL, "the state dict has no tensor of floating numbers");
    return GWF_OK;
}

/* ---- from the storages to the values ---- */

static const char *weight_name(const job *j, const weight *w)
{
    return j->set->items[w->index].name;
}

static bool same_storage(const weight *a, const weight *b)
{
    return a->view.key.size == b->view.key.size &&
           memcmp(a->view.key.bytes, b->view.key.bytes, a->view.key.size) == 0;
}

static gwf_status open_storage(job *j, const weight *w, gwf_zip_entry *entry, gwf_error *err)
{
    char name[GWF_SHOWN + 8], shown[GWF_SHOWN];
    gwf_text_show(w->view.key, shown);
    if (!gwf_text_is(w->view.key, shown))
        return gwf_fail(err, GWF_ERR_FORMAT, "tensor %s: its storage has the strange key \"%s\"",
                        weight_name(j, w), shown);
    snprintf(name, sizeof name, "data/%s", shown);
    const gwf_status status = gwf_zip_entry_open(j->zip, name, entry, err);
    if (status != GWF_OK) gwf_error_prefix(err, "tensor %s", weight_name(j, w));
    return status;
}

/* All weights from `first` on that live in the open storage agree with it and with each other;
 * *scattered: one of them is not contiguous. */
static gwf_status check_storage(job *j, const weight *first, const gwf_zip_entry *entry,
                                bool *scattered, gwf_error *err)
{
    *scattered = false;
    for (const weight *w = first; w < j->weights + j->count; w++) {
        if (!same_storage(first, w)) continue;
        if (w->view.type != first->view.type)
            return gwf_fail(err, GWF_ERR_FORMAT, "tensors %s and %s read entry %s as %s and as %s",
                            weight_name(j, first), weight_name(j, w), entry->name,
                            first->view.type->name, w->view.type->name);
        if (w->view.storage > entry->size / w->view.type->width)
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "tensor %s: entry %s has %zu bytes, too short for %zu numbers of %s",
                            weight_name(j, w), entry->name, entry->size, w->view.storage,
                            w->view.type->name);
        if (!w->view.contiguous) *scattered = true;
    }
    return GWF_OK;
}

/* The part of elements at .. at + n that a contiguous weight covers. */
static void copy_overlap(job *j, const weight *w, size_t at, size_t n)
{
    const size_t begin = w->view.offset > at ? w->view.offset : at;
    const size_t view_end = w->view.offset + w->view.size;
    const size_t end = view_end < at + n ? view_end : at + n;
    if (begin >= end) return;
    memcpy(j->set->items[w->index].data + (begin - w->view.offset), j->piece + (begin - at),
           (end - begin) * sizeof *j->piece);
}

/* Read the storage from front to back in pieces. whole: room for all of it, or NULL. */
static gwf_status read_pieces(job *j, const weight *first, gwf_zip_entry *entry, float *whole,
                              gwf_error *err)
{
    const gwf_torch_type *type = first->view.type;
    const size_t elements = entry->size / type->width;
    for (size_t at = 0, n; at < elements; at += n) {
        n = elements - at < PIECE ? elements - at : PIECE;
        GWF_TRY(gwf_zip_entry_read(entry, j->bytes, n * type->width, err));
        type->to_float(j->bytes, n, j->piece);
        if (whole) memcpy(whole + at, j->piece, n * sizeof *whole);
        for (const weight *w = first; w < j->weights + j->count; w++)
            if (w->view.contiguous && w->view.size && same_storage(first, w))
                copy_overlap(j, w, at, n);
    }
    return gwf_zip_entry_finish(entry, err);
}

static void gather(job *j, weight *first, const float *whole)
{
    for (weight *w = first; w < j->weights + j->count; w++) {
        if (!same_storage(first, w)) continue;
        if (!w->view.contiguous)
            gwf_torch_tensor_gather(&w->view, whole, j->set->items[w->index].data);
        w->done = true;
    }
}

static gwf_status read_storage(job *j, weight *first, gwf_error *err)
{
    gwf_zip_entry entry;
    bool scattered = false;
    float *whole = NULL;
    gwf_status status = open_storage(j, first, &entry, err);
    if (status != GWF_OK) return status;
    GWF_TRY_DONE(check_storage(j, first, &entry, &scattered, err));
    if (scattered && !(whole = malloc(entry.size / first->view.type->width * sizeof *whole)))
        GWF_TRY_DONE(gwf_fail(err, GWF_ERR_MEMORY, "no memory for the storage of tensor %s",
                              weight_name(j, first)));
    GWF_TRY_DONE(read_pieces(j, first, &entry, whole, err));
    gather(j, first, whole);
done:
    free(whole);
    gwf_zip_entry_close(&entry);
    return status;
}

static gwf_status check_finite(const gwf_tensor *tensor, gwf_error *err)
{
    size_t index[GWF_TENSOR_RANK] = {0}, i = 0, rest;
    char at[96], shape[96];
    while (i < tensor->size && isfinite(tensor->data[i])) i++;
    if (i == tensor->size) return GWF_OK;
    rest = i;
    for (int d = tensor->rank; d-- > 0; rest /= tensor->shape[d])
        index[d] = rest % tensor->shape[d];
    return gwf_fail(err, GWF_ERR_MODEL, "tensor %s of shape %s is %g at index %s, finite expected",
                    tensor->name, gwf_shape_text(tensor->rank, tensor->shape, shape),
                    (double)tensor->data[i], gwf_shape_text(tensor->rank, index, at));
}

static gwf_status read_weights(job *j, gwf_error *err)
{
    j->bytes = malloc((size_t)PIECE * MOST_WIDTH);
    j->piece = malloc(PIECE * sizeof *j->piece);
    if (!j->bytes || !j->piece) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to read weights");
    for (size_t i = 0; i < j->count; i++)
        if (!j->weights[i].done) GWF_TRY(read_storage(j, &j->weights[i], err));
    for (size_t i = 0; i < j->set->count; i++) GWF_TRY(check_finite(&j->set->items[i], err));
    return GWF_OK;
}

/* ---- the whole ---- */

static void tell(const job *j, const char *name, const gwf_checkpoint_info *info)
{
    gwf_log_line(j->log, "%s: %zu tensors with %zu weights, stored as %s", name, j->set->count,
                 j->total, info->storage);
    if (j->integers)
        gwf_log_line(j->log, "%s: stepped over %zu integer tensors", name, j->integers);
    if (j->other)
        gwf_log_line(j->log, "%s: stepped over %zu entries that are no tensors, the first is %s",
                     name, j->other, j->first_other);
}

static void release(job *j)
{
    gwf_zip_close(&j->zip);
    gwf_values_free(&j->values);
    free(j->pickle);
    free(j->weights);
    free(j->bytes);
    free(j->piece);
}

/* opened: how opening j->zip ended. */
static gwf_status read_all(gwf_status opened, job *j, const char *name, gwf_checkpoint_info *info,
                           gwf_error *err)
{
    const gwf_value *root = NULL, *dict = NULL;
    gwf_checkpoint_info unwanted;
    gwf_status status;
    if (!info) info = &unwanted;
    *info = (gwf_checkpoint_info){.epoch = -1};
    GWF_TRY_DONE(opened);
    GWF_TRY_DONE(read_pickle(j, &root, err));
    GWF_TRY_DONE(gwf_state_dict_find(root, &dict, info, err));
    GWF_TRY_DONE(take_tensors(j, dict, info, err));
    GWF_TRY_DONE(read_weights(j, err));
    tell(j, name, info);
done:
    release(j);
    if (status != GWF_OK) {
        gwf_tensor_set_free(j->set);
        gwf_error_prefix(err, "%s", name);
    }
    return status;
}

gwf_status gwf_checkpoint_read(const char *path, gwf_tensor_set *set, gwf_checkpoint_info *info,
                               const gwf_log *log, gwf_error *err)
{
    job j = {.values = {.limits = gwf_value_default_limits}, .set = set, .log = log};
    const gwf_status opened = gwf_zip_open_file(path, &j.zip, err);
    return read_all(opened, &j, path, info, err);
}

gwf_status gwf_checkpoint_read_memory(const char *name, const void *bytes, size_t size,
                                      gwf_tensor_set *set, gwf_checkpoint_info *info,
                                      const gwf_log *log, gwf_error *err)
{
    job j = {.values = {.limits = gwf_value_default_limits}, .set = set, .log = log};
    const gwf_status opened = gwf_zip_open_memory(bytes, size, &j.zip, err);
    return read_all(opened, &j, name, info, err);
}
