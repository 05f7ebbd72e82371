/* put_attribute FILE.nc VARIABLE NAME TEXT: sets a text attribute. */
#include <netcdf.h>
#include <string.h>

int main(int argc, char **argv)
{
    int file, variable;
    return argc != 5 || nc_open(argv[1], NC_WRITE, &file) != NC_NOERR ||
           nc_inq_varid(file, argv[2], &variable) != NC_NOERR || nc_redef(file) > 0 ||
           nc_put_att_text(file, variable, argv[3], strlen(argv[4]), argv[4]) != NC_NOERR ||
           nc_close(file) != NC_NOERR;
}
