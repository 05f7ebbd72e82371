! Texts between Fortran and C, and what becomes of a status that nobody asked for.
module gwflux_text
  use, intrinsic :: iso_c_binding, only: c_char, c_f_pointer, c_associated, c_null_char, c_ptr, c_size_t
  use, intrinsic :: iso_fortran_env, only: error_unit
  use gwflux_c
  implicit none
  private
  public :: c_text, copy_text, f_text, give_status, gwf_status_name, gwf_status_text, gwf_version

  interface
    pure function strlen(text) bind(C, name='strlen') result(length)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
      integer(c_size_t) :: length
    end function strlen
  end interface

contains

  ! A text for a call to C, without the blanks at its end.
  pure function c_text(text) result(copy)
    character(len=*), intent(in) :: text
    character(kind=c_char, len=len_trim(text) + 1) :: copy
    copy = trim(text)//c_null_char
  end function c_text

  ! The same into an array, cut to its size: nothing is allocated.
  pure subroutine copy_text(text, copy)
    character(len=*), intent(in) :: text
    character(kind=c_char), intent(out) :: copy(:)
    integer :: i, n
    n = min(len_trim(text), size(copy) - 1)
    do i = 1, n
      copy(i) = text(i:i)
    end do
    copy(n + 1:) = c_null_char
  end subroutine copy_text

  ! A text that C owns; empty for a null pointer.
  function f_text(text) result(copy)
    type(c_ptr), intent(in) :: text
    character(len=:), allocatable :: copy
    character(kind=c_char), pointer :: letters(:)
    integer :: i, n
    n = 0
    if (c_associated(text)) n = int(strlen(text))
    allocate (character(len=n) :: copy)
    if (n == 0) return
    call c_f_pointer(text, letters, [n])
    do i = 1, n
      copy(i:i) = letters(i)
    end do
  end function f_text

  ! The end of every call: the status to who asked for it; else a failure ends the program.
  subroutine give_status(code, message, status)
    integer, intent(in) :: code
    character(len=*), intent(in) :: message
    integer, intent(out), optional :: status
    if (present(status)) then
      status = code
    else if (code /= GWF_OK) then
      write (error_unit, '(2a)') 'gwflux: error: ', message
      flush (error_unit)
      error stop 1
    end if
  end subroutine give_status

  ! "GWF_ERR_IO"
  function gwf_status_name(status) result(name)
    integer, intent(in) :: status
    character(len=:), allocatable :: name
    name = f_text(c_status_name(status))
  end function gwf_status_name

  function gwf_status_text(status) result(text)
    integer, intent(in) :: status
    character(len=:), allocatable :: text
    text = f_text(c_status_text(status))
  end function gwf_status_text

  ! Of the library that is linked.
  function gwf_version() result(version)
    character(len=:), allocatable :: version
    version = f_text(c_version())
  end function gwf_version
end module gwflux_text
