! Structs of the module, each filled with 1, 2, 3, ... in the order of its members, and their sizes:
! for test_fortran_layout.c, which knows them from gwflux.h.
module layout
  use, intrinsic :: iso_c_binding
  use gwflux_c
  implicit none

contains

  subroutine fill_shape(x, bytes) bind(C)
    type(gwf_shape), intent(out) :: x
    integer(c_size_t), intent(out) :: bytes
    bytes = c_sizeof(x)
    x = gwf_shape(inputs=1, outputs=2, levels=3, lat=4, lon=5)
  end subroutine fill_shape

  subroutine fill_columns(x, bytes) bind(C)
    type(gwf_columns), intent(out) :: x
    integer(c_size_t), intent(out) :: bytes
    bytes = c_sizeof(x)
    x = gwf_columns(ni=1, nj=2, lat=pointer_of(3), lon=pointer_of(4), units=pointer_of(5), &
                    id=pointer_of(6))
  end subroutine fill_columns

  subroutine fill_array(x, bytes) bind(C)
    type(gwf_array), intent(out) :: x
    integer(c_size_t), intent(out) :: bytes
    bytes = c_sizeof(x)
    x = gwf_array(data=pointer_of(1), kind=GWF_REAL32, levels=3, stride_i=4, stride_j=5, &
                  stride_level=6)
  end subroutine fill_array

  subroutine fill_window(x, bytes) bind(C)
    type(gwf_window), intent(out) :: x
    integer(c_size_t), intent(out) :: bytes
    bytes = c_sizeof(x)
    x = gwf_window(block=1, i=2, j=3, ni=4, nj=5)
  end subroutine fill_window

  subroutine fill_counters(x, bytes) bind(C)
    type(gwf_counters), intent(out) :: x
    integer(c_size_t), intent(out) :: bytes
    bytes = c_sizeof(x)
    x = gwf_counters(steps=1, computed=2, held=3, zeroed=4, host=5, bad_input=6, bad_output=7, &
                     outside=8, capped=9, largest=10.5_c_double, &
                     seconds=[11.5_c_double, 12.5_c_double, 13.5_c_double, 14.5_c_double])
  end subroutine fill_counters

  function pointer_of(number) result(pointer)
    integer, intent(in) :: number
    type(c_ptr) :: pointer
    pointer = transfer(int(number, c_intptr_t), c_null_ptr)
  end function pointer_of
end module layout
