#include "backend/onednn_library.h"

#include <stdio.h>
#include <stdlib.h>

gwf_status gwf_dnnl_check_version(const dnnl_version_t *found, gwf_error *err)
{
    const unsigned ours = DNNL_RUNTIME_OMP | DNNL_RUNTIME_SEQ; /* whose threads we can count */
    if (found->major != DNNL_VERSION_MAJOR)
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cpu: this gwflux was built for oneDNN %d.x, the library that it "
                        "finds here is oneDNN %d.%d.%d",
                        DNNL_VERSION_MAJOR, found->major, found->minor, found->patch);
    if (!(found->cpu_runtime & ours))
        return gwf_fail(err, GWF_ERR_BACKEND,
                        "backend cpu: oneDNN must be built with OpenMP threads, the library that "
                        "it finds here (%d.%d.%d) has others",
                        found->major, found->minor, found->patch);
    return GWF_OK;
}

gwf_status gwf_dnnl_open(gwf_dnnl *dnnl, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    *dnnl = (gwf_dnnl){.block = gwf_dnnl_has_isa(isa, dnnl_cpu_isa_avx512_core) ? 16 : 8};
    GWF_TRY(gwf_dnnl_check_version(dnnl_version(), err));
    DNNL_TRY_DONE(dnnl_engine_create(&dnnl->engine, dnnl_cpu, 0));
    DNNL_TRY_DONE(dnnl_stream_create(&dnnl->stream, dnnl->engine, dnnl_stream_default_flags));
done:
    return status;
}

void gwf_dnnl_close(gwf_dnnl *dnnl)
{
    if (dnnl->stream) dnnl_stream_destroy(dnnl->stream);
    if (dnnl->engine) dnnl_engine_destroy(dnnl->engine);
    free(dnnl->scratch);
    *dnnl = (gwf_dnnl){0};
}

gwf_status gwf_dnnl_check_precision(gwf_precision precision, dnnl_cpu_isa_t isa, gwf_error *err)
{
    if (precision == GWF_BF16 && !gwf_dnnl_has_isa(isa, dnnl_cpu_isa_avx512_core_bf16))
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu: precision bf16 needs AVX-512 BF16 or AMX, this processor has "
                        "%s: it has precision fp32 and fp32-fast",
                        gwf_dnnl_isa_name(isa));
    if (precision > GWF_FP32_FAST && precision != GWF_BF16)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu has precision fp32, fp32-fast and bf16, not %s",
                        gwf_precision_word(precision));
    return GWF_OK;
}

const char *gwf_dnnl_precision(gwf_precision precision)
{
    if (precision == GWF_PRECISION_AUTO) return gwf_precision_word(GWF_FP32);
    return precision == GWF_FP32_FAST ? "fp32-fast (Winograd admitted)"
                                      : gwf_precision_word(precision);
}

const char *gwf_dnnl_reason(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented for this shape";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failed";
    }
}

/* Those that matter here, the richest first: one that a later library knows has one of them. */
const char *gwf_dnnl_isa_name(dnnl_cpu_isa_t isa)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } known[] = {
        {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX"},
        {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 BF16"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
        {dnnl_cpu_isa_avx512_core, "AVX-512"},
        {dnnl_cpu_isa_avx2_vnni, "AVX2-VNNI"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx, "AVX"},
        {dnnl_cpu_isa_sse41, "SSE4.1"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (gwf_dnnl_has_isa(isa, known[i].isa)) return known[i].name;
    return "unknown instruction set";
}

bool gwf_dnnl_has_isa(dnnl_cpu_isa_t all, dnnl_cpu_isa_t wanted)
{
    return (all & wanted) == wanted; /* sets of bits: one that is newer holds the older ones' */
}

void gwf_dnnl_describe(int threads, char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d, %s, %d thread%s", version->major, version->minor,
             version->patch, gwf_dnnl_isa_name(dnnl_get_effective_cpu_isa()), threads,
             threads == 1 ? "" : "s");
}

bool gwf_dnnl_is_named(const_dnnl_primitive_desc_t desc, const char *word)
{
    const char *name = "";
    if (!word) return true;
    dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, word) != NULL;
}
