! What the module hands over: blocks, windows, arrays of every kind, rank and stride, against mock.c,
! where each value must be what its place says.
module mock
  use, intrinsic :: iso_c_binding
  use gwflux_c, only: gwf_window
  implicit none
  integer(c_int), bind(C, name='mock_blocks') :: blocks
  integer(c_int), bind(C, name='mock_ni') :: ni(8)
  integer(c_int), bind(C, name='mock_nj') :: nj(8)
  integer(c_int), bind(C, name='mock_id') :: id(8)
  integer(c_int), bind(C, name='mock_wrong') :: wrong
  integer(c_int), bind(C, name='mock_seen') :: seen
  integer(c_int), bind(C, name='mock_levels') :: levels
  integer(c_int), bind(C, name='mock_communicator') :: communicator
  real(c_double), bind(C, name='mock_lat') :: lat(8)
  real(c_double), bind(C, name='mock_lon') :: lon(8)
  character(kind=c_char), bind(C, name='mock_field') :: field(64)
  character(kind=c_char), bind(C, name='mock_units') :: units(64)
  character(kind=c_char), bind(C, name='mock_text') :: text(64)
  type(gwf_window), bind(C, name='mock_window') :: window

  interface
    function allocations() bind(C, name='test_allocations')
      import :: c_long
      integer(c_long) :: allocations
    end function allocations
  end interface

contains

  function word(letters)
    character(kind=c_char), intent(in) :: letters(:)
    character(len=:), allocatable :: word
    integer :: i
    word = ''
    do i = 1, size(letters)
      if (letters(i) == c_null_char) exit
      word = word//letters(i)
    end do
  end function word

  ! The last call saw n values, all of them right.
  logical function right(n)
    integer, intent(in) :: n
    right = wrong == 0 .and. seen == n
  end function right
end module mock

program test_arrays
  use, intrinsic :: iso_fortran_env, only: real32, real64
  use mock
  use check, only: holds, says, done
  use gwflux
#ifdef GWF_MPI_F08
  use mpi_f08, only: MPI_Comm
#endif
  implicit none
  integer, parameter :: LIST = 1, DOMAIN = 2, EMPTY = 3, SECOND = 4
  type(gwf_plugin) :: plugin

  call test_create
  call test_columns
  call test_levels_and_grid
  call test_lists
  call test_domains
  call test_windows
  call test_sections
  call test_no_allocations
  call test_results
  call test_refusals
  call test_the_rest
  call plugin%free()
  call plugin%free()
  call done('arrays')

contains

  ! The value of column i, j at level k, all from 1.
  elemental function code(block, i, j, k)
    integer, intent(in) :: block, i, j, k
    real(real64) :: code
    code = (block - 1)*10000000 + (i - 1) + 100*(j - 1) + 10000*(k - 1)
  end function code

  ! (levels) of a list, (n, levels) in all.
  function list_field(n, levels) result(x)
    integer, intent(in) :: n, levels
    real(real64) :: x(n, levels)
    integer :: i, k
    x = reshape([((code(LIST, i, 1, k), i=1, n), k=1, levels)], shape(x))
  end function list_field

  function domain_field(block, ni, nj, levels) result(x)
    integer, intent(in) :: block, ni, nj, levels
    real(real64) :: x(ni, nj, levels)
    integer :: i, j, k
    x = reshape([(((code(block, i, j, k), i=1, ni), j=1, nj), k=1, levels)], shape(x))
  end function domain_field

  subroutine test_create
    integer :: status
    type(gwf_plugin) :: nothing
#ifdef GWF_MPI_F08
    type(MPI_Comm) :: comm
    comm%MPI_VAL = 4711
    call plugin%create(comm, 'f08.nc')
    call holds('communicator of mpi_f08', communicator == 4711 .and. word(text) == 'f08.nc')
