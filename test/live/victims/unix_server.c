// A UNIX server in one process and its clients in another: a path with its mode, a client accepted, one that waits, one
// with credentials asked for; an abstract server; names that are deleted or bound from another directory.
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static struct sockaddr_un address;
static socklen_t address_size(const char* name, size_t n) {
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, name, n);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static int bound(int type, const char* name, size_t n) {
  int fd = socket(AF_UNIX, type, 0);
  socklen_t size = address_size(name, n);
  MUST(bind(fd, (struct sockaddr*)&address, size) == 0);
  return fd;
}

static int connected(int type, const char* name, size_t n) {
  int fd = socket(AF_UNIX, type, 0);
  socklen_t size = address_size(name, n);
  MUST(connect(fd, (struct sockaddr*)&address, size) == 0);
  return fd;
}

static void expect(int fd, const char* text) {
  char got[64] = "";
  ssize_t n = read(fd, got, sizeof got - 1);
  CHECK(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "wanted %s, got %zd: %s", text, n, got);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char path[PATH_MAX], gone[PATH_MAX], hidden[32];
  int length = snprintf(path, sizeof path, "%s/s.sock", victim_dir),
      gone_length = snprintf(gone, sizeof gone, "%s/gone", victim_dir);
  if (length > 100) victim_skip("the run directory's name is too long for sun_path");
  int hidden_length = snprintf(hidden, sizeof hidden, "%cnsr-live-%d", 0, (int)getpid());
  int server = bound(SOCK_STREAM, path, (size_t)length),
      abstract = bound(SOCK_SEQPACKET, hidden, (size_t)hidden_length);
  int deleted = bound(SOCK_DGRAM, gone, (size_t)gone_length);
  MUST(chmod(path, 0640) == 0 && listen(server, 9) == 0 && listen(abstract, 9) == 0 && unlink(gone) == 0);
  char before[PATH_MAX];
  MUST(getcwd(before, sizeof before) && chdir(victim_dir) == 0);
  int relative = bound(SOCK_DGRAM, "rel.sock", 8);
  MUST(chdir(before) == 0);
  pid_t child = fork();
  if (child == 0) {
    close(server), close(abstract);
    int a = connected(SOCK_STREAM, path, (size_t)length), b = connected(SOCK_STREAM, path, (size_t)length);
    int c = connected(SOCK_SEQPACKET, hidden, (size_t)hidden_length);
    MUST(write(a, "from a", 6) == 6);
    victim_wait();
    CHECK(write(b, "from b", 6) == 6 && write(c, "from c", 6) == 6);
    expect(a, "to a");
    struct ucred who;
    socklen_t size = sizeof who;
    CHECK(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0);
    CHECK_EQ(who.pid, getppid());
    victim_child_done();
  }
  int a = accept(server, NULL, NULL);
  MUST(a >= 0);

  victim_ready();

  struct stat st;
  CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0640, "mode %o", st.st_mode);
  CHECK(access(gone, F_OK) == -1);
  struct sockaddr_un name;
  socklen_t size = sizeof name;
  CHECK(getsockname(deleted, (struct sockaddr*)&name, &size) == 0 && strcmp(name.sun_path, gone) == 0);
  size = sizeof name;
  CHECK(getsockname(relative, (struct sockaddr*)&name, &size) == 0 && strcmp(name.sun_path, "rel.sock") == 0);
  size = sizeof name;
  CHECK(getsockname(a, (struct sockaddr*)&name, &size) == 0 && strcmp(name.sun_path, path) == 0);
  struct ucred who;
  size = sizeof who;
  CHECK(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0);
  CHECK_EQ(who.pid, child);
  expect(a, "from a");
  CHECK(write(a, "to a", 4) == 4);
  victim_go(child);
  int b = accept(server, NULL, NULL), c = accept(abstract, NULL, NULL);
  CHECK(b >= 0 && c >= 0);
  expect(b, "from b");
  expect(c, "from c");
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0, "child 0x%x", status);
  char rel[PATH_MAX];
  int again = connected(SOCK_DGRAM, rel, (size_t)snprintf(rel, sizeof rel, "%s/rel.sock", victim_dir));
  CHECK(write(again, "found", 5) == 5);
  expect(relative, "found");
  return victim_done();
}
