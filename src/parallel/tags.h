/* Every message tag there is. Each communicator is our own, so they need only differ among
 * themselves. */
#ifndef GWF_PARALLEL_TAGS_H
#define GWF_PARALLEL_TAGS_H

enum {
    GWF_TAG_HALO = 0,    /* .. 8: the direction in which a border travels */
    GWF_TAG_TILE = 9,    /* a tile of a whole map */
    GWF_TAG_ASK = 10,    /* to rank 0: the next number, please (queue.c) */
    GWF_TAG_GRANT = 11,  /* from rank 0: here it is */
    GWF_TAG_LABEL = 12,  /* to rank 0: which step a result is (parcel.c) ... */
    GWF_TAG_RESULT = 13, /* ... and its values */
    GWF_TAG_ROUTE = 14   /* columns from those who have them to those who want them (route.c) */
};

#endif
