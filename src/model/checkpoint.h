/* PyTorch checkpoints (torch.save since 1.6: a zip holding a pickle and raw storages).
 *
 * zip.c           finds entries and reads their bytes (libzip)
 * pickle.c        a restricted unpickler: nothing is imported, called or executed; the result is
 * value.c         plain values: numbers, strings, lists, dictionaries, objects that were never made
 * state_dict.c    finds the dictionary of weights among them
 * torch_tensor.c  reads what torch says of a tensor: type, storage, offset, shape, strides
 * checkpoint.c    reads the storages that are named
 */
#ifndef GWF_MODEL_CHECKPOINT_H
#define GWF_MODEL_CHECKPOINT_H

#include "core/error.h"
#include "core/log.h"
#include "engine/tensor.h"

typedef struct gwf_checkpoint_info {
    long long epoch;  /* -1 when the file does not say */
    char layout[16];  /* "training" (dictionary with model_state_dict) or "state_dict" */
    char storage[40]; /* storage types found: "float32", "bfloat16", "float32 float16" */
} gwf_checkpoint_info;

/* Read the state dict of a checkpoint into set (start from {0}; on failure it is left empty).
 * Floating tensors of any storage (f64, f32, f16, bf16) become float32; integer entries
 * (num_batches_tracked) are stepped over. Names keep the state dict's, without a leading
 * "module." (DataParallel). Only the storages of the state dict are read, one at a time: memory
 * stays near the size of the weights, however much optimizer state the file holds.
 * Local. Errors name the file and what was expected: NOT_FOUND, FORMAT (not a zip, the container
 * of torch < 1.6, damaged, hostile pickle, storage too short for its shape), MODEL (no state dict,
 * a weight that is not finite), MEMORY. */
gwf_status gwf_checkpoint_read(const char *path, gwf_tensor_set *set, gwf_checkpoint_info *info,
                               const gwf_log *log, gwf_error *err);

/* The same from bytes in memory (borrowed during the call); name is used in messages. */
gwf_status gwf_checkpoint_read_memory(const char *name, const void *bytes, size_t size,
                                      gwf_tensor_set *set, gwf_checkpoint_info *info,
                                      const gwf_log *log, gwf_error *err);

#endif
