// MPI, for ranks on one machine or many. Its handles and constants are macros, and its communicators are pointers in Open
// MPI and integers in MPICH: Swift sees a structure and functions instead.
#ifndef CPT_CMPI_SHIM_H
#define CPT_CMPI_SHIM_H
#include <mpi.h>

typedef struct {
  MPI_Comm handle;
} cpt_communicator;

// 0, or an error class. All calls come from one thread at a time.
static inline int cpt_mpi_start(void) {
  int provided = 0;
  int error = MPI_Init_thread(0, 0, MPI_THREAD_SERIALIZED, &provided);
  return error != MPI_SUCCESS ? error : provided < MPI_THREAD_SERIALIZED ? MPI_ERR_OTHER : MPI_SUCCESS;
}
static inline void cpt_mpi_finish(void) { MPI_Finalize(); }
static inline void cpt_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

// At most `size` bytes of the library's name and version.
static inline int cpt_mpi_library(char *text) {
  int length = 0;
  MPI_Get_library_version(text, &length);
  return length;
}
static inline int cpt_mpi_library_size(void) { return MPI_MAX_LIBRARY_VERSION_STRING; }

static inline cpt_communicator cpt_mpi_world(void) {
  cpt_communicator result = {MPI_COMM_WORLD};
  return result;
}
static inline int cpt_mpi_rank(cpt_communicator ranks) {
  int rank = 0;
  MPI_Comm_rank(ranks.handle, &rank);
  return rank;
}
static inline int cpt_mpi_size(cpt_communicator ranks) {
  int size = 0;
  MPI_Comm_size(ranks.handle, &size);
  return size;
}

// The ranks with the same number, in their order; and those that share memory.
static inline cpt_communicator cpt_mpi_split(cpt_communicator ranks, int group) {
  cpt_communicator result;
  MPI_Comm_split(ranks.handle, group, 0, &result.handle);
  return result;
}
static inline cpt_communicator cpt_mpi_node(cpt_communicator ranks) {
  cpt_communicator result;
  MPI_Comm_split_type(ranks.handle, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &result.handle);
  return result;
}

static inline void cpt_mpi_exchange_floats(
    cpt_communicator ranks, const float *sent, const int *sent_counts, const int *sent_starts, float *received,
    const int *received_counts, const int *received_starts) {
  MPI_Alltoallv(
      sent, sent_counts, sent_starts, MPI_FLOAT, received, received_counts, received_starts, MPI_FLOAT, ranks.handle);
}
// Every rank's part of `values`, which already has this rank's own in its place.
static inline void cpt_mpi_gather_floats(cpt_communicator ranks, float *values, const int *counts, const int *starts) {
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, values, counts, starts, MPI_FLOAT, ranks.handle);
}
static inline void cpt_mpi_gather_count(cpt_communicator ranks, int count, int *counts) {
  MPI_Allgather(&count, 1, MPI_INT, counts, 1, MPI_INT, ranks.handle);
}
static inline void cpt_mpi_gather_bytes(
    cpt_communicator ranks, const void *bytes, int count, void *received, const int *counts, const int *starts) {
  MPI_Allgatherv(bytes, count, MPI_BYTE, received, counts, starts, MPI_BYTE, ranks.handle);
}

static inline void cpt_mpi_send(cpt_communicator ranks, const void *bytes, int count, int receiver) {
  MPI_Send(bytes, count, MPI_BYTE, receiver, 0, ranks.handle);
}
// Whether a message has arrived, and from whom and how long it is.
static inline int cpt_mpi_probe(cpt_communicator ranks, int *sender, int *count) {
  int found = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, 0, ranks.handle, &found, &status);
  if (!found) return 0;
  *sender = status.MPI_SOURCE;
  MPI_Get_count(&status, MPI_BYTE, count);
  return 1;
}
static inline void cpt_mpi_receive(cpt_communicator ranks, void *bytes, int count, int sender) {
  MPI_Recv(bytes, count, MPI_BYTE, sender, 0, ranks.handle, MPI_STATUS_IGNORE);
}
#endif
