/* A model: everything a run needs, as it stands in the model file (NetCDF-4).
 *
 * The file, as `ncdump -h` shows it:
 *   global attributes  gwflux_model_version, architecture, widths, feature_set, vertical, recipe,
 *                      padding, flux_kind, source (checkpoint name, SHA-256, epoch), history
 *   input_* (input)    variable, level, transform, mu, d, units of every channel in
 *   output_* (output)  the same of every channel out
 *   level_number, hyam, hybm (level)   p = hyam + hybm * surface pressure
 *   lat (lat), lon (lon)               the grid of the training
 *   weights            one variable per tensor, named as in the published state dict
 *
 * A model that `gwflux quantise` has made for precision int8 has besides (backend/int8.h,
 * engine/quantised.h, coupling/quantise.h say what they mean)
 *   int8_sample, int8_range, int8_maps, int8_drag_error, int8_prediction_error, int8_limit
 *                      global: files the scales were found from, how, from how many maps; errors
 *   int8_name, int8_multiplies, int8_signed, int8_channels, int8_layer_error (int8_layer)
 *                      each convolution: does it multiply in 8 bits, its input's kind of integers
 *                      and number of channels, the drag error with it alone in 8 bits
 *   int8_scale, int8_mean (int8_channel)
 *                      value of integer 1, and mean, of the input channels, convolution by
 *                      convolution
 * Weights stay what they are: integers are made of them, BatchNorm folded in, when a plan is made.
 * That takes less than reading them, one file serves every precision, and what a backend does to
 * weights before (phases of an upconv, channels rounded up) need not be known here. */
#ifndef GWF_MODEL_MODEL_H
#define GWF_MODEL_MODEL_H

#include <stdbool.h>

#include "core/error.h"
#include "core/log.h"
#include "engine/network.h"
#include "engine/quantised.h"
#include "engine/tensor.h"
#include "model/channels.h"
#include "model/levels.h"

enum { GWF_MODEL_FILE_VERSION = 1 };

typedef enum gwf_flux_kind {
    GWF_RHO_UW,  /* F = rho u'w', Pa: du/dt = +g dF/dp  */
    GWF_U_OMEGA, /* F = u'omega', Pa m s-2: du/dt = -dF/dp */
} gwf_flux_kind;

typedef struct gwf_model {
    char features[16], vertical[24], recipe[24];
    gwf_padding padding;
    gwf_flux_kind flux_kind;
    gwf_channel_table in, out; /* owned */
    int n_levels;              /* of the output, and their coefficients top to bottom */
    gwf_level levels[GWF_LEVELS];
    int nlat, nlon;
    double *lat, *lon;   /* degrees, owned */
    char source[512];    /* checkpoint's name, checksum, epoch */
    char checksum[65];   /* SHA-256 of the model file; "" before it is written */
    gwf_tensor_set set;  /* owned */
    gwf_network network; /* borrows from set */
    gwf_quantised int8;  /* owned; layers NULL: not made for precision int8 */
} gwf_model;

/* What `gwflux import` is told beside the checkpoint. */
typedef struct gwf_model_choice {
    const char *features, *vertical, *recipe, *padding, *flux_kind;
} gwf_model_choice;

/* A model from a state dict. Takes over the set (left empty, also on failure).
 * Errors: ARGUMENT (an unknown word), MODEL (not a known network), MISMATCH (channel counts). */
gwf_status gwf_model_build(gwf_tensor_set *set, const gwf_model_choice *choice, const char *source,
                           const gwf_log *log, gwf_model *model, gwf_error *err);

/* Write it; it has its name only when complete (io/part.h). EXISTS unless overwrite. */
gwf_status gwf_model_write(const gwf_model *model, const char *path, const char *history,
                           bool overwrite, gwf_error *err);

/* Read and check all of it; whatever disagrees with itself is MODEL or FORMAT, named. */
gwf_status gwf_model_read(const char *path, const gwf_log *log, gwf_model *model, gwf_error *err);
/* All but the values of the weights, which are 0, and the checksum, which is "". */
gwf_status gwf_model_read_shape(const char *path, const gwf_log *log, gwf_model *model,
                                gwf_error *err);
/* {0} is fine. */
void gwf_model_free(gwf_model *model);

const char *gwf_padding_name(gwf_padding padding);
const char *gwf_flux_kind_name(gwf_flux_kind kind);

/* n Gaussian latitudes in degrees, south to north: the zeros of the Legendre polynomial P_n. */
void gwf_gaussian_latitudes(int n, double *degrees);
/* Their n weights, which sum to 2 (Gauss-Legendre quadrature in sine of latitude). */
void gwf_gaussian_weights(int n, double *weights);

#endif
