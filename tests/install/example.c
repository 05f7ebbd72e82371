/* The smallest program that uses gwflux: load a model, predict one map, print its mean. */
#include <gwflux.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    gwf_engine *engine = NULL;
    gwf_shape n;
    if (gwf_create(argc > 1 ? argv[1] : "model.nc", NULL, &engine) != GWF_OK) {
        fprintf(stderr, "%s\n", gwf_message(engine));
        gwf_free(&engine);
        return 1;
    }
    gwf_get_shape(engine, &n);
    const size_t points = (size_t)n.lat * (size_t)n.lon;
    float *features = calloc(points * (size_t)n.inputs, sizeof *features); /* the mean state */
    float *flux = malloc(points * (size_t)n.outputs * sizeof *flux);
    gwf_status status = gwf_predict(engine, features, flux);
    double mean = 0;
    for (size_t i = 0; i < points; i++) mean += flux[i] / (double)points;
    if (status != GWF_OK)
        fprintf(stderr, "%s\n", gwf_message(engine));
    else
        printf("%s\nmean uw of the top level: %g Pa\n", gwf_describe(engine), mean);
    free(features);
    free(flux);
    gwf_free(&engine);
    return status != GWF_OK;
}
