#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"
#include "engine/cli/probes.h"

namespace nsr::probe {
namespace {

constexpr unsigned long timerfd_set_ticks = _IOW('T', 0, uint64_t);  // Linux 3.17, CONFIG_CHECKPOINT_RESTORE
constexpr unsigned move_mount_set_group_flag = 0x100;                // Linux 5.15

bool fdinfo_has(int fd, const char* key) {
  auto text = read_file("/proc/self/fdinfo/" + std::to_string(fd));
  return text && text->find(key) != std::string::npos;
}

/// An own mount namespace with an empty tmpfs on /tmp, so that nothing of the host is touched. For children only.
bool own_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("probe", "/tmp", "tmpfs", 0, nullptr) == 0 && ::chdir("/tmp") == 0;
}

/// Device and inode of a mapped file as /proc/self/maps shows them are those that stat shows.
bool maps_show(void* address, const struct stat& st) {
  auto maps = read_file("/proc/self/maps");
  std::string wanted =
      format(" %02x:%02x %llu ", major(st.st_dev), minor(st.st_dev), static_cast<unsigned long long>(st.st_ino));
  std::string start = format("%llx-", static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(address)));
  if (!maps) return false;
  size_t line = maps->find("\n" + start);
  return line != maps->npos && maps->substr(line + 1, maps->find('\n', line + 1) - line - 1).find(wanted) != maps->npos;
}

}  // namespace

bool mnt_id() {
  UniqueFd fd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd && fdinfo_has(fd.get(), "mnt_id:");
}

bool fdinfo_lock() {
  UniqueFd fd(::memfd_create("probe", MFD_CLOEXEC));
  return fd && ::flock(fd.get(), LOCK_EX) == 0 && fdinfo_has(fd.get(), "lock:");
}

bool timerfd() {
  UniqueFd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  uint64_t ticks = 1;
  return fd && fdinfo_has(fd.get(), "clockid:") && ::ioctl(fd.get(), timerfd_set_ticks, &ticks) == 0;
}

bool kcmp_epoll() {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  epoll_event event{};
  if (!set || !timer || ::epoll_ctl(set.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) return false;
  kcmp_epoll_slot slot{static_cast<uint32_t>(set.get()), static_cast<uint32_t>(timer.get()), 0};
  return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), KCMP_EPOLL_TFD, timer.get(), &slot) == 0;
}

bool openat2() {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how))).get() >= 0;
}

bool autofs() {
  return in_child([] {
    int ends[2];
    if (!own_mounts() || ::pipe(ends) != 0) return false;
    std::string data = format("fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", ends[1], ::getpgrp());
    if (::mkdir("auto", 0700) != 0 || ::mount("probe", "auto", "autofs", 0, data.c_str()) != 0) return false;
    auto mounts = read_file("/proc/self/mountinfo");
    return mounts && mounts->find("pipe_ino=") != std::string::npos;
  });
}

bool move_mount_set_group() {
  return in_child([] {
    return own_mounts() && ::mkdir("a", 0700) == 0 && ::mkdir("b", 0700) == 0 &&
           ::mount("probe", "a", "tmpfs", 0, nullptr) == 0 && ::mount("a", "b", nullptr, MS_BIND, nullptr) == 0 &&
           ::mount(nullptr, "a", nullptr, MS_SHARED, nullptr) == 0 &&
           ::syscall(SYS_move_mount, AT_FDCWD, "a", AT_FDCWD, "b", move_mount_set_group_flag) == 0;
  });
}

bool overlayfs_maps() {
  return in_child([] {
    if (!own_mounts()) return false;
    for (const char* dir : {"low", "up", "work", "all"})
      if (::mkdir(dir, 0700) != 0) return false;
    { UniqueFd make(::open("low/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }
    if (::mount("probe", "all", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work") != 0) return false;
    UniqueFd file(::open("all/file", O_RDONLY | O_CLOEXEC));
    struct stat st {};
    if (!file || ::fstat(file.get(), &st) != 0) return false;
    void* map = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, file.get(), 0);
    return map != MAP_FAILED && maps_show(map, st);
  });
}

}  // namespace nsr::probe
