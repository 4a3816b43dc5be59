// Deleted files: content, holes of a large sparse one, two descriptions of one inode, in a removed directory, a
// directory, a FIFO, and one that was never given a name.
#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  char text[16] = "";
  int fd = open("gone", O_RDWR | O_CREAT, 0640), again = open("gone", O_RDONLY);
  MUST(fd >= 0 && again >= 0 && unlink("gone") == 0);
  MUST(ftruncate(fd, 3l << 30) == 0 && pwrite(fd, "deep", 4, 2l << 30) == 4 && write(fd, "head", 4) == 4);
  MUST(fchown(fd, 12, 34) == 0);
  MUST(mkdir("d", 0750) == 0);
  int inside = open("d/f", O_RDWR | O_CREAT | O_APPEND, 0600), folder = open("d", O_RDONLY | O_DIRECTORY);
  MUST(inside >= 0 && folder >= 0 && write(inside, "in", 2) == 2 && unlink("d/f") == 0 && rmdir("d") == 0);
  MUST(mkfifo("pipe", 0600) == 0);
  int pipe_fd = open("pipe", O_RDWR | O_NONBLOCK);
  MUST(pipe_fd >= 0 && write(pipe_fd, "fifo", 4) == 4 && unlink("pipe") == 0);
  struct stat before, after, other;
  MUST(fstat(fd, &before) == 0);

  victim_ready();

  CHECK(fstat(fd, &after) == 0 && fstat(again, &other) == 0);
  CHECK_EQ(after.st_size, before.st_size);
  CHECK_EQ(after.st_nlink, 0);
  CHECK_EQ(after.st_mode, before.st_mode);
  CHECK_EQ(after.st_uid, 12);
  CHECK_EQ(after.st_gid, 34);
  CHECK_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  CHECK(after.st_blocks <= before.st_blocks + 16, "%ld blocks", (long)after.st_blocks);
  CHECK_EQ(after.st_ino, other.st_ino);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
  CHECK(pread(again, text, 4, 2l << 30) == 4 && memcmp(text, "deep", 4) == 0);
  CHECK(pread(again, text, 4, 0) == 4 && memcmp(text, "head", 4) == 0);
  CHECK(fstat(inside, &after) == 0 && after.st_nlink == 0 && after.st_size == 2);
  CHECK(write(inside, "to", 2) == 2 && pread(inside, text, 4, 0) == 4 && memcmp(text, "into", 4) == 0);
  CHECK(fstat(folder, &after) == 0 && S_ISDIR(after.st_mode) && (after.st_mode & 07777) == 0750);
  CHECK(openat(folder, "x", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
  CHECK(read(pipe_fd, text, 16) == 4 && memcmp(text, "fifo", 4) == 0);
  CHECK(access("gone", F_OK) != 0 && access("d", F_OK) != 0 && access("pipe", F_OK) != 0);
  return victim_done();
}
