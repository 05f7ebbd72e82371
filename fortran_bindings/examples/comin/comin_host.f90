! In the place of ICON: cells of an unstructured grid in blocks of nproma with a halo, which loads a
! plugin and calls its entry points in every step.
!
!   comin_host PLUGIN.so OPTIONS OUTPUT.bin STEPS
program comin_host
  use, intrinsic :: iso_c_binding
  use mpi
  use comin_plugin_interface
  use collect, only: output, expect
  use sample, only: NLEV, column, sample_column
  implicit none
  interface
    function dlopen(path, mode) bind(C, name='dlopen') result(handle)
      import :: c_char, c_int, c_ptr
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int), value :: mode
      type(c_ptr) :: handle
    end function dlopen
    function dlsym(handle, name) bind(C, name='dlsym') result(address)
      import :: c_char, c_funptr, c_ptr
      type(c_ptr), value :: handle
      character(kind=c_char), intent(in) :: name(*)
      type(c_funptr) :: address
    end function dlsym
  end interface
  integer, parameter :: CELLS = 6000, NPROMA = 32, RTLD_NOW = 2
  real(wp), parameter :: RADIANS = acos(-1.0_wp)/180, DT = 450
  character(len=256) :: argument(4)
  integer :: steps, step, error, i
  type(output) :: file
  real(wp), pointer, dimension(:, :, :) :: wind, drag

  call MPI_Init(error)
  host_comm = MPI_COMM_WORLD
  do i = 1, 4
    call get_command_argument(i, argument(i))
  end do
  plugin_options = argument(2)
  read (argument(4), *) steps
  timestep = DT
  call make_domain
  call add_variable('u', NLEV)
  call add_variable('v', NLEV)
  call add_variable('temp', NLEV)
  call add_variable('pres', NLEV)
  call add_variable('pres_ifc', NLEV + 1)
  call load_plugin
  call call_entry_point(EP_SECONDARY_CONSTRUCTOR)
  call file%open(host_comm, argument(3))
  do step = 1, steps
    call dynamics((step - 1)*DT)
    wind => variable('u')
    call call_entry_point(EP_ATM_GWDRAG_BEFORE)
    call call_entry_point(EP_ATM_GWDRAG_AFTER)
    drag => variable('ddt_u_gwflux')
    call expect(host_comm, 'change of halo and padding', halo_change(), 0.0_wp)
    call expect(host_comm, 'some drag, as 1/(its largest)', 1/max(maxval(abs(drag)), tiny(DT)), 1.0e9_wp)
    call write_owned(wind)
    call write_owned(drag)
  end do
  call file%close()
  call call_entry_point(EP_DESTRUCTOR)
  call MPI_Finalize(error)

