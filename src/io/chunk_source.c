/* Raw chunks of a variable from HDF5, beside NetCDF-C, which has the same file open. */
#include "io/slab_internal.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"

_Static_assert(sizeof(hid_t) == sizeof(int64_t), "ids of HDF5 1.10 and later");

/* --- the dataset ---------------------------------------------------------------------------- */

/* A file that is open already can only be opened again with the same close degree; NetCDF-C's is
 * the first, in all versions seen. */
static hid_t open_file(const char *path)
{
    static const H5F_close_degree_t degrees[] = {H5F_CLOSE_STRONG, H5F_CLOSE_SEMI, H5F_CLOSE_WEAK,
                                                 H5F_CLOSE_DEFAULT};
    hid_t file = -1;
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return -1;
    for (size_t i = 0; i < sizeof degrees / sizeof *degrees && file < 0; i++)
        if (H5Pset_fclose_degree(access, degrees[i]) >= 0)
            file = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return file;
}

static bool same_shape(hid_t dataset, const gwf_nc_variable *v)
{
    hsize_t shape[GWF_NC_RANK];
    const hid_t space = H5Dget_space(dataset);
    bool same = space >= 0 && H5Sget_simple_extent_ndims(space) == v->rank &&
                H5Sget_simple_extent_dims(space, shape, NULL) == v->rank;
    for (int i = 0; same && i < v->rank; i++) same = shape[i] == v->shape[i];
    if (space >= 0) H5Sclose(space);
    return same;
}

/* Along an unlimited dimension a variable may be shorter than the dimension; such a one is left to
 * NetCDF-C. Links could lead to other files. */
