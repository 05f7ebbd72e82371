! A host in the manner of the FMS family (Isca, MiMA): 64 x 128 Gaussian grid in bands of latitude,
! 8-byte reals, (lon, lat, level) from the top down with p_half exactly 0 at the top, physics called
! for one window of the band after the other, leapfrog, tendencies added to dt_u and dt_v.
!
!   fms_windows INPUT.nml      &host model, output, steps, windows of the band: nx, ny /  &gwflux ... /
!
! What gwflux adds to the host is marked with !gw.
program fms_windows
  use, intrinsic :: iso_fortran_env, only: real64
  use mpi
  use gwflux                                                                                    !gw
  use sample
  use collect, only: output, expect
  implicit none
  type(gwf_plugin) :: plugin                                                                    !gw
  type(gwf_options) :: options                                                                  !gw
  type(output) :: file
  character(len=256) :: input, model = 'model.nc', path = 'fms.bin'
  integer :: steps = 2, nx = 2, ny = 2
  namelist /host/ model, path, steps, nx, ny
  real(real64), parameter :: DT = 900
  real(real64), allocatable, dimension(:, :, :) :: u, v, t, omega, p_full, p_half, dt_u, dt_v, dt_t
  real(real64), allocatable, dimension(:, :) :: lat, lon, phis
  real(real64), allocatable, dimension(:, :, :) :: uw, vw
  integer, allocatable :: ids(:)
  integer, allocatable, dimension(:) :: is, ie, js, je ! windows of the band
  integer :: comm, rank, ranks, error, unit, first, n, step, w

  call MPI_Init(error)
  comm = MPI_COMM_WORLD
  call MPI_Comm_rank(comm, rank, error)
  call MPI_Comm_size(comm, ranks, error)
  call get_command_argument(1, input)
  open (newunit=unit, file=trim(input), status='old', action='read')
  read (unit, nml=host)
  close (unit)
  call make_band

  call options%read_namelist(input)                                                             !gw
  call plugin%create(comm, model, options)                                                      !gw
  call plugin%columns(lat, lon, 'radians')                                                      !gw
  call plugin%levels(NLEV)                                                                      !gw
  call plugin%ready()                                                                           !gw

  call file%open(comm, path)
  do step = 1, steps
    call dynamics(step*DT)
    dt_u = 0
    dt_v = 0
    dt_t = 0
    if (plugin%due(step*DT)) then                                                               !gw
      do w = 1, nx*ny                                                                           !gw
        call put_window(is(w), ie(w), js(w), je(w))                                             !gw
      end do                                                                                    !gw
    end if                                                                                      !gw
    call plugin%run(step*DT, 2*DT)                                                              !gw
    do w = 1, nx*ny
      call physics(is(w), ie(w), js(w), je(w))
    end do
    call check
    call write_band(dt_u)
    call write_band(dt_v)
  end do
  call file%close()
  call plugin%free()                                                                            !gw
  call options%free()                                                                           !gw
  call MPI_Finalize(error)

