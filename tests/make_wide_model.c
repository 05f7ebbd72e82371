/* make_wide_model OUT.nc [LAT LON]: a model file of the full-width Attention U-Net with random
 * weights, for measurements; on 64 x 128 points where nothing else is said. */
#include <stdio.h>
#include <stdlib.h>

#include "wide_model.h"

int main(int argc, char **argv)
{
    gwf_error err = {0};
    const int nlat = argc == 4 ? atoi(argv[2]) : 64, nlon = argc == 4 ? atoi(argv[3]) : 128;
    if ((argc != 2 && argc != 4) || nlat < 1 || nlon < 1) {
        fprintf(stderr, "usage: make_wide_model OUT.nc [LAT LON]\n");
        return 2;
    }
    if (wide_model_write(argv[1], nlat, nlon, &err) != GWF_OK) {
        fprintf(stderr, "make_wide_model: %s\n", err.text);
        return 1;
    }
    return 0;
}
