// flavours: own ownns ownleave
// A tree in an IPC and UTS namespace of its own keeps all that is in there: limits, host name, System V segments (also
// those that nobody has attached), message queues with their messages, semaphore sets with their values.
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/utsname.h>

#include "victim.h"

#define KEY 0x4e535231

struct message {
  long type;
  char text[5000];
};

union argument {
  int value;
  struct semid_ds* state;
  unsigned short* values;
};

static void sysctl_write(const char* path, const char* text) {
  int fd = open(path, O_WRONLY);
  MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

static long sysctl_read(const char* path) {
  char text[64] = "";
  int fd = open(path, O_RDONLY);
  if (fd >= 0 && read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  return atol(text);
}

static int make_segment(key_t key, size_t size, int mode, const char* text) {
  int id = shmget(key, size, IPC_CREAT | IPC_EXCL | mode);
  MUST(id >= 0);
  char* at = shmat(id, NULL, 0);
  MUST(at != (void*)-1);
  strcpy(at + size - 100, text);
  MUST(shmdt(at) == 0);
  return id;
}

static int queue, private_queue, set, private_set, segments[3];
static char* attached;

static void build(void) {
  sysctl_write("/proc/sys/kernel/sem", "300 32000 100 777");
  sysctl_write("/proc/sys/kernel/msgmax", "9000");
  sysctl_write("/proc/sys/kernel/shmmni", "1234");
  sysctl_write("/proc/sys/fs/mqueue/msg_max", "44");
  // objects that are gone leave holes and sequence numbers
  for (int i = 0; i < 3; i++) MUST(msgctl(msgget(IPC_PRIVATE, 0600), IPC_RMID, NULL) == 0);
  MUST((private_queue = msgget(IPC_PRIVATE, 0600)) >= 0);
  MUST((queue = msgget(KEY, IPC_CREAT | 0640)) >= 0);
  struct message m = {.type = 7};
  for (int i = 0; i < 20; i++) {
    m.type = i % 3 + 1;
    memset(m.text, 'a' + i, sizeof m.text);
    MUST(msgsnd(queue, &m, i * 37, 0) == 0);
  }
  MUST(msgsnd(private_queue, &m, 4999, 0) == 0);
  struct msqid_ds state;
  MUST(msgctl(queue, IPC_STAT, &state) == 0);
  state.msg_qbytes = 14000;
  state.msg_perm.uid = 1234;
  state.msg_perm.gid = 4321;
  state.msg_perm.mode = 0604;
  MUST(msgctl(queue, IPC_SET, &state) == 0);
  MUST((set = semget(KEY, 5, IPC_CREAT | 0660)) >= 0);
  unsigned short values[] = {1, 0, 32767, 4, 5};
  MUST(semctl(set, 0, SETALL, (union argument){.values = values}) == 0);
  MUST(semctl(semget(IPC_PRIVATE, 1, 0600), 0, IPC_RMID) == 0);
  MUST((private_set = semget(IPC_PRIVATE, 250, 0600)) >= 0);
  MUST(semctl(private_set, 249, SETVAL, (union argument){.value = 99}) == 0);
  MUST(semctl(private_set, 0, SETVAL, (union argument){.value = 98}) == 0);
  segments[0] = make_segment(KEY, 10000, 0666, "by key");
  segments[1] = make_segment(IPC_PRIVATE, 1 << 20, 0600, "private");
  segments[2] = make_segment(IPC_PRIVATE, 4096, 0600, "attached");
  MUST((attached = shmat(segments[2], NULL, 0)) != (void*)-1);
  MUST(shmctl(segments[2], IPC_RMID, NULL) == 0);
}

static void check_segment(int i, key_t key, size_t size, const char* text) {
  struct shmid_ds ds;
  CHECK(shmctl(segments[i], IPC_STAT, &ds) == 0);
  CHECK_EQ(ds.shm_segsz, size);
  if (key) CHECK_EQ(shmget(key, 0, 0), segments[i]);
  char* at = shmat(segments[i], NULL, SHM_RDONLY);
  CHECK(at != (void*)-1);
  if (at == (void*)-1) return;
  CHECK(strcmp(at + size - 100, text) == 0 && at[0] == 0);
  shmdt(at);
}

static void check_queue(void) {
  struct msqid_ds state;
  CHECK(msgctl(queue, IPC_STAT, &state) == 0);
  CHECK_EQ(state.msg_qnum, 20);
  CHECK_EQ(state.msg_qbytes, 14000);
  CHECK_EQ(state.msg_perm.uid, 1234);
  CHECK_EQ(state.msg_perm.gid, 4321);
  CHECK_EQ(state.msg_perm.cuid, 0);
  CHECK_EQ(state.msg_perm.mode, 0604);
  CHECK_EQ(msgget(KEY, 0), queue);
  struct message m;
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(msgrcv(queue, &m, sizeof m.text, 0, IPC_NOWAIT), i * 37);
    CHECK_EQ(m.type, i % 3 + 1);
    for (int k = 0; k < i * 37; k++)
      if (m.text[k] != 'a' + i) {
        CHECK(0, "text of a message");
        break;
      }
  }
  CHECK_EQ(msgrcv(private_queue, &m, sizeof m.text, 0, IPC_NOWAIT), 4999);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  build();
  victim_ready();
  struct utsname names;
  CHECK(uname(&names) == 0 && strcmp(names.nodename, "victim-host") == 0 &&
        strcmp(names.domainname, "victim.domain") == 0);
  CHECK_EQ(sysctl_read("/proc/sys/kernel/msgmax"), 9000);
  CHECK_EQ(sysctl_read("/proc/sys/kernel/shmmni"), 1234);
  CHECK_EQ(sysctl_read("/proc/sys/kernel/sem"), 300);
  CHECK_EQ(sysctl_read("/proc/sys/fs/mqueue/msg_max"), 44);
  check_queue();
  CHECK_EQ(semget(KEY, 0, 0), set);
  unsigned short values[5] = {0};
  CHECK(semctl(set, 0, GETALL, (union argument){.values = values}) == 0);
  CHECK(values[0] == 1 && values[1] == 0 && values[2] == 32767 && values[3] == 4 && values[4] == 5);
  CHECK_EQ(semctl(private_set, 249, GETVAL), 99);
  CHECK_EQ(semctl(private_set, 0, GETVAL), 98);
  CHECK_EQ(semctl(private_set, 1, GETVAL), 0);
  check_segment(0, KEY, 10000, "by key");
  check_segment(1, 0, 1 << 20, "private");
  struct shmid_ds ds;
  CHECK(shmctl(segments[2], IPC_STAT, &ds) == 0 && ds.shm_nattch == 1 && ds.shm_perm.mode & 01000);
  CHECK(strcmp(attached + 4096 - 100, "attached") == 0);
  shmdt(attached);
  CHECK(shmctl(segments[2], IPC_STAT, &ds) != 0, "goes with its last user");
  return victim_done();
}