contains

  ! Place of a cell: a spiral from pole to pole (make_weights.c has the same), degrees.
  pure function place(cell) result(p)
    integer, intent(in) :: cell
    real(wp) :: p(2)
    p(1) = asin(1 - (2*cell - 1)/real(CELLS, wp))/RADIANS
    p(2) = 360*modulo((cell - 1)*0.6180339887498949_wp, 1.0_wp)
  end function place

  ! Cells first + 1 .. first + n of the grid, and of each neighbour a few as halo.
  subroutine make_domain
    integer :: rank, ranks, first, n, halo, c, jc, jb
    integer, allocatable :: ids(:)
    real(wp) :: p(2)
    call MPI_Comm_rank(host_comm, rank, error)
    call MPI_Comm_size(host_comm, ranks, error)
    first = rank*rank*CELLS/(ranks*ranks)
    n = (rank + 1)*(rank + 1)*CELLS/(ranks*ranks) - first
    ids = [(i, i=first + 1, first + n), (i, i=max(1, first - 40), first), &
           (i, i=first + n + 1, min(CELLS, first + n + 25))]
    halo = size(ids) - n
    global%nproma = NPROMA
    domain%nlev = NLEV
    associate (x => domain%cells)
      x%ncells = n + halo
      x%nblks = (x%ncells + NPROMA - 1)/NPROMA
      x%glb_index = ids
      allocate (x%decomp_domain(NPROMA, x%nblks), source=-1)
      allocate (x%clat(NPROMA, x%nblks), x%clon(NPROMA, x%nblks), source=0.0_wp)
      do c = 1, x%ncells
        jb = (c - 1)/NPROMA + 1
        jc = c - (jb - 1)*NPROMA
        p = place(ids(c))
        x%decomp_domain(jc, jb) = merge(0, 1, c <= n)
        x%clat(jc, jb) = p(1)*RADIANS
        x%clon(jc, jb) = p(2)*RADIANS
      end do
    end associate
  end subroutine make_domain

  subroutine load_plugin
    type(c_ptr) :: handle
    type(c_funptr) :: address
    procedure(comin_callback_routine), pointer :: comin_main
    handle = dlopen(trim(argument(1))//c_null_char, RTLD_NOW)
    if (.not. c_associated(handle)) call comin_plugin_finish('comin_host', 'cannot load '//argument(1))
    address = dlsym(handle, 'comin_main'//c_null_char)
    if (.not. c_associated(address)) call comin_plugin_finish('comin_host', 'no comin_main')
    call c_f_procpointer(address, comin_main)
    call comin_main()
  end subroutine load_plugin

  function variable(name) result(values)
    character(len=*), intent(in) :: name
    real(wp), pointer :: values(:, :, :)
    type(t_comin_var_ptr), pointer :: found
    call comin_var_get([EP_ATM_GWDRAG_AFTER], t_comin_var_descriptor(name, 1), COMIN_FLAG_READ, found)
    values => comin_var_to_3d(found)
  end function variable

  subroutine dynamics(time)
    real(wp), intent(in) :: time
    real(wp), pointer, dimension(:, :, :) :: u, v, t, p, p_half
    type(column) :: c
    integer :: cell, jc, jb
    real(wp) :: x(2)
    u => variable('u')
    v => variable('v')
    t => variable('temp')
    p => variable('pres')
    p_half => variable('pres_ifc')
    do cell = 1, domain%cells%ncells
      jb = (cell - 1)/NPROMA + 1
      jc = cell - (jb - 1)*NPROMA
      x = place(domain%cells%glb_index(cell))
      c = sample_column(x(1), x(2), time)
      u(jc, :, jb) = merge(c%u, 1.0e30_wp, domain%cells%decomp_domain(jc, jb) == 0)
      v(jc, :, jb) = c%v
      t(jc, :, jb) = c%t
      p(jc, :, jb) = c%p
      p_half(jc, :, jb) = c%p_half
    end do
  end subroutine dynamics

  ! Winds of the halo are 1e30, which nothing must touch; padding has no drag.
  function halo_change() result(change)
    real(wp) :: change
    integer :: jc, jb
    change = 0
    do jb = 1, domain%cells%nblks
      do jc = 1, NPROMA
        if (domain%cells%decomp_domain(jc, jb) == 1) &
          change = max(change, maxval(abs(wind(jc, :, jb) - 1.0e30_wp)))
        if (domain%cells%decomp_domain(jc, jb) /= 0) change = max(change, maxval(abs(drag(jc, :, jb))))
      end do
    end do
  end function halo_change

  subroutine write_owned(x)
    real(wp), intent(in) :: x(:, :, :)
    real(wp), allocatable :: columns(:, :)
    integer, allocatable :: ids(:)
    integer :: n, cell
    n = count(domain%cells%decomp_domain == 0)
    allocate (columns(NLEV, n))
    ids = domain%cells%glb_index(:n)
    do cell = 1, n
      columns(:, cell) = x(cell - (cell - 1)/NPROMA*NPROMA, :, (cell - 1)/NPROMA + 1)
    end do
    call file%write(ids, columns)
  end subroutine write_owned
end program comin_host
