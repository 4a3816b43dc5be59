// Shared file mappings: writes are seen by the other process and by read(2), before and after.
#include "victim.h"

enum { PAGE = 4096 };

static char* map(const char* name, int protection, off_t offset) {
  int fd = open(name, protection & PROT_WRITE ? O_RDWR : O_RDONLY);
  MUST(fd >= 0);
  char* at = (char*)mmap(NULL, 2 * PAGE, protection, MAP_SHARED, fd, offset);
  MUST(at != MAP_FAILED);
  close(fd);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  int fd = open("shared file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  MUST(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
  close(fd);
  char* mine = map("shared file", PROT_READ | PROT_WRITE, 0);
  char* reader = map("shared file", PROT_READ, PAGE);
  strcpy(mine + PAGE, "before");
  pid_t child = fork();
  if (child == 0) {
    char* other = map("shared file", PROT_READ | PROT_WRITE, PAGE);
    victim_wait();
    CHECK(strcmp(mine + PAGE, "after") == 0, "inherited mapping has %s", mine + PAGE);
    CHECK(strcmp(other, "after") == 0, "own mapping has %s", other);
    strcpy(other + 100, "from the child");
    victim_child_done();
  }
  victim_ready();
  CHECK(strcmp(mine + PAGE, "before") == 0);
  strcpy(mine + PAGE, "after");
  victim_join(child);
  CHECK(strcmp(reader, "after") == 0);
  CHECK(strcmp(mine + PAGE + 100, "from the child") == 0);
  char text[32] = "";
  CHECK(msync(mine, 2 * PAGE, MS_SYNC) == 0);
  fd = open("shared file", O_RDONLY | O_CLOEXEC);
  CHECK(pread(fd, text, 31, PAGE + 100) > 0 && strcmp(text, "from the child") == 0);
  CHECK(mprotect(reader, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
  return victim_done();
}
