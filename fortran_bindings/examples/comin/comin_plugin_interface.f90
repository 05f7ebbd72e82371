! In the place of ICON's module of that name: the part of ComIn's plugin interface that gwflux_comin
! uses, in its shape, and below it what the stub of a host needs to fill it. Our own; for the real one
! gwflux_comin.f90 is compiled against ICON's.
module comin_plugin_interface
  use, intrinsic :: iso_c_binding, only: c_double
  use, intrinsic :: iso_fortran_env, only: error_unit
  use mpi
  implicit none
  public

  integer, parameter :: wp = c_double
  integer, parameter :: EP_SECONDARY_CONSTRUCTOR = 1, EP_ATM_GWDRAG_BEFORE = 2, &
                        EP_ATM_GWDRAG_AFTER = 3, EP_DESTRUCTOR = 4
  integer, parameter :: COMIN_FLAG_READ = 2, COMIN_FLAG_WRITE = 4, COMIN_FLAG_SYNC_HALO = 8
  integer, parameter :: COMIN_ZAXIS_3D = 2

  type :: t_comin_setup_version_info
    integer :: version_no_major = 0, version_no_minor = 0, version_no_patch = 0
  end type t_comin_setup_version_info

  type :: t_comin_plugin_info
    integer :: id = 0
    character(len=:), allocatable :: name, options, comm
  end type t_comin_plugin_info

  type :: t_comin_var_descriptor
    character(len=64) :: name = ''
    integer :: id = 0 ! of the domain
  end type t_comin_var_descriptor

  type :: t_comin_var_ptr
    type(t_comin_var_descriptor) :: descriptor
    real(wp), pointer :: ptr(:, :, :, :, :) => null() ! (nproma, level, block, 1, 1)
  end type t_comin_var_ptr

  type :: t_comin_descrdata_global
    integer :: n_dom = 1, nproma = 0
  end type t_comin_descrdata_global

  type :: t_comin_descrdata_domain_cells
    integer :: ncells = 0, nblks = 0
    integer, allocatable :: glb_index(:)        ! (cell) number in the whole grid, from 1
    integer, allocatable :: decomp_domain(:, :) ! (nproma, block) 0: owned, > 0: halo
    real(wp), allocatable :: clon(:, :), clat(:, :) ! (nproma, block) radians
  end type t_comin_descrdata_domain_cells

  type :: t_comin_descrdata_domain
    integer :: id = 1, nlev = 0
    type(t_comin_descrdata_domain_cells) :: cells
  end type t_comin_descrdata_domain

  abstract interface
    subroutine comin_callback_routine() bind(C)
    end subroutine comin_callback_routine
  end interface

  interface comin_metadata_set
    procedure :: set_metadata_integer, set_metadata_logical, set_metadata_text
  end interface comin_metadata_set

  ! --- what the host fills in --------------------------------------------------------------------

  type :: callback
    procedure(comin_callback_routine), pointer, nopass :: routine => null()
  end type callback

  type(callback) :: callbacks(EP_DESTRUCTOR)
  type(t_comin_var_ptr), target :: variables(16)
  integer :: n_variables = 0
  type(t_comin_descrdata_global), target :: global
  type(t_comin_descrdata_domain), target :: domain
  real(wp) :: timestep = 0
  integer :: host_comm = MPI_COMM_NULL
  character(len=256) :: plugin_options = ''

