#include "engine/border.h"

#include <stdlib.h>

struct gwf_border {
    const gwf_backend *backend;
    gwf_context *context;
    gwf_view in, out;
    gwf_rect send[GWF_DIRECTIONS]; /* of in */
    gwf_rect recv[GWF_DIRECTIONS]; /* of out */
    gwf_halo *halo;
};

/* The edge of n rows (or columns) that a neighbour on side d (-1, 0, 1) gets. */
static void edge(int d, int n, int width, int *first, int *count)
{
    *first = d > 0 ? n - width : 0;
    *count = d ? width : n;
}

/* Where the edge of a neighbour on side d goes, in a map with the border. */
static void margin(int d, int n, int width, int *first, int *count)
{
    *first = d < 0 ? 0 : d > 0 ? n + width : width;
    *count = d ? width : n;
}

static size_t bytes_of(const gwf_border *b, const gwf_view *view, const gwf_rect *rect)
{
    if (!rect->rows || !rect->cols) return 0;
    return b->backend->map_bytes(b->context, view->channels, rect->rows, rect->cols);
}

gwf_status gwf_border_create(const gwf_backend *backend, gwf_context *context, const gwf_op *op,
                             const gwf_tiles *tiles, gwf_border **border, gwf_error *err)
{
    const int rows = op->in.rows, cols = op->in.cols;
    gwf_halo_sizes sizes = {{0}, {0}};
    gwf_border *b = calloc(1, sizeof *b);
    *border = b;
    if (!b) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the border of a tile");
    *b = (gwf_border){.backend = backend, .context = context, .in = op->in, .out = op->out};
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        const int dy = d / 3 - 1, dx = d % 3 - 1;
        if (!dy && !dx) continue;
        edge(dy, rows, op->halo_y, &b->send[d].row, &b->send[d].rows);
        edge(dx, cols, op->halo_x, &b->send[d].col, &b->send[d].cols);
        margin(dy, rows, op->halo_y, &b->recv[d].row, &b->recv[d].rows);
        margin(dx, cols, op->halo_x, &b->recv[d].col, &b->recv[d].cols);
        sizes.send[d] = bytes_of(b, &op->in, &b->send[d]);
        sizes.recv[d] = bytes_of(b, &op->out, &b->recv[d]);
    }
    const gwf_status status = gwf_halo_create(tiles, &sizes, &b->halo, err);
    if (status != GWF_OK) gwf_border_free(border);
    return status;
}

void gwf_border_free(gwf_border **border)
{
    if (!*border) return;
    gwf_halo_free(&(*border)->halo);
    free(*border);
    *border = NULL;
}

gwf_status gwf_border_begin(gwf_border *b, gwf_error *err)
{
    gwf_status status = GWF_OK;
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        void *to = gwf_halo_send(b->halo, d);
        if (to && status == GWF_OK)
            status = b->backend->pack(b->context, &b->in, &b->send[d], to, err);
    }
    const gwf_status begun = gwf_halo_begin(b->halo, status == GWF_OK ? err : NULL);
    return status == GWF_OK ? begun : status;
}

gwf_status gwf_border_end(gwf_border *b, gwf_error *err)
{
    GWF_TRY(gwf_halo_end(b->halo, err));
    for (int d = 0; d < GWF_DIRECTIONS; d++) {
        const void *from = gwf_halo_recv(b->halo, d);
        if (from) GWF_TRY(b->backend->unpack(b->context, &b->out, &b->recv[d], from, err));
    }
    return GWF_OK;
}
