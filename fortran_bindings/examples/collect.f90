! The output of the example hosts: columns from all ranks, wherever they lie, into one file in the
! order of the global grid.
module collect
  use, intrinsic :: iso_fortran_env, only: error_unit, real64
  use mpi
  use sample, only: NLAT, NLON
  implicit none
  private
  public :: output, expect, read_columns

  type :: output
    private
    integer :: comm = MPI_COMM_NULL, unit = 0
  contains
    procedure :: open => open_output
    procedure :: write => write_columns
    procedure :: close => close_output
  end type output

contains

  subroutine open_output(self, comm, path)
    class(output), intent(inout) :: self
    integer, intent(in) :: comm
    character(len=*), intent(in) :: path
    self%comm = comm
    if (rank_of(comm) == 0) &
      open (newunit=self%unit, file=trim(path), access='stream', form='unformatted', status='replace', &
            action='write')
  end subroutine open_output

  ! values (levels, columns); ids: of the columns in the whole grid, from 1. Collective.
  subroutine write_columns(self, ids, values)
    class(output), intent(in) :: self
    integer, intent(in) :: ids(:)
    real(real64), intent(in), contiguous :: values(:, :)
    integer, allocatable :: counts(:), starts(:), all_ids(:)
    real(real64), allocatable :: all_values(:, :), sorted(:, :)
    integer :: levels, n, ranks, r, error
    levels = size(values, 1)
    call MPI_Comm_size(self%comm, ranks, error)
    allocate (counts(ranks), starts(ranks))
    call MPI_Allgather(size(ids), 1, MPI_INTEGER, counts, 1, MPI_INTEGER, self%comm, error)
    starts(1) = 0
    do r = 2, ranks
      starts(r) = starts(r - 1) + counts(r - 1)
    end do
    n = sum(counts)
    allocate (all_ids(n), all_values(levels, n), sorted(levels, n))
    call MPI_Gatherv(ids, size(ids), MPI_INTEGER, all_ids, counts, starts, MPI_INTEGER, 0, self%comm, &
                     error)
    call MPI_Gatherv(values, size(values), MPI_DOUBLE_PRECISION, all_values, counts*levels, &
                     starts*levels, MPI_DOUBLE_PRECISION, 0, self%comm, error)
    if (rank_of(self%comm) /= 0) return
    sorted(:, all_ids) = all_values
    write (self%unit) sorted
  end subroutine write_columns

  subroutine close_output(self)
    class(output), intent(inout) :: self
    if (self%unit /= 0) close (self%unit)
    self%unit = 0
  end subroutine close_output

  ! The columns with these ids of the record number `record` that write_columns() has written. Local.
  subroutine read_columns(path, record, ids, values)
    character(len=*), intent(in) :: path
    integer, intent(in) :: record, ids(:)
    real(real64), intent(out) :: values(:, :)
    real(real64), allocatable :: all_values(:, :)
    integer :: unit, bytes
    allocate (all_values(size(values, 1), NLAT*NLON))
    bytes = 8*size(all_values)
    open (newunit=unit, file=trim(path), access='stream', form='unformatted', status='old', &
          action='read')
    read (unit, pos=1 + (record - 1)*bytes) all_values
    close (unit)
    values = all_values(:, ids)
  end subroutine read_columns

  ! The largest of all ranks' values must be at most `most`; rank 0 says what it is.
  subroutine expect(comm, what, value, most)
    integer, intent(in) :: comm
    character(len=*), intent(in) :: what
    real(real64), intent(in) :: value, most
    real(real64) :: mine, largest
    integer :: error
    mine = value
    if (.not. mine <= huge(mine)) mine = huge(mine) ! NaN too
    call MPI_Allreduce(mine, largest, 1, MPI_DOUBLE_PRECISION, MPI_MAX, comm, error)
    if (rank_of(comm) == 0) print '(2a, es10.2, a, es9.1)', what, ':', largest, ', at most', most
    if (largest <= most) return
    if (rank_of(comm) == 0) write (error_unit, '(2a)') 'not so: ', what
    call MPI_Abort(comm, 1, error)
  end subroutine expect

  integer function rank_of(comm)
    integer, intent(in) :: comm
    integer :: error
    call MPI_Comm_rank(comm, rank_of, error)
  end function rank_of
end module collect
