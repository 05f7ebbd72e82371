#include "backend/backend.h"

static const struct {
    const char *word;
    double error;
} precisions[] = {
#define GWF_PRECISION_ROW(code, word, error) {word, error},
    GWF_PRECISION_LIST(GWF_PRECISION_ROW)
#undef GWF_PRECISION_ROW
};

const char *gwf_precision_word(gwf_precision precision)
{
    return precisions[precision].word;
}

double gwf_precision_error(gwf_precision precision)
{
    return precisions[precision].error;
}
