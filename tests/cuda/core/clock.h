/* In place of src/core/clock.h: time passes as the emulated GPU says (emu.h). */
#ifndef GWF_CORE_CLOCK_H
#define GWF_CORE_CLOCK_H

#include "emu.h"

static inline double gwf_now(void)
{
    return emu_clock();
}

#endif
