// Memory objects that end inside a page: their sizes stay, and so does what mappings have written behind the end in the
// last page: memfd, also one that is executed from and one opened for writing only, SysV segments; only the sizes of
// POSIX shared memory that was unlinked.
#include <sys/shm.h>

#include "victim.h"

enum { PAGE = 4096, N = 6 };
static const size_t size[N] = {1, 100, PAGE - 1, PAGE + 1, 5 * PAGE + 100, (1 << 20) + 1000};

static size_t room(int i) { return (size[i] + PAGE - 1) & ~(size_t)(PAGE - 1); }

static char* map(int fd, int i) {
  char* at = mmap(NULL, room(i), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(at != MAP_FAILED);
  victim_fill(at, room(i), (uint64_t)i);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int memory[N], id[N], shm[N];
  char *of_memory[N], *of_segment[N], *of_shm[N];
  for (int i = 0; i < N; i++) {
    memory[i] = memfd_create("odd", MFD_CLOEXEC);
    MUST(memory[i] >= 0 && ftruncate(memory[i], (off_t)size[i]) == 0);
    of_memory[i] = map(memory[i], i);
    id[i] = shmget(IPC_PRIVATE, size[i], IPC_CREAT | 0600);
    of_segment[i] = shmat(id[i], NULL, 0);
    MUST(id[i] >= 0 && of_segment[i] != (void*)-1 && shmctl(id[i], IPC_RMID, NULL) == 0);
    victim_fill(of_segment[i], room(i), 10u + (uint64_t)i);
    char name[64];
    snprintf(name, sizeof name, "/dev/shm/nsr-odd-%d-%d", (int)getpid(), i);
    shm[i] = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    MUST(shm[i] >= 0 && ftruncate(shm[i], (off_t)size[i]) == 0 && unlink(name) == 0);
    of_shm[i] = map(shm[i], i);
  }
  char path[64];
  int other = memfd_create("written", MFD_CLOEXEC);
  MUST(other >= 0 && write(other, "written", 7) == 7);
  snprintf(path, sizeof path, "/proc/self/fd/%d", other);
  int writer = open(path, O_WRONLY | O_CLOEXEC);
  MUST(writer >= 0 && dup3(writer, other, O_CLOEXEC) == other);

  victim_ready();

  for (int i = 0; i < N; i++) {
    struct stat st;
    struct shmid_ds ds;
    CHECK(fstat(memory[i], &st) == 0 && st.st_size == (off_t)size[i], "memfd of %zu: %lld", size[i],
          (long long)st.st_size);
    CHECK(fstat(shm[i], &st) == 0 && st.st_size == (off_t)size[i], "/dev/shm of %zu: %lld", size[i],
          (long long)st.st_size);
    CHECK(shmctl(id[i], IPC_STAT, &ds) == 0 && ds.shm_segsz == size[i]);
    CHECK(victim_compare(of_memory[i], room(i), (uint64_t)i) == -1, "memfd of %zu: %ld", size[i],
          victim_compare(of_memory[i], room(i), (uint64_t)i));
    CHECK(victim_compare(of_segment[i], room(i), 10u + (uint64_t)i) == -1, "segment of %zu: %ld", size[i],
          victim_compare(of_segment[i], room(i), 10u + (uint64_t)i));
    CHECK(victim_compare(of_shm[i], size[i], (uint64_t)i) == -1, "/dev/shm of %zu: %ld", size[i],
          victim_compare(of_shm[i], size[i], (uint64_t)i));
  }
  struct stat st;
  CHECK(write(writer, "+", 1) == 1 && fstat(writer, &st) == 0 && st.st_size == 7);
  snprintf(path, sizeof path, "/proc/self/fd/%d", other);
  int reader = open(path, O_RDONLY | O_CLOEXEC);
  char text[8] = "";
  CHECK(read(reader, text, 7) == 7 && strcmp(text, "+ritten") == 0, "it is %s", text);
  return victim_done();
}
