// Open files that nobody but the queue of a socket has: an epoll, a timer, memory of an odd size, a pipe with data, a
// deleted file, an inotify and a FIFO; and what the epoll watches. Who receives them finds them as they were.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "victim.h"

union control {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
};

static struct msghdr message(struct iovec* part, union control* control) {
  *control = (union control){{0}};
  return (struct msghdr){.msg_iov = part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof *control};
}

static void pass(int socket, int fd) {
  union control control;
  struct iovec part = {"x", 1};
  struct msghdr m = message(&part, &control);
  struct cmsghdr* head = CMSG_FIRSTHDR(&m);
  *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  MUST(sendmsg(socket, &m, 0) == 1);
}

static int receive(int socket) {
  union control control;
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr m = message(&part, &control);
  int fd = -1;
  if (recvmsg(socket, &m, MSG_DONTWAIT) == 1 && CMSG_FIRSTHDR(&m)) memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
  CHECK(fd >= 0);
  return fd;
}

static bool holds(int fd, const char* text) {
  char seen[32] = "";
  return read(fd, seen, sizeof seen) == (ssize_t)strlen(text) && strcmp(seen, text) == 0;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int ends[2], in_pipe[2], event = eventfd(7, EFD_NONBLOCK), ep = epoll_create1(0),
                           timer = timerfd_create(CLOCK_MONOTONIC, 0), memory = memfd_create("odd", 0),
                           gone = open("gone", O_CREAT | O_RDWR, 0600), in = inotify_init1(IN_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.u64 = 5};
  struct itimerspec later = {.it_value.tv_sec = 5000};
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && pipe(in_pipe) == 0 && mkfifo("fifo", 0600) == 0);
  int fifo = open("fifo", O_RDWR);
  MUST(epoll_ctl(ep, EPOLL_CTL_ADD, event, &e) == 0 && timerfd_settime(timer, 0, &later, NULL) == 0);
  MUST(write(memory, "mem", 3) == 3 && lseek(memory, 0, SEEK_SET) == 0 && write(in_pipe[1], "pipe", 4) == 4);
  MUST(write(gone, "ghost", 5) == 5 && lseek(gone, 0, SEEK_SET) == 0 && unlink("gone") == 0);
  MUST(inotify_add_watch(in, ".", IN_CREATE) == 1 && write(fifo, "fifo", 4) == 4);
  int all[] = {event, ep, timer, memory, in_pipe[0], gone, in, fifo};
  for (int i = 0; i < 8; i++) pass(ends[0], all[i]);
  for (int i = 1; i < 8; i++) MUST(close(all[i]) == 0);

  victim_ready();

  for (int i = 0; i < 8; i++) all[i] = receive(ends[1]);
  CHECK(epoll_wait(all[1], &e, 1, 0) == 1 && e.data.u64 == 5);
  uint64_t count = 0;
  CHECK(read(all[0], &count, 8) == 8 && count == 7 && epoll_wait(all[1], &e, 1, 0) == 0);
  CHECK(timerfd_gettime(all[2], &later) == 0 && later.it_value.tv_sec > 4000);
  struct stat st;
  CHECK(fstat(all[3], &st) == 0 && st.st_size == 3 && holds(all[3], "mem"), "%ld bytes", (long)st.st_size);
  CHECK(holds(all[4], "pipe") && write(in_pipe[1], "more", 4) == 4 && holds(all[4], "more"));
  CHECK(fstat(all[5], &st) == 0 && st.st_nlink == 0 && holds(all[5], "ghost"));
  char events[512];
  CHECK(close(open("new", O_CREAT | O_RDWR, 0600)) == 0 && read(all[6], events, sizeof events) > 0);
  CHECK(holds(all[7], "fifo"));
  return victim_done();
}
