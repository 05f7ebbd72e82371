! In the place of the module of that name which CCPP generates.
module ccpp_kinds
  use, intrinsic :: iso_fortran_env, only: kind_phys => real64
  implicit none
  private
  public :: kind_phys
end module ccpp_kinds
