! gwflux as a plugin of ICON through ComIn: a shared object whose comin_main() ICON calls. In ICON's
! namelist comin_nml its options are the path of a file with
!
!   &gwflux_comin model = 'model.nc' /
!   &gwflux weights = 'icon_to_gauss.nc', weights_back = 'gauss_to_icon.nc', interval = 900. /
!
! Arrays are (nproma, level, block), from the top down, cells of the halo last. ICON calls the entry
! point in every step, whatever its own interval for gravity waves; gwflux keeps `interval` itself and
! holds the tendencies in between, which the variables ddt_u_gwflux, ddt_v_gwflux (m s-2) show.
module gwflux_comin
  use comin_plugin_interface, only: t_comin_var_descriptor, t_comin_var_ptr, t_comin_plugin_info, &
    t_comin_descrdata_domain, t_comin_setup_version_info, comin_setup_get_version, &
    comin_callback_register, comin_var_request_add, comin_var_get, comin_var_to_3d, &
    comin_metadata_set, comin_descrdata_get_domain, comin_descrdata_get_timesteplength, &
    comin_parallel_get_host_mpi_comm, comin_current_get_plugin_info, comin_plugin_finish, &
    EP_SECONDARY_CONSTRUCTOR, EP_ATM_GWDRAG_AFTER, EP_DESTRUCTOR, COMIN_FLAG_READ, &
    COMIN_FLAG_WRITE, COMIN_ZAXIS_3D, wp
  use gwflux, only: gwf_options, gwf_plugin, GWF_OK
  implicit none
  private
  public :: comin_main

  integer, parameter :: JG = 1 ! the global domain
  type(gwf_plugin) :: plugin
  type(t_comin_descrdata_domain), pointer :: patch => null()
  type(t_comin_var_ptr), pointer :: u, v, temp, pres, pres_ifc, ddt_u, ddt_v
  integer, allocatable :: owned(:) ! cells of each block
  real(wp) :: elapsed = 0          ! s

