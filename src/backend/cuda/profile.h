/* Ranges that profilers show around what the host enqueues (NVTX); without one they cost nothing.
 */
#ifndef GWF_BACKEND_CUDA_PROFILE_H
#define GWF_BACKEND_CUDA_PROFILE_H

#include <nvtx3/nvToolsExt.h>

static inline void gwf_cuda_range_begin(const char *name)
{
    nvtxRangePushA(name);
}

static inline void gwf_cuda_range_end(void)
{
    nvtxRangePop();
}

#endif