contains

  ! The n rows behind `first` are this rank's, as equal as 64 rows can be shared.
  subroutine make_band
    real(real64) :: lats(NLAT), lons(NLON)
    real(real64), parameter :: RADIANS = acos(-1.0_real64)/180
    integer :: i, j
    first = rank*NLAT/ranks
    n = (rank + 1)*NLAT/ranks - first
    is = [((i*NLON/nx + 1, i=0, nx - 1), j=0, ny - 1)]
    ie = [((i*NLON/nx, i=1, nx), j=0, ny - 1)]
    js = [((j*n/ny + 1, i=0, nx - 1), j=0, ny - 1)]
    je = [((j*n/ny, i=0, nx - 1), j=1, ny)]
    allocate (lat(NLON, n), lon(NLON, n), phis(NLON, n), ids(NLON*n))
    allocate (u(NLON, n, NLEV), v(NLON, n, NLEV), t(NLON, n, NLEV), omega(NLON, n, NLEV))
    allocate (p_full(NLON, n, NLEV), p_half(NLON, n, NLEV + 1))
    allocate (dt_u(NLON, n, NLEV), dt_v(NLON, n, NLEV), dt_t(NLON, n, NLEV))
    allocate (uw(NLON, n, NLEV + 1), vw(NLON, n, NLEV + 1))
    lats = sample_latitudes()
    lons = sample_longitudes()
    do j = 1, n
      lat(:, j) = lats(first + j)*RADIANS
      lon(:, j) = lons*RADIANS
    end do
    ids = [(i, i=first*NLON + 1, (first + n)*NLON)]
  end subroutine make_band

  ! Winds and temperature of the previous time level, pressure of this one: here all are of this one.
  subroutine dynamics(time)
    real(real64), intent(in) :: time
    real(real64) :: lats(NLAT), lons(NLON)
    type(column) :: c
    integer :: i, j
    lats = sample_latitudes()
    lons = sample_longitudes()
    do j = 1, n
      do i = 1, NLON
        c = sample_column(lats(first + j), lons(i), time)
        u(i, j, :) = c%u
        v(i, j, :) = c%v
        t(i, j, :) = c%t
        omega(i, j, :) = c%omega
        p_full(i, j, :) = c%p
        p_half(i, j, :) = c%p_half
        phis(i, j) = c%phis
      end do
    end do
  end subroutine dynamics

  subroutine put_window(is, ie, js, je)                                                         !gw
    integer, intent(in) :: is, ie, js, je                                                       !gw
    call plugin%put('u', 'm s-1', u(is:ie, js:je, :), is=is, js=js)                             !gw
    call plugin%put('v', 'm s-1', v(is:ie, js:je, :), is=is, js=js)                             !gw
    call plugin%put('t', 'K', t(is:ie, js:je, :), is=is, js=js)                                 !gw
    call plugin%put('omega', 'Pa s-1', omega(is:ie, js:je, :), is=is, js=js)                    !gw
    call plugin%put('p', 'Pa', p_full(is:ie, js:je, :), is=is, js=js)                           !gw
    call plugin%put('p_half', 'Pa', p_half(is:ie, js:je, :), is=is, js=js)                      !gw
    call plugin%put('zs', 'm2 s-2', phis(is:ie, js:je), is=is, js=js)                           !gw
  end subroutine put_window                                                                     !gw

  subroutine physics(is, ie, js, je)
    integer, intent(in) :: is, ie, js, je
    call plugin%add('du', 'm s-2', dt_u(is:ie, js:je, :), is=is, js=js)                         !gw
    call plugin%add('dv', 'm s-2', dt_v(is:ie, js:je, :), is=is, js=js)                         !gw
  end subroutine physics

  ! Each column's momentum changes by what its fluxes bring in.
  subroutine check
    real(real64) :: worst
    integer :: i, j
    call plugin%get('uw', 'Pa', uw)
    call plugin%get('vw', 'Pa', vw)
    worst = 0
    do j = 1, n
      do i = 1, NLON
        worst = max(worst, budget_error(dt_u(i, j, :), uw(i, j, :), p_half(i, j, :)), &
                    budget_error(dt_v(i, j, :), vw(i, j, :), p_half(i, j, :)))
      end do
    end do
    call expect(comm, 'momentum budget of the columns', worst, 1.0e-12_real64)
    call expect(comm, 'some drag, as 1/(its largest)', 1/max(maxval(abs(dt_u)), tiny(worst)), &
                1.0e9_real64)
  end subroutine check

  subroutine write_band(x)
    real(real64), intent(in) :: x(:, :, :)
    real(real64), allocatable :: columns(:, :)
    allocate (columns(NLEV, NLON*n))
    columns = reshape(x, [NLEV, NLON*n], order=[2, 1])
    call file%write(ids, columns)
  end subroutine write_band
end program fms_windows
