! src/gwflux.h as Fortran sees it: every constant, struct and function, and nothing else. What the
! calls do, their units and what is collective stands there. tests/fortran/ fails when the two drift
! apart. For hosts there is module gwflux.
module gwflux_c
  use, intrinsic :: iso_c_binding, only: c_char, c_double, c_float, c_funptr, c_int, c_intptr_t, &
                                         c_long, c_null_ptr, c_ptr
  implicit none
  public

  ! gwf_status
  integer, parameter :: GWF_OK = 0
  integer, parameter :: GWF_ERR_ARGUMENT = 1
  integer, parameter :: GWF_ERR_MEMORY = 2
  integer, parameter :: GWF_ERR_NOT_FOUND = 3
  integer, parameter :: GWF_ERR_IO = 4
  integer, parameter :: GWF_ERR_DISK = 5
  integer, parameter :: GWF_ERR_EXISTS = 6
  integer, parameter :: GWF_ERR_FORMAT = 7
  integer, parameter :: GWF_ERR_MODEL = 8
  integer, parameter :: GWF_ERR_MISMATCH = 9
  integer, parameter :: GWF_ERR_DATA = 10
  integer, parameter :: GWF_ERR_BACKEND = 11
  integer, parameter :: GWF_ERR_UNSUPPORTED = 12
  integer, parameter :: GWF_ERR_INTERNAL = 13
  integer, parameter :: GWF_ERR_STOPPED = 14

  ! gwf_flag
  integer, parameter :: GWF_FLAG_COMPUTED = 0
  integer, parameter :: GWF_FLAG_HELD = 1
  integer, parameter :: GWF_FLAG_ZERO = 2
  integer, parameter :: GWF_FLAG_HOST = 3

  ! gwf_real
  integer, parameter :: GWF_REAL32 = 4
  integer, parameter :: GWF_REAL64 = 8

  type, bind(C) :: gwf_shape
    integer(c_int) :: inputs = 0
    integer(c_int) :: outputs = 0
    integer(c_int) :: levels = 0
    integer(c_int) :: lat = 0
    integer(c_int) :: lon = 0
  end type gwf_shape

  type, bind(C) :: gwf_columns
    integer(c_int) :: ni = 0
    integer(c_int) :: nj = 0
    type(c_ptr) :: lat = c_null_ptr
    type(c_ptr) :: lon = c_null_ptr
    type(c_ptr) :: units = c_null_ptr
    type(c_ptr) :: id = c_null_ptr
  end type gwf_columns

  type, bind(C) :: gwf_array
    type(c_ptr) :: data = c_null_ptr
    integer(c_int) :: kind = GWF_REAL64
    integer(c_int) :: levels = 1
    integer(c_intptr_t) :: stride_i = 0
    integer(c_intptr_t) :: stride_j = 0
    integer(c_intptr_t) :: stride_level = 0
  end type gwf_array

  type, bind(C) :: gwf_window
    integer(c_int) :: block = 0
    integer(c_int) :: i = 0
    integer(c_int) :: j = 0
    integer(c_int) :: ni = 0
    integer(c_int) :: nj = 0
  end type gwf_window

  type, bind(C) :: gwf_counters
    integer(c_long) :: steps = 0
    integer(c_long) :: computed = 0
    integer(c_long) :: held = 0
    integer(c_long) :: zeroed = 0
    integer(c_long) :: host = 0
    integer(c_long) :: bad_input = 0
    integer(c_long) :: bad_output = 0
    integer(c_long) :: outside = 0
    integer(c_long) :: capped = 0
    real(c_double) :: largest = 0
    real(c_double) :: seconds(4) = 0
  end type gwf_counters

  interface

    function c_status_name(status) bind(C, name='gwf_status_name') result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: status
      type(c_ptr) :: text
    end function c_status_name

    function c_status_text(status) bind(C, name='gwf_status_text') result(text)
      import :: c_int, c_ptr
      integer(c_int), value :: status
      type(c_ptr) :: text
    end function c_status_text

    function c_version() bind(C, name='gwf_version') result(text)
      import :: c_ptr
      type(c_ptr) :: text
    end function c_version

    function c_options_create() bind(C, name='gwf_options_create') result(options)
      import :: c_ptr
      type(c_ptr) :: options
    end function c_options_create

    subroutine c_options_free(options) bind(C, name='gwf_options_free')
      import :: c_ptr
      type(c_ptr), intent(inout) :: options
    end subroutine c_options_free

    function c_options_set(options, name, value) bind(C, name='gwf_options_set') result(status)
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: options
      character(kind=c_char), intent(in) :: name(*), value(*)
      integer(c_int) :: status
    end function c_options_set

    function c_options_message(options) bind(C, name='gwf_options_message') result(text)
      import :: c_ptr
      type(c_ptr), value :: options
      type(c_ptr) :: text
    end function c_options_message

    function c_options_read(options, path) bind(C, name='gwf_options_read') result(status)
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: options
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int) :: status
    end function c_options_read

    function c_create(model_path, options, engine) bind(C, name='gwf_create') result(status)
      import :: c_char, c_int, c_ptr
      character(kind=c_char), intent(in) :: model_path(*)
      type(c_ptr), value :: options
      type(c_ptr), intent(inout) :: engine
      integer(c_int) :: status
    end function c_create

    subroutine c_free(engine) bind(C, name='gwf_free')
      import :: c_ptr
      type(c_ptr), intent(inout) :: engine
    end subroutine c_free

    function c_message(engine) bind(C, name='gwf_message') result(text)
      import :: c_ptr
      type(c_ptr), value :: engine
      type(c_ptr) :: text
    end function c_message

    function c_get_shape(engine, shape) bind(C, name='gwf_get_shape') result(status)
      import :: c_int, c_ptr, gwf_shape
      type(c_ptr), value :: engine
      type(gwf_shape), intent(out) :: shape
      integer(c_int) :: status
    end function c_get_shape

    function c_describe(engine) bind(C, name='gwf_describe') result(text)
      import :: c_ptr
      type(c_ptr), value :: engine
      type(c_ptr) :: text
    end function c_describe

    function c_predict(engine, features, flux) bind(C, name='gwf_predict') result(status)
      import :: c_float, c_int, c_ptr
      type(c_ptr), value :: engine
      real(c_float), intent(in) :: features(*)
      real(c_float), intent(inout) :: flux(*)
      integer(c_int) :: status
    end function c_predict

    function c_predict_batch(engine, n, features, flux) bind(C, name='gwf_predict_batch') &
        result(status)
      import :: c_float, c_int, c_ptr
      type(c_ptr), value :: engine
      integer(c_int), value :: n
      real(c_float), intent(in) :: features(*)
      real(c_float), intent(inout) :: flux(*)
      integer(c_int) :: status
    end function c_predict_batch

    function c_predict_normalised(engine, features, prediction) &
        bind(C, name='gwf_predict_normalised') result(status)
      import :: c_float, c_int, c_ptr
      type(c_ptr), value :: engine
      real(c_float), intent(in) :: features(*)
      real(c_float), intent(inout) :: prediction(*)
      integer(c_int) :: status
    end function c_predict_normalised

    function c_plugin_create(communicator, model_path, options, plugin) &
        bind(C, name='gwf_plugin_create') result(status)
      import :: c_char, c_int, c_ptr
      integer(c_int), value :: communicator
      character(kind=c_char), intent(in) :: model_path(*)
      type(c_ptr), value :: options
      type(c_ptr), intent(inout) :: plugin
      integer(c_int) :: status
    end function c_plugin_create

    subroutine c_plugin_free(plugin) bind(C, name='gwf_plugin_free')
      import :: c_ptr
      type(c_ptr), intent(inout) :: plugin
    end subroutine c_plugin_free

    function c_plugin_message(plugin) bind(C, name='gwf_plugin_message') result(text)
      import :: c_ptr
      type(c_ptr), value :: plugin
      type(c_ptr) :: text
    end function c_plugin_message

    subroutine c_plugin_log(plugin, write, user) bind(C, name='gwf_plugin_log')
      import :: c_funptr, c_ptr
      type(c_ptr), value :: plugin
      type(c_funptr), value :: write
      type(c_ptr), value :: user
    end subroutine c_plugin_log

    function c_plugin_columns(plugin, columns, block) bind(C, name='gwf_plugin_columns') &
        result(status)
      import :: c_int, c_ptr, gwf_columns
      type(c_ptr), value :: plugin
      type(gwf_columns), intent(in) :: columns
      integer(c_int), intent(inout) :: block
      integer(c_int) :: status
    end function c_plugin_columns

    function c_plugin_grid(plugin, nlat, lat, nlon, lon) bind(C, name='gwf_plugin_grid') &
        result(status)
      import :: c_double, c_int, c_ptr
      type(c_ptr), value :: plugin
      integer(c_int), value :: nlat
      real(c_double), intent(in) :: lat(*)
      integer(c_int), value :: nlon
      real(c_double), intent(in) :: lon(*)
      integer(c_int) :: status
    end function c_plugin_grid

    function c_plugin_levels(plugin, levels, a, b) bind(C, name='gwf_plugin_levels') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: plugin
      integer(c_int), value :: levels
      type(c_ptr), value :: a, b
      integer(c_int) :: status
    end function c_plugin_levels

    function c_plugin_ready(plugin) bind(C, name='gwf_plugin_ready') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: plugin
      integer(c_int) :: status
    end function c_plugin_ready

    function c_put(plugin, field, units, window, array) bind(C, name='gwf_put') result(status)
      import :: c_char, c_int, c_ptr, gwf_array, gwf_window
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: field(*), units(*)
      type(gwf_window), intent(in) :: window
      type(gwf_array), intent(in) :: array
      integer(c_int) :: status
    end function c_put

    function c_due(plugin, time) bind(C, name='gwf_due') result(due)
      import :: c_double, c_int, c_ptr
      type(c_ptr), value :: plugin
      real(c_double), value :: time
      integer(c_int) :: due
    end function c_due

    function c_run(plugin, time, step) bind(C, name='gwf_run') result(status)
      import :: c_double, c_int, c_ptr
      type(c_ptr), value :: plugin
      real(c_double), value :: time, step
      integer(c_int) :: status
    end function c_run

    function c_start(plugin, time, step) bind(C, name='gwf_start') result(status)
      import :: c_double, c_int, c_ptr
      type(c_ptr), value :: plugin
      real(c_double), value :: time, step
      integer(c_int) :: status
    end function c_start

    function c_finish(plugin) bind(C, name='gwf_finish') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: plugin
      integer(c_int) :: status
    end function c_finish

    function c_get(plugin, result, units, window, array) bind(C, name='gwf_get') result(status)
      import :: c_char, c_int, c_ptr, gwf_array, gwf_window
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: result(*), units(*)
      type(gwf_window), intent(in) :: window
      type(gwf_array), intent(in) :: array
      integer(c_int) :: status
    end function c_get

    function c_add(plugin, result, units, window, array) bind(C, name='gwf_add') result(status)
      import :: c_char, c_int, c_ptr, gwf_array, gwf_window
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: result(*), units(*)
      type(gwf_window), intent(in) :: window
      type(gwf_array), intent(in) :: array
      integer(c_int) :: status
    end function c_add

    function c_plugin_save(plugin, path) bind(C, name='gwf_plugin_save') result(status)
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int) :: status
    end function c_plugin_save

    function c_plugin_load(plugin, path) bind(C, name='gwf_plugin_load') result(status)
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int) :: status
    end function c_plugin_load

    function c_plugin_capture(plugin, path) bind(C, name='gwf_plugin_capture') result(status)
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: plugin
      character(kind=c_char), intent(in) :: path(*)
      integer(c_int) :: status
    end function c_plugin_capture

    function c_plugin_counters(plugin, counters) bind(C, name='gwf_plugin_counters') result(status)
      import :: c_int, c_ptr, gwf_counters
      type(c_ptr), value :: plugin
      type(gwf_counters), intent(out) :: counters
      integer(c_int) :: status
    end function c_plugin_counters

    function c_plugin_report(plugin, text) bind(C, name='gwf_plugin_report') result(status)
      import :: c_int, c_ptr
      type(c_ptr), value :: plugin
      type(c_ptr), intent(inout) :: text
      integer(c_int) :: status
    end function c_plugin_report

  end interface
end module gwflux_c
