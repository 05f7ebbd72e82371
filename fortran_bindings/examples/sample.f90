! What the example hosts have in the place of a dynamical core: the 64 x 128 Gaussian grid, hybrid
! levels from the top down, the first interface at 0 Pa, and a smooth made-up atmosphere.
module sample
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  private
  public :: NLAT, NLON, NLEV, GRAVITY, HEAT_CAPACITY, column, sample_latitudes, sample_longitudes, &
            sample_column, budget_error, heating_error

  integer, parameter :: NLAT = 64, NLON = 128, NLEV = 40
  real(real64), parameter :: GRAVITY = 9.80665_real64          ! m s-2
  real(real64), parameter :: HEAT_CAPACITY = 1004.64_real64    ! J kg-1 K-1
  real(real64), parameter :: PI = acos(-1.0_real64), P0 = 1.0e5_real64

  type :: column
    real(real64), dimension(NLEV) :: u, v, t, omega, p ! m s-1, m s-1, K, Pa s-1, Pa
    real(real64) :: p_half(NLEV + 1)                   ! Pa
    real(real64) :: phis                               ! m2 s-2
  end type column

contains

  ! Degrees, south to north: the zeros of the Legendre polynomial of degree NLAT, by Newton's method.
  function sample_latitudes() result(lat)
    real(real64) :: lat(NLAT), x, before, now, next, slope
    integer :: j, n, iteration
    do j = 1, NLAT
      x = -cos(PI*(j - 0.25_real64)/(NLAT + 0.5_real64))
      do iteration = 1, 6
        before = 1
        now = x
        do n = 2, NLAT
          next = ((2*n - 1)*x*now - (n - 1)*before)/n
          before = now
          now = next
        end do
        slope = NLAT*(x*now - before)/(x*x - 1)
        x = x - now/slope
      end do
      lat(j) = asin(x)*180/PI
    end do
  end function sample_latitudes

  ! Degrees, eastward from Greenwich.
  function sample_longitudes() result(lon)
    real(real64) :: lon(NLON)
    integer :: i
    lon = [(360.0_real64*(i - 1)/NLON, i=1, NLON)]
  end function sample_longitudes

  ! The atmosphere over a place (degrees) at a time (s).
  function sample_column(lat, lon, time) result(c)
    real(real64), intent(in) :: lat, lon, time
    type(column) :: c
    real(real64) :: x, y, day, height, s, level
    integer :: k
    x = lon*PI/180
    y = lat*PI/180
    day = 2*PI*time/86400
    height = 2000*(sin(3*x)*cos(y))**2*cos(2*y)**2
    c%phis = GRAVITY*height
    do k = 1, NLEV + 1
      s = real(k - 1, real64)/NLEV
      c%p_half(k) = P0*s**3*(1 - s) + s**4*P0*exp(-height/7500)
    end do
    do k = 1, NLEV
      level = (k - 0.5_real64)/NLEV
      c%p(k) = 0.5_real64*(c%p_half(k) + c%p_half(k + 1))
      c%u(k) = 35*sin(2*y)**2*(1.2_real64 - level) + 8*cos(4*x - day + 3*level)*cos(y)
      c%v(k) = 6*sin(3*x + 2*y + day - 2*level)*cos(y)
      c%t(k) = max(200.0_real64, 300*(c%p(k)/P0)**0.19_real64) + 25*cos(y)**2 - 15 + 3*cos(2*x + day)
      c%omega(k) = 0.1_real64*sin(5*x - day)*cos(y)*level*(1 - level)
    end do
  end function sample_column

  ! By how much the momentum that a column of tendencies (m s-2) gains differs from what its fluxes
  ! (Pa, at interfaces) bring in, relative to the sum of the layers' gains and losses.
  function budget_error(tendency, flux, p_half) result(error)
    real(real64), intent(in) :: tendency(:), flux(:), p_half(:)
    real(real64) :: error, gain(size(tendency))
    integer :: n
    n = size(tendency)
    gain = tendency*(p_half(2:) - p_half(:n))/GRAVITY
    error = abs(sum(gain) - (flux(n + 1) - flux(1)))/max(sum(abs(gain)), tiny(error))
  end function budget_error

  ! The same for the heat that dt brings and the kinetic energy that a step with du, dv loses.
  function heating_error(c, du, dv, dt, step) result(error)
    type(column), intent(in) :: c
    real(real64), intent(in) :: du(:), dv(:), dt(:), step
    real(real64) :: error, mass(NLEV), lost(NLEV)
    mass = (c%p_half(2:) - c%p_half(:NLEV))/GRAVITY
    lost = -mass*((c%u + 0.5_real64*step*du)*du + (c%v + 0.5_real64*step*dv)*dv)
    error = abs(sum(mass*HEAT_CAPACITY*dt) - sum(lost))/max(sum(abs(lost)), tiny(error))
  end function heating_error
end module sample
