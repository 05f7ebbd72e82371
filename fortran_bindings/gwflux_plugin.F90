! gwflux inside a climate model: the second half of src/gwflux.h as a type with bound procedures.
!
!   call plugin%create(comm, 'model.nc', options)      collective; comm: an integer or type(MPI_Comm)
!   call plugin%columns(lat, lon, 'radians')           local, for every block of columns of the rank
!   call plugin%levels(40)
!   call plugin%ready()                                collective
!
!   call plugin%put('u', 'm s-1', u)                   local; v, t, p_half, ...
!   call plugin%run(time, step)                        collective
!   call plugin%add('du', 'm s-2', dudt)               local
!
!   call plugin%free()                                 collective, before MPI_Finalize
!
! Blocks and their arrays. lat(:), lon(:) register a list of columns, whose fields are arrays
! (columns, levels), at the surface (columns); lat(:, :), lon(:, :) register a domain, whose fields
! are (lon, lat, levels), at the surface (lon, lat). Arrays are real32 or real64 sections with any
! strides, which are read and written where they stand, never copied; they may be larger than the
! block (a padded leading dimension). Blocks are numbered from 1 in the order of the calls; block
! may be left out where there is one. With is, js an array has a window of its block that begins at
! column is, js (from 1). level_dim: which of the array's dimensions are levels, where it is not the
! last one.
!
! status may be left out: then a failure ends the program with its message.
module gwflux_plugin
  use, intrinsic :: iso_c_binding, only: c_associated, c_char, c_funloc, c_int, c_intptr_t, c_loc, &
                                         c_null_funptr, c_null_ptr, c_ptr
  use, intrinsic :: iso_fortran_env, only: real32, real64
#ifdef GWF_MPI_F08
  use mpi_f08, only: MPI_Comm
#endif
  use gwflux_c
  use gwflux_options, only: gwf_options, options_handle
  use gwflux_text, only: c_text, copy_text, f_text, give_status
  implicit none
  private
  public :: gwf_plugin

  ! A registered block; rank 1: a list, 2: a domain.
  type :: block_shape
    integer :: rank = 1, ni = 0, nj = 1
  end type block_shape

  ! An array as it lies in memory; strides in values.
  type :: memory
    type(c_ptr) :: first = c_null_ptr
    integer :: kind = 8, rank = 0
    integer :: extent(3) = 1
    integer(c_intptr_t) :: stride(3) = 0
  end type memory

  type :: gwf_plugin
    private
    type(c_ptr) :: handle = c_null_ptr
    type(block_shape), allocatable :: blocks(:)
    character(len=200) :: fault = '' ! a failure on this side
  contains
    generic :: create => create_integer
#ifdef GWF_MPI_F08
    generic :: create => create_f08
    procedure, private :: create_f08
#endif
    generic :: columns => list_32, list_64, domain_32, domain_64
    generic :: grid => grid_32, grid_64
    generic :: levels => levels_count, levels_32, levels_64
    procedure :: ready
    generic :: put => put_32_1, put_32_2, put_32_3, put_64_1, put_64_2, put_64_3
    procedure :: due
    procedure :: run
    procedure :: start
    procedure :: finish
    generic :: get => get_32_1, get_32_2, get_32_3, get_64_1, get_64_2, get_64_3
    generic :: add => add_32_1, add_32_2, add_32_3, add_64_1, add_64_2, add_64_3
    procedure :: save => save_state
    procedure :: load
    procedure :: capture
    procedure :: counters
    procedure :: report
    procedure :: message
    procedure :: log => log_to
    procedure :: free
    generic :: assignment(=) => refuse_copy
    procedure, private :: create_integer, list_32, list_64, domain_32, domain_64, grid_32, grid_64
    procedure, private :: levels_count, levels_32, levels_64
    procedure, private :: put_32_1, put_32_2, put_32_3, put_64_1, put_64_2, put_64_3
    procedure, private :: get_32_1, get_32_2, get_32_3, get_64_1, get_64_2, get_64_3
    procedure, private :: add_32_1, add_32_2, add_32_3, add_64_1, add_64_2, add_64_3
    procedure, private :: register, move, place, conclude, refuse_copy
    ! No final procedure: freeing is collective.
  end type gwf_plugin

  interface stride
    procedure :: stride_32, stride_64
  end interface stride

