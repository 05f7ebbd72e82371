/* What the readers of a model file share, and the part of it that is about 8 bits. Private to
 * model/. */
#ifndef GWF_MODEL_MODEL_FILE_H
#define GWF_MODEL_MODEL_FILE_H

#include "io/nc.h"
#include "model/model.h"

/* FORMAT: "path: what: why". */
gwf_status gwf_model_wrong(const gwf_nc *file, gwf_error *err, const char *what, const char *why);

/* A variable that must be there with rank 1 (or 2 for text) and `count` entries (0: any, told). */
gwf_status gwf_model_find(const gwf_nc *file, const char *name, size_t *count, size_t most,
                          gwf_nc_variable *v, gwf_error *err);
/* Lists of `count` values; doubles are finite. */
gwf_status gwf_model_ints(const gwf_nc *file, const char *name, size_t count, int *values,
                          gwf_error *err);
gwf_status gwf_model_doubles(const gwf_nc *file, const char *name, size_t count, double *values,
                             gwf_error *err);
/* `count` words of at most length - 1 characters, each with its '\0'. */
gwf_status gwf_model_words(const gwf_nc *file, const char *name, size_t count, size_t length,
                           char *words, gwf_error *err);

/* model->int8 of a network that was built; empty where the file has none. */
gwf_status gwf_model_read_int8(const gwf_nc *file, gwf_model *model, gwf_error *err);
/* Its definitions and then its values; nothing where the model has none. */
gwf_status gwf_model_define_int8(gwf_nc *file, const gwf_quantised *q, gwf_error *err);
gwf_status gwf_model_put_int8(gwf_nc *file, const gwf_quantised *q, gwf_error *err);

#endif
