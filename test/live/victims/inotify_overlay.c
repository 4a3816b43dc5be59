// inotify on an overlay: files of the lower and of the upper layer, a directory, one that was renamed; and a deleted
// file.
#include <sys/inotify.h>
#include <sys/mount.h>

#include "victim.h"

static void make(const char* path) { MUST(close(open(path, O_CREAT | O_RDWR | O_EXCL, 0644)) == 0); }

static void tells(int in, int watch, uint32_t mask) {
  char buffer[4096] __attribute__((aligned(8)));
  ssize_t n = read(in, buffer, sizeof buffer);
  const struct inotify_event* e = (const struct inotify_event*)buffer;
  CHECK(n > 0 && e->wd == watch && e->mask == mask, "%zd bytes, watch %d, mask %x", n, e->wd, e->mask);
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  const char* folders[] = {"lower", "upper", "work", "merged", "lower/folder"};
  for (int i = 0; i < 5; i++) MUST(mkdir(folders[i], 0755) == 0);
  make("lower/below");
  char here[PATH_MAX], options[3 * PATH_MAX + 64];
  MUST(getcwd(here, sizeof here) != NULL);
  snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", here, here, here);
  if (mount("overlay", "merged", "overlay", 0, options) != 0) victim_skip("no overlay can be mounted");
  make("merged/above");
  int gone = open("merged/gone", O_CREAT | O_RDWR, 0600), in = inotify_init1(IN_NONBLOCK);
  MUST(write(gone, "g", 1) == 1 && unlink("merged/gone") == 0);
  int below = inotify_add_watch(in, "merged/below", IN_OPEN), above = inotify_add_watch(in, "merged/above", IN_MODIFY),
      folder = inotify_add_watch(in, "merged/folder", IN_CREATE), root = inotify_add_watch(in, "merged", IN_CREATE);
  MUST(below > 0 && above > 0 && folder > 0 && root > 0 && rename("merged/above", "merged/renamed") == 0);

  victim_ready();

  CHECK(read(in, options, sizeof options) < 0 && errno == EAGAIN);
  CHECK(close(open("merged/below", O_RDONLY)) == 0);
  tells(in, below, IN_OPEN);
  CHECK(truncate("merged/renamed", 1) == 0);
  tells(in, above, IN_MODIFY);
  make("merged/folder/new");
  tells(in, folder, IN_CREATE);
  make("merged/new");
  tells(in, root, IN_CREATE);
  char c = 0;
  CHECK(pread(gone, &c, 1, 0) == 1 && c == 'g');
  close(gone);
  close(in);
  CHECK(umount2("merged", MNT_DETACH) == 0);
  return victim_done();
}