contains

  ! Primary constructor.
  subroutine comin_main() bind(C)
    type(t_comin_setup_version_info) :: version
    version = comin_setup_get_version()
    if (version%version_no_major > 1) call comin_plugin_finish('gwflux', 'another version of ComIn')
    call request('ddt_u_gwflux')
    call request('ddt_v_gwflux')
    call comin_callback_register(EP_SECONDARY_CONSTRUCTOR, constructor)
    call comin_callback_register(EP_ATM_GWDRAG_AFTER, drag)
    call comin_callback_register(EP_DESTRUCTOR, destructor)
  end subroutine comin_main

  subroutine request(name)
    character(len=*), intent(in) :: name
    type(t_comin_var_descriptor) :: variable
    variable = t_comin_var_descriptor(name=name, id=JG)
    call comin_var_request_add(variable, .false.)
    call comin_metadata_set(variable, 'zaxis_id', COMIN_ZAXIS_3D)
    call comin_metadata_set(variable, 'tracer', .false.)
    call comin_metadata_set(variable, 'restart', .false.)
    call comin_metadata_set(variable, 'units', 'm s-2')
  end subroutine request

  ! Secondary constructor: variables, then gwflux. Collective over the ranks of the atmosphere.
  subroutine constructor() bind(C)
    integer, parameter :: BOTH = ior(COMIN_FLAG_READ, COMIN_FLAG_WRITE)
    call get_variable('u', BOTH, u)
    call get_variable('v', BOTH, v)
    call get_variable('temp', COMIN_FLAG_READ, temp)
    call get_variable('pres', COMIN_FLAG_READ, pres)
    call get_variable('pres_ifc', COMIN_FLAG_READ, pres_ifc)
    call get_variable('ddt_u_gwflux', BOTH, ddt_u)
    call get_variable('ddt_v_gwflux', BOTH, ddt_v)
    patch => comin_descrdata_get_domain(JG)
    call couple
  end subroutine constructor

  subroutine get_variable(name, flag, variable)
    character(len=*), intent(in) :: name
    integer, intent(in) :: flag
    type(t_comin_var_ptr), pointer, intent(out) :: variable
    call comin_var_get([EP_ATM_GWDRAG_AFTER], t_comin_var_descriptor(name=name, id=JG), flag, variable)
    if (.not. associated(variable)) call comin_plugin_finish('gwflux', 'no variable '//name)
  end subroutine get_variable

  subroutine couple
    type(t_comin_plugin_info) :: info
    type(gwf_options) :: options
    character(len=1024) :: model
    integer :: unit, jb, n, first, status
    namelist /gwflux_comin/ model
    call comin_current_get_plugin_info(info)
    open (newunit=unit, file=info%options, status='old', action='read', iostat=status)
    if (status == 0) read (unit, nml=gwflux_comin, iostat=status)
    if (status /= 0) call comin_plugin_finish('gwflux', 'no namelist gwflux_comin in '//info%options)
    call options%read_namelist(unit, status)
    if (status /= GWF_OK) call comin_plugin_finish('gwflux', options%message())
    close (unit)
    call plugin%create(comin_parallel_get_host_mpi_comm(), model, options, status)
    if (status /= GWF_OK) call comin_plugin_finish('gwflux', plugin%message())
    associate (cells => patch%cells)
      allocate (owned(cells%nblks))
      do jb = 1, cells%nblks
        n = count(cells%decomp_domain(:, jb) == 0)
        if (any(cells%decomp_domain(:n, jb) /= 0)) &
          call comin_plugin_finish('gwflux', 'cells of the halo between those of the rank')
        first = (jb - 1)*size(cells%clat, 1)
        call plugin%columns(cells%clat(:, jb), cells%clon(:, jb), 'radians', ncol=n, &
                            ids=cells%glb_index(first + 1:first + n))
        owned(jb) = n
      end do
    end associate
    call plugin%levels(patch%nlev)
    call plugin%ready(status)
    if (status /= GWF_OK) call comin_plugin_finish('gwflux', plugin%message())
  end subroutine couple

  subroutine drag() bind(C)
    real(wp) :: dt
    integer :: jb, n, status
    real(wp), pointer, dimension(:, :, :) :: u3, v3, du3, dv3
    dt = comin_descrdata_get_timesteplength(JG)
    if (plugin%due(elapsed)) then
      call put_blocks('u', 'm s-1', u)
      call put_blocks('v', 'm s-1', v)
      call put_blocks('t', 'K', temp)
      call put_blocks('p', 'Pa', pres)
      call put_blocks('p_half', 'Pa', pres_ifc)
    end if
    call plugin%run(elapsed, dt, status)
    if (status /= GWF_OK) call comin_plugin_finish('gwflux', plugin%message())
    elapsed = elapsed + dt
    u3 => comin_var_to_3d(u)
    v3 => comin_var_to_3d(v)
    du3 => comin_var_to_3d(ddt_u)
    dv3 => comin_var_to_3d(ddt_v)
    do jb = 1, patch%cells%nblks
      n = owned(jb)
      call plugin%get('du', 'm s-2', du3(:, :, jb), block=jb)
      call plugin%get('dv', 'm s-2', dv3(:, :, jb), block=jb)
      u3(:n, :, jb) = u3(:n, :, jb) + dt*du3(:n, :, jb)
      v3(:n, :, jb) = v3(:n, :, jb) + dt*dv3(:n, :, jb)
    end do
  end subroutine drag

  subroutine put_blocks(field, units, variable)
    character(len=*), intent(in) :: field, units
    type(t_comin_var_ptr), intent(in) :: variable
    real(wp), pointer :: values(:, :, :)
    integer :: jb
    values => comin_var_to_3d(variable)
    do jb = 1, patch%cells%nblks
      call plugin%put(field, units, values(:, :, jb), block=jb)
    end do
  end subroutine put_blocks

  subroutine destructor() bind(C)
    call plugin%free()
  end subroutine destructor
end module gwflux_comin
