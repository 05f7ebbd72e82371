! A small dry model on the 64 x 128 Gaussian grid, bands of latitude on the ranks, with gravity-wave
! drag from gwflux: dry_dynamics.f90 steps the winds, this program couples.
!
!   dry_host INPUT.nml
!     &host model, path: of the output, steps, dt: s, gw: with gwflux or without, lagged: the network
!           runs beside the dynamics and its drag comes a step later, restart: file to begin from,
!           save: file to write at the end, each with a companion .gw /
!     &gwflux ... /
!
! What gwflux adds to the host is marked with !gw.
program dry_host
  use, intrinsic :: iso_fortran_env, only: real64
  use mpi
  use gwflux                                                                                    !gw
  use collect, only: output, expect, read_columns
  use dry_dynamics, only: NL, N_VARIABLES, U, V, T, dry_model
  use sample, only: NLON, budget_error
  implicit none
  real(real64), parameter :: SURFACE_PRESSURE = 101325
  type(gwf_plugin) :: plugin                                                                    !gw
  type(gwf_options) :: options                                                                  !gw
  type(dry_model) :: host_model
  character(len=256) :: input, model = 'model.nc', path = 'dry.bin', restart = '', save = ''
  integer :: steps = 10, rank, error, unit, i, step
  real(real64) :: dt = 200
  logical :: gw = .true., lagged = .false.
  namelist /host/ model, path, steps, dt, gw, lagged, restart, save
  real(real64), allocatable, dimension(:, :, :) :: du, dv, p_half
  real(real64) :: worst = 0, fastest = 0
  integer, allocatable :: ids(:)

  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  call get_command_argument(1, input)
  open (newunit=unit, file=trim(input), status='old', action='read')
  read (unit, nml=host)
  close (unit)
  call host_model%create(MPI_COMM_WORLD)
  call allocate_fields
  if (restart /= '') call read_restart
  if (gw) call couple                                                                           !gw
  do step = 1, steps
    du = 0
    dv = 0
    if (gw) call drag(host_model%steps*dt)                                                      !gw
    call host_model%step(dt, du, dv)
    fastest = max(fastest, maxval(abs(host_model%state(:, 1:host_model%n, :, U:V))))
  end do
  call expect(MPI_COMM_WORLD, 'fastest wind of all steps, m/s', fastest, 120.0_real64)
  call write_state(path, host_model%state(:, 1:host_model%n, :, :))
  if (save /= '') call write_restart
  if (gw) call finish                                                                           !gw
  call MPI_Finalize(error)