static hid_t open_named(hid_t file, const char *name, const gwf_nc_variable *v)
{
    H5L_info_t link;
    if (H5Lexists(file, name, H5P_DEFAULT) <= 0 ||
        H5Lget_info(file, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
        return -1;
    const hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    if (dataset < 0 || same_shape(dataset, v)) return dataset;
    H5Dclose(dataset);
    return -1;
}

/* NetCDF-C gives a variable that has a dimension's name but is no coordinate another name. */
static hid_t open_dataset(hid_t file, const gwf_nc_variable *v)
{
    char other[GWF_NC_NAME + 32];
    snprintf(other, sizeof other, "_nc4_non_coord_%s", v->name);
    const hid_t dataset = open_named(file, v->name, v);
    return dataset >= 0 ? dataset : open_named(file, other, v);
}

/* --- its layout ----------------------------------------------------------------------------- */

static bool is_one_of(hid_t type, const hid_t *types, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (H5Tequal(type, types[i]) > 0) return true;
    return false;
}

/* Numbers of the usual kinds, as nc_type says, in either byte order. */
static bool read_type(hid_t dataset, nc_type expected, gwf_chunk_layout *layout)
{
    const struct {
        nc_type type;
        hid_t little, big;
    } known[] = {
        {NC_BYTE, H5T_STD_I8LE, H5T_STD_I8BE},      {NC_UBYTE, H5T_STD_U8LE, H5T_STD_U8BE},
        {NC_SHORT, H5T_STD_I16LE, H5T_STD_I16BE},   {NC_USHORT, H5T_STD_U16LE, H5T_STD_U16BE},
        {NC_INT, H5T_STD_I32LE, H5T_STD_I32BE},     {NC_UINT, H5T_STD_U32LE, H5T_STD_U32BE},
        {NC_INT64, H5T_STD_I64LE, H5T_STD_I64BE},   {NC_UINT64, H5T_STD_U64LE, H5T_STD_U64BE},
        {NC_FLOAT, H5T_IEEE_F32LE, H5T_IEEE_F32BE}, {NC_DOUBLE, H5T_IEEE_F64LE, H5T_IEEE_F64BE},
    };
    const bool little_here = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    bool good = false;
    const hid_t type = H5Dget_type(dataset);
    for (size_t i = 0; type >= 0 && i < sizeof known / sizeof *known; i++) {
        const hid_t either[2] = {known[i].little, known[i].big};
        if (known[i].type != expected || !is_one_of(type, either, 2)) continue;
        layout->element = H5Tget_size(type);
        layout->swapped = H5Tequal(type, little_here ? known[i].little : known[i].big) <= 0;
        good = true;
    }
    if (type >= 0) H5Tclose(type);
    return good;
}

/* Shuffle must work on the values, or on them and their checksum. */
static bool shuffle_fits(const gwf_chunk_layout *layout, unsigned i, size_t size)
{
    return size == layout->element &&
           (i == 0 || (i == 1 && layout->filters[0] == GWF_FILTER_FLETCHER32));
}

static bool read_filter(hid_t list, unsigned i, gwf_chunk_layout *layout)
{
    unsigned flags = 0, values[8] = {0}, config = 0;
    size_t n = 8;
    char name[1];
    gwf_filter *filter = &layout->filters[i];
    switch (H5Pget_filter2(list, i, &flags, &n, values, sizeof name, name, &config)) {
    case H5Z_FILTER_SHUFFLE:
        *filter = GWF_FILTER_SHUFFLE;
        if (n < 1 || !shuffle_fits(layout, i, values[0])) return false;
        break;
    case H5Z_FILTER_DEFLATE:
        *filter = GWF_FILTER_DEFLATE;
        break;
    case H5Z_FILTER_FLETCHER32:
        *filter = GWF_FILTER_FLETCHER32;
        break;
    default:
        return false;
    }
    for (unsigned k = 0; k < i; k++)
        if (layout->filters[k] == *filter) return false;
    return true;
}

/* HDF5 may leave the chunks at the edges without filters and not say so in their masks. */
static bool read_filters(hid_t list, gwf_chunk_layout *layout)
{
    unsigned options = 0;
    layout->n_filters = H5Pget_nfilters(list);
    if (layout->n_filters == 0) return true;
    if (layout->n_filters < 0 || layout->n_filters > GWF_FILTERS ||
        H5Pget_chunk_opts(list, &options) < 0 || options != 0)
        return false;
    for (int i = 0; i < layout->n_filters; i++)
        if (!read_filter(list, (unsigned)i, layout)) return false;
    return true;
}

/* All of it in one piece of this file. */
static bool is_contiguous(hid_t list)
{
    return H5Pget_layout(list) == H5D_CONTIGUOUS && H5Pget_external_count(list) == 0;
}

static bool read_chunk_shape(hid_t list, gwf_chunk_layout *layout)
{
    hsize_t chunk[GWF_NC_RANK];
    layout->contiguous = is_contiguous(list);
    if (layout->contiguous) {
        for (int i = 0; i < layout->rank; i++) chunk[i] = layout->shape[i];
    } else if (H5Pget_layout(list) != H5D_CHUNKED ||
               H5Pget_chunk(list, GWF_NC_RANK, chunk) != layout->rank) {
        return false;
    }
    for (int i = 0; i < layout->rank; i++) {
        if (chunk[i] < 1 || chunk[i] > UINT32_MAX) return false;
        layout->chunk[i] = (size_t)chunk[i];
    }
    return gwf_size_product(layout->chunk, layout->rank, &layout->bytes) &&
           gwf_size_mul(layout->bytes, layout->element, &layout->bytes);
}

static bool read_layout(hid_t dataset, const gwf_nc *file, const gwf_nc_variable *v,
                        gwf_chunk_layout *layout)
{
    *layout = (gwf_chunk_layout){.rank = v->rank};
    memcpy(layout->shape, v->shape, sizeof layout->shape);
    const hid_t list = H5Dget_create_plist(dataset);
    const bool good = list >= 0 && read_type(dataset, gwf_nc_type_of(file, v), layout) &&
                      read_chunk_shape(list, layout) && read_filters(list, layout);
    if (list >= 0) H5Pclose(list);
    return good;
}

/* --- what the reader calls ------------------------------------------------------------------ */

bool gwf_chunk_source_open(const gwf_nc *file, const gwf_nc_variable *v, gwf_chunk_source *source,
                           gwf_chunk_layout *layout)
{
    int format = 0;
    *source = (gwf_chunk_source){-1, -1};
    if (v->rank < 1 || nc_inq_format(file->id, &format) != NC_NOERR ||
        (format != NC_FORMAT_NETCDF4 && format != NC_FORMAT_NETCDF4_CLASSIC))
        return false;
    gwf_nc_keep_quiet();
    source->file = open_file(file->path);
    if (source->file >= 0) source->dataset = open_dataset(source->file, v);
    if (source->dataset >= 0 && read_layout(source->dataset, file, v, layout)) return true;
    gwf_chunk_source_close(source);
    H5Eclear2(H5E_DEFAULT);
    return false;
}

void gwf_chunk_source_close(gwf_chunk_source *source)
{
    if (source->dataset >= 0) H5Dclose(source->dataset);
    if (source->file >= 0) H5Fclose(source->file);
    *source = (gwf_chunk_source){-1, -1};
}

/* HDF5 forgets what it noted of an error when it is called again, but not when the thread ends. */
static bool failed(void)
{
    const int system_error = errno;
    H5Eclear2(H5E_DEFAULT);
    errno = system_error;
    return false;
}

static void offsets(const gwf_chunk_layout *layout, const size_t *at, hsize_t *offset)
{
    for (int i = 0; i < layout->rank; i++) offset[i] = at[i];
}

/* HDF5 counts from the end of a user block, if there is one, in some versions. */
static bool has_user_block(hid_t file)
{
    hsize_t bytes = 1;
    const hid_t list = H5Fget_create_plist(file);
    const bool none = list >= 0 && H5Pget_userblock(list, &bytes) >= 0 && bytes == 0;
    if (list >= 0) H5Pclose(list);
    return !none;
}

bool gwf_chunk_source_address(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                              const size_t *at, uint64_t *address)
{
    hsize_t offset[GWF_NC_RANK], size = 0;
    haddr_t found = HADDR_UNDEF;
    unsigned mask = 0;
    if (layout->n_filters > 0 || has_user_block(source->file)) return false;
    offsets(layout, at, offset);
    if (layout->contiguous)
        found = H5Dget_offset(source->dataset);
    else if (H5Dget_chunk_info_by_coord(source->dataset, offset, &mask, &found, &size) < 0)
        return failed();
    *address = found;
    return found != HADDR_UNDEF;
}

/* Not by H5Dget_chunk_storage_size(), which fails for chunks that were never written. */
bool gwf_chunk_source_size(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                           const size_t *at, size_t *bytes)
{
    hsize_t offset[GWF_NC_RANK], size = 0;
    haddr_t address = HADDR_UNDEF;
    unsigned mask = 0;
    offsets(layout, at, offset);
    errno = 0;
    if (H5Dget_chunk_info_by_coord(source->dataset, offset, &mask, &address, &size) < 0)
        return failed();
    *bytes = address == HADDR_UNDEF ? 0 : (size_t)size;
    return address == HADDR_UNDEF || size > 0;
}

bool gwf_chunk_source_fetch(const gwf_chunk_source *source, const gwf_chunk_layout *layout,
                            const size_t *at, void *raw, uint32_t *mask)
{
    hsize_t offset[GWF_NC_RANK];
    offsets(layout, at, offset);
    errno = 0;
    return H5Dread_chunk(source->dataset, H5P_DEFAULT, offset, mask, raw) >= 0 || failed();
}
