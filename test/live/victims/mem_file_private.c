// Private file mappings: pages changed by the program differ from the file, the others are the file's, also when it
// changes.
#include "victim.h"

enum { PAGE = 4096, PAGES = 64 };

int main(int argc, char** argv) {
  victim_init(argc, argv);
  static char data[PAGES * PAGE];
  victim_fill(data, sizeof data, 10);
  int fd = open("mapped file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  MUST(fd >= 0 && write(fd, data, sizeof data) == (ssize_t)sizeof data);
  char* private = (char*)mmap(NULL, sizeof data, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* middle = (char*)mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 8 * PAGE);
  MUST(private != MAP_FAILED && middle != MAP_FAILED);
  close(fd);
  for (int i = 0; i < PAGES; i += 5) victim_fill(private + i * PAGE, PAGE, 900u + (unsigned)i);
  for (int i = 1; i < PAGES; i += 5) MUST(private[i * PAGE] == data[i * PAGE]);  // read only
  MUST(mprotect(private + 20 * PAGE, PAGE, PROT_NONE) == 0);
  MUST(mprotect(private + 40 * PAGE, 3 * PAGE, PROT_READ | PROT_EXEC) == 0);
  victim_ready();
  fd = open("mapped file", O_WRONLY | O_CLOEXEC);
  static char changed[PAGE];
  victim_fill(changed, PAGE, 777);
  CHECK(fd >= 0 && pwrite(fd, changed, PAGE, 11 * PAGE) == PAGE && pwrite(fd, changed, PAGE, 10 * PAGE) == PAGE);
  close(fd);
  CHECK(mprotect(private + 20 * PAGE, PAGE, PROT_READ) == 0);
  for (int i = 0; i < PAGES; i++) {
    const char* page = private + i * PAGE;
    if (i % 5 == 0)
      CHECK(victim_compare(page, PAGE, 900u + (unsigned)i) == -1, "changed page %d", i);
    else if (i == 11)
      CHECK(victim_compare(page, PAGE, 777) == -1, "page 11 is no longer the file's");
    else
      CHECK(memcmp(page, data + i * PAGE, PAGE) == 0, "page %d", i);
  }
  CHECK(memcmp(middle, data + 8 * PAGE, PAGE) == 0);
  CHECK_EQ(victim_compare(middle + 2 * PAGE, PAGE, 777), -1);
  return victim_done();
}
