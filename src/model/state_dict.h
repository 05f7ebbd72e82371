/* Where a checkpoint keeps its weights, and what they are called. */
#ifndef GWF_MODEL_STATE_DICT_H
#define GWF_MODEL_STATE_DICT_H

#include "model/checkpoint.h"
#include "model/value.h"

/* The dictionary of tensors in a checkpoint's value: under "model_state_dict", else "state_dict",
 * else the value itself. Sets info->layout and info->epoch. Errors: MODEL. */
gwf_status gwf_state_dict_find(const gwf_value *root, const gwf_value **dict,
                               gwf_checkpoint_info *info, gwf_error *err);

/* The name of an entry without a leading "module."; printable ASCII, so that it can stand in
 * messages and files. Errors: FORMAT. */
gwf_status gwf_state_dict_name(const gwf_value *key, char name[static GWF_TENSOR_NAME],
                               gwf_error *err);

#endif
