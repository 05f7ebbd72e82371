#include "model/levels.h"

#include <stddef.h>

const gwf_level *gwf_level_at(int index)
{
    return index >= 0 && index < GWF_LEVELS ? gwf_l137_level(GWF_FIRST_LEVEL + index) : NULL;
}

double gwf_level_pressure(const gwf_level *level, double surface_pressure)
{
    return level->a + level->b * surface_pressure;
}
