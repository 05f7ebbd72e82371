! A host in the manner of CAM: columns scattered over ranks and chunks, arrays (pcols, pver) of which
! the first ncol columns are filled, from the top down, latitude and longitude in radians, tendencies
! ptend%u, %v, %s. A nonlocal scheme is called once for all chunks of the rank, before the loop over
! chunks (which CAM runs in threads): gw_nonlocal_run. In the loop each chunk picks up its part.
!
!   cam_chunks INPUT.nml      &host model, path, steps, pcols /  &gwflux ... /
module gw_nonlocal
  use, intrinsic :: iso_fortran_env, only: r8 => real64
  use gwflux, only: gwf_plugin, gwf_options, gwf_counters
  use sample, only: NLEV, HEAT_CAPACITY
  implicit none
  private
  public :: physics_state, physics_ptend, gw_nonlocal_init, gw_nonlocal_run, gw_nonlocal_tend, &
            gw_nonlocal_final, flux_at_interfaces

  type :: physics_state
    integer :: ncol = 0
    real(r8), allocatable :: lat(:), lon(:), phis(:)                     ! (pcols)
    real(r8), allocatable, dimension(:, :) :: u, v, t, omega, pmid, pint ! (pcols, pver or pverp)
    integer, allocatable :: gcol(:)                                      ! number in the whole grid
  end type physics_state

  type :: physics_ptend
    real(r8), allocatable, dimension(:, :) :: u, v, s ! m s-2, m s-2, J kg-1 s-1
  end type physics_ptend

  type(gwf_plugin) :: plugin

contains

  ! Once, on all ranks, with all chunks of the rank.
  subroutine gw_nonlocal_init(mpicom, model, input, state)
    integer, intent(in) :: mpicom
    character(len=*), intent(in) :: model, input
    type(physics_state), intent(in) :: state(:)
    type(gwf_options) :: options
    integer :: c
    call options%read_namelist(input)
    call options%set('heating', .true.)
    call plugin%create(mpicom, model, options)
    do c = 1, size(state)
      call plugin%columns(state(c)%lat, state(c)%lon, 'radians', ncol=state(c)%ncol)
    end do
    call plugin%levels(NLEV)
    call plugin%ready()
  end subroutine gw_nonlocal_init

  ! In every step, on all ranks, outside of threads.
  subroutine gw_nonlocal_run(state, time, step)
    type(physics_state), intent(in) :: state(:)
    real(r8), intent(in) :: time, step
    integer :: c
    do c = 1, size(state)
      call plugin%put('u', 'm s-1', state(c)%u, block=c)
      call plugin%put('v', 'm s-1', state(c)%v, block=c)
      call plugin%put('t', 'K', state(c)%t, block=c)
      call plugin%put('omega', 'Pa s-1', state(c)%omega, block=c)
      call plugin%put('p', 'Pa', state(c)%pmid, block=c)
      call plugin%put('p_half', 'Pa', state(c)%pint, block=c)
      call plugin%put('zs', 'm2 s-2', state(c)%phis, block=c)
    end do
    call plugin%run(time, step)
  end subroutine gw_nonlocal_run

  ! A chunk's tendencies. Called by one thread at a time.
  subroutine gw_nonlocal_tend(c, ptend)
    integer, intent(in) :: c
    type(physics_ptend), intent(inout) :: ptend
    call plugin%get('du', 'm s-2', ptend%u, block=c)
    call plugin%get('dv', 'm s-2', ptend%v, block=c)
    call plugin%get('dt', 'K s-1', ptend%s, block=c)
    ptend%s = ptend%s*HEAT_CAPACITY
  end subroutine gw_nonlocal_tend

  subroutine flux_at_interfaces(c, uw)
    integer, intent(in) :: c
    real(r8), intent(inout) :: uw(:, :)
    call plugin%get('uw', 'Pa', uw, block=c)
  end subroutine flux_at_interfaces

  subroutine gw_nonlocal_final
    type(gwf_counters) :: counters
    character(len=:), allocatable :: report
    call plugin%counters(counters)
    call plugin%report(report)
    if (len(report) > 0) print '(i0, 2a)', counters%steps, ' steps', new_line('a')//report
    call plugin%free()
  end subroutine gw_nonlocal_final
end module gw_nonlocal

program cam_chunks
  use mpi
  use, intrinsic :: iso_fortran_env, only: r8 => real64
  use gw_nonlocal
  use sample
  use collect, only: output, expect
  implicit none
  real(r8), parameter :: STEP = 900
  type(physics_state), allocatable :: state(:)
  type(physics_ptend), allocatable :: ptend(:)
  type(output) :: file
  character(len=256) :: input, model = 'model.nc', path = 'cam.bin'
  integer :: steps = 2, pcols = 16, mpicom, error, unit, n
  namelist /host/ model, path, steps, pcols

  call MPI_Init(error)
  mpicom = MPI_COMM_WORLD
  call get_command_argument(1, input)
  open (newunit=unit, file=trim(input), status='old', action='read')
  read (unit, nml=host)
  close (unit)
  call scatter_columns
  call gw_nonlocal_init(mpicom, model, input, state)
  call file%open(mpicom, path)
  do n = 1, steps
    call dynamics(n*STEP)
    call gw_nonlocal_run(state, n*STEP, STEP)
    call physics
    call check
    call write_tendencies
  end do
  call file%close()
  call gw_nonlocal_final
  call MPI_Finalize(error)

