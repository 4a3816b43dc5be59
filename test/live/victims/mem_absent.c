// What was only reserved or only read has no pages after the restore that it had not before, and none in the images:
// neither never-touched pages nor the zero page become memory.
// pages: 150
#include "victim.h"

enum { PAGE = 4096, READ = 64 << 20, STRIDE = 16 };
static const size_t kReserve = 1ul << 40;

static char* map(size_t size, int protection, int flags) {
  char* at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (at == MAP_FAILED) victim_skip("so much cannot be reserved here");
  return at;
}

// Pages of a range that are there; the zero page, which need not come back, is not counted.
static long present(const char* start, size_t size) {
  static uint64_t words[1 << 16];
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), frames = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
  MUST(fd >= 0);
  long n = 0;
  for (size_t done = 0; done < size; done += sizeof words / 8 * PAGE) {
    size_t part = size - done < sizeof words / 8 * PAGE ? (size - done) / PAGE : sizeof words / 8;
    MUST(pread(fd, words, part * 8, (off_t)((uintptr_t)(start + done) / PAGE * 8)) == (ssize_t)(part * 8));
    for (size_t i = 0; i < part; i++) {
      uint64_t flags = 0, frame = words[i] & ((1ull << 55) - 1);
      if (!(words[i] >> 62)) continue;
      if (frame && pread(frames, &flags, 8, (off_t)(frame * 8)) == 8 && (flags >> 24 & 1)) continue;  // KPF_ZERO_PAGE
      n++;
    }
  }
  close(fd);
  close(frames);
  return n;
}

static long resident_kib(const char* key) { return (long)victim_status("/proc/self/status", key, 10); }

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* none = map(kReserve, PROT_NONE, MAP_NORESERVE);
  char* sparse = map(kReserve, PROT_READ | PROT_WRITE, MAP_NORESERVE);
  char* zeros = map(READ, PROT_READ | PROT_WRITE, 0);
  MUST(madvise(sparse, kReserve, MADV_NOHUGEPAGE) == 0 && madvise(zeros, READ, MADV_NOHUGEPAGE) == 0);
  for (int i = 0; i < STRIDE; i++) victim_fill(sparse + (kReserve / STRIDE) * (size_t)i, PAGE, (uint64_t)i);
  long sum = 0;
  for (int i = 0; i < READ; i += PAGE) sum += ((volatile char*)zeros)[i];
  MUST(sum == 0 && present(zeros, READ) == 0 && present(sparse, 1 << 20) == 1);
  const long anonymous = resident_kib("RssAnon");

  victim_ready();

  CHECK_EQ(present(zeros, READ), 0);
  CHECK_EQ(present(none, 1 << 20), 0);
  CHECK_EQ(present(sparse, 1 << 20), 1);
  CHECK(resident_kib("RssAnon") <= anonymous + 64, "anonymous memory was %ld KiB, is %ld", anonymous,
        resident_kib("RssAnon"));
  for (int i = 0; i < STRIDE; i++)
    CHECK_EQ(victim_compare(sparse + (kReserve / STRIDE) * (size_t)i, PAGE, (uint64_t)i), -1);
  for (int i = 0; i < READ; i += PAGE) CHECK(zeros[i] == 0);
  return victim_done();
}
