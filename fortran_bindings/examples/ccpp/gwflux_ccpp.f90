! gwflux as a CCPP scheme. CCPP forbids messages between ranks in the run phase, which is called for
! parts of the columns by several threads: so the network runs in timestep_init, with all columns of
! the rank at once, and leaves its tendencies in arrays of the host; the run phase adds a part of
! them. gwflux_ccpp.meta describes the arguments.
module gwflux_ccpp
  use ccpp_kinds, only: kind_phys
  use gwflux, only: gwf_options, gwf_plugin
  implicit none
  private
  public :: gwflux_ccpp_init, gwflux_ccpp_timestep_init, gwflux_ccpp_run, gwflux_ccpp_finalize

  type(gwf_plugin) :: plugin ! of this instance of CCPP

contains

!> \section arg_table_gwflux_ccpp_init Argument Table
!! \htmlinclude gwflux_ccpp_init.html
!!
  subroutine gwflux_ccpp_init(mpicomm, model, namelist, lat, lon, nlev, errmsg, errflg)
    integer, intent(in) :: mpicomm
    character(len=*), intent(in) :: model, namelist
    real(kind_phys), intent(in) :: lat(:), lon(:)
    integer, intent(in) :: nlev
    character(len=*), intent(out) :: errmsg
    integer, intent(out) :: errflg
    type(gwf_options) :: options
    errmsg = ''
    call options%read_namelist(namelist, errflg)
    if (errflg /= 0) errmsg = options%message()
    if (errflg /= 0) return
    call plugin%create(mpicomm, model, options, errflg)
    if (errflg /= 0) errmsg = plugin%message()
    if (errflg /= 0) return
    call plugin%columns(lat, lon, 'radians', status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%levels(nlev, errflg)
    call keep_first(errmsg, errflg)
    call plugin%ready(errflg) ! collective: also where the calls before it failed, which it then finds
    call keep_first(errmsg, errflg)
  end subroutine gwflux_ccpp_init

!> \section arg_table_gwflux_ccpp_timestep_init Argument Table
!! \htmlinclude gwflux_ccpp_timestep_init.html
!!
  subroutine gwflux_ccpp_timestep_init(time, dtp, u, v, t, omega, prsl, prsi, phis, du_gw, dv_gw, &
                                       errmsg, errflg)
    real(kind_phys), intent(in) :: time, dtp
    real(kind_phys), intent(in) :: u(:, :), v(:, :), t(:, :), omega(:, :), prsl(:, :), prsi(:, :)
    real(kind_phys), intent(in) :: phis(:)
    real(kind_phys), intent(out) :: du_gw(:, :), dv_gw(:, :)
    character(len=*), intent(out) :: errmsg
    integer, intent(out) :: errflg
    errmsg = ''
    call plugin%put('u', 'm s-1', u, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('v', 'm s-1', v, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('t', 'K', t, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('omega', 'Pa s-1', omega, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('p', 'Pa', prsl, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('p_half', 'Pa', prsi, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%put('zs', 'm2 s-2', phis, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%run(time, dtp, errflg) ! collective: as above
    call keep_first(errmsg, errflg)
    if (errflg /= 0) return
    call plugin%get('du', 'm s-2', du_gw, status=errflg)
    call keep_first(errmsg, errflg)
    call plugin%get('dv', 'm s-2', dv_gw, status=errflg)
    call keep_first(errmsg, errflg)
  end subroutine gwflux_ccpp_timestep_init

!> \section arg_table_gwflux_ccpp_run Argument Table
!! \htmlinclude gwflux_ccpp_run.html
!!
  subroutine gwflux_ccpp_run(du_gw, dv_gw, dudt, dvdt, errmsg, errflg)
    real(kind_phys), intent(in) :: du_gw(:, :), dv_gw(:, :)
    real(kind_phys), intent(inout) :: dudt(:, :), dvdt(:, :)
    character(len=*), intent(out) :: errmsg
    integer, intent(out) :: errflg
    errmsg = ''
    errflg = 0
    dudt = dudt + du_gw
    dvdt = dvdt + dv_gw
  end subroutine gwflux_ccpp_run

!> \section arg_table_gwflux_ccpp_finalize Argument Table
!! \htmlinclude gwflux_ccpp_finalize.html
!!
  subroutine gwflux_ccpp_finalize(errmsg, errflg)
    character(len=*), intent(out) :: errmsg
    integer, intent(out) :: errflg
    errmsg = ''
    errflg = 0
    call plugin%free()
  end subroutine gwflux_ccpp_finalize

  ! The message of the first call that failed.
  subroutine keep_first(errmsg, errflg)
    character(len=*), intent(inout) :: errmsg
    integer, intent(in) :: errflg
    if (errflg /= 0 .and. errmsg == '') errmsg = plugin%message()
  end subroutine keep_first
end module gwflux_ccpp
