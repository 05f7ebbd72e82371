/* make_model CHECKPOINT.pt OUT.nc: a model of the checkpoint's U-Net, which reads u, v and theta,
 * that reads omega (w) too: the first convolution gets weights for the new channels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"
#include "model/model.h"

static const char first[] = "conv1.conv.0.weight";
enum { MORE = GWF_LEVELS };

static void check(gwf_status status, const gwf_error *err)
{
    if (status == GWF_OK) return;
    fprintf(stderr, "make_model: %s\n", err->text);
    exit(1);
}

/* Weights (out, in, 3, 3) become (out, in + MORE, 3, 3). */
static void widen(const gwf_tensor *from, gwf_tensor_set *to)
{
    gwf_error err = {0};
    gwf_tensor *made = NULL;
    const size_t shape[4] = {from->shape[0], from->shape[1] + MORE, 3, 3};
    const size_t old = from->shape[1] * 9, new = shape[1] * 9;
    check(gwf_tensor_set_add(to, from->name, 4, shape, &made, &err), &err);
    for (size_t o = 0; o < shape[0]; o++) {
        memcpy(made->data + o * new, from->data + o * old, old * sizeof *made->data);
        for (size_t i = old; i < new; i++)
            made->data[o * new + i] = 0.01F * (float)((int)((o + i) % 7) - 3);
    }
}

int main(int argc, char **argv)
{
    const gwf_model_choice choice = {"uvthetaw", "global", "era5-released", "zero", "rho_uw"};
    gwf_tensor_set set = {0}, wide = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    if (argc != 3) return 2;
    check(gwf_checkpoint_read(argv[1], &set, &info, NULL, &err), &err);
    for (size_t i = 0; i < set.count; i++) {
        const gwf_tensor *t = &set.items[i];
        gwf_tensor *made = NULL;
        if (strcmp(t->name, first) == 0) {
            widen(t, &wide);
            continue;
        }
        check(gwf_tensor_set_add(&wide, t->name, t->rank, t->shape, &made, &err), &err);
        memcpy(made->data, t->data, t->size * sizeof *t->data);
    }
    check(gwf_model_build(&wide, &choice, "test", NULL, &model, &err), &err);
    check(gwf_model_write(&model, argv[2], "test", true, &err), &err);
    gwf_model_free(&model);
    gwf_tensor_set_free(&set);
    return 0;
}