contains

  function comin_setup_get_version() result(version)
    type(t_comin_setup_version_info) :: version
    version%version_no_minor = 5
  end function comin_setup_get_version

  subroutine comin_callback_register(entry_point, routine)
    integer, intent(in) :: entry_point
    procedure(comin_callback_routine) :: routine
    callbacks(entry_point)%routine => routine
  end subroutine comin_callback_register

  ! The host adds the variable before the secondary constructor.
  subroutine comin_var_request_add(var_descriptor, lmodexclusive)
    type(t_comin_var_descriptor), intent(in) :: var_descriptor
    logical, intent(in) :: lmodexclusive
    if (lmodexclusive) return
    call add_variable(var_descriptor%name, domain%nlev)
  end subroutine comin_var_request_add

  ! Null where there is none of that name.
  subroutine comin_var_get(context, var_descriptor, flag, var_pointer)
    integer, intent(in) :: context(:), flag
    type(t_comin_var_descriptor), intent(in) :: var_descriptor
    type(t_comin_var_ptr), pointer, intent(out) :: var_pointer
    integer :: i
    nullify (var_pointer)
    if (size(context) == 0 .or. flag == 0) return
    do i = 1, n_variables
      if (variables(i)%descriptor%name == var_descriptor%name) var_pointer => variables(i)
    end do
  end subroutine comin_var_get

  function comin_var_to_3d(variable) result(values)
    type(t_comin_var_ptr), intent(in) :: variable
    real(wp), pointer :: values(:, :, :)
    values => variable%ptr(:, :, :, 1, 1)
  end function comin_var_to_3d

  function comin_descrdata_get_global() result(data)
    type(t_comin_descrdata_global), pointer :: data
    data => global
  end function comin_descrdata_get_global

  function comin_descrdata_get_domain(jg) result(data)
    integer, intent(in) :: jg
    type(t_comin_descrdata_domain), pointer :: data
    nullify (data)
    if (jg == 1) data => domain
  end function comin_descrdata_get_domain

  function comin_descrdata_get_timesteplength(jg) result(seconds)
    integer, intent(in) :: jg
    real(wp) :: seconds
    seconds = merge(timestep, 0.0_wp, jg == 1)
  end function comin_descrdata_get_timesteplength

  integer function comin_parallel_get_host_mpi_comm()
    comin_parallel_get_host_mpi_comm = host_comm
  end function comin_parallel_get_host_mpi_comm

  integer function comin_parallel_get_host_mpi_rank()
    integer :: error
    call MPI_Comm_rank(host_comm, comin_parallel_get_host_mpi_rank, error)
  end function comin_parallel_get_host_mpi_rank

  subroutine comin_current_get_plugin_info(info)
    type(t_comin_plugin_info), intent(out) :: info
    info%id = 1
    info%name = 'gwflux'
    info%options = trim(plugin_options)
    info%comm = ''
  end subroutine comin_current_get_plugin_info

  subroutine comin_plugin_finish(routine, text)
    character(len=*), intent(in) :: routine, text
    integer :: error
    write (error_unit, '(3a)') routine, ': ', text
    call MPI_Abort(host_comm, 1, error)
  end subroutine comin_plugin_finish

  subroutine set_metadata_integer(var_descriptor, key, value)
    type(t_comin_var_descriptor), intent(in) :: var_descriptor
    character(len=*), intent(in) :: key
    integer, intent(in) :: value
    if (var_descriptor%name == '' .or. key == '' .or. value < 0) &
      call comin_plugin_finish('comin_metadata_set', key)
  end subroutine set_metadata_integer

  subroutine set_metadata_logical(var_descriptor, key, value)
    type(t_comin_var_descriptor), intent(in) :: var_descriptor
    character(len=*), intent(in) :: key
    logical, intent(in) :: value
    if (var_descriptor%name == '' .or. (key == 'tracer' .and. value)) &
      call comin_plugin_finish('comin_metadata_set', key)
  end subroutine set_metadata_logical

  subroutine set_metadata_text(var_descriptor, key, value)
    type(t_comin_var_descriptor), intent(in) :: var_descriptor
    character(len=*), intent(in) :: key, value
    if (var_descriptor%name == '' .or. value == '') call comin_plugin_finish('comin_metadata_set', key)
  end subroutine set_metadata_text

  ! --- for the host -----------------------------------------------------------------------------

  subroutine add_variable(name, levels)
    character(len=*), intent(in) :: name
    integer, intent(in) :: levels
    n_variables = n_variables + 1
    variables(n_variables)%descriptor = t_comin_var_descriptor(name, 1)
    allocate (variables(n_variables)%ptr(global%nproma, levels, domain%cells%nblks, 1, 1), &
              source=0.0_wp)
  end subroutine add_variable

  subroutine call_entry_point(entry_point)
    integer, intent(in) :: entry_point
    if (associated(callbacks(entry_point)%routine)) call callbacks(entry_point)%routine()
  end subroutine call_entry_point
end module comin_plugin_interface
