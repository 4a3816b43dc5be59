// UNIX socket pairs of every type: waiting data with its boundaries, descriptors in flight (of a pipe, and of a socket
// that has a descriptor in flight itself), a closed other end, halves shut down, ends in two processes.
#include <sys/socket.h>

#include "victim.h"

static void put(int fd, const char* text, int right) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec piece = {(void*)text, strlen(text)};
  struct msghdr h = {.msg_iov = &piece, .msg_iovlen = 1};
  if (right >= 0) {
    h.msg_control = control;
    h.msg_controllen = sizeof control;
    struct cmsghdr* c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &right, sizeof right);
  }
  MUST(sendmsg(fd, &h, 0) == (ssize_t)strlen(text));
}

// One message and the descriptor that came with it, -1 for none.
static int get(int fd, size_t room, const char* wanted) {
  char text[256] = "", control[256];
  int right = -1;
  struct iovec piece = {text, room};
  struct msghdr h = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
  CHECK(n == (ssize_t)strlen(wanted) && memcmp(text, wanted, (size_t)n) == 0, "wanted %s, got %zd bytes %s", wanted, n,
        text);
  struct cmsghdr* c = n >= 0 ? CMSG_FIRSTHDR(&h) : NULL;
  if (c && c->cmsg_type == SCM_RIGHTS) memcpy(&right, CMSG_DATA(c), sizeof right);
  return right;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int stream[2], dgram[2], packet[2], gone[2], half[2], inner[2], line[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram) == 0);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packet) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, gone) == 0);
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, half) == 0 &&
       socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
  MUST(pipe(line) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(stream[0]), close(gone[0]);
    victim_wait();
    get(stream[1], 5, "plain");
    int end = get(stream[1], 100, "pipe");
    CHECK(end >= 0 && write(end, "through", 7) == 7);
    int socket = get(stream[1], 100, "socket");
    int deep = get(socket, 100, "i");
    char text[8] = "";
    CHECK(deep >= 0 && read(deep, text, 7) == 7 && strcmp(text, "through") == 0, "read %s", text);
    put(stream[1], "thanks", -1);
    victim_child_done();
  }
  close(stream[1]);
  put(stream[0], "plain", -1);
  put(stream[0], "pipe", line[1]);
  put(inner[0], "i", line[0]);
  put(stream[0], "socket", inner[1]);
  close(inner[1]), close(line[0]);
  put(dgram[0], "one", -1), put(dgram[0], "two", line[1]), put(packet[0], "three", -1), put(packet[0], "four", -1);
  put(gone[0], "last words", -1);
  close(gone[0]);
  MUST(shutdown(half[0], SHUT_WR) == 0);

  victim_ready();

  get(dgram[1], 100, "one");
  CHECK(get(dgram[1], 100, "two") >= 0);
  get(packet[1], 100, "three");
  get(packet[1], 2, "fo");
  CHECK(recv(packet[1], line, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
  get(gone[1], 100, "last words");
  get(gone[1], 100, "");
  CHECK(send(gone[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  CHECK(send(half[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
  CHECK_EQ(fcntl(half[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  get(half[1], 100, "");
  put(half[1], "other way", -1);
  get(half[0], 100, "other way");
  victim_join(child);
  get(stream[0], 100, "thanks");
  return victim_done();
}
