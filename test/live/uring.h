// io_uring by its system calls alone (io_uring(7)).
#ifndef NSR_TEST_LIVE_URING_H
#define NSR_TEST_LIVE_URING_H

#include <linux/io_uring.h>
#include <sys/uio.h>

#include "victim.h"

struct uring {
  int fd;
  struct io_uring_params p;
  unsigned *sq_head, *sq_tail, *sq_array, *cq_head, *cq_tail;
  unsigned own_tail, own_head;  // a program may keep its own copies of what it writes
  struct io_uring_sqe* sqes;
  struct io_uring_cqe* cqes;
};

// False when this kernel does not know the flags.
VICTIM_UNUSED static bool uring_make(struct uring* r, unsigned entries, unsigned cq_entries, unsigned flags) {
  memset(r, 0, sizeof *r);
  r->p.flags = flags | (cq_entries ? IORING_SETUP_CQSIZE : 0);
  r->p.cq_entries = cq_entries;
  r->fd = (int)syscall(SYS_io_uring_setup, entries, &r->p);
  if (r->fd < 0) return false;
  bool array = !(flags & (1u << 16));  // IORING_SETUP_NO_SQARRAY
  size_t cqe = flags & IORING_SETUP_CQE32 ? 32 : 16, sqe = flags & IORING_SETUP_SQE128 ? 128 : 64;
  size_t bytes = r->p.cq_off.cqes + r->p.cq_entries * cqe, more = r->p.sq_off.array + r->p.sq_entries * 4;
  if (array && more > bytes) bytes = more;
  char* m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
  r->sqes =
      mmap(NULL, r->p.sq_entries * sqe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
  MUST(m != MAP_FAILED && r->sqes != MAP_FAILED);
  r->sq_head = (unsigned*)(m + r->p.sq_off.head), r->sq_tail = (unsigned*)(m + r->p.sq_off.tail);
  r->cq_head = (unsigned*)(m + r->p.cq_off.head), r->cq_tail = (unsigned*)(m + r->p.cq_off.tail);
  r->sq_array = array ? (unsigned*)(m + r->p.sq_off.array) : NULL;
  r->cqes = (struct io_uring_cqe*)(m + r->p.cq_off.cqes);
  return true;
}

// The next request slot, filled but not handed over.
VICTIM_UNUSED static struct io_uring_sqe* uring_prepare(struct uring* r, int opcode, int fd, void* at, unsigned n,
                                                        uint64_t data) {
  unsigned slot = r->own_tail & (r->p.sq_entries - 1);
  struct io_uring_sqe* s =
      (struct io_uring_sqe*)((char*)r->sqes + slot * (r->p.flags & IORING_SETUP_SQE128 ? 128 : 64));
  memset(s, 0, sizeof *s);
  s->opcode = (uint8_t)opcode, s->fd = fd, s->addr = (uintptr_t)at, s->len = n, s->user_data = data;
  if (r->sq_array) r->sq_array[slot] = slot;
  __atomic_store_n(r->sq_tail, ++r->own_tail, __ATOMIC_RELEASE);
  return s;
}

VICTIM_UNUSED static long uring_enter(struct uring* r, unsigned submit, unsigned wait) {
  return syscall(SYS_io_uring_enter, r->fd, submit, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

// Takes one completion; false when there is none.
VICTIM_UNUSED static bool uring_take(struct uring* r, uint64_t* data, int* result) {
  if (r->own_head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) return false;
  unsigned slot = r->own_head & (r->p.cq_entries - 1);
  struct io_uring_cqe* c = (struct io_uring_cqe*)((char*)r->cqes + slot * (r->p.flags & IORING_SETUP_CQE32 ? 32 : 16));
  *data = c->user_data, *result = c->res;
  __atomic_store_n(r->cq_head, ++r->own_head, __ATOMIC_RELEASE);
  return true;
}

// n empty requests, completed and taken.
VICTIM_UNUSED static void uring_exercise(struct uring* r, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    uint64_t data = 0;
    int result = -1;
    uring_prepare(r, IORING_OP_NOP, -1, NULL, 0, i + 1000);
    CHECK_EQ(uring_enter(r, 1, 1), 1);
    CHECK(uring_take(r, &data, &result) && data == i + 1000 && result == 0, "ring of %u: request %u", r->p.sq_entries,
          i);
  }
}

#endif
