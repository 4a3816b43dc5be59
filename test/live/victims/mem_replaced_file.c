// A mapped file whose name another file has now: content and sharing stay, the name that maps shows cannot.
// ignore: maps$
// ignore: taskstate \d+ map$
#include "victim.h"

enum { PAGE = 4096 };

static char* make(const char* path, int flags, const char* text) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  MUST(fd >= 0 && ftruncate(fd, PAGE) == 0 && write(fd, text, strlen(text)) > 0);
  char* at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  MUST(at != MAP_FAILED);
  close(fd);
  return at;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char* unlinked = make("a", MAP_SHARED, "old a");
  MUST(unlink("a") == 0);
  char* other = make("a", MAP_SHARED, "new a");
  char* renamed_over = make("b", MAP_SHARED, "old b");
  char* copied = make("c", MAP_PRIVATE, "new b");
  MUST(rename("c", "b") == 0);

  victim_ready();

  CHECK(strcmp(unlinked, "old a") == 0 && strcmp(other, "new a") == 0);
  CHECK(strcmp(renamed_over, "old b") == 0 && strcmp(copied, "new b") == 0);
  strcpy(other, "more");
  char text[8] = "";
  int fd = open("a", O_RDONLY | O_CLOEXEC);
  CHECK(read(fd, text, 4) == 4 && strcmp(text, "more") == 0);
  return victim_done();
}
