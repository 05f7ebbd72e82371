/* Loops on several threads where OpenMP is linked, on one where not. */
#ifndef GWF_FIELDS_THREADS_H
#define GWF_FIELDS_THREADS_H

#ifdef _OPENMP
#include <omp.h>

#define GWF_PRAGMA(text) _Pragma(#text)
/* Before a for loop whose turns are independent. */
#define GWF_PARALLEL(n) GWF_PRAGMA(omp parallel for num_threads(n) schedule(static))
/* The same, with a sum over the turns. */
#define GWF_PARALLEL_SUM(n, sum)                                                                   \
    GWF_PRAGMA(omp parallel for num_threads(n) schedule(static) reduction(+ : sum))

/* asked > 0, or as many as OpenMP gives. */
static inline int gwf_threads(int asked)
{
    return asked > 0 ? asked : omp_get_max_threads();
}

static inline int gwf_thread_number(void)
{
    return omp_get_thread_num();
}
#else
#define GWF_PRAGMA(text)
#define GWF_PARALLEL(n)
#define GWF_PARALLEL_SUM(n, sum)

static inline int gwf_threads(int asked)
{
    (void)asked;
    return 1;
}

static inline int gwf_thread_number(void)
{
    return 0;
}
#endif

#endif
