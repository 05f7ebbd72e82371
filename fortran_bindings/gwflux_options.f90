! How an engine or a plugin is to run: options by name, from a namelist, from a YAML file.
!
!   type(gwf_options) :: options
!   call options%set('interval', 1800)
!   call options%read_namelist('input.nml')     ! &gwflux interval = 1800., top = 'taper' /
!   call options%read_yaml('gwflux.yaml')       ! interval: 1800
!
! configs/plugin.yaml explains them all. What is set or read later goes first. All calls are local.
! status may be left out: then a failure ends the program with its message.
module gwflux_options
  use, intrinsic :: iso_c_binding, only: c_associated, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: int64, iostat_end, real32, real64
  use gwflux_c
  use gwflux_text, only: c_text, f_text, give_status
  implicit none
  private
  public :: gwf_options, options_handle

  integer, parameter :: FAULT_LENGTH = 400
  character(len=*), parameter :: NO_GROUP = 'expected a namelist &gwflux ... /, found none'

  type :: gwf_options
    private
    type(c_ptr) :: handle = c_null_ptr         ! made by the first call
    character(len=FAULT_LENGTH) :: fault = '' ! a failure on this side
  contains
    generic :: set => set_text, set_integer, set_real32, set_real64, set_logical
    generic :: read_namelist => read_file, read_unit, read_lines
    procedure :: read_yaml
    procedure :: message
    procedure :: free
    generic :: assignment(=) => refuse_copy
    procedure, private :: set_text, set_integer, set_real32, set_real64, set_logical
    procedure, private :: read_file, read_unit, read_lines, read_group, open_handle, conclude
    procedure, private :: refuse_copy
    final :: finish_options
  end type gwf_options

  ! What stands in a variable of the namelist that was not given.
  integer, parameter :: NO_INTEGER = -huge(1)
  real(real64), parameter :: NO_REAL = -huge(1.0_real64)
  integer(int64), parameter :: BITS = 0

