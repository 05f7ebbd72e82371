# What the programs of this bundle need to find the rest of it; sourced with $here, its folder.
# shellcheck shell=sh disable=SC2154
UDUNITS2_XML_PATH=$here/share/udunits/udunits2.xml
ECCODES_DEFINITION_PATH=$here/share/eccodes/definitions
GWFLUX_BACKEND_DIR=${GWFLUX_BACKEND_DIR:-$here/lib}
export UDUNITS2_XML_PATH ECCODES_DEFINITION_PATH GWFLUX_BACKEND_DIR

# Open MPI and PMIx
OPAL_PREFIX=$here OPAL_LIBDIR=$here/lib OPAL_PKGLIBDIR=$here/lib/openmpi
OPAL_PKGDATADIR=$here/share/openmpi OPAL_SYSCONFDIR=$here/etc/openmpi
PMIX_PREFIX=$here PMIX_LIBDIR=$here/lib PMIX_PKGLIBDIR=$here/lib/pmix
PMIX_PKGDATADIR=$here/share/pmix PMIX_SYSCONFDIR=$here/etc/openmpi
OMPI_MCA_orte_launch_agent=$here/orted # on further nodes
export OPAL_PREFIX OPAL_LIBDIR OPAL_PKGLIBDIR OPAL_PKGDATADIR OPAL_SYSCONFDIR
export PMIX_PREFIX PMIX_LIBDIR PMIX_PKGLIBDIR PMIX_PKGDATADIR PMIX_SYSCONFDIR
export OMPI_MCA_orte_launch_agent
HOME=${HOME:-/} # PMIx asks for one
export HOME
# mpirun looks for ssh though all ranks are on this node, and gives up without it.
command -v ssh >/dev/null || command -v rsh >/dev/null || export OMPI_MCA_plm=^rsh

# Libraries; cuDNN, where it is left to the machine, with CUDA or as a Python package, which finds NVRTC
# by itself.
libraries=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if [ -e "$here/cudnn-of-the-machine" ]; then
    read -r cudnn <"$here/cudnn-of-the-machine"
    for folder in /usr/local/cuda/lib64 /usr/local/cuda/lib /usr/lib/x86_64-linux-gnu /usr/lib64 \
        $(python3 -c 'import sys; print(*(path + "/nvidia/cudnn/lib" for path in sys.path))' 2>/dev/null); do
        if [ -e "$folder/$cudnn" ]; then
            libraries=$libraries:$folder
            break
        fi
    done
fi
export LD_LIBRARY_PATH="$libraries"
