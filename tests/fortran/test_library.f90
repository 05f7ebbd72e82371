! Options and engines through the module, on the library itself. model.nc is in the current folder; the
! argument is configs/plugin.yaml, or `fail`: end with a failure that nobody asks for.
program test_library
  use, intrinsic :: iso_fortran_env, only: real32, real64
  use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
  use check, only: holds, says, done
  use gwflux
  implicit none
  character(len=512) :: argument
  call get_command_argument(1, argument)
  if (argument == 'fail') call fail_without_status
  call test_status
  call test_set
  call test_yaml
  call test_namelist
  call test_namelist_refusals
  call test_engine
  call test_engine_refusals
  call test_no_plugin
  call done('library')

contains

  subroutine fail_without_status
    type(gwf_engine) :: engine
    call engine%create('none.nc')
    stop 0
  end subroutine fail_without_status

  subroutine test_status
    call holds('name', gwf_status_name(GWF_ERR_STOPPED) == 'GWF_ERR_STOPPED')
    call holds('text', gwf_status_text(GWF_OK) == 'success')
    call holds('beyond the list', gwf_status_text(99) == 'unknown status')
    call says('version', gwf_version(), '0.1.')
  end subroutine test_status

  ! An option is taken when its bounds are what a wrong value is told.
  subroutine test_set
    type(gwf_options) :: options
    integer :: status
    call options%set('threads', 2)
    call options%set('interval', 1800.5d0)
    call options%set('cap', 0.5)
    call options%set('heating', .true.)
    call options%set('backend', 'ref   ')
    call options%set('threads', 5000, status)
    call refused(options, status, 'option threads: expected a number from 0 to 1024, found 5000')
    call options%set('interval', -1.5_real64, status)
    call refused(options, status, 'option interval: expected a number from 0 to 864000, found -1.5')
    call options%set('cap', -2.5_real32, status)
    call refused(options, status, 'option cap: expected a number from 0 to 1000, found -2.5')
    call options%set('top', .true., status)
    call refused(options, status, 'option top: expected deposit|taper, found on')
    call options%set('colour', 'red', status)
    call refused(options, status, 'option colour: there is none of that name')
    call options%free()
    call options%free()
  end subroutine test_set

  subroutine refused(options, status, words)
    type(gwf_options), intent(in) :: options
    integer, intent(in) :: status
    character(len=*), intent(in) :: words
    call holds('refused: '//words, status == GWF_ERR_ARGUMENT)
    call says('why', options%message(), words)
  end subroutine refused

  subroutine write_file(path, text)
    character(len=*), intent(in) :: path, text
    integer :: unit
    open (newunit=unit, file=path, status='replace', action='write')
    write (unit, '(a)') text
    close (unit)
  end subroutine write_file

  subroutine test_yaml
    type(gwf_options) :: options
    integer :: status
    call options%read_yaml(argument)
    call write_file('wrong.yaml', 'top: lid')
    call options%read_yaml('wrong.yaml', status)
    call refused(options, status, 'wrong.yaml: option top: expected deposit|taper, found lid')
    call options%read_yaml('none.yaml', status)
    call holds('no file', status == GWF_ERR_NOT_FOUND)
    call options%free()
  end subroutine test_yaml

  ! Every option, so that each is known to take its value; what is absent stays as it was.
  subroutine test_namelist
    type(gwf_options) :: options
    character(len=120) :: lines(7)
    integer :: unit
    lines(1) = "&gwflux backend = 'ref', precision = 'fp32', threads = 1, batch = 1, tune = 'off',"
    lines(2) = " cache = 'off', device = 0, ranks_per_device = 2, ranks = 1, tiles = 'auto', interval = 1800, remap = 'bilinear',"
    lines(3) = " remap_back = 'conservative', weights = 'a', weights_back = 'b', top = 'taper',"
    lines(4) = ' highest = 1., lowest = 9.e4, boundary_layer = 0.9, cap = 0.05,'
    lines(5) = " bad_input = 'hold', bad_output = 'zero', outside = 'host',"
    lines(6) = " outside_share = 2.5, heating = 'on', piggyback = 'on', report = 10"
    lines(7) = '/'
    call options%read_namelist(lines)
    call write_file('some.nml', "&other x = 1 /"//new_line('a')//"&gwflux report = 3 /")
    call options%read_namelist('some.nml')
    open (newunit=unit, file='some.nml', status='old', action='read')
    call options%read_namelist(unit)
    call options%read_namelist(unit)
    close (unit)
    call holds('no complaint', options%message() == '')
    call options%free()
  end subroutine test_namelist

  subroutine test_namelist_refusals
    type(gwf_options) :: options
    integer :: status
    character(len=20) :: other(1)
    call wrong('threads = 5000', 'option threads: expected a number from 0 to 1024, found 5000')
    call wrong("outside_share = -1.", 'option outside-share: expected a number from 0 to 100')
    call wrong('boundary_layer = nan', 'option boundary-layer: expected a number from 0 to 1')
    call wrong("bad_input = 'maybe'", 'option bad-input: expected error|hold|zero|host, found maybe')
    call wrong("colour = 'red'", 'wrong.nml: ')
    call wrong("threads = 'two'", 'wrong.nml: ')
    call write_file('wrong.nml', '&other x = 1 /')
    call options%read_namelist('wrong.nml', status)
    call refused(options, status, 'wrong.nml: expected a namelist &gwflux ... /, found none')
    call options%read_namelist('none.nml', status)
    call holds('no file', status == GWF_ERR_NOT_FOUND)
    call says('why', options%message(), 'none.nml: ')
    other = '&other /'
    call options%read_namelist(other, status)
    call refused(options, status, 'expected a namelist &gwflux')
    call options%set('threads', 1, status)
    call holds('none the worse', status == GWF_OK)
  end subroutine test_namelist_refusals

  subroutine wrong(group, words)
    character(len=*), intent(in) :: group, words
    type(gwf_options) :: options
    integer :: status
    call write_file('wrong.nml', '&gwflux '//group//' /')
    call options%read_namelist('wrong.nml', status)
    call refused(options, status, words)
  end subroutine wrong

  ! A map alone and the same map twice give the same fluxes, of the right size.
  subroutine test_engine
    type(gwf_engine) :: engine
    type(gwf_options) :: options
    type(gwf_shape) :: n
    real(real32), allocatable :: features(:, :, :), flux(:, :, :), normalised(:, :, :)
    real(real32), allocatable :: two(:, :, :, :), fluxes(:, :, :, :)
    integer :: i
    call options%set('backend', 'ref')
    call options%set('threads', 1)
    call engine%create('model.nc', options)
    n = engine%shape()
    call holds('shape', all([n%inputs, n%outputs, n%levels, n%lat, n%lon] == [366, 244, 122, 64, 128]))
    call says('description', engine%describe(), 'backend ref')
    allocate (features(n%lon, n%lat, n%inputs), flux(n%lon, n%lat, n%outputs))
    allocate (normalised(n%lon, n%lat, n%outputs), two(n%lon, n%lat, n%inputs, 2))
    allocate (fluxes(n%lon, n%lat, n%outputs, 2))
    features = reshape([(sin(real(i, real32)), i=1, size(features))], shape(features))
    two = spread(features, 4, 2)
    call engine%predict(features, flux)
    call engine%predict(two, fluxes)
    call engine%predict_normalised(features, normalised)
    call holds('finite', all(ieee_is_finite(flux)))
    call holds('not all the same', maxval(flux) > minval(flux))
    call holds('a batch', all(abs(fluxes(:, :, :, 2) - flux) <= 0))
    call holds('the cube of the normalised ones, scaled (uw)', &
      maxval(abs(normalised(:, :, :122)**3*0.0050768547_real32 - 0.000511247_real32 - flux(:, :, :122))) &
      <= 1e-5*maxval(abs(flux)))
    call engine%free()
    call options%free()
  end subroutine test_engine

  subroutine test_engine_refusals
    type(gwf_engine) :: engine
    type(gwf_options) :: options
    type(gwf_shape) :: n
    real(real32) :: few(2, 3, 4), flux(2, 3, 4), two(2, 3, 4, 2), one(2, 3, 4, 1)
    integer :: status
    few = 0
    flux = 0
    two = 0
    one = 0
    call engine%create('none.nc', status=status)
    call holds('no model', status == GWF_ERR_NOT_FOUND)
    call says('why', engine%message(), 'none.nc')
    n = engine%shape()
    call holds('no shape', n%inputs == 0 .and. n%lon == 0)
    call options%set('backend', 'ref')
    call engine%create('model.nc', options, status)
    call holds('created after all', status == GWF_OK)
    call engine%predict(few, flux, status)
    call holds('other shapes', status == GWF_ERR_ARGUMENT)
    call says('why', engine%message(), 'expected arrays of 128 x 64 x 366 and 128 x 64 x 244 values, &
              &found 2 x 3 x 4 and 2 x 3 x 4')
    call engine%predict(two, one, status)
    call holds('other shapes of several', status == GWF_ERR_ARGUMENT)
    call engine%predict_normalised(few, flux, status)
    call holds('other shapes of normalised ones', status == GWF_ERR_ARGUMENT)
  end subroutine test_engine_refusals

  ! A plugin that was never created, and one whose model is not there: every call says so.
  subroutine test_no_plugin
    type(gwf_plugin) :: plugin
    real(real64) :: x(3)
    integer :: status
    x = 0
    call plugin%run(0d0, 1d0, status)
    call holds('no plugin to run', status == GWF_ERR_ARGUMENT)
    call plugin%create(0, 'none.nc', status=status)
    call holds('no model', status == GWF_ERR_NOT_FOUND)
    call says('why', plugin%message(), 'none.nc')
    call plugin%columns(x, x, 'degrees', status=status)
    call holds('columns', status == GWF_ERR_ARGUMENT)
    call plugin%levels(10, status)
    call holds('levels', status == GWF_ERR_ARGUMENT)
    call plugin%ready(status)
    call holds('ready', status == GWF_ERR_ARGUMENT)
    call plugin%start(0d0, 1d0, status)
    call holds('start', status == GWF_ERR_ARGUMENT)
    call plugin%save('state.nc', status)
    call holds('save', status == GWF_ERR_ARGUMENT)
    call plugin%free()
    call plugin%free()
  end subroutine test_no_plugin
end program test_library
