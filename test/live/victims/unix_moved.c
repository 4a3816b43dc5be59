// rounds: 2
// Names of UNIX sockets whose node does not stand where it was bound: renamed over, linked elsewhere and unlinked, and
// both from another directory. Who connects by the present path reaches the restored servers.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static struct sockaddr_un address_of(const char* name) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  MUST(snprintf(a.sun_path, sizeof a.sun_path, "%s", name) < (int)sizeof a.sun_path);
  return a;
}

static int server_at(const char* name, int type) {
  struct sockaddr_un a = address_of(name);
  int fd = socket(AF_UNIX, type, 0);
  MUST(bind(fd, (struct sockaddr*)&a, sizeof a) == 0);
  if (type != SOCK_DGRAM) MUST(listen(fd, 5) == 0);
  return fd;
}

static const char* in_dir(const char* name) {
  static char path[4][PATH_MAX + 16];
  static int n;
  n = (n + 1) % 4;
  snprintf(path[n], sizeof path[n], "%s/%s", victim_dir, name);
  return path[n];
}

static void reach(int server, const char* path, int type) {
  struct sockaddr_un a = address_of(path);
  int client = socket(AF_UNIX, type, 0);
  CHECK_EQ(connect(client, (struct sockaddr*)&a, sizeof a), 0);
  CHECK_EQ(write(client, "x", 1), 1);
  struct pollfd asked = {.fd = server, .events = POLLIN};
  CHECK_EQ(poll(&asked, 1, 1000), 1);
  if (!asked.revents) return;
  int end = type == SOCK_DGRAM ? server : accept(server, NULL, NULL);
  char c = 0;
  CHECK(recv(end, &c, 1, MSG_DONTWAIT) == 1 && c == 'x');
  if (end != server) close(end);
  close(client);
}

static void check_node(const char* path, mode_t mode, nlink_t links) {
  struct stat st;
  CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
  CHECK_EQ(st.st_mode & 07777, mode);
  CHECK_EQ(st.st_nlink, links);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (strlen(victim_dir) > 90) victim_skip("the run directory's name is too long for sun_path");
  int renamed = server_at(in_dir("a.tmp"), SOCK_STREAM);
  MUST(rename(in_dir("a.tmp"), in_dir("a")) == 0 && chmod(in_dir("a"), 0640) == 0);
  int linked = server_at(in_dir("b.tmp"), SOCK_SEQPACKET);
  MUST(link(in_dir("b.tmp"), in_dir("b")) == 0 && link(in_dir("b.tmp"), in_dir("b2")) == 0);
  MUST(unlink(in_dir("b.tmp")) == 0 && chmod(in_dir("b"), 0600) == 0);
  char before[PATH_MAX];
  MUST(getcwd(before, sizeof before) && chdir(victim_dir) == 0);
  int relative = server_at("c.tmp", SOCK_DGRAM);
  MUST(rename("c.tmp", "c") == 0 && chdir(before) == 0 && chmod(in_dir("c"), 0666) == 0);
  victim_ready();
  reach(renamed, in_dir("a"), SOCK_STREAM);
  reach(linked, in_dir("b"), SOCK_SEQPACKET);
  reach(linked, in_dir("b2"), SOCK_SEQPACKET);
  reach(relative, in_dir("c"), SOCK_DGRAM);
  check_node(in_dir("a"), 0640, 1);
  check_node(in_dir("b"), 0600, 2);
  check_node(in_dir("c"), 0666, 1);
  for (const char** name = (const char*[]){"a.tmp", "b.tmp", "c.tmp", NULL}; *name; name++)
    CHECK(access(in_dir(*name), F_OK) != 0 && errno == ENOENT, "%s is there", *name);
  return victim_done();
}
