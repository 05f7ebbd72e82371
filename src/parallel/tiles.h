/* Rectangular tiles of one map, one a rank: the arithmetic of cutting, and moving whole maps to the
 * tiles and back.
 *
 * A grid of nlat x nlon is cut into rows x cols tiles whose sides are multiples of 16 (so that
 * every level of the U-Net is cut at the same places), as even as that allows: the larger ones come
 * first. Rank r has the tile in row r / cols, column r % cols. */
#ifndef GWF_PARALLEL_TILES_H
#define GWF_PARALLEL_TILES_H

#include "parallel/comm.h"

enum { GWF_TILE_UNIT = 16, GWF_DIRECTIONS = 9 };

typedef struct gwf_tiling {
    int rows, cols; /* tiles along latitude, along longitude */
} gwf_tiling;

typedef struct gwf_tile {
    int row, rows; /* first row of the grid and how many */
    int col, cols;
} gwf_tile;

/* "4x2", or "auto" for the tiling of `ranks` whose largest tile has the fewest points, among those
 * the longest rows (up to 256 points), then the shortest border. ranks 0: as many as the text says;
 * "auto" then needs one. ARGUMENT: another text, not `ranks` tiles; MISMATCH: the grid has no such
 * cut. */
gwf_status gwf_tiling_find(const char *text, int ranks, int nlat, int nlon, gwf_tiling *tiling,
                           gwf_error *err);

gwf_tile gwf_tile_of(gwf_tiling tiling, int nlat, int nlon, int rank);

/* Rank of the tile next to a rank's in direction 3 (dy + 1) + dx + 1, dy and dx from -1 to 1,
 * upwards with the rows and columns; periodic: the last column borders on the first (the neighbour
 * may be the rank itself); -1: none, the edge of the map. */
int gwf_tile_neighbour(gwf_tiling tiling, int rank, int direction, bool periodic);

/* The ranks of one map and this one's place among them. */
typedef struct gwf_tiles {
    const gwf_comm *comm; /* borrowed */
    gwf_tiling tiling;
    int nlat, nlon;
    gwf_tile mine;
    int neighbour[GWF_DIRECTIONS]; /* in each direction, gwf_tile_neighbour() */
} gwf_tiles;

/* Local. comm has tiling.rows * tiling.cols ranks. */
void gwf_tiles_place(const gwf_comm *comm, gwf_tiling tiling, int nlat, int nlon, bool periodic,
                     gwf_tiles *tiles);

/* Moves maps of `channels` float32 between rank 0, which has them whole (channels, nlat, nlon), and
 * the tiles (channels, mine.rows, mine.cols). Planned once. */
typedef struct gwf_mover gwf_mover;
gwf_status gwf_mover_create(const gwf_tiles *tiles, int channels, gwf_mover **mover,
                            gwf_error *err);
void gwf_mover_free(gwf_mover **mover);
/* Collective. whole: rank 0 only, NULL elsewhere. */
gwf_status gwf_mover_scatter(gwf_mover *mover, const float *whole, float *tile, gwf_error *err);
gwf_status gwf_mover_gather(gwf_mover *mover, const float *tile, float *whole, gwf_error *err);

#endif
