! The network alone: normalised channels of a whole map in, fluxes out. All calls are local. A host
! model uses gwf_plugin instead. status may be left out: then a failure ends the program with its
! message.
module gwflux_engine
  use, intrinsic :: iso_c_binding, only: c_associated, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: real32
  use gwflux_c
  use gwflux_options, only: gwf_options, options_handle
  use gwflux_text, only: c_text, f_text, give_status
  implicit none
  private
  public :: gwf_engine

  type :: gwf_engine
    private
    type(c_ptr) :: handle = c_null_ptr
    character(len=200) :: fault = '' ! a failure on this side
  contains
    procedure :: create
    procedure :: shape => get_shape
    generic :: predict => predict_one, predict_batch
    procedure :: predict_normalised
    procedure :: describe
    procedure :: message
    procedure :: free
    generic :: assignment(=) => refuse_copy
    procedure, private :: predict_one, predict_batch, check, conclude, refuse_copy
    final :: finish_engine
  end type gwf_engine

contains

  subroutine create(self, model, options, status)
    class(gwf_engine), intent(inout) :: self
    character(len=*), intent(in) :: model ! path of a model file
    type(gwf_options), intent(in), optional :: options
    integer, intent(out), optional :: status
    call self%free()
    call self%conclude(c_create(c_text(model), options_handle(options), self%handle), status)
  end subroutine create

  ! Sizes of the maps; all 0 where there is no engine.
  function get_shape(self) result(shape)
    class(gwf_engine), intent(in) :: self
    type(gwf_shape) :: shape
    integer :: code
    code = c_get_shape(self%handle, shape)
    if (code /= GWF_OK) shape = gwf_shape()
  end function get_shape

  ! features: normalised, (lon, lat, inputs); flux: (lon, lat, outputs), Pa, uw levels then vw levels.
  subroutine predict_one(self, features, flux, status)
    class(gwf_engine), intent(inout) :: self
    real(real32), intent(in), contiguous :: features(:, :, :)
    real(real32), intent(inout), contiguous :: flux(:, :, :)
    integer, intent(out), optional :: status
    if (.not. self%check(shape(features), shape(flux), status)) return
    call self%conclude(c_predict(self%handle, features, flux), status)
  end subroutine predict_one

  ! The same for several maps: (lon, lat, inputs, maps) and (lon, lat, outputs, maps).
  subroutine predict_batch(self, features, flux, status)
    class(gwf_engine), intent(inout) :: self
    real(real32), intent(in), contiguous :: features(:, :, :, :)
    real(real32), intent(inout), contiguous :: flux(:, :, :, :)
    integer, intent(out), optional :: status
    integer :: maps, in(4), out(4)
    maps = size(features, 4)
    in = shape(features)
    out = shape(flux)
    if (.not. self%check(in(:3), out(:3), status)) return
    if (size(flux, 4) /= maps) then
      call self%conclude(GWF_ERR_ARGUMENT, status, 'expected as many maps of flux as of features')
      return
    end if
    call self%conclude(c_predict_batch(self%handle, maps, features, flux), status)
  end subroutine predict_batch

  ! The same, but the network's own output.
  subroutine predict_normalised(self, features, prediction, status)
    class(gwf_engine), intent(inout) :: self
    real(real32), intent(in), contiguous :: features(:, :, :)
    real(real32), intent(inout), contiguous :: prediction(:, :, :)
    integer, intent(out), optional :: status
    if (.not. self%check(shape(features), shape(prediction), status)) return
    call self%conclude(c_predict_normalised(self%handle, features, prediction), status)
  end subroutine predict_normalised

  ! Network, backend, precision, threads.
  function describe(self) result(text)
    class(gwf_engine), intent(in) :: self
    character(len=:), allocatable :: text
    text = f_text(c_describe(self%handle))
  end function describe

  ! Of the last failure.
  function message(self) result(text)
    class(gwf_engine), intent(in) :: self
    character(len=:), allocatable :: text
    if (self%fault /= '') then
      text = trim(self%fault)
    else
      text = f_text(c_message(self%handle))
    end if
  end function message

  subroutine free(self)
    class(gwf_engine), intent(inout) :: self
    call c_free(self%handle)
    self%fault = ''
  end subroutine free

  ! Whether arrays of these shapes are what the engine takes and gives.
  function check(self, in, out, status) result(fits)
    class(gwf_engine), intent(inout) :: self
    integer, intent(in) :: in(3), out(3)
    integer, intent(out), optional :: status
    logical :: fits
    type(gwf_shape) :: n
    character(len=200) :: fault
    n = self%shape()
    fits = all(in == [n%lon, n%lat, n%inputs]) .and. all(out == [n%lon, n%lat, n%outputs])
    if (fits) return
    write (fault, '(6(a, 2(i0, " x "), i0))') 'expected arrays of ', n%lon, n%lat, n%inputs, &
      ' and ', n%lon, n%lat, n%outputs, ' values, found ', in, ' and ', out
    call self%conclude(GWF_ERR_ARGUMENT, status, fault)
  end function check

  subroutine conclude(self, code, status, fault)
    class(gwf_engine), intent(inout) :: self
    integer, intent(in) :: code
    integer, intent(out), optional :: status
    character(len=*), intent(in), optional :: fault
    self%fault = ''
    if (present(fault)) self%fault = fault
    call give_status(code, self%message(), status)
  end subroutine conclude

  subroutine refuse_copy(self, other)
    class(gwf_engine), intent(inout) :: self
    type(gwf_engine), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) &
      error stop 'gwflux: an engine cannot be copied'
  end subroutine refuse_copy

  subroutine finish_engine(self)
    type(gwf_engine), intent(inout) :: self
    call self%free()
  end subroutine finish_engine
end module gwflux_engine
