// Files, a directory, a FIFO and a device whose paths later mounts cover, and a FIFO and a device of which a removed
// name is open while another one is left.
// engine: --link-remap
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "victim.h"

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (unshare(CLONE_NEWNS) != 0) victim_skip("no mount namespace of its own");
  MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
  MUST(mkdir("m", 0755) == 0 && mkdir("m/d", 0755) == 0 && mkfifo("m/p", 0600) == 0);
  MUST(mknod("m/zero", S_IFCHR | 0600, makedev(1, 5)) == 0);
  int file = open("m/f", O_RDWR | O_CREAT, 0600), other = open("m/taken", O_RDWR | O_CREAT, 0600),
      directory = open("m/d", O_RDONLY | O_DIRECTORY), fifo = open("m/p", O_RDWR), zero = open("m/zero", O_RDONLY);
  MUST(file >= 0 && other >= 0 && directory >= 0 && fifo >= 0 && zero >= 0);
  MUST(write(file, "under", 5) == 5 && write(other, "me", 2) == 2 && write(fifo, "data", 4) == 4);
  MUST(mount("over", "m", "tmpfs", 0, NULL) == 0);
  int above = open("m/taken", O_RDWR | O_CREAT, 0600);
  MUST(above >= 0 && write(above, "above", 5) == 5);

  MUST(mkfifo("pipe", 0600) == 0 && link("pipe", "pipe2") == 0);
  int linked = open("pipe", O_RDWR), device = -1;
  MUST(linked >= 0 && write(linked, "left", 4) == 4 && unlink("pipe") == 0);
  MUST(mknod("dev", S_IFCHR | 0600, makedev(1, 5)) == 0 && link("dev", "dev2") == 0);
  device = open("dev", O_RDONLY);
  MUST(device >= 0 && unlink("dev") == 0);

  victim_ready();

  char text[16] = "";
  CHECK(pread(file, text, sizeof text, 0) == 5 && memcmp(text, "under", 5) == 0, "%s", text);
  CHECK_EQ(lseek(file, 0, SEEK_CUR), 5);
  CHECK(pread(other, text, sizeof text, 0) == 2 && memcmp(text, "me", 2) == 0, "%s", text);
  CHECK(pread(above, text, sizeof text, 0) == 5 && memcmp(text, "above", 5) == 0, "%s", text);
  CHECK(read(fifo, text, sizeof text) == 4 && memcmp(text, "data", 4) == 0, "%s", text);
  CHECK(read(zero, text, 4) == 4 && text[0] == 0);
  CHECK(read(linked, text, sizeof text) == 4 && memcmp(text, "left", 4) == 0, "%s", text);
  CHECK(read(device, text, 4) == 4 && text[0] == 0);
  CHECK(access("pipe", F_OK) != 0 && access("dev", F_OK) != 0);
  CHECK(access("m/f", F_OK) != 0);
  close(above);
  CHECK(umount("m") == 0);
  struct stat st, named;
  CHECK(fstat(file, &st) == 0 && stat("m/f", &named) == 0 && st.st_ino == named.st_ino);
  CHECK(fstat(directory, &st) == 0 && stat("m/d", &named) == 0 && st.st_ino == named.st_ino);
  return victim_done();
}
