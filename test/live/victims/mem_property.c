// Random sequences of mmap (private, shared, of files), munmap, mprotect, mremap, madvise, guards, names, locks and
// writes, each in a window of addresses of its own; then children, and children of these, that go on in windows they
// got from their parent. Contents are compared here, maps by the runner. The environment's NSR_SEED and NSR_SEQUENCES
// choose others than the default.
// timeout: 60
#include <sys/prctl.h>

#include "victim.h"

enum { PAGE = 4096, PAGES = 16, MOST = 4000, CHILDREN = 4 };
static const uintptr_t kBase = 0x320000000000, kStride = 1 << 20;
static uint64_t seen[MOST][PAGES];
static uint64_t state;
static int sequences = 1000, file, memory;
static int locking;  // a fork takes locks back, but does not join what only they kept apart
static atomic_int* ready;

static uint32_t dice(uint32_t n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % n;
}

static char* window(int w) { return (char*)(kBase + (uintptr_t)w * kStride); }

static void one_step(char* at) {
  static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
                                    PROT_READ | PROT_EXEC};
  static const int advice[] = {MADV_DONTNEED,
                               MADV_DONTDUMP,
                               MADV_DODUMP,
                               MADV_DONTFORK,
                               MADV_DOFORK,
                               MADV_RANDOM,
                               MADV_NORMAL,
                               MADV_SEQUENTIAL,
                               MADV_WIPEONFORK,
                               MADV_KEEPONFORK,
                               MADV_NOHUGEPAGE,
                               MADV_MERGEABLE,
                               MADV_COLD,
                               102 /* MADV_GUARD_INSTALL */,
                               103 /* MADV_GUARD_REMOVE */};
  uint32_t first = dice(PAGES), n = 1 + dice(PAGES - first);
  char* from = at + first * PAGE;
  int protection = protections[dice(5)];
  switch (dice(13)) {
    case 0:
    case 1:
      mmap(from, n * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (dice(3) ? 0 : MAP_NORESERVE), -1, 0);
      break;
    case 2:
      mmap(from, n * PAGE, protection, MAP_PRIVATE | MAP_FIXED, file, dice(2) * PAGE);
      break;
    case 3:
      munmap(from, n * PAGE);
      break;
    case 4:
      mprotect(from, n * PAGE, protection);
      break;
    case 5: {
      uint32_t to = dice(PAGES), size = n < PAGES - to ? n : PAGES - to;
      mremap(from, size * PAGE, size * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + to * PAGE);
      break;
    }
    case 6:
      madvise(from, n * PAGE, advice[dice(15)]);
      break;
    case 7:  // shared memory; mprotect, mremap and madvise do the rest
      mmap(from, n * PAGE, protection, MAP_SHARED | MAP_FIXED, memory, dice(PAGES) * PAGE);
      break;
    case 8:
      prctl(0x53564d41 /* PR_SET_VMA */, 0, from, n * PAGE, dice(2) ? "one name" : dice(2) ? "another" : NULL);
      break;
    case 9:
      if (!locking)
        madvise(from, n * PAGE, MADV_DODUMP);
      else if (dice(2))
        mlock2(from, n * PAGE, MLOCK_ONFAULT);
      else
        munlock(from, n * PAGE);
      break;
    default:
      for (uint32_t i = 0; i < n; i += 1 + dice(3)) {
        uint64_t value[2] = {state, 1};
        int fd[2];
        // a write that would fault is an error here
        if (pipe2(fd, O_CLOEXEC) == 0) {
          if (write(fd[1], value, sizeof value) == sizeof value &&
              read(fd[0], from + i * PAGE + 8 * dice(500), sizeof value) < 0)
            i = PAGES;
          close(fd[0]);
          close(fd[1]);
        }
      }
  }
}

static uint64_t hash_page(int mem, char* page) {
  static uint64_t words[PAGE / 8];
  if (pread(mem, words, PAGE, (off_t)(uintptr_t)page) != PAGE) return 1;
  uint64_t h = 2;
  for (int i = 0; i < PAGE / 8; i++) h = (h ^ words[i]) * 0x9e3779b97f4a7c15u + (h >> 29);
  return h;
}

static void look(int check) {
  int mem = open("/proc/self/mem", O_RDONLY);
  MUST(mem >= 0);
  for (int w = 0; w < sequences; w++)
    for (int p = 0; p < PAGES; p++) {
      uint64_t h = hash_page(mem, window(w) + p * PAGE);
      if (check)
        CHECK(h == seen[w][p], "window %d page %d of pid %d", w, p, (int)getpid());
      else
        seen[w][p] = h;
    }
  close(mem);
}

static void live_on(const pid_t* child, int children) {
  look(0);
  atomic_fetch_add(ready, 1);
  victim_wait();
  look(1);
  for (int i = 0; i < children; i++) victim_join(child[i]);
  victim_child_done();
}

static void change(int k) {
  state += (uint64_t)k * 7919;
  for (int w = k; w < sequences; w += CHILDREN)
    for (uint32_t n = dice(6); n > 0; n--) one_step(window(w));
}

static void child_of_main(int k) {
  change(k);
  pid_t child = k % 2 ? fork() : -1;
  if (child == 0) {
    locking = 1;
    change(k - 1);
    live_on(NULL, 0);
  }
  live_on(&child, child > 0);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  state = getenv("NSR_SEED") ? strtoull(getenv("NSR_SEED"), NULL, 10) : 20261122;
  if (getenv("NSR_SEQUENCES")) sequences = atoi(getenv("NSR_SEQUENCES"));
  MUST(sequences <= MOST);
  ready = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  memory = memfd_create("random", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  MUST(file >= 0 && memory >= 0 && ftruncate(memory, 2 * PAGES * PAGE) == 0);
  // what others write meanwhile could not be compared
  for (int i = 0; i < 2 * PAGES; i++) MUST(pwrite(memory, &i, sizeof i, i * PAGE) == sizeof i);
  MUST(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) == 0);
  for (int w = 0; w < sequences; w++)
    for (uint32_t n = 5 + dice(20); n > 0; n--) one_step(window(w));
  pid_t child[CHILDREN];
  for (int k = 0; k < CHILDREN; k++)
    if ((child[k] = fork()) == 0) child_of_main(k);
  locking = 1;
  for (int w = 0; w < sequences; w += 3)
    for (uint32_t n = dice(4); n > 0; n--) one_step(window(w));
  look(0);
  while (*ready != CHILDREN + CHILDREN / 2) sched_yield();

  victim_ready();

  look(1);
  for (int k = 0; k < CHILDREN; k++) victim_join(child[k]);
  return victim_done();
}
