/* A GPU that is none: the calls of the CUDA runtime and of cuDNN that the cuda backend makes,
 * carried out by the host. For tests of everything around the kernels; nothing here says how fast
 * or how exact a GPU is.
 *
 * Streams are as lazy as they may be: what is enqueued is done when somebody waits for it, or for
 * something that was told to come after it; only copies to the host are done as early as they may
 * be. A missing event therefore shows as a stale value, each time. Memory that a copy reads or
 * writes later must be there later.
 *
 * The environment says what this GPU is like:
 *   GWF_EMU_DEVICES  how many there are (default 1; CUDA_VISIBLE_DEVICES chooses among them)
 *   GWF_EMU_COMPUTE  compute capability (default 9.0)
 *   GWF_EMU_MEMORY   bytes of its memory (default 4 GB)
 *   GWF_EMU_DRIVER   version of the driver (default 13000)
 *   GWF_EMU_EAGER    1: copies to the GPU are done as early as they may be, too
 *   GWF_EMU_BUILD    seconds on its clock that a plan takes to be made
 *   GWF_EMU_FORGETS_NAN  1: every engine's ReLU makes 0 of NaN
 *   GWF_EMU_NO_CAPTURE   1: convolutions cannot be recorded in a graph
 *   GWF_EMU_FAIL     "CALL:N:CODE": the N-th call of that name fails with this error, and all later
 *                    ones do when CODE is one that a device does not recover from */
#ifndef GWF_TESTS_CUDA_EMU_H
#define GWF_TESTS_CUDA_EMU_H

#include <cuda_runtime_api.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void emu_action(void *arguments);

/* Enqueue an action; arguments (owned, free()d afterwards) are made with malloc(). cost: seconds on
 * the GPU's clock. */
cudaError_t emu_enqueue(cudaStream_t stream, emu_action *action, void *arguments, double cost);

/* Actions that were done so far. */
long emu_actions(void);

/* All that was enqueued anywhere is done. */
void emu_finish(void);

/* What was enqueued last in a stream, if nothing in it has to be done before. */
void emu_hurry(cudaStream_t stream);

/* The clock of its machine (core/clock.h here): that of the GPU, and what plans took to be made.
 * How many were made, but those that were read. */
double emu_clock(void);
__attribute__((visibility("default"))) long emu_plans_made(void);

/* Whether the stream is being recorded, which is in vain from now on. */
int emu_spoil_capture(cudaStream_t stream);

/* A stream of somebody else in which a copy is still to be done, whatever memory it is between;
 * never freed. */
__attribute__((visibility("default"))) void *emu_late_copy(void *to, const void *from,
                                                           size_t bytes);

/* Memory of the GPU? */
int emu_is_device(const void *memory, size_t bytes);

/* The error that GWF_EMU_FAIL wants of this call; 0: none. */
int emu_fails(const char *call);

/* A number in the environment. */
double emu_number(const char *name, double otherwise);

#ifdef __cplusplus
}
#endif
#endif