contains

  ! --- once -------------------------------------------------------------------------------------

  ! Collective. model: path of a model file.
  subroutine create_integer(self, comm, model, options, status)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(in) :: comm
    character(len=*), intent(in) :: model
    type(gwf_options), intent(in), optional :: options
    integer, intent(out), optional :: status
    integer :: code
    call self%free()
    allocate (self%blocks(0))
    code = c_plugin_create(int(comm, c_int), c_text(model), options_handle(options), self%handle)
    call self%conclude(code, status)
  end subroutine create_integer

#ifdef GWF_MPI_F08
  subroutine create_f08(self, comm, model, options, status)
    class(gwf_plugin), intent(inout) :: self
    type(MPI_Comm), intent(in) :: comm
    character(len=*), intent(in) :: model
    type(gwf_options), intent(in), optional :: options
    integer, intent(out), optional :: status
    call self%create(comm%MPI_VAL, model, options, status)
  end subroutine create_f08
#endif

  ! A list of columns. units: of lat and lon, 'degrees' or 'radians'. ids: numbers in the whole grid,
  ! from 1, where lat and lon do not tell. ncol: the first so many, where the arrays are padded.
  subroutine list_64(self, lat, lon, units, ids, ncol, block, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in) :: lat(:), lon(:)
    character(len=*), intent(in) :: units
    integer, intent(in), optional :: ids(:), ncol
    integer, intent(out), optional :: block, status
    integer :: n
    n = size(lat)
    if (present(ncol)) n = ncol
    if (n < 0 .or. n > size(lat) .or. n > size(lon)) then
      call self%conclude(GWF_ERR_ARGUMENT, status, 'columns: lat and lon are shorter than ncol')
    else if (.not. present(ids)) then
      call self%register(block_shape(1, n, 1), lat(:n), lon(:n), units, block=block, status=status)
    else if (size(ids) < n) then
      call self%conclude(GWF_ERR_ARGUMENT, status, 'columns: there are more columns than ids')
    else
      call self%register(block_shape(1, n, 1), lat(:n), lon(:n), units, ids(:n), block, status)
    end if
  end subroutine list_64

  subroutine list_32(self, lat, lon, units, ids, ncol, block, status)
    class(gwf_plugin), intent(inout) :: self
    real(real32), intent(in) :: lat(:), lon(:)
    character(len=*), intent(in) :: units
    integer, intent(in), optional :: ids(:), ncol
    integer, intent(out), optional :: block, status
    call self%columns(real(lat, real64), real(lon, real64), units, ids, ncol, block, status)
  end subroutine list_32

  ! A domain (lon, lat).
  subroutine domain_64(self, lat, lon, units, ids, block, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in) :: lat(:, :), lon(:, :)
    character(len=*), intent(in) :: units
    integer, intent(in), optional :: ids(:, :)
    integer, intent(out), optional :: block, status
    type(block_shape) :: shape_of
    logical :: same
    shape_of = block_shape(2, size(lat, 1), size(lat, 2))
    same = all(shape(lon) == shape(lat))
    if (present(ids)) same = same .and. all(shape(ids) == shape(lat))
    if (.not. same) then
      call self%conclude(GWF_ERR_ARGUMENT, status, 'columns: lat, lon and ids are not of one shape')
    else if (present(ids)) then
      call self%register(shape_of, pack(lat, .true.), pack(lon, .true.), units, pack(ids, .true.), &
                         block, status)
    else
      call self%register(shape_of, pack(lat, .true.), pack(lon, .true.), units, block=block, &
                         status=status)
    end if
  end subroutine domain_64

  subroutine domain_32(self, lat, lon, units, ids, block, status)
    class(gwf_plugin), intent(inout) :: self
    real(real32), intent(in) :: lat(:, :), lon(:, :)
    character(len=*), intent(in) :: units
    integer, intent(in), optional :: ids(:, :)
    integer, intent(out), optional :: block, status
    call self%columns(real(lat, real64), real(lon, real64), units, ids, block, status)
  end subroutine domain_32

  ! Both of them: lat, lon and ids of all columns in a row.
  subroutine register(self, shape_of, lat, lon, units, ids, block, status)
    class(gwf_plugin), intent(inout) :: self
    type(block_shape), intent(in) :: shape_of
    real(real64), intent(in), contiguous, target :: lat(:), lon(:)
    character(len=*), intent(in) :: units
    integer, intent(in), optional, contiguous, target :: ids(:)
    integer, intent(out), optional :: block, status
    character(kind=c_char), target :: text(32)
    type(gwf_columns) :: columns
    integer(c_int) :: number
    integer :: code
    call copy_text(units, text)
    columns%ni = shape_of%ni
    columns%nj = shape_of%nj
    columns%units = c_loc(text)
    if (size(lat) > 0) then
      columns%lat = c_loc(lat)
      columns%lon = c_loc(lon)
      if (present(ids)) columns%id = c_loc(ids)
    end if
    number = -1
    code = c_plugin_columns(self%handle, columns, number)
    if (code == GWF_OK) self%blocks = [self%blocks, shape_of]
    if (present(block)) block = number + 1
    call self%conclude(code, status)
  end subroutine register

  ! The host's whole grid, degrees, where it is latitudes times longitudes but not the network's.
  subroutine grid_64(self, lat, lon, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in) :: lat(:), lon(:)
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_grid(self%handle, size(lat), lat, size(lon), lon), status)
  end subroutine grid_64

  subroutine grid_32(self, lat, lon, status)
    class(gwf_plugin), intent(inout) :: self
    real(real32), intent(in) :: lat(:), lon(:)
    integer, intent(out), optional :: status
    call self%grid(real(lat, real64), real(lon, real64), status)
  end subroutine grid_32

  ! Levels whose pressure p is put in every step, ...
  subroutine levels_count(self, count, status)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(in) :: count
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_levels(self%handle, count, c_null_ptr, c_null_ptr), status)
  end subroutine levels_count

  ! ... or is a + b * surface pressure (a in Pa), in the order of the fields.
  subroutine levels_64(self, a, b, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in), contiguous, target :: a(:), b(:)
    integer, intent(out), optional :: status
    if (size(a) == 0 .or. size(a) /= size(b)) then
      call self%conclude(GWF_ERR_ARGUMENT, status, 'levels: expected as many a as b, found others')
    else
      call self%conclude(c_plugin_levels(self%handle, size(a), c_loc(a), c_loc(b)), status)
    end if
  end subroutine levels_64

  subroutine levels_32(self, a, b, status)
    class(gwf_plugin), intent(inout) :: self
    real(real32), intent(in) :: a(:), b(:)
    integer, intent(out), optional :: status
    call self%levels(real(a, real64), real(b, real64), status)
  end subroutine levels_32

  ! Collective.
  subroutine ready(self, status)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_ready(self%handle), status)
  end subroutine ready

  ! --- in every step ----------------------------------------------------------------------------

  ! Whether a step at this time (s) computes, so that fields are to be put. Local.
  function due(self, time)
    class(gwf_plugin), intent(in) :: self
    real(real64), intent(in) :: time
    logical :: due
    due = c_due(self%handle, time) /= 0
  end function due

  ! Collective. time: of the host; step: over which it will apply the tendencies; both s.
  subroutine run(self, time, step, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in) :: time, step
    integer, intent(out), optional :: status
    call self%conclude(c_run(self%handle, time, step), status)
  end subroutine run

  ! The same in two halves, the host's own work between them. Collective.
  subroutine start(self, time, step, status)
    class(gwf_plugin), intent(inout) :: self
    real(real64), intent(in) :: time, step
    integer, intent(out), optional :: status
    call self%conclude(c_start(self%handle, time, step), status)
  end subroutine start

  subroutine finish(self, status)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(out), optional :: status
    call self%conclude(c_finish(self%handle), status)
  end subroutine finish

  ! --- restart, inspection ----------------------------------------------------------------------

  ! Collective, as load, capture, counters and report.
  subroutine save_state(self, path, status)
    class(gwf_plugin), intent(inout) :: self
    character(len=*), intent(in) :: path
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_save(self%handle, c_text(path)), status)
  end subroutine save_state

  subroutine load(self, path, status)
    class(gwf_plugin), intent(inout) :: self
    character(len=*), intent(in) :: path
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_load(self%handle, c_text(path)), status)
  end subroutine load

  subroutine capture(self, path, status)
    class(gwf_plugin), intent(inout) :: self
    character(len=*), intent(in) :: path
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_capture(self%handle, c_text(path)), status)
  end subroutine capture

  subroutine counters(self, values, status)
    class(gwf_plugin), intent(inout) :: self
    type(gwf_counters), intent(out) :: values
    integer, intent(out), optional :: status
    call self%conclude(c_plugin_counters(self%handle, values), status)
  end subroutine counters

  ! text: lines, on rank 0; empty on the others.
  subroutine report(self, text, status)
    class(gwf_plugin), intent(inout) :: self
    character(len=:), allocatable, intent(out) :: text
    integer, intent(out), optional :: status
    type(c_ptr) :: lines
    integer :: code
    lines = c_null_ptr
    code = c_plugin_report(self%handle, lines)
    text = f_text(lines)
    call self%conclude(code, status)
  end subroutine report

  ! Of the last failure; '' when there was none. Local.
  function message(self) result(text)
    class(gwf_plugin), intent(in) :: self
    character(len=:), allocatable :: text
    if (self%fault /= '') then
      text = trim(self%fault)
    else
      text = f_text(c_plugin_message(self%handle))
    end if
  end function message

  ! What the plugin has to say goes to this unit, on the rank that says it: assumptions, reports.
  ! Local.
  subroutine log_to(self, unit)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(in) :: unit
    call c_plugin_log(self%handle, c_funloc(write_line), &
                      transfer(int(unit, c_intptr_t), c_null_ptr))
  end subroutine log_to

  ! The unit's number takes the place of a pointer.
  subroutine write_line(user, line) bind(C, name='gwf_fortran_write_line')
    type(c_ptr), value :: user, line
    write (int(transfer(user, 0_c_intptr_t)), '(2a)') 'gwflux: ', f_text(line)
  end subroutine write_line

  ! Collective; a plugin that is free already is fine.
  subroutine free(self)
    class(gwf_plugin), intent(inout) :: self
    call c_plugin_free(self%handle)
    self%fault = ''
    if (allocated(self%blocks)) deallocate (self%blocks)
  end subroutine free

  subroutine refuse_copy(self, other)
    class(gwf_plugin), intent(inout) :: self
    type(gwf_plugin), intent(in) :: other
    if (c_associated(self%handle) .or. c_associated(other%handle)) &
      error stop 'gwflux: a plugin cannot be copied'
  end subroutine refuse_copy

  subroutine conclude(self, code, status, fault)
    class(gwf_plugin), intent(inout) :: self
    integer, intent(in) :: code
    integer, intent(out), optional :: status
    character(len=*), intent(in), optional :: fault
    self%fault = ''
    if (present(fault)) self%fault = fault
    if (present(status)) then
      status = code
    else if (code /= GWF_OK) then
      call give_status(code, self%message())
    end if
  end subroutine conclude

  ! --- arrays -----------------------------------------------------------------------------------

  ! put, get and add: the array's place in its block, then the call.
  subroutine move(self, act, name, units, x, block, is, js, level_dim, status)
    class(gwf_plugin), intent(inout) :: self
    procedure(c_put) :: act
    character(len=*), intent(in) :: name, units
    type(memory), intent(in) :: x
    integer, intent(in), optional :: block, is, js, level_dim
    integer, intent(out), optional :: status
    character(kind=c_char) :: c_name(64), c_units(64)
    character(len=160) :: fault
    type(gwf_window) :: window
    type(gwf_array) :: array
    window%block = 0
    if (present(block)) window%block = block - 1
    if (present(is)) window%i = is - 1
    if (present(js)) window%j = js - 1
    call self%place(x, present(is) .or. present(js), level_dim, window, array, fault)
    if (fault /= '') then
      call self%conclude(GWF_ERR_ARGUMENT, status, trim(name)//': '//fault)
      return
    end if
    call copy_text(name, c_name)
    call copy_text(units, c_units)
    call self%conclude(act(self%handle, c_name, c_units, window, array), status)
  end subroutine move

  ! Which of the array's dimensions are columns, which levels; fault /= '': what does not fit.
  subroutine place(self, x, windowed, level_dim, window, array, fault)
    class(gwf_plugin), intent(in) :: self
    type(memory), intent(in) :: x
    logical, intent(in) :: windowed
    integer, intent(in), optional :: level_dim
    type(gwf_window), intent(inout) :: window
    type(gwf_array), intent(out) :: array
    character(len=*), intent(out) :: fault
    type(block_shape) :: b
    integer :: dims(3), level, d, n
    fault = ''
    n = 0
    if (allocated(self%blocks)) n = size(self%blocks)
    if (window%block < 0 .or. window%block >= n) then
      write (fault, '(2(a, i0))') 'no block ', window%block + 1, ': registered are ', n
      return
    end if
    b = self%blocks(window%block + 1)
    level = x%rank
    if (present(level_dim)) level = level_dim
    if (x%rank == b%rank) level = 0
    if (x%rank < b%rank .or. x%rank > b%rank + 1 .or. level < x%rank - b%rank .or. level > x%rank) then
      write (fault, '(4(a, i0))') 'expected an array of rank ', b%rank, ' (surface) or ', &
        b%rank + 1, ', found rank ', x%rank, ', levels in dimension ', level
      return
    end if
    dims(:b%rank) = pack([1, 2, 3], [(d /= level .and. d <= x%rank, d=1, 3)])
    window%ni = merge(x%extent(dims(1)), b%ni, windowed)
    window%nj = b%nj
    if (b%rank == 2 .and. windowed) window%nj = x%extent(dims(2))
    if (x%extent(dims(1)) < window%ni .or. x%extent(dims(b%rank)) < merge(window%nj, 0, b%rank == 2)) &
      write (fault, '(a, 2(i0, a), 3(i0, :, " x "))') 'expected an array of ', window%ni, ' x ', &
      window%nj, ' columns, found ', x%extent(:x%rank)
    array%data = x%first
    array%kind = x%kind
    array%stride_i = x%stride(dims(1))
    if (b%rank == 2) array%stride_j = x%stride(dims(2))
    if (level > 0) array%levels = x%extent(level)
    if (level > 0) array%stride_level = x%stride(level)
  end subroutine place

  ! From one value to the next of a line of an array, in values.
  pure function stride_32(x) result(n)
    real(real32), intent(in), target :: x(:)
    integer(c_intptr_t) :: n
    n = 0
    if (size(x) > 1) n = bytes(c_loc(x(1)), c_loc(x(2)))/4
  end function stride_32

  pure function stride_64(x) result(n)
    real(real64), intent(in), target :: x(:)
    integer(c_intptr_t) :: n
    n = 0
    if (size(x) > 1) n = bytes(c_loc(x(1)), c_loc(x(2)))/8
  end function stride_64

  pure function bytes(from, to) result(n)
    type(c_ptr), intent(in) :: from, to
    integer(c_intptr_t) :: n
    n = transfer(to, n) - transfer(from, n)
  end function bytes

#define GWF_LAYOUT layout_32_1
#define GWF_PUT put_32_1
#define GWF_GET get_32_1
#define GWF_ADD add_32_1
#define GWF_KIND real32
#define GWF_SHAPE (:)
#define GWF_FIRST (1)
#define GWF_LINES stride(x)
#include "gwflux_arrays.inc"

#define GWF_LAYOUT layout_32_2
#define GWF_PUT put_32_2
#define GWF_GET get_32_2
#define GWF_ADD add_32_2
#define GWF_KIND real32
#define GWF_SHAPE (:, :)
#define GWF_FIRST (1, 1)
#define GWF_LINES stride(x(:, 1)), stride(x(1, :))
#include "gwflux_arrays.inc"

#define GWF_LAYOUT layout_32_3
#define GWF_PUT put_32_3
#define GWF_GET get_32_3
#define GWF_ADD add_32_3
#define GWF_KIND real32
#define GWF_SHAPE (:, :, :)
#define GWF_FIRST (1, 1, 1)
#define GWF_LINES stride(x(:, 1, 1)), stride(x(1, :, 1)), stride(x(1, 1, :))
#include "gwflux_arrays.inc"

#define GWF_LAYOUT layout_64_1
#define GWF_PUT put_64_1
#define GWF_GET get_64_1
#define GWF_ADD add_64_1
#define GWF_KIND real64
#define GWF_SHAPE (:)
#define GWF_FIRST (1)
#define GWF_LINES stride(x)
#include "gwflux_arrays.inc"

#define GWF_LAYOUT layout_64_2
#define GWF_PUT put_64_2
#define GWF_GET get_64_2
#define GWF_ADD add_64_2
#define GWF_KIND real64
#define GWF_SHAPE (:, :)
#define GWF_FIRST (1, 1)
#define GWF_LINES stride(x(:, 1)), stride(x(1, :))
#include "gwflux_arrays.inc"

#define GWF_LAYOUT layout_64_3
#define GWF_PUT put_64_3
#define GWF_GET get_64_3
#define GWF_ADD add_64_3
#define GWF_KIND real64
#define GWF_SHAPE (:, :, :)
#define GWF_FIRST (1, 1, 1)
#define GWF_LINES stride(x(:, 1, 1)), stride(x(1, :, 1)), stride(x(1, 1, :))
#include "gwflux_arrays.inc"
end module gwflux_plugin
