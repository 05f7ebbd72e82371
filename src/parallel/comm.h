/* Communicators of our own: a duplicate of what we were given, so that no message of ours meets one
 * of a host's. A communicator of one rank needs no MPI at all: a program that no launcher started
 * never initialises it.
 *
 * Calls are collective over the communicator unless they say local. MPI's own failures come back
 * as BACKEND with MPI's text. */
#ifndef GWF_PARALLEL_COMM_H
#define GWF_PARALLEL_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"

typedef struct gwf_comm gwf_comm;

/* Local: did mpirun, srun or their like start this process as a rank? The reason why not to go on
 * (several tasks that know nothing of each other) is UNSUPPORTED. */
gwf_status gwf_mpi_launched(bool *launched, gwf_error *err);

/* Local: the rank that the launcher has told this process; 0 without one. For messages before MPI
 * has started. */
int gwf_mpi_expected_rank(void);

/* For the command: MPI itself, with threads that may all call it; at the end, after every
 * communicator is freed. BACKEND when MPI does not grant the threads. */
gwf_status gwf_mpi_start(gwf_error *err);
void gwf_mpi_end(void);

/* Local: this process alone; rank 0 of 1. */
gwf_status gwf_comm_alone(gwf_comm **comm, gwf_error *err);
/* All ranks that were started together. */
gwf_status gwf_comm_world(gwf_comm **comm, gwf_error *err);
/* A duplicate of a host's communicator: its Fortran handle. Alone where MPI has not started. */
gwf_status gwf_comm_of_host(int handle, gwf_comm **comm, gwf_error *err);
/* The ranks with the same colour (>= 0), in the order of their keys; a negative colour: none, and
 * *part is NULL. */
gwf_status gwf_comm_split(const gwf_comm *comm, int colour, int key, gwf_comm **part,
                          gwf_error *err);
/* The ranks that share this one's memory. */
gwf_status gwf_comm_split_node(const gwf_comm *comm, gwf_comm **node, gwf_error *err);
/* Collective; NULL is fine. */
void gwf_comm_free(gwf_comm **comm);

/* Local: may several threads call MPI at the same time? True where it has not started. */
bool gwf_mpi_threads(void);

/* Local. */
int gwf_comm_rank(const gwf_comm *comm);
int gwf_comm_size(const gwf_comm *comm);
/* What messages call a rank of comm: its number among all that were started. */
int gwf_comm_named(const gwf_comm *comm, int rank);

/* Everyone gets the status and text of the lowest rank that failed, or OK when none did. Where
 * there are several ranks the text begins with "rank N: ", N counted among all that were started;
 * one that an earlier agreement has put there stays as it is. */
gwf_status gwf_agree(const gwf_comm *comm, gwf_status mine, gwf_error *err);

/* From rank `root` to all. */
gwf_status gwf_comm_broadcast(const gwf_comm *comm, void *data, size_t bytes, int root,
                              gwf_error *err);

/* A number from rank 0 to all; who has to wait for it does so asleep. */
gwf_status gwf_comm_order(const gwf_comm *comm, int *order, gwf_error *err);

/* bytes of every rank, any number, one behind the other in the order of the ranks, to rank 0's all
 * (NULL elsewhere), and back. Up to 2 GiB in all. */
gwf_status gwf_comm_gather(const gwf_comm *comm, const void *mine, size_t bytes, void *all,
                           gwf_error *err);
gwf_status gwf_comm_scatter(const gwf_comm *comm, const void *all, void *mine, size_t bytes,
                            gwf_error *err);

/* In place, over all ranks: the largest, the sum of n values. */
gwf_status gwf_comm_max(const gwf_comm *comm, double *values, int n, gwf_error *err);
gwf_status gwf_comm_sum(const gwf_comm *comm, double *values, int n, gwf_error *err);

#endif
