! The smallest Fortran program that uses gwflux: load a model, predict one map, print its mean.
program example
  use, intrinsic :: iso_fortran_env, only: real32
  use gwflux
  implicit none
  type(gwf_engine) :: engine
  type(gwf_shape) :: n
  character(len=512) :: path
  real(real32), allocatable :: features(:, :, :), flux(:, :, :)
  call get_command_argument(1, path)
  call engine%create(path)
  n = engine%shape()
  allocate (features(n%lon, n%lat, n%inputs), source=0.0_real32) ! the mean state
  allocate (flux(n%lon, n%lat, n%outputs))
  call engine%predict(features, flux)
  print '(a)', engine%describe()
  print '(a, es13.5, a)', 'mean uw of the top level: ', sum(flux(:, :, 1))/(n%lon*n%lat), ' Pa'
  call engine%free()
end program example
