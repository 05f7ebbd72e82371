# oneDNN, 2.x or 3.x: DNNL_INCLUDE_DIR, DNNL_LIBRARY, DNNL_VERSION_MAJOR. DNNL_ROOT, a prefix, or else
# CMAKE_PREFIX_PATH says where it is. Not by oneDNN's CMake package: Debian's asks for OpenCL, which
# nothing here needs.
if(DNNL_ROOT)
  set(only_there PATHS ${DNNL_ROOT} NO_DEFAULT_PATH)
endif()
find_path(DNNL_INCLUDE_DIR dnnl.h ${only_there} PATH_SUFFIXES include REQUIRED)
find_library(DNNL_LIBRARY dnnl ${only_there}
             PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE} REQUIRED)
foreach(part MAJOR MINOR PATCH)
  file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h line
       REGEX "define DNNL_VERSION_${part} ")
  string(REGEX REPLACE ".* " "" DNNL_VERSION_${part} "${line}")
endforeach()
set(dnnl "oneDNN ${DNNL_VERSION_MAJOR}.${DNNL_VERSION_MINOR}.${DNNL_VERSION_PATCH} (${DNNL_LIBRARY})")
if(NOT DNNL_VERSION_MAJOR MATCHES "^[23]$")
  message(FATAL_ERROR "${dnnl}: 2.x or 3.x is needed (-DGWF_ONEDNN=OFF leaves ref only)")
endif()
file(STRINGS ${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_config.h line
     REGEX "define DNNL_CPU_RUNTIME DNNL_RUNTIME_(OMP|SEQ)$")
if(NOT line)
  message(FATAL_ERROR "${dnnl}: one that is built with OpenMP threads is needed "
                      "(-DGWF_ONEDNN=OFF leaves ref only)")
endif()
message(STATUS "${dnnl}")
