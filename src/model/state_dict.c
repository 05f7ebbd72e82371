#include "model/state_dict.h"

#include <stdio.h>
#include <string.h>

#include "model/torch_tensor.h"

static bool holds_tensors(const gwf_value *dict)
{
    for (size_t i = 1; i < dict->list.count; i += 2)
        if (gwf_torch_tensor_find(dict->list.items[i])) return true;
    return false;
}

static gwf_status fail_no_state_dict(const gwf_value *root, gwf_error *err)
{
    char keys[GWF_SHOWN * 4] = "", shown[GWF_SHOWN];
    size_t used = 0;
    for (size_t i = 0; i < root->list.count && i < 16 && used < sizeof keys; i += 2) {
        const gwf_value *key = root->list.items[i];
        if (key->kind == GWF_STRING)
            used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "",
                                     gwf_text_show(key->text, shown));
    }
    return gwf_fail(err, GWF_ERR_MODEL,
                    "has no state dict: model_state_dict, state_dict or a dictionary of tensors "
                    "expected, found a dictionary with the keys: %s",
                    used ? keys : "(none)");
}

gwf_status gwf_state_dict_find(const gwf_value *root, const gwf_value **dict,
                               gwf_checkpoint_info *info, gwf_error *err)
{
    static const char *const names[] = {"model_state_dict", "state_dict"};
    char shown[3 * GWF_SHOWN];
    if (root->kind != GWF_DICT)
        return gwf_fail(err, GWF_ERR_MODEL,
                        "holds %s, a dictionary expected: torch.save(model.state_dict(), ...)",
                        gwf_value_show(root, shown));
    const gwf_value *epoch = gwf_value_get(root, "epoch");
    if (epoch && epoch->kind == GWF_INT) info->epoch = epoch->integer;
    snprintf(info->layout, sizeof info->layout, "training");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *dict = gwf_value_get(root, names[i]);
        if (*dict && (*dict)->kind != GWF_DICT)
            return gwf_fail(err, GWF_ERR_MODEL, "%s is %s, a dictionary expected", names[i],
                            gwf_value_show(*dict, shown));
        if (*dict) return GWF_OK;
    }
    if (!holds_tensors(root)) return fail_no_state_dict(root, err);
    snprintf(info->layout, sizeof info->layout, "state_dict");
    *dict = root;
    return GWF_OK;
}

gwf_status gwf_state_dict_name(const gwf_value *key, char name[static GWF_TENSOR_NAME],
                               gwf_error *err)
{
    static const char parallel[] = "module.";
    char shown[3 * GWF_SHOWN], start[GWF_SHOWN];
    if (key->kind != GWF_STRING)
        return gwf_fail(err, GWF_ERR_FORMAT, "a tensor's name is %s, a string expected",
                        gwf_value_show(key, shown));
    gwf_text text = key->text;
    if (text.size >= sizeof parallel && memcmp(text.bytes, parallel, sizeof parallel - 1) == 0)
        text = (gwf_text){text.bytes + sizeof parallel - 1, text.size - (sizeof parallel - 1)};
    bool good = text.size > 0 && text.size < GWF_TENSOR_NAME;
    for (size_t i = 0; good && i < text.size; i++)
        good = text.bytes[i] > ' ' && text.bytes[i] <= '~';
    if (!good)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "the tensor name \"%s\" of %zu bytes is not 1 to %d printable characters",
                        gwf_text_show(text, start), text.size, GWF_TENSOR_NAME - 1);
    memcpy(name, text.bytes, text.size);
    name[text.size] = '\0';
    return GWF_OK;
}
