// FIFOs in every half-open form, with and without data: reader only, writer only, O_RDWR, readers and writers in
// several processes, a writer that has gone, deleted ones, O_PATH, non-blocking, capacity, packet mode, and on tmpfs.
#include <poll.h>
#include <sys/ioctl.h>

#include "victim.h"

static int open_fifo(const char* path, int flags) {
  if (access(path, F_OK) != 0) MUST(mkfifo(path, 0622) == 0);
  int fd = open(path, flags);
  MUST(fd >= 0);
  return fd;
}

static short events_of(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
  poll(&p, 1, 0);
  return p.revents;
}

static void check_text(int fd, const char* text) {
  char seen[64] = "";
  CHECK_EQ(read(fd, seen, sizeof seen - 1), strlen(text));
  CHECK(strcmp(seen, text) == 0, "%s, not %s", seen, text);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  int reader = open_fifo("reader", O_RDONLY | O_NONBLOCK), both = open_fifo("both", O_RDWR);
  MUST(write(both, "in both", 7) == 7);
  // a reader whose writer has gone: the data is there, then the end
  int left = open_fifo("left", O_RDONLY | O_NONBLOCK), gone = open("left", O_WRONLY);
  MUST(write(gone, "last words", 10) == 10 && close(gone) == 0);
  // a writer whose reader has gone
  int away = open_fifo("away", O_RDONLY | O_NONBLOCK), writer = open("away", O_WRONLY | O_NONBLOCK);
  MUST(close(away) == 0);
  int deleted_r = open_fifo("deleted", O_RDONLY | O_NONBLOCK), deleted_w = open("deleted", O_WRONLY);
  MUST(write(deleted_w, "ghost", 5) == 5 && unlink("deleted") == 0);
  int path = open_fifo("path", O_PATH);
  int packet_r = open_fifo("packet", O_RDONLY | O_NONBLOCK), packet_w = open("packet", O_WRONLY);
  MUST(fcntl(packet_w, F_SETFL, O_DIRECT) == 0 && write(packet_w, "ab", 2) == 2 && write(packet_w, "c", 1) == 1);
  MUST(fcntl(packet_w, F_SETPIPE_SZ, 1 << 18) == 1 << 18);
  char shm[64];
  snprintf(shm, sizeof shm, "/dev/shm/fifo.%d", getpid());
  int tmpfs = open_fifo(shm, O_RDWR | O_NONBLOCK);
  MUST(write(tmpfs, "shm", 3) == 3);
  int ours = open_fifo("shared", O_RDONLY | O_NONBLOCK);
  pid_t child = fork();
  if (child == 0) {
    int theirs = open("shared", O_WRONLY);
    MUST(theirs >= 0 && close(ours) == 0 && write(theirs, "early ", 6) == 6);
    victim_wait();
    CHECK(write(theirs, "late", 4) == 4);
    victim_child_done();
  }
  while (events_of(ours) != POLLIN) sched_yield();
  victim_ready();
  CHECK_EQ(events_of(reader), 0);
  CHECK(read(reader, (char[1]){0}, 1) == 0);
  check_text(both, "in both");
  CHECK_EQ(events_of(left), POLLIN | POLLHUP);
  check_text(left, "last words");
  CHECK(read(left, (char[1]){0}, 1) == 0);
  CHECK(events_of(writer) & POLLERR);
  CHECK(write(writer, "x", 1) < 0 && errno == EPIPE);
  check_text(deleted_r, "ghost");
  CHECK(write(deleted_w, "more", 4) == 4);
  check_text(deleted_r, "more");
  struct stat st;
  CHECK(fstat(deleted_r, &st) == 0 && st.st_nlink == 0 && S_ISFIFO(st.st_mode) && access("deleted", F_OK) < 0);
  CHECK(fstat(path, &st) == 0 && S_ISFIFO(st.st_mode) && fcntl(path, F_GETFL) == O_PATH);
  check_text(packet_r, "ab");
  check_text(packet_r, "c");
  CHECK_EQ(fcntl(packet_r, F_GETPIPE_SZ), 1 << 18);
  check_text(tmpfs, "shm");
  victim_join(child);
  check_text(ours, "early late");
  CHECK(read(ours, (char[1]){0}, 1) == 0);
  unlink(shm);
  return victim_done();
}
