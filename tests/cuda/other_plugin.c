/* libgwflux_cuda.so of another build: nothing but its stamp may be looked at. */
#include <stddef.h>

typedef struct other_table {
    const char *stamp;
    void *garbage[2];
} other_table;

__attribute__((visibility("default")))
const other_table gwf_plugin_table = {"0.0.1-0123456789ab", {(void *)1, (void *)1}};
