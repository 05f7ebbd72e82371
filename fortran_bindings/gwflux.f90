! gwflux for Fortran: what a host needs, in one `use gwflux`.
!
!   gwf_plugin    inside a climate model: gwflux_plugin.F90 says how
!   gwf_engine    the network alone, on normalised maps: gwflux_engine.f90
!   gwf_options   how either is to run: gwflux_options.f90
!   gwf_counters, gwf_shape, GWF_ERR_..., GWF_FLAG_...   as in gwflux.h
module gwflux
  use gwflux_c, only: GWF_OK, GWF_ERR_ARGUMENT, GWF_ERR_MEMORY, GWF_ERR_NOT_FOUND, GWF_ERR_IO, &
                      GWF_ERR_DISK, GWF_ERR_EXISTS, GWF_ERR_FORMAT, GWF_ERR_MODEL, &
                      GWF_ERR_MISMATCH, GWF_ERR_DATA, GWF_ERR_BACKEND, GWF_ERR_UNSUPPORTED, &
                      GWF_ERR_INTERNAL, GWF_ERR_STOPPED, GWF_FLAG_COMPUTED, GWF_FLAG_HELD, &
                      GWF_FLAG_ZERO, GWF_FLAG_HOST, gwf_counters, gwf_shape
  use gwflux_engine, only: gwf_engine
  use gwflux_options, only: gwf_options
  use gwflux_plugin, only: gwf_plugin
  use gwflux_text, only: gwf_status_name, gwf_status_text, gwf_version
  implicit none
  public
end module gwflux
