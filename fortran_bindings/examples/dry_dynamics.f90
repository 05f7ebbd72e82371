! The dynamics of dry_host: layers of shallow water on the sphere that do not feel one another, each
! stirred by a travelling wave and drawn back to a zonal jet. Per layer, with phi the geopotential
! less that which holds the jet u_e in balance:
!
!   du/dt   = - adv(u)   + (f + u tan(lat)/a) v                                   - phi_x - (u - u_e)/tau
!   dv/dt   = - adv(v)   - (f + u tan(lat)/a) u + (f + u_e tan(lat)/a) u_e        - phi_y - v/tau
!   dphi/dt = - adv(phi) - g H (u_x + (v cos(lat))_y / cos(lat))                  - (phi - phi_e)/tau
!   dt/dt   = - adv(t)                                                            - (t - t_e)/tau
!
! Gaussian grid, all variables at its points, rows shared by the ranks as bands; first-order upwind
! advection, centred differences elsewhere, third-order Adams-Bashforth in time. Beyond a pole lies
! the same row half a circle on, winds reversed.
module dry_dynamics
  use, intrinsic :: iso_fortran_env, only: real64
  use mpi
  use sample, only: GRAVITY, NLAT, NLON, sample_latitudes, sample_longitudes
  implicit none
  private
  public :: NL, N_VARIABLES, U, V, T, dry_model

  integer, parameter :: NL = 10, N_VARIABLES = 4, U = 1, V = 2, PHI = 3, T = 4
  real(real64), parameter :: PI = acos(-1.0_real64), RADIUS = 6.371e6_real64, &
                             ROTATION = 7.292e-5_real64, DAY = 86400, DEPTH = 40
  ! sigma at the interfaces of the layers; the first is 0 Pa
  real(real64), parameter :: SIGMA_HALF(NL + 1) = [0.0_real64, 0.004_real64, 0.02_real64, &
    0.06_real64, 0.12_real64, 0.22_real64, 0.36_real64, 0.52_real64, 0.70_real64, 0.88_real64, &
    1.0_real64]

  type :: dry_model
    integer :: comm = MPI_COMM_NULL, rank = 0, ranks = 1
    integer :: first = 0, n = 0                           ! rows first + 1 .. first + n of the grid
    integer :: steps = 0                                  ! done so far
    real(real64) :: sigma_half(NL + 1) = SIGMA_HALF
    real(real64), allocatable :: lat(:), lon(:)           ! degrees, of the rows 0 .. n + 1; all
    real(real64), allocatable :: state(:, :, :, :)        ! (lon, rows 0 .. n + 1, layer, variable)
    real(real64), allocatable :: tendency(:, :, :, :, :)  ! (lon, row, layer, variable, now and before)
  contains
    procedure :: create
    procedure :: step
  end type dry_model

