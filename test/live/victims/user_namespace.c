// flavours: user userns userleave uroot urootns nopid nopidns
// A tree in a user namespace of its own: maps, what owns the other namespaces, ids and capabilities of its processes,
// owners of files, of file systems that it mounted, of System V objects, and of the other end of a socket.
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "victim.h"

static const char* const kKinds[] = {"pid", "mnt", "net", "uts", "ipc"};

// Bit n: the namespace of kind n belongs to the user namespace that the caller lives in.
static int owned_namespaces(void) {
  struct stat own, owner;
  int owned = 0;
  MUST(stat("/proc/self/ns/user", &own) == 0);
  for (size_t i = 0; i < sizeof kKinds / sizeof *kKinds; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kKinds[i]);
    int fd = open(path, O_RDONLY), user = ioctl(fd, NS_GET_USERNS);
    if (user >= 0 && fstat(user, &owner) == 0 && owner.st_ino == own.st_ino) owned |= 1 << i;
    close(fd);
    close(user);
  }
  return owned;
}

static bool is_owned(const char* path, uid_t uid, gid_t gid) {
  struct stat st;
  return stat(path, &st) == 0 && st.st_uid == uid && st.st_gid == gid;
}

static void become(uid_t id) {
  gid_t groups[] = {27, 1027};
  MUST(setgroups(2, groups) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
}

// Another user, who listens on a socket, owns a segment and files, and is left with one capability.
static void be_user(const char* name, int key) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  memcpy(at.sun_path + 1, name, strlen(name));
  MUST(prctl(PR_SET_KEEPCAPS, 1) == 0);
  become(1234);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct caps[2] = {{1 << CAP_NET_RAW, 1 << CAP_NET_RAW, 0}, {0, 0, 0}}, now[2];
  MUST(syscall(SYS_capset, &header, caps) == 0);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  MUST(bind(s, (struct sockaddr*)&at, sizeof(sa_family_t) + 1 + strlen(name)) == 0 && listen(s, 1) == 0);
  int shm = shmget(key, 4096, IPC_CREAT | 0600), sem = semget(key, 2, IPC_CREAT | 0640),
      msg = msgget(key, IPC_CREAT | 0600);
  MUST(shm >= 0 && sem >= 0 && msg >= 0);
  char deleted[] = "deleted.XXXXXX";
  int fd = mkstemp(deleted), memfd = memfd_create("mine", 0);
  MUST(fd >= 0 && unlink(deleted) == 0 && memfd >= 0);
  victim_wait();
  uid_t r, e, v;
  gid_t groups[4];
  CHECK(getresuid(&r, &e, &v) == 0 && r == 1234 && e == 1234 && v == 1234);
  CHECK(getgroups(4, groups) == 2 && groups[0] == 27 && groups[1] == 1027);
  CHECK(syscall(SYS_capget, &header, now) == 0 && memcmp(now, caps, sizeof now) == 0);
  int raw = socket(AF_INET, SOCK_RAW, 1);
  CHECK(raw >= 0);
  CHECK(sethostname("no", 2) < 0 && errno == EPERM);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1234 && st.st_nlink == 0);
  CHECK(fstat(memfd, &st) == 0 && st.st_uid == 1234 && st.st_gid == 1234);
  struct shmid_ds segment;
  struct semid_ds set;
  struct msqid_ds queue;
  CHECK(shmctl(shm, IPC_STAT, &segment) == 0 && segment.shm_perm.uid == 1234 && segment.shm_perm.cgid == 1234);
  CHECK(semctl(sem, 0, IPC_STAT, &set) == 0 && set.sem_perm.gid == 1234 && set.sem_perm.cuid == 1234);
  CHECK(msgctl(msg, IPC_STAT, &queue) == 0 && queue.msg_perm.uid == 1234 && queue.msg_perm.cuid == 1234);
  _exit(victim_failures != 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static char users[256], groups[256];
  strcpy(users, victim_slurp("/proc/self/uid_map"));
  strcpy(groups, victim_slurp("/proc/self/gid_map"));
  int owned = owned_namespaces();
  MUST((owned | 1) == 31);
  MUST(mkdir("tmpfs", 0755) == 0);
  MUST(mount("t", "tmpfs", "tmpfs", 0, "size=1m,mode=750,uid=3,gid=1003") == 0);
  MUST(mount("p", "/dev/pts", "devpts", 0, "newinstance,gid=5,mode=620,ptmxmode=666") == 0);
  int fd = open("tmpfs/file", O_CREAT | O_RDWR, 0604);
  MUST(fd >= 0 && fchown(fd, 1500, 7) == 0 && is_owned("tmpfs", 3, 1003));
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  MUST(master >= 0 && is_owned("/dev/pts/0", 0, 5));
  pid_t child = fork();
  MUST(child >= 0);
  if (child == 0) be_user(victim_dir, 4711);

  victim_ready();

  CHECK(strcmp(users, victim_slurp("/proc/self/uid_map")) == 0);
  CHECK(strcmp(groups, victim_slurp("/proc/self/gid_map")) == 0);
  CHECK(strcmp(victim_slurp("/proc/self/setgroups"), "allow\n") == 0);
  CHECK_EQ(owned_namespaces(), owned);
  CHECK(is_owned("tmpfs", 3, 1003) && is_owned("tmpfs/file", 1500, 7) && is_owned("/dev/pts/0", 0, 5));
  CHECK(sethostname("other", 5) == 0 && mount("more", "tmpfs", "tmpfs", 0, NULL) == 0);
  CHECK(mknod("tmpfs/device", S_IFCHR | 0600, 0x103) < 0 && errno == EPERM);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  struct ucred who = {0, 0, 0};
  socklen_t length = sizeof who;
  memcpy(at.sun_path + 1, victim_dir, strlen(victim_dir));
  CHECK(connect(s, (struct sockaddr*)&at, sizeof(sa_family_t) + 1 + strlen(victim_dir)) == 0);
  CHECK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == 1234 && who.gid == 1234 &&
        who.pid == child);
  victim_go(child);
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0, "child %#x", status);
  return victim_done();
}