contains

  ! --- one by one -------------------------------------------------------------------------------

  subroutine set_text(self, name, value, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: name, value
    integer, intent(out), optional :: status
    integer :: code
    call self%open_handle(code)
    if (code == GWF_OK) code = c_options_set(self%handle, c_text(name), c_text(value))
    call self%conclude(code, status)
  end subroutine set_text

  subroutine set_integer(self, name, value, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: name
    integer, intent(in) :: value
    integer, intent(out), optional :: status
    character(len=32) :: text
    write (text, '(i0)') value
    call self%set_text(name, text, status)
  end subroutine set_integer

  subroutine set_real64(self, name, value, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: name
    real(real64), intent(in) :: value
    integer, intent(out), optional :: status
    character(len=32) :: text
    write (text, '(g0)') value
    call self%set_text(name, text, status)
  end subroutine set_real64

  subroutine set_real32(self, name, value, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: name
    real(real32), intent(in) :: value
    integer, intent(out), optional :: status
    character(len=32) :: text
    write (text, '(g0)') value
    call self%set_text(name, text, status)
  end subroutine set_real32

  ! Options that are on or off.
  subroutine set_logical(self, name, value, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: name
    logical, intent(in) :: value
    integer, intent(out), optional :: status
    call self%set_text(name, trim(merge('on ', 'off', value)), status)
  end subroutine set_logical

  ! --- files ------------------------------------------------------------------------------------

  ! From the file's namelist &gwflux; GWF_ERR_ARGUMENT when it has none.
  subroutine read_file(self, path, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: path
    integer, intent(out), optional :: status
    integer :: unit, code
    character(len=200) :: text
    character(len=FAULT_LENGTH) :: fault
    open (newunit=unit, file=trim(path), status='old', action='read', iostat=code, iomsg=text)
    if (code /= 0) then
      call self%conclude(GWF_ERR_NOT_FOUND, status, trim(path)//': '//text)
      return
    end if
    call self%read_group(code, fault, trim(path), unit=unit)
    close (unit)
    call self%conclude(code, status, fault)
  end subroutine read_file

  ! From a file that is open, from its beginning.
  subroutine read_unit(self, unit, status)
    class(gwf_options), intent(inout) :: self
    integer, intent(in) :: unit
    integer, intent(out), optional :: status
    integer :: code
    character(len=FAULT_LENGTH) :: fault
    rewind (unit, iostat=code)
    call self%read_group(code, fault, 'namelist', unit=unit)
    call self%conclude(code, status, fault)
  end subroutine read_unit

  ! From lines in memory, as FMS keeps input.nml.
  subroutine read_lines(self, lines, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: lines(:)
    integer, intent(out), optional :: status
    integer :: code
    character(len=FAULT_LENGTH) :: fault
    if (any(is_group(lines))) then
      call self%read_group(code, fault, 'namelist', lines=lines)
    else
      code = GWF_ERR_ARGUMENT
      fault = 'namelist: '//NO_GROUP
    end if
    call self%conclude(code, status, fault)
  end subroutine read_lines

  ! The line begins the namelist. Not all compilers report the end of lines in memory.
  elemental function is_group(line)
    character(len=*), intent(in) :: line
    logical :: is_group
    character(len=7) :: word
    integer :: i, letter
    word = adjustl(line)
    do i = 2, len(word)
      letter = iachar(word(i:i))
      if (letter >= iachar('A') .and. letter <= iachar('Z')) word(i:i) = achar(letter + 32)
    end do
    is_group = word == '&gwflux'
  end function is_group

  ! The namelist has every option under its name, with _ for -.
  subroutine read_group(self, code, fault, where, unit, lines)
    class(gwf_options), intent(inout) :: self
    integer, intent(out) :: code
    character(len=*), intent(out) :: fault
    character(len=*), intent(in) :: where
    integer, intent(in), optional :: unit
    character(len=*), intent(in), optional :: lines(:)
    character(len=32) :: backend, precision, remap, remap_back, top, bad_input, bad_output, outside
    character(len=32) :: heating, piggyback, tiles, tune
    character(len=1024) :: weights, weights_back, cache
    integer :: threads, batch, device, ranks_per_device, ranks, report
    real(real64) :: interval, highest, lowest, boundary_layer, cap, outside_share
    character(len=200) :: text
    namelist /gwflux/ backend, precision, threads, batch, tune, cache, device, &
      ranks_per_device, ranks, tiles, interval, remap, remap_back, weights, weights_back, top, &
      highest, lowest, boundary_layer, cap, bad_input, bad_output, outside, outside_share, &
      heating, piggyback, report

    backend = ''; precision = ''; remap = ''; remap_back = ''; top = ''; tiles = ''
    bad_input = ''; bad_output = ''; outside = ''; heating = ''; piggyback = ''
    weights = ''; weights_back = ''; tune = ''; cache = ''
    threads = NO_INTEGER; batch = NO_INTEGER; device = NO_INTEGER; ranks_per_device = NO_INTEGER
    ranks = NO_INTEGER; report = NO_INTEGER
    interval = NO_REAL; highest = NO_REAL; lowest = NO_REAL; boundary_layer = NO_REAL
    cap = NO_REAL; outside_share = NO_REAL
    fault = ''
    text = ''
    if (present(unit)) then
      read (unit, nml=gwflux, iostat=code, iomsg=text)
    else
      read (lines, nml=gwflux, iostat=code, iomsg=text)
    end if
    if (code == iostat_end) text = NO_GROUP
    if (code /= 0) then
      code = GWF_ERR_ARGUMENT
      fault = where//': '//text
      return
    end if
    code = GWF_OK
    call take('backend', text=backend)
    call take('precision', text=precision)
    call take('threads', number=threads)
    call take('batch', number=batch)
    call take('tune', text=tune)
    call take('cache', text=cache)
    call take('device', number=device)
    call take('ranks-per-device', number=ranks_per_device)
    call take('ranks', number=ranks)
    call take('tiles', text=tiles)
    call take('interval', value=interval)
    call take('remap', text=remap)
    call take('remap-back', text=remap_back)
    call take('weights', text=weights)
    call take('weights-back', text=weights_back)
    call take('top', text=top)
    call take('highest', value=highest)
    call take('lowest', value=lowest)
    call take('boundary-layer', value=boundary_layer)
    call take('cap', value=cap)
    call take('bad-input', text=bad_input)
    call take('bad-output', text=bad_output)
    call take('outside', text=outside)
    call take('outside-share', value=outside_share)
    call take('heating', text=heating)
    call take('piggyback', text=piggyback)
    call take('report', number=report)

  contains

    ! What was given, up to the first that is refused.
    subroutine take(name, text, number, value)
      character(len=*), intent(in) :: name
      character(len=*), intent(in), optional :: text
      integer, intent(in), optional :: number
      real(real64), intent(in), optional :: value
      if (code /= GWF_OK) return
      if (present(text)) then
        if (text /= '') call self%set(name, text, code)
      else if (present(number)) then
        if (number /= NO_INTEGER) call self%set(name, number, code)
      else if (transfer(value, BITS) /= transfer(NO_REAL, BITS)) then ! NaN too, without a trap
        call self%set(name, value, code)
      end if
      if (code /= GWF_OK) fault = where//': '//self%message()
    end subroutine take
  end subroutine read_group

  subroutine read_yaml(self, path, status)
    class(gwf_options), intent(inout) :: self
    character(len=*), intent(in) :: path
    integer, intent(out), optional :: status
    integer :: code
    call self%open_handle(code)
    if (code == GWF_OK) code = c_options_read(self%handle, c_text(path))
    call self%conclude(code, status)
  end subroutine read_yaml

  ! --- life -------------------------------------------------------------------------------------

  ! Of the last failure.
  function message(self) result(text)
    class(gwf_options), intent(in) :: self
    character(len=:), allocatable :: text
    text = trim(self%fault)
    if (text == '' .and. c_associated(self%handle)) text = f_text(c_options_message(self%handle))
  end function message

  subroutine free(self)
    class(gwf_options), intent(inout) :: self
    call c_options_free(self%handle)
    self%fault = ''
  end subroutine free

  ! For the other modules; null: all defaults.
  function options_handle(options) result(handle)
    type(gwf_options), intent(in), optional :: options
    type(c_ptr) :: handle
    handle = c_null_ptr
    if (present(options)) handle = options%handle
  end function options_handle

  subroutine open_handle(self, code)
    class(gwf_options), intent(inout) :: self
    integer, intent(out) :: code
    if (.not. c_associated(self%handle)) self%handle = c_options_create()
    code = merge(GWF_OK, GWF_ERR_MEMORY, c_associated(self%handle))
  end subroutine open_handle

  subroutine conclude(self, code, status, fault)
    class(gwf_options), intent(inout) :: self
    integer, intent(in) :: code
    integer, intent(out), optional :: status
    character(len=*), intent(in), optional :: fault
    self%fault = ''
    if (present(fault)) self%fault = fault
    call give_status(code, self%message(), status)
  end subroutine conclude

  subroutine refuse_copy(self, other)
    class(gwf_options), intent(inout) :: self
    type(gwf_options), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) &
      error stop 'gwflux: options cannot be copied'
  end subroutine refuse_copy

  subroutine finish_options(self)
    type(gwf_options), intent(inout) :: self
    call self%free()
  end subroutine finish_options
end module gwflux_options