contains

  subroutine create(self, comm)
    class(dry_model), intent(inout) :: self
    integer, intent(in) :: comm
    real(real64) :: rows(NLAT)
    integer :: error, j, k
    self%comm = comm
    call MPI_Comm_rank(comm, self%rank, error)
    call MPI_Comm_size(comm, self%ranks, error)
    self%first = self%rank*NLAT/self%ranks
    self%n = (self%rank + 1)*NLAT/self%ranks - self%first
    rows = sample_latitudes()
    self%lon = sample_longitudes()
    allocate (self%lat(0:self%n + 1))
    do j = 0, self%n + 1
      k = self%first + j
      if (k < 1) self%lat(j) = -180 - rows(1)
      if (k > NLAT) self%lat(j) = 180 - rows(NLAT)
      if (k >= 1 .and. k <= NLAT) self%lat(j) = rows(k)
    end do
    allocate (self%state(NLON, 0:self%n + 1, NL, N_VARIABLES), source=0.0_real64)
    allocate (self%tendency(NLON, self%n, NL, N_VARIABLES, 3), source=0.0_real64)
    do k = 1, NL
      do j = 1, self%n
        self%state(:, j, k, U) = jet(self%lat(j), k)
        self%state(:, j, k, T) = warmth(self%lat(j), k)
      end do
    end do
  end subroutine create

  ! m s-1, K: what the layers are drawn back to.
  pure function jet(lat, layer) result(wind)
    real(real64), intent(in) :: lat
    integer, intent(in) :: layer
    real(real64) :: wind
    wind = 30*sin(lat*PI/90)**2*(1.2_real64 - real(layer, real64)/NL)
  end function jet

  pure function warmth(lat, layer) result(temperature)
    real(real64), intent(in) :: lat
    integer, intent(in) :: layer
    real(real64) :: temperature
    temperature = 210 + 75*(real(layer, real64)/NL)**2 + 20*cos(lat*PI/180)**2*real(layer, real64)/NL
  end function warmth

  ! dt seconds on; du, dv (lon, row, layer): tendencies of others, m s-2. Collective.
  subroutine step(self, dt, du, dv)
    class(dry_model), intent(inout) :: self
    real(real64), intent(in) :: dt, du(:, :, :), dv(:, :, :)
    real(real64) :: weight(3)
    integer :: m
    call exchange_rows(self)
    self%tendency(:, :, :, :, 3) = self%tendency(:, :, :, :, 2)
    self%tendency(:, :, :, :, 2) = self%tendency(:, :, :, :, 1)
    call make_tendency(self, self%steps*dt)
    weight = [23, -16, 5]/12.0_real64
    if (self%steps == 0) weight = [1, 0, 0]
    if (self%steps == 1) weight = [1.5_real64, -0.5_real64, 0.0_real64]
    do m = 1, N_VARIABLES
      self%state(:, 1:self%n, :, m) = self%state(:, 1:self%n, :, m) + dt*( &
        weight(1)*self%tendency(:, :, :, m, 1) + weight(2)*self%tendency(:, :, :, m, 2) + &
        weight(3)*self%tendency(:, :, :, m, 3))
    end do
    self%state(:, 1:self%n, :, U) = self%state(:, 1:self%n, :, U) + dt*du
    self%state(:, 1:self%n, :, V) = self%state(:, 1:self%n, :, V) + dt*dv
    self%steps = self%steps + 1
  end subroutine step

  subroutine make_tendency(self, time)
    type(dry_model), intent(inout) :: self
    real(real64), intent(in) :: time
    real(real64), dimension(NLON) :: turn, balance, x_gradient, y_gradient, divergence, phi_e
    real(real64) :: lat, dx, dy, curvature, coriolis, rate, south, north
    integer :: j, k
    do k = 1, NL
      do j = 1, self%n
        associate (s => self%state(:, j, k, :), g => self%tendency(:, j, k, :, 1))
          lat = self%lat(j)*PI/180
          dx = RADIUS*cos(lat)*2*PI/NLON
          dy = RADIUS*(self%lat(j + 1) - self%lat(j - 1))*PI/180
          south = cos(self%lat(j - 1)*PI/180) ! negative beyond the pole
          north = cos(self%lat(j + 1)*PI/180)
          coriolis = 2*ROTATION*sin(lat)
          curvature = tan(lat)/RADIUS
          rate = (1 + 9*max(0.0_real64, abs(self%lat(j))/90 - 0.8_real64)/0.2_real64)/DAY
          turn = coriolis + curvature*s(:, U)
          balance = (coriolis + curvature*jet(self%lat(j), k))*jet(self%lat(j), k)
          x_gradient = (cshift(s(:, PHI), 1) - cshift(s(:, PHI), -1))/(2*dx)
          y_gradient = (self%state(:, j + 1, k, PHI) - self%state(:, j - 1, k, PHI))/dy
          divergence = (cshift(s(:, U), 1) - cshift(s(:, U), -1))/(2*dx) + &
                       (self%state(:, j + 1, k, V)*north - self%state(:, j - 1, k, V)*south)/(dy*cos(lat))
          phi_e = 300*cos(lat)**2*sin(4*self%lon*PI/180 - 2*PI*time/(5*DAY) + 0.3_real64*k)
          g(:, U) = turn*s(:, V) - x_gradient - rate*(s(:, U) - jet(self%lat(j), k))
          g(:, V) = balance - turn*s(:, U) - y_gradient - rate*s(:, V)
          g(:, PHI) = -GRAVITY*DEPTH*divergence - rate*(s(:, PHI) - phi_e)
          g(:, T) = -rate*(s(:, T) - warmth(self%lat(j), k))
        end associate
        call advect(self, j, k, dx)
      end do
    end do
  end subroutine make_tendency

  ! Upwind, all variables of a row.
  subroutine advect(self, j, k, dx)
    type(dry_model), intent(inout) :: self
    integer, intent(in) :: j, k
    real(real64), intent(in) :: dx
    real(real64), dimension(NLON) :: along, across, x, wind_u, wind_v
    real(real64) :: dy_south, dy_north
    integer :: m
    dy_south = RADIUS*(self%lat(j) - self%lat(j - 1))*PI/180
    dy_north = RADIUS*(self%lat(j + 1) - self%lat(j))*PI/180
    wind_u = self%state(:, j, k, U)
    wind_v = self%state(:, j, k, V)
    do m = 1, N_VARIABLES
      x = self%state(:, j, k, m)
      along = merge(x - cshift(x, -1), cshift(x, 1) - x, wind_u > 0)/dx
      across = merge((x - self%state(:, j - 1, k, m))/dy_south, &
                     (self%state(:, j + 1, k, m) - x)/dy_north, wind_v > 0)
      self%tendency(:, j, k, m, 1) = self%tendency(:, j, k, m, 1) - wind_u*along - wind_v*across
    end do
  end subroutine advect

  ! Rows 0 and n + 1 from the neighbours' bands, or from beyond the pole.
  subroutine exchange_rows(self)
    type(dry_model), intent(inout) :: self
    real(real64), dimension(NLON, NL, N_VARIABLES) :: north, south, from_north, from_south
    integer :: above, below, error
    integer, parameter :: VALUES = NLON*NL*N_VARIABLES
    below = merge(self%rank - 1, MPI_PROC_NULL, self%rank > 0)
    above = merge(self%rank + 1, MPI_PROC_NULL, self%rank < self%ranks - 1)
    south = self%state(:, 1, :, :)
    north = self%state(:, self%n, :, :)
    from_south = beyond_pole(south)
    from_north = beyond_pole(north)
    call MPI_Sendrecv(north, VALUES, MPI_DOUBLE_PRECISION, above, 1, from_south, VALUES, &
                      MPI_DOUBLE_PRECISION, below, 1, self%comm, MPI_STATUS_IGNORE, error)
    call MPI_Sendrecv(south, VALUES, MPI_DOUBLE_PRECISION, below, 2, from_north, VALUES, &
                      MPI_DOUBLE_PRECISION, above, 2, self%comm, MPI_STATUS_IGNORE, error)
    self%state(:, 0, :, :) = from_south
    self%state(:, self%n + 1, :, :) = from_north
  end subroutine exchange_rows

  pure function beyond_pole(row) result(there)
    real(real64), intent(in) :: row(NLON, NL, N_VARIABLES)
    real(real64) :: there(NLON, NL, N_VARIABLES)
    there = cshift(row, NLON/2)
    there(:, :, U) = -there(:, :, U)
    there(:, :, V) = -there(:, :, V)
  end function beyond_pole
end module dry_dynamics
