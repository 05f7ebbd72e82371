# NetCDF-C as target gwflux::netcdf, in the build and for users of the static library.
#   GWF_NETCDF          serial, parallel (many ranks write one file) or auto: parallel where it is
# sets
#   GWF_NETCDF_FLAVOUR  serial or parallel
#   GWF_NETCDF_PC       its pkg-config name, or
#   GWF_NETCDF_LIBS     how it is linked where its pkg-config file is of no use
#   GWF_HDF5_PC         pkg-config name of the HDF5 below it
# Needs PkgConfig, and MPI::MPI_C for parallel.

# Debian keeps the parallel one beside the serial one; its own pkg-config file and CMake package
# lead to the serial headers and to libraries that need not be there.
find_path(GWF_NETCDF_MPI_INCLUDE_DIR netcdf_par.h
    PATHS /usr/lib/${CMAKE_C_LIBRARY_ARCHITECTURE}/netcdf/mpi/include NO_DEFAULT_PATH)
find_library(GWF_NETCDF_MPI_LIBRARY netcdf_mpi)
mark_as_advanced(GWF_NETCDF_MPI_INCLUDE_DIR GWF_NETCDF_MPI_LIBRARY)

# Elsewhere the only NetCDF-C there is may be parallel.
function(gwf_netcdf_is_parallel include_dirs result)
  set(${result} FALSE PARENT_SCOPE)
  foreach(dir ${include_dirs})
    if(EXISTS ${dir}/netcdf_meta.h AND EXISTS ${dir}/netcdf_par.h)
      file(STRINGS ${dir}/netcdf_meta.h line REGEX "define[ \t]+NC_HAS_PARALLEL4[ \t]+1")
      if(line)
        set(${result} TRUE PARENT_SCOPE)
      endif()
    endif()
  endforeach()
endfunction()

set(GWF_NETCDF_FLAVOUR serial)
set(GWF_NETCDF_PC netcdf)
set(gwf_netcdf_links)
if(NOT GWF_NETCDF STREQUAL "serial" AND TARGET MPI::MPI_C)
  if(GWF_NETCDF_MPI_INCLUDE_DIR AND GWF_NETCDF_MPI_LIBRARY)
    gwf_netcdf_is_parallel(${GWF_NETCDF_MPI_INCLUDE_DIR} gwf_found)
    if(gwf_found)
      set(GWF_NETCDF_FLAVOUR parallel)
      set(GWF_NETCDF_PC)
      set(GWF_NETCDF_LIBS -lnetcdf_mpi)
      set(GWF_HDF5_PC hdf5-openmpi)
      set(gwf_netcdf_include ${GWF_NETCDF_MPI_INCLUDE_DIR})
      set(gwf_netcdf_links ${GWF_NETCDF_MPI_LIBRARY} MPI::MPI_C)
    endif()
  endif()
endif()
if(NOT gwf_netcdf_links)
  pkg_check_modules(NETCDF REQUIRED IMPORTED_TARGET netcdf)
  set(gwf_netcdf_include)
  set(gwf_netcdf_links PkgConfig::NETCDF)
  pkg_search_module(GWF_HDF5 QUIET hdf5-serial hdf5)
  set(GWF_HDF5_PC ${GWF_HDF5_MODULE_NAME})
  pkg_get_variable(gwf_netcdf_dir netcdf includedir)
  gwf_netcdf_is_parallel("${gwf_netcdf_dir};${NETCDF_INCLUDE_DIRS}" gwf_found)
  if(gwf_found AND NOT GWF_NETCDF STREQUAL "serial" AND TARGET MPI::MPI_C)
    set(GWF_NETCDF_FLAVOUR parallel)
    list(APPEND gwf_netcdf_links MPI::MPI_C)
  endif()
endif()
if(GWF_NETCDF STREQUAL "parallel" AND NOT GWF_NETCDF_FLAVOUR STREQUAL "parallel")
  message(FATAL_ERROR "GWF_NETCDF=parallel: no NetCDF-C that many ranks can write with was found "
      "(Debian: libnetcdf-mpi-dev; MPI is needed too)")
endif()

if(NOT TARGET gwflux::netcdf)
  add_library(gwflux::netcdf INTERFACE IMPORTED)
  target_link_libraries(gwflux::netcdf INTERFACE ${gwf_netcdf_links})
  target_include_directories(gwflux::netcdf BEFORE INTERFACE ${gwf_netcdf_include})
endif()
