/* How often the library has asked for memory: for tests of what must not. The program is linked so
 * that calls of malloc() and its kin from our own objects come by here (CMake:
 * gwf_count_allocations); those of other libraries do not. */
#ifndef GWF_TESTS_ALLOCATIONS_H
#define GWF_TESTS_ALLOCATIONS_H

/* Since the start, on all threads. */
long test_allocations(void);

#endif