contains

  subroutine allocate_fields
    integer :: n, k
    n = host_model%n
    allocate (du(NLON, n, NL), dv(NLON, n, NL), p_half(NLON, n, NL + 1))
    do k = 1, NL + 1
      p_half(:, :, k) = host_model%sigma_half(k)*SURFACE_PRESSURE
    end do
    ids = [(i, i=host_model%first*NLON + 1, (host_model%first + n)*NLON)]
  end subroutine allocate_fields

  subroutine couple                                                                             !gw
    associate (m => host_model)                                                                 !gw
      call options%read_namelist(input)                                                         !gw
      call plugin%create(m%comm, model, options)                                                !gw
      if (rank == 0) call plugin%log(6)                                                         !gw
      call plugin%columns(spread(m%lat(1:m%n), 1, NLON), spread(m%lon, 2, m%n), 'degrees')      !gw
      call plugin%levels([(0.0_real64, i=1, NL)], (m%sigma_half(2:) + m%sigma_half(:NL))/2)     !gw
      call plugin%ready()                                                                       !gw
      if (restart /= '') call plugin%load(trim(restart)//'.gw')                                 !gw
    end associate                                                                               !gw
  end subroutine couple                                                                         !gw

  subroutine drag(time)                                                                         !gw
    real(real64), intent(in) :: time                                                            !gw
    logical :: due                                                                              !gw
    due = plugin%due(time)                                                                      !gw
    if (lagged) call plugin%finish() ! what the last step has started                           !gw
    if (due) call put_fields                                                                    !gw
    if (.not. lagged) call plugin%run(time, dt)                                                 !gw
    call plugin%add('du', 'm s-2', du)                                                          !gw
    call plugin%add('dv', 'm s-2', dv)                                                          !gw
    if (due .and. .not. lagged) call check_budget
    if (lagged) call plugin%start(time, dt)                                                     !gw
  end subroutine drag                                                                           !gw

  subroutine put_fields                                                                         !gw
    associate (s => host_model%state, n => host_model%n)                                        !gw
      call plugin%put('u', 'm s-1', s(:, 1:n, :, U))                                            !gw
      call plugin%put('v', 'm s-1', s(:, 1:n, :, V))                                            !gw
      call plugin%put('t', 'K', s(:, 1:n, :, T))                                                !gw
      call plugin%put('p_half', 'Pa', p_half)                                                   !gw
    end associate                                                                               !gw
  end subroutine put_fields                                                                     !gw

  ! Each column's momentum changes by what its fluxes bring in; with piggyback it does not change.
  subroutine check_budget
    real(real64) :: uw(NLON, host_model%n, NL + 1)
    integer :: j
    if (maxval(abs(du)) <= 0) return
    call plugin%get('uw', 'Pa', uw)
    do j = 1, host_model%n
      do i = 1, NLON
        worst = max(worst, budget_error(du(i, j, :), uw(i, j, :), p_half(i, j, :)))
      end do
    end do
  end subroutine check_budget

  subroutine finish                                                                             !gw
    type(gwf_counters) :: counters
    call plugin%counters(counters)
    if (rank == 0) print '(2(i0, a))', counters%steps, ' steps with gwflux, ', counters%computed, &
      ' of them computed'
    call expect(MPI_COMM_WORLD, 'momentum budget of the columns', worst, 1.0e-12_real64)
    call plugin%free()                                                                          !gw
    call options%free()                                                                         !gw
  end subroutine finish                                                                         !gw

  ! --- files ------------------------------------------------------------------------------------

  ! x (lon, row, layer, variable), variable by variable.
  subroutine write_state(path, x)
    character(len=*), intent(in) :: path
    real(real64), intent(in) :: x(:, :, :, :)
    type(output) :: file
    integer :: m
    call file%open(host_model%comm, path)
    do m = 1, size(x, 4)
      call file%write(ids, reshape(x(:, :, :, m), [NL, size(ids)], order=[2, 1]))
    end do
    call file%close()
  end subroutine write_state

  ! The state, the tendencies of this step and the one before, the number of steps.
  subroutine write_restart
    integer, parameter :: ALL = 3*N_VARIABLES + 1
    real(real64) :: x(NLON, host_model%n, NL, ALL)
    x(:, :, :, :N_VARIABLES) = host_model%state(:, 1:host_model%n, :, :)
    x(:, :, :, N_VARIABLES + 1:ALL - 1) = reshape(host_model%tendency(:, :, :, :, 1:2), &
                                                  [NLON, host_model%n, NL, 2*N_VARIABLES])
    x(:, :, :, ALL) = host_model%steps
    call write_state(save, x)
    if (gw) call plugin%save(trim(save)//'.gw')                                                 !gw
  end subroutine write_restart

  subroutine read_restart
    real(real64) :: x(NLON, host_model%n, NL, 3*N_VARIABLES + 1), columns(NL, size(ids))
    integer :: m
    do m = 1, size(x, 4)
      call read_columns(restart, m, ids, columns)
      x(:, :, :, m) = reshape(transpose(columns), [NLON, host_model%n, NL])
    end do
    host_model%state(:, 1:host_model%n, :, :) = x(:, :, :, :N_VARIABLES)
    host_model%tendency(:, :, :, :, 1) = x(:, :, :, N_VARIABLES + 1:2*N_VARIABLES)
    host_model%tendency(:, :, :, :, 2) = x(:, :, :, 2*N_VARIABLES + 1:3*N_VARIABLES)
    host_model%steps = nint(x(1, 1, 1, 3*N_VARIABLES + 1))
  end subroutine read_restart
end program dry_host