#endif
    call plugin%create(815, 'model.nc   ', status=status)
    call holds('created', status == GWF_OK)
    call holds('communicator', communicator == 815)
    call holds('path without blanks at its end', word(text) == 'model.nc')
    call nothing%columns([1.0d0], [1.0d0], 'degrees', status=status)
    call holds('columns of no plugin', status == GWF_ERR_ARGUMENT)
    call nothing%put('u', 'm s-1', [1.0d0], status=status)
    call holds('put into no plugin', status == GWF_ERR_ARGUMENT)
    call says('and why', nothing%message(), 'u: no block 1: registered are 0')
  end subroutine test_create

  subroutine test_columns
    real(real64) :: two(5, 3)
    integer :: block, i
    call plugin%columns([1.5d0, 2.5d0, 3.5d0, 9d0], [4d0, 5d0, 6d0, 9d0], 'radians', &
                        ids=[7, 8, 9, 0], ncol=3, block=block)
    call holds('a list', block == LIST .and. ni(1) == 3 .and. nj(1) == 1 .and. word(units) == 'radians')
    call holds('its last column', same(lat(1), 3.5d0) .and. same(lon(1), 6d0) .and. id(1) == 9)
    two = reshape([(real(i, real64), i=1, 15)], shape(two))
    call plugin%columns(two, two + 100, 'degrees', block=block)
    call holds('a domain', block == DOMAIN .and. ni(2) == 5 .and. nj(2) == 3)
    call holds('its last column', same(lat(2), 15d0) .and. same(lon(2), 115d0) .and. id(2) == -1)
    call plugin%columns(two(1:0, 1), two(1:0, 1), 'degrees')
    call holds('no columns', blocks == EMPTY .and. ni(3) == 0)
    call plugin%columns(real(two(::2, ::2), real32), real(two(2:, 2:3), real32), 'degrees', block=block, &
                        ids=reshape([1, 2, 3, 4, 5, 6], [3, 2]), status=i)
    call holds('two shapes are refused', i == GWF_ERR_ARGUMENT .and. blocks == EMPTY)
    call says('and why', plugin%message(), 'not of one shape')
    call plugin%columns(real(two(::2, ::2), real32), real(two(::2, ::2), real32), 'degrees', &
                        block=block, ids=reshape([1, 2, 3, 4, 5, 6], [3, 2]))
    call holds('sections in single precision', block == SECOND .and. ni(4) == 3 .and. nj(4) == 2)
    call holds('their last column', same(lat(4), 15d0) .and. id(4) == 6)
    call plugin%columns([1d0], [1d0], 'degrees', ncol=2, status=i)
    call holds('more columns than values', i == GWF_ERR_ARGUMENT)
    call plugin%columns([1d0, 2d0], [1d0, 2d0], 'degrees', ids=[1], status=i)
    call holds('more columns than ids', i == GWF_ERR_ARGUMENT)
  end subroutine test_columns

  subroutine test_levels_and_grid
    real(real64) :: a(4)
    integer :: status
    a = [1d0, 2d0, 3d0, 4d0]
    call plugin%levels(40)
    call holds('a number of levels', levels == 40 .and. same(lat(1), -1d0) .and. same(lon(1), -1d0))
    call plugin%levels(a(4:1:-1), a)
    call holds('coefficients', levels == 4 .and. same(lat(1), 1d0) .and. same(lon(1), 4d0))
    call plugin%levels(real(a(:3), real32), real(a(2:), real32))
    call holds('in single precision', levels == 3 .and. same(lat(1), 3d0) .and. same(lon(1), 4d0))
    call plugin%levels(a, a(2:), status)
    call holds('more a than b', status == GWF_ERR_ARGUMENT)
    call plugin%grid(a(3:1:-2), a(2:3))
    call holds('a grid', same(lat(1), 1003d0) .and. same(lon(1), 3002d0))
    call plugin%grid(real(a(3:1:-2), real32), real(a(2:3), real32))
    call holds('in single precision', same(lat(1), 1003d0) .and. same(lon(1), 3002d0))
  end subroutine test_levels_and_grid

  ! Columns of block 1, three of them.
  subroutine test_lists
    real(real64) :: x(3, 4), wide(8, 4), flat(6)
    real(real32) :: turned(4, 3)
    x = list_field(3, 4)
    call plugin%put('u', 'm s-1', x)
    call holds('a list', right(12) .and. levels == 4)
    call holds('its names', word(field) == 'u' .and. word(units) == 'm s-1')
    wide = -1
    wide(:3, :) = x
    call plugin%put('u', 'm s-1', wide)
    call holds('padded columns', right(12))
    call plugin%put('zs', 'm2 s-2', wide(:, 1))
    call holds('at the surface, padded', right(3) .and. levels == 1)
    flat(1::2) = x(:, 1)
    call plugin%put('zs', 'm2 s-2', flat(1::2))
    call holds('at the surface, every second value', right(3))
    call plugin%put('u', 'm s-1', x(:, 1:1))
    call holds('one level', right(3) .and. levels == 1)
    turned = transpose(real(x, real32))
    call plugin%put('u', 'm s-1', turned, level_dim=1)
    call holds('levels first, in single precision', right(12) .and. levels == 4)
    call plugin%put('u', 'm s-1', x, is=1)
    call holds('a window that is all', right(12))
    call plugin%put('u', 'm s-1', x(2:, :), is=2)
    call holds('a window from the second column', right(8) .and. window%i == 1 .and. window%ni == 2)
  end subroutine test_lists

  subroutine test_domains
    real(real64) :: x(5, 3, 2), levels_first(2, 5, 3), between(5, 2, 3)
    x = domain_field(DOMAIN, 5, 3, 2)
    call plugin%put('u', 'm s-1', x, block=DOMAIN)
    call holds('a domain', right(30))
    call plugin%put('u', 'm s-1', real(x, real32), block=DOMAIN)
    call holds('a value in single precision', right(30))
    call plugin%put('zs', 'm2 s-2', x(:, :, 1), block=DOMAIN)
    call holds('its surface', right(15) .and. levels == 1)
    levels_first = reshape(x, shape(levels_first), order=[2, 3, 1])
    call plugin%put('u', 'm s-1', levels_first, block=DOMAIN, level_dim=1)
    call holds('levels first', right(30))
    between = reshape(x, shape(between), order=[1, 3, 2])
    call plugin%put('u', 'm s-1', between, block=DOMAIN, level_dim=2)
    call holds('levels between', right(30))
    call plugin%put('u', 'm s-1', x(1:0, 1:0, :), block=DOMAIN, is=1, js=1)
    call holds('an empty window', right(0))
    call plugin%put('u', 'm s-1', x(1:0, 1, :), block=EMPTY)
    call holds('an empty block', right(0))
  end subroutine test_domains

  subroutine test_windows
    real(real64) :: x(5, 3, 2)
    integer :: is, js
    x = domain_field(DOMAIN, 5, 3, 2)
    do js = 1, 3
      do is = 1, 5, 2
        call plugin%put('u', 'm s-1', x(is:min(is + 1, 5), js:js, :), DOMAIN, is, js)
        call holds('a window', right(merge(4, 2, is < 5)) .and. window%i == is - 1 .and. window%j == js - 1)
      end do
    end do
    call plugin%put('zs', 'm2 s-2', x(2:3, :, 1), DOMAIN, is=2)
    call holds('a window of the surface', right(6) .and. window%nj == 3)
    call plugin%put('zs', 'm2 s-2', x(:, 3:3, 1), DOMAIN, js=3)
    call holds('a row of the surface', right(5))
  end subroutine test_windows

  ! No section is copied, whatever its strides.
  subroutine test_sections
    real(real64) :: big(0:9, 2:7, 3), down(5, 3, 2)
    real(real32), allocatable :: single(:, :, :)
    type :: cell
      real(real64) :: other, value
      integer :: more
    end type cell
    type(cell) :: cells(5, 3, 2)
    big = -1
    big(1:9:2, 2:6:2, 1:3:2) = domain_field(DOMAIN, 5, 3, 2)
    call plugin%put('u', 'm s-1', big(1:9:2, 2:6:2, 1:3:2), DOMAIN)
    call holds('every second', right(30))
    down = domain_field(DOMAIN, 5, 3, 2)
    down = down(5:1:-1, 3:1:-1, 2:1:-1)
    call plugin%put('u', 'm s-1', down(5:1:-1, 3:1:-1, 2:1:-1), DOMAIN)
    call holds('backward', right(30))
    allocate (single(-3:1, 3, 2))
    single = real(domain_field(DOMAIN, 5, 3, 2), real32)
    single = single(:, 3:1:-1, :)
    call plugin%put('u', 'm s-1', single(:, 3:1:-1, :), DOMAIN)
    call holds('rows backward, in single precision', right(30))
    cells%other = -1
    cells%value = domain_field(DOMAIN, 5, 3, 2)
    call plugin%put('u', 'm s-1', cells%other, DOMAIN)
    call holds('another member', wrong == 30)
  end subroutine test_sections

  ! A step through the module allocates nothing: sections are not copied.
  subroutine test_no_allocations
    real(real64) :: big(0:9, 2:7, 3)
    real(real32) :: single(5, 3, 2)
    integer(c_long) :: before
    integer :: status
    big = -1
    big(1:9:2, 2:6:2, 1:3:2) = domain_field(DOMAIN, 5, 3, 2)
    single = real(domain_field(DOMAIN, 5, 3, 2), real32)
    before = allocations()
    call plugin%put('u', 'm s-1', big(1:9:2, 2:6:2, 1:3:2), DOMAIN)
    call plugin%put('u', 'm s-1', single, DOMAIN, status=status)
    call plugin%get('du', 'm s-2', big(1:9:2, 2:6:2, 1:3:2), DOMAIN)
    call plugin%add('du', 'm s-2', big(1:9:2, 2:6:2, 1:3:2), DOMAIN, status=status)
    call holds('nothing allocated', allocations() == before)
  end subroutine test_no_allocations

  subroutine test_results
    real(real64) :: x(6, 4), surface(5, 3), inside(5, 3, 2)
    real(real32) :: y(5, 3, 2), z(6)
    x = -1
    call plugin%get('du', 'm s-2', x)
    call holds('got', all(abs(x(:3, :) - list_field(3, 4)) <= 0))
    call holds('padding is left alone', all(abs(x(4:, :) + 1) <= 0))
    call holds('its names', word(field) == 'du' .and. word(units) == 'm s-2')
    call plugin%add('du', 'm s-2', x)
    call holds('added', all(abs(x(:3, :) - 2*list_field(3, 4)) <= 0))
    y = 1
    call plugin%add('du', 'm s-2', y(5:1:-1, :, :), DOMAIN)
    call holds('added backward', all(abs(y(5:1:-1, :, :) - 1 - domain_field(DOMAIN, 5, 3, 2)) <= 0))
    y = 0
    call plugin%add('du', 'm s-2', y(2:3, 2:3, :), DOMAIN, 2, 2)
    inside = 0
    inside(2:3, 2:3, :) = 1
    call holds('added to a window', all(abs(y - inside*domain_field(DOMAIN, 5, 3, 2)) <= 0))
    call plugin%get('flag', '1', surface, DOMAIN)
    call holds('a surface', all(abs(surface - reshape(domain_field(DOMAIN, 5, 3, 1), [5, 3])) <= 0))
    call plugin%add('flag', '1', surface, DOMAIN)
    call holds('added to a surface', abs(surface(5, 3) - 2*code(DOMAIN, 5, 3, 1)) <= 0)
    z = -1
    call plugin%get('flag', '1', z)
    call plugin%add('flag', '1', z)
    call holds('a list at the surface', nint(z(3)) == 4 .and. nint(z(4)) == -1)
    y(:, :, 1) = -1
    call plugin%get('du', 'm s-2', y(:, :, 1))
    call holds('a list in single precision', nint(y(3, 3, 1)) == 20002 .and. nint(y(4, 3, 1)) == -1)
    call plugin%add('du', 'm s-2', y(:, :, 1))
    call holds('added in single precision', nint(y(3, 3, 1)) == 40004)
  end subroutine test_results

  subroutine test_refusals
    real(real64) :: x(5, 3, 2)
    integer :: status
    x = 0
    call plugin%put('u', 'm s-1', x, 9, status=status)
    call refused(status, 'no block 9: registered are 4')
    call plugin%put('u', 'm s-1', x, 0, status=status)
    call refused(status, 'no block 0')
    call plugin%put('u', 'm s-1', x, status=status)
    call refused(status, 'expected an array of rank 1 (surface) or 2, found rank 3')
    call plugin%put('u', 'm s-1', x(:, 1, 1), DOMAIN, status=status)
    call refused(status, 'expected an array of rank 2 (surface) or 3, found rank 1')
    call plugin%put('u', 'm s-1', x, DOMAIN, level_dim=4, status=status)
    call refused(status, 'levels in dimension 4')
    call plugin%put('u', 'm s-1', x, DOMAIN, level_dim=0, status=status)
    call refused(status, 'levels in dimension 0')
    call plugin%put('u', 'm s-1', x(:, 1:2, :), DOMAIN, status=status)
    call refused(status, 'expected an array of 5 x 3 columns, found 5 x 2 x 2')
    call plugin%put('u', 'm s-1', x(:2, :, 1), status=status)
    call refused(status, 'expected an array of 3 x 1 columns, found 2 x 3')
    call plugin%put('refused', 'm', x(:, :, 1), status=status)
    call holds('refused by the library', status == GWF_ERR_MISMATCH)
    call says('its message', plugin%message(), "the mock's message")
  end subroutine test_refusals

  subroutine refused(status, words)
    integer, intent(in) :: status
    character(len=*), intent(in) :: words
    call holds('refused: '//words, status == GWF_ERR_ARGUMENT)
    call says('why', plugin%message(), 'u: ')
    call says('why', plugin%message(), words)
  end subroutine refused

  subroutine test_the_rest
    type(gwf_counters) :: c
    character(len=:), allocatable :: lines
    character(len=80) :: line
    integer :: status, unit
    call plugin%ready()
    call holds('due', plugin%due(101d0))
    call holds('not due', .not. plugin%due(99d0))
    call plugin%run(20d0, 10d0)
    call plugin%run(10d0, 20d0, status)
    call holds('time and step', status == GWF_ERR_ARGUMENT)
    call plugin%start(20d0, 10d0)
    call plugin%start(10d0, 20d0, status)
    call holds('time and step of start', status == GWF_ERR_ARGUMENT)
    call plugin%finish()
    call plugin%save('a')
    call holds('save', word(text) == 'save a')
    call plugin%load('b ')
    call holds('load', word(text) == 'load b')
    call plugin%capture('c')
    call holds('capture', word(text) == 'capture c')
    call plugin%counters(c)
    call holds('counters', c%steps == 7 .and. same(c%seconds(4), 2.5d0))
    call plugin%report(lines)
    call holds('report', lines == 'u 1'//new_line('a')//'v 2')
    open (newunit=unit, status='scratch', action='readwrite')
    call plugin%log(unit)
    rewind (unit)
    read (unit, '(a)') line
    call holds('log', line == 'gwflux: a line of the log')
    close (unit)
  end subroutine test_the_rest

  pure logical function same(a, b)
    real(real64), intent(in) :: a, b
    same = abs(a - b) <= 0
  end function same
end program test_arrays
