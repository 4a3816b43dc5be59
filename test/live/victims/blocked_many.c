// One thread in each kind of call that waits with a limit, dumped twice in it: each ends by its limit, not by the stop
// (EINTR), neither early nor with the whole time again.
// rounds: 2
// ignore: fd [3-9] info
// ignore: taskstate \d+ thread
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "victim.h"

// Milliseconds that each call waits, more where the runner has more patience; both dumps must fall into it.
static long limit = 3000, slack = 1000;

static struct timespec relative(void) { return (struct timespec){limit / 1000, limit % 1000 * 1000000}; }
static struct timeval relative_us(void) { return (struct timeval){limit / 1000, limit % 1000 * 1000}; }
static struct timespec point(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_sec += limit / 1000;
  t.tv_nsec += limit % 1000 * 1000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  return t;
}

// Each gives 0 or errno, without any loop of the C library in between.
#define RESULT(call) ((call) < 0 ? errno : 0)

static long pause_nanosleep(void) {
  struct timespec t = relative();
  return RESULT(syscall(SYS_nanosleep, &t, NULL));
}
static long pause_clock_absolute(clockid_t clock) {
  struct timespec t = point(clock);
  return RESULT(syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &t, NULL));
}
static long pause_realtime(void) { return pause_clock_absolute(CLOCK_REALTIME); }
static long pause_boottime(void) { return pause_clock_absolute(CLOCK_BOOTTIME); }
static long pause_tai(void) { return pause_clock_absolute(CLOCK_TAI); }
static long pause_clock_relative(void) {
  struct timespec t = relative(), rest;
  return RESULT(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, &rest));
}
static long pause_futex(void) {
  unsigned word = 5;
  struct timespec t = relative();
  return RESULT(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &t, NULL, 0));
}
static long pause_futex_bitset(void) {
  unsigned word = 5;
  struct timespec t = point(CLOCK_REALTIME);
  return RESULT(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &t, NULL, 1));
}
static long pause_futex_waitv(void) {
  static unsigned words[2] = {5, 6};
  struct futex_waitv wait[2] = {{5, (uintptr_t)&words[0], FUTEX_32, 0}, {6, (uintptr_t)&words[1], FUTEX_32, 0}};
  struct timespec t = point(CLOCK_MONOTONIC);
  return RESULT(syscall(449 /* futex_waitv */, wait, 2, 0, &t, CLOCK_MONOTONIC));
}
static long pause_poll(void) { return RESULT(syscall(SYS_poll, NULL, 0, limit)); }
static long pause_ppoll(void) {
  struct timespec t = relative();
  return RESULT(syscall(SYS_ppoll, NULL, 0, &t, NULL, 8));
}
static long pause_select(void) {
  struct timeval t = relative_us();
  return RESULT(syscall(SYS_select, 0, NULL, NULL, NULL, &t));
}
static long pause_pselect(void) {
  struct timespec t = relative();
  return RESULT(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &t, NULL));
}
static long pause_epoll(void) {
  struct epoll_event event;
  return RESULT(syscall(SYS_epoll_wait, epoll_create1(0), &event, 1, limit));
}
static long pause_epoll_pwait2(void) {
  struct epoll_event event;
  struct timespec t = relative();
  long result = RESULT(syscall(441 /* epoll_pwait2 */, epoll_create1(0), &event, 1, &t, NULL, 8));
  CHECK(t.tv_sec * 1000 + t.tv_nsec / 1000000 == limit, "the program's own timeout was changed");
  return result;
}
static long pause_sigtimedwait(void) {
  sigset_t set;
  struct timespec t = relative();
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 9);
  return RESULT(syscall(SYS_rt_sigtimedwait, &set, NULL, &t, 8));
}
static long pause_semtimedop(void) {
  struct timespec t = relative();
  struct sembuf take = {0, -1, 0};
  int id = semget(IPC_PRIVATE, 1, 0600);
  if (id < 0) return EAGAIN;
  long result = RESULT(syscall(SYS_semtimedop, id, &take, 1, &t));
  semctl(id, 0, IPC_RMID);
  return result;
}
static long pause_mq(void) {
  char name[64], text[64];
  struct mq_attr attr = {0, 1, sizeof text, 0, {0}};
  snprintf(name, sizeof name, "/nsr-%d-%d", getpid(), victim_tid());
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
  if (queue < 0) return ETIMEDOUT;
  struct timespec t = point(CLOCK_REALTIME);
  long result = RESULT(syscall(SYS_mq_timedreceive, queue, text, sizeof text, NULL, &t));
  mq_unlink(name);
  return result;
}
static long pause_aio(void) {
  aio_context_t context = 0;
  struct io_event event;
  struct timespec t = relative();
  if (syscall(SYS_io_setup, 4, &context) < 0) return 0;
  return RESULT(syscall(SYS_io_getevents, context, 1, 1, &event, &t));
}
static long pause_timerfd(void) {
  uint64_t count;
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec t = {{0, 0}, relative()};
  timerfd_settime(fd, 0, &t, NULL);
  return read(fd, &count, 8) == 8 && count == 1 ? 0 : errno;
}
static long pause_receive(void) {
  int ends[2];
  char byte;
  struct timeval t = relative_us();
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  return RESULT(syscall(SYS_recvfrom, ends[0], &byte, 1, 0, NULL, NULL));
}