contains

  ! Column g of the grid goes to a rank by a number that has nothing to do with its neighbours'.
  subroutine scatter_columns
    integer, allocatable :: mine(:)
    integer :: rank, ranks, g, c, first
    real(r8) :: lats(NLAT), lons(NLON)
    real(r8), parameter :: RADIANS = acos(-1.0_r8)/180
    call MPI_Comm_rank(mpicom, rank, error)
    call MPI_Comm_size(mpicom, ranks, error)
    mine = pack([(modulo(g*2477 + 11, NLAT*NLON) + 1, g=1, NLAT*NLON)], &
                [(modulo(modulo(g*g, 1009), ranks) == rank, g=1, NLAT*NLON)])
    lats = sample_latitudes()
    lons = sample_longitudes()
    allocate (state((size(mine) + pcols - 1)/pcols), ptend((size(mine) + pcols - 1)/pcols))
    do c = 1, size(state)
      first = (c - 1)*pcols
      call allocate_chunk(state(c), ptend(c))
      state(c)%ncol = min(pcols, size(mine) - first)
      state(c)%gcol = mine(first + 1:first + state(c)%ncol)
      state(c)%lat(:state(c)%ncol) = lats((state(c)%gcol - 1)/NLON + 1)*RADIANS
      state(c)%lon(:state(c)%ncol) = lons(modulo(state(c)%gcol - 1, NLON) + 1)*RADIANS
    end do
  end subroutine scatter_columns

  ! What is beyond ncol must not matter: it is huge.
  subroutine allocate_chunk(s, p)
    type(physics_state), intent(inout) :: s
    type(physics_ptend), intent(inout) :: p
    real(r8) :: none
    none = huge(none)
    allocate (s%lat(pcols), s%lon(pcols), s%phis(pcols), source=none)
    allocate (s%u(pcols, NLEV), s%v(pcols, NLEV), s%t(pcols, NLEV), source=none)
    allocate (s%omega(pcols, NLEV), s%pmid(pcols, NLEV), s%pint(pcols, NLEV + 1), source=none)
    allocate (p%u(pcols, NLEV), p%v(pcols, NLEV), p%s(pcols, NLEV), source=none)
  end subroutine allocate_chunk

  subroutine dynamics(time)
    real(r8), intent(in) :: time
    real(r8) :: lats(NLAT), lons(NLON)
    type(column) :: x
    integer :: c, i
    lats = sample_latitudes()
    lons = sample_longitudes()
    do c = 1, size(state)
      do i = 1, state(c)%ncol
        x = sample_column(lats((state(c)%gcol(i) - 1)/NLON + 1), &
                          lons(modulo(state(c)%gcol(i) - 1, NLON) + 1), time)
        state(c)%u(i, :) = x%u
        state(c)%v(i, :) = x%v
        state(c)%t(i, :) = x%t
        state(c)%omega(i, :) = x%omega
        state(c)%pmid(i, :) = x%p
        state(c)%pint(i, :) = x%p_half
        state(c)%phis(i) = x%phis
      end do
    end do
  end subroutine dynamics

  subroutine physics
    integer :: c
    do c = 1, size(state)
      call gw_nonlocal_tend(c, ptend(c))
    end do
  end subroutine physics

  ! Momentum and energy of each column; what is beyond ncol is left alone.
  subroutine check
    real(r8) :: uw(pcols, NLEV + 1), momentum, energy, beyond
    type(column) :: x
    integer :: c, i
    momentum = 0
    energy = 0
    beyond = 0
    do c = 1, size(state)
      call flux_at_interfaces(c, uw)
      do i = 1, state(c)%ncol
        x%u = state(c)%u(i, :)
        x%v = state(c)%v(i, :)
        x%p_half = state(c)%pint(i, :)
        momentum = max(momentum, budget_error(ptend(c)%u(i, :), uw(i, :), x%p_half))
        energy = max(energy, heating_error(x, ptend(c)%u(i, :), ptend(c)%v(i, :), &
                                           ptend(c)%s(i, :)/HEAT_CAPACITY, STEP))
      end do
      if (state(c)%ncol < pcols) beyond = max(beyond, &
        maxval(abs(ptend(c)%u(state(c)%ncol + 1:, :)/huge(beyond) - 1)))
    end do
    call expect(mpicom, 'momentum budget of the columns', momentum, 1.0e-12_r8)
    call expect(mpicom, 'energy budget of the columns', energy, 1.0e-12_r8)
    call expect(mpicom, 'change beyond ncol', beyond, 0.0_r8)
  end subroutine check

  subroutine write_tendencies
    real(r8), allocatable :: u(:, :), v(:, :)
    integer, allocatable :: ids(:)
    integer :: c, total, first
    total = sum(state%ncol)
    allocate (u(NLEV, total), v(NLEV, total), ids(total))
    first = 0
    do c = 1, size(state)
      u(:, first + 1:first + state(c)%ncol) = transpose(ptend(c)%u(:state(c)%ncol, :))
      v(:, first + 1:first + state(c)%ncol) = transpose(ptend(c)%v(:state(c)%ncol, :))
      ids(first + 1:first + state(c)%ncol) = state(c)%gcol
      first = first + state(c)%ncol
    end do
    call file%write(ids, u)
    call file%write(ids, v)
  end subroutine write_tendencies
end program cam_chunks
