! Checks for test programs in Fortran: say what failed, count; the last one ends the program.
module check
  use, intrinsic :: iso_fortran_env, only: error_unit, output_unit
  implicit none
  private
  public :: holds, says, done

  integer :: checks = 0, failures = 0

contains

  subroutine holds(what, true)
    character(len=*), intent(in) :: what
    logical, intent(in) :: true
    checks = checks + 1
    if (true) return
    failures = failures + 1
    write (error_unit, '(2a)') 'not so: ', what
  end subroutine holds

  ! The text has these words.
  subroutine says(what, text, words)
    character(len=*), intent(in) :: what, text, words
    call holds(what//': "'//text//'" should have "'//words//'"', index(text, words) > 0)
  end subroutine says

  subroutine done(name)
    character(len=*), intent(in) :: name
    write (output_unit, '(2a, 2(i0, a))') name, ': ', checks - failures, ' passed, ', failures, ' failed'
    flush (output_unit)
    if (checks == 0 .or. failures > 0) error stop 1
  end subroutine done
end module check