static const struct plan {
  const char* name;
  long (*wait)(void);
  long nr, result;
  double most;  // times the limit: 2 for calls that the kernel has to begin anew
} plans[] = {
    {"nanosleep", pause_nanosleep, SYS_nanosleep, 0, 1},
    {"clock_nanosleep realtime", pause_realtime, SYS_clock_nanosleep, 0, 1},
    {"clock_nanosleep boottime", pause_boottime, SYS_clock_nanosleep, 0, 1},
    {"clock_nanosleep tai", pause_tai, SYS_clock_nanosleep, 0, 1},
    {"clock_nanosleep relative", pause_clock_relative, SYS_clock_nanosleep, 0, 1},
    {"futex", pause_futex, SYS_futex, ETIMEDOUT, 1},
    {"futex bitset", pause_futex_bitset, SYS_futex, ETIMEDOUT, 1},
    {"futex_waitv", pause_futex_waitv, 449, ETIMEDOUT, 1},
    {"poll", pause_poll, SYS_poll, 0, 1},
    {"ppoll", pause_ppoll, SYS_ppoll, 0, 1},
    {"select", pause_select, SYS_select, 0, 1},
    {"pselect", pause_pselect, SYS_pselect6, 0, 1},
    {"epoll_wait", pause_epoll, SYS_epoll_wait, 0, 1},
    {"epoll_pwait2", pause_epoll_pwait2, 441, 0, 1},
    {"sigtimedwait", pause_sigtimedwait, SYS_rt_sigtimedwait, EAGAIN, 1},
    {"semtimedop", pause_semtimedop, SYS_semtimedop, EAGAIN, 1},
    {"mq_timedreceive", pause_mq, SYS_mq_timedreceive, ETIMEDOUT, 1},
    {"io_getevents", pause_aio, SYS_io_getevents, 0, 1},
    {"timerfd", pause_timerfd, SYS_read, 0, 1},
    {"SO_RCVTIMEO", pause_receive, SYS_recvfrom, EAGAIN, 3},
};
enum { PLANS = sizeof plans / sizeof plans[0] };
static atomic_int tids[PLANS];

static void* work(void* argument) {
  const struct plan* p = argument;
  tids[p - plans] = victim_tid();
  double start = victim_now(CLOCK_MONOTONIC);
  long result = p->wait();
  double took = victim_now(CLOCK_MONOTONIC) - start;
  CHECK(result == p->result, "%s ended with %ld", p->name, result);
  CHECK(took * 1e3 >= limit - 2, "%s ended early: %.4f s", p->name, took);
  CHECK(took * 1e3 < limit * p->most + slack, "%s lasted %.4f s", p->name, took);
  return NULL;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char* patience = getenv("NSR_PATIENCE");
  if (patience) limit = (long)(limit * atof(patience)), slack = (long)(slack * atof(patience));
  pthread_t threads[PLANS];
  char words[480] = "blocked";
  size_t length = strlen(words);
  for (int i = 0; i < PLANS; i++) MUST(pthread_create(&threads[i], NULL, work, (void*)&plans[i]) == 0);
  for (int i = 0; i < PLANS; i++) {
    while (!tids[i]) sched_yield();
    length += snprintf(words + length, sizeof words - length, " %d %ld", tids[i], plans[i].nr);
  }
  MUST(length < sizeof words - 1);
  victim_announce(words);
  victim_wait();
  for (int i = 0; i < PLANS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  return victim_done();
}
