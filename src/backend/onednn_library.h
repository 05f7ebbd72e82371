/* oneDNN itself: its engine, its processor, its errors. Only the files onednn*.c include dnnl.h. */
#ifndef GWF_BACKEND_ONEDNN_LIBRARY_H
#define GWF_BACKEND_ONEDNN_LIBRARY_H

#include <dnnl.h>
#include <stdbool.h>
#include <string.h>

#include "backend/backend.h"

/* What all convolutions of a context share. */
typedef struct gwf_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int block;     /* of the layout nChw16c or nChw8c */
    char *scratch; /* one for all: they run one after the other */
} gwf_dnnl;

gwf_status gwf_dnnl_open(gwf_dnnl *dnnl, gwf_error *err);
/* After a failed open too. */
void gwf_dnnl_close(gwf_dnnl *dnnl);

/* Whether a library is of the kind that this one was compiled for. BACKEND: it is not. */
gwf_status gwf_dnnl_check_version(const dnnl_version_t *found, gwf_error *err);

/* The instruction set in words, and whether it has all of another's. */
const char *gwf_dnnl_isa_name(dnnl_cpu_isa_t isa);
bool gwf_dnnl_has_isa(dnnl_cpu_isa_t all, dnnl_cpu_isa_t wanted);
/* UNSUPPORTED: a precision other than int8 that floats do not have here. */
gwf_status gwf_dnnl_check_precision(gwf_precision precision, dnnl_cpu_isa_t isa, gwf_error *err);
/* For the output's metadata, of those; auto is fp32. */
const char *gwf_dnnl_precision(gwf_precision precision);
/* "oneDNN 2.6.3, AVX-512, 2 threads" into text. */
void gwf_dnnl_describe(int threads, char *text, size_t size);

/* Whether a word stands in the name of a primitive's implementation (NULL: always). */
bool gwf_dnnl_is_named(const_dnnl_primitive_desc_t desc, const char *word);

/* Why a oneDNN call failed. */
const char *gwf_dnnl_reason(dnnl_status_t status);

/* Go to the label `done` with `status` and err set when a oneDNN call fails. */
#define DNNL_TRY_DONE(call)                                                                        \
    do {                                                                                           \
        const dnnl_status_t dnnl_try_status_ = (call);                                             \
        if (dnnl_try_status_ != dnnl_success) {                                                    \
            status = gwf_fail(                                                                     \
                err, dnnl_try_status_ == dnnl_out_of_memory ? GWF_ERR_MEMORY : GWF_ERR_BACKEND,    \
                "backend cpu: oneDNN %.*s: %s", (int)strcspn(#call, "("), #call,                   \
                gwf_dnnl_reason(dnnl_try_status_));                                                \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
