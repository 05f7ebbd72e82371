! In the place of a host with CCPP: calls the phases of the scheme as the caps that CCPP generates do,
! the run phase for one part of the rank's columns after the other.
!
!   ccpp_driver INPUT.nml      &host model, path, steps, extent: columns of a part /  &gwflux ... /
program ccpp_driver
  use mpi
  use ccpp_kinds, only: kind_phys
  use gwflux_ccpp, only: gwflux_ccpp_init, gwflux_ccpp_timestep_init, gwflux_ccpp_run, &
                         gwflux_ccpp_finalize
  use sample
  use collect, only: output, expect
  implicit none
  real(kind_phys), parameter :: DTP = 900, RADIANS = acos(-1.0_kind_phys)/180
  real(kind_phys), allocatable, dimension(:, :) :: u, v, t, omega, prsl, prsi, du_gw, dv_gw, dudt, dvdt
  real(kind_phys), allocatable, dimension(:) :: lat, lon, phis
  real(kind_phys) :: lats(NLAT), lons(NLON)
  integer, allocatable :: ids(:)
  type(output) :: file
  character(len=256) :: input, model = 'model.nc', path = 'ccpp.bin'
  character(len=512) :: errmsg
  integer :: steps = 2, extent = 100, errflg, error, unit, rank, ranks, n, i, first, last, step
  namelist /host/ model, path, steps, extent

  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, error)
  call get_command_argument(1, input)
  open (newunit=unit, file=trim(input), status='old', action='read')
  read (unit, nml=host)
  close (unit)

  ids = [(i, i=rank + 1, NLAT*NLON, ranks)] ! dealt out like cards
  n = size(ids)
  lats = sample_latitudes()
  lons = sample_longitudes()
  lat = lats((ids - 1)/NLON + 1)*RADIANS
  lon = lons(modulo(ids - 1, NLON) + 1)*RADIANS
  allocate (u(n, NLEV), v(n, NLEV), t(n, NLEV), omega(n, NLEV), prsl(n, NLEV), prsi(n, NLEV + 1), phis(n))
  allocate (du_gw(n, NLEV), dv_gw(n, NLEV), dudt(n, NLEV), dvdt(n, NLEV))

  call gwflux_ccpp_init(MPI_COMM_WORLD, model, input, lat, lon, NLEV, errmsg, errflg)
  call stop_if_wrong
  call file%open(MPI_COMM_WORLD, path)
  do step = 1, steps
    call dynamics(step*DTP)
    dudt = 0
    dvdt = 0
    call gwflux_ccpp_timestep_init(step*DTP, DTP, u, v, t, omega, prsl, prsi, phis, du_gw, dv_gw, &
                                   errmsg, errflg)
    call stop_if_wrong
    do first = 1, n, extent
      last = min(first + extent - 1, n)
      call gwflux_ccpp_run(du_gw(first:last, :), dv_gw(first:last, :), dudt(first:last, :), &
                           dvdt(first:last, :), errmsg, errflg)
      call stop_if_wrong
    end do
    call expect(MPI_COMM_WORLD, 'what the parts leave out', maxval(abs(dudt - du_gw)), 0.0_kind_phys)
    call file%write(ids, transpose(dudt))
    call file%write(ids, transpose(dvdt))
  end do
  call file%close()
  call gwflux_ccpp_finalize(errmsg, errflg)
  call MPI_Finalize(error)

contains

  subroutine dynamics(time)
    real(kind_phys), intent(in) :: time
    type(column) :: c
    integer :: i
    do i = 1, n
      c = sample_column(lats((ids(i) - 1)/NLON + 1), lons(modulo(ids(i) - 1, NLON) + 1), time)
      u(i, :) = c%u
      v(i, :) = c%v
      t(i, :) = c%t
      omega(i, :) = c%omega
      prsl(i, :) = c%p
      prsi(i, :) = c%p_half
      phis(i) = c%phis
    end do
  end subroutine dynamics

  subroutine stop_if_wrong
    if (errflg == 0) return
    print '(a, i0, 2a)', 'CCPP error ', errflg, ': ', trim(errmsg)
    call MPI_Abort(MPI_COMM_WORLD, 1, error)
  end subroutine stop_if_wrong
end program ccpp_driver
