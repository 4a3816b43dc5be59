#include "mountns/mount_calls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>

#include "engine/base/error.h"
#include "mountns/mount_options.h"

namespace nsr {
namespace {

constexpr unsigned kMoveMountSetGroup = 0x100;  // MOVE_MOUNT_SET_GROUP, newer than Debian 12's headers

std::string object_of(const std::string& path) { return "mount " + path; }

[[noreturn]] void fail(const std::string& object, const std::string& what, int error) {
  throw_errno(Failure::environment, object, what, error);
}

uint64_t attributes(unsigned long flags) {
  static constexpr struct {
    unsigned long flag;
    uint64_t attribute;
  } kFlags[] = {{MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
                {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
                {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {256 /* MS_NOSYMFOLLOW */, MOUNT_ATTR_NOSYMFOLLOW}};
  uint64_t out = 0;
  for (const auto& f : kFlags)
    if (flags & f.flag) out |= f.attribute;
  if (flags & MS_NOATIME)
    out |= MOUNT_ATTR_NOATIME;
  else if (!(flags & MS_RELATIME))
    out |= MOUNT_ATTR_STRICTATIME;
  return out;
}

void change(int mount, mount_attr attr, const std::string& object, const char* what) {
  if (::syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attr, sizeof attr)) fail(object, what, errno);
}

}  // namespace

Caller self_caller() {
  auto strings = std::make_shared<std::deque<std::string>>();
  return {[](long nr, const std::array<uint64_t, 5>& a) {
            long r = ::syscall(nr, a[0], a[1], a[2], a[3], a[4]);
            return r < 0 ? -static_cast<long>(errno) : r;
          },
          [strings](const std::string& s) { return reinterpret_cast<uint64_t>(strings->emplace_back(s).c_str()); }};
}

UniqueFd new_mount(const NewFileSystem& fs, const Caller& caller) {
  auto call = [&](long nr, std::array<uint64_t, 5> args, const char* what) {
    long r = caller.call(nr, args);
    if (r < 0 && what) fail(fs.type + " file system", what, static_cast<int>(-r));
    return r;
  };
  auto context = static_cast<uint64_t>(
      call(SYS_fsopen, {caller.text(fs.type), FSOPEN_CLOEXEC, 0, 0, 0}, "this kernel cannot make one"));
  UniqueFd guard(static_cast<int>(context));
  auto set = [&](uint64_t how, const std::string& key, const std::string& value) {
    return caller.call(SYS_fsconfig,
                       {context, how, caller.text(key), how == FSCONFIG_SET_FLAG ? 0 : caller.text(value), 0});
  };
  if (!fs.source.empty()) set(FSCONFIG_SET_STRING, "source", fs.source);
  for (const MountOption& option : parse_mount_options(fs.options, fs.context))
    set(option.value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option.key, option.value.value_or(""));
  call(SYS_fsconfig, {context, FSCONFIG_CMD_CREATE, 0, 0, 0}, "it cannot be made");
  return UniqueFd(static_cast<int>(call(SYS_fsmount, {context, FSMOUNT_CLOEXEC, 0, 0, 0}, "it cannot be mounted")));
}

UniqueFd new_mount(const NewFileSystem& fs, const MountCallers& callers) {
  if (fs.type == "proc") return new_mount(fs, callers.proc);
  try {
    return new_mount(fs, callers.others);
  } catch (const Error&) {
    return new_mount(fs, self_caller());  // says itself why it cannot
  }
}

UniqueFd clone_mount(int directory, const std::string& path, bool recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
  if (recursive) flags |= AT_RECURSIVE;
  UniqueFd fd(static_cast<int>(::syscall(SYS_open_tree, directory, path.c_str(), flags)));
  if (!fd) fail(object_of(path), "it cannot be copied", errno);
  return fd;
}

void set_mount_flags(int mount, unsigned long flags, unsigned long propagation, const std::string& object) {
  mount_attr attr{};
  attr.attr_set = attributes(flags);
  attr.attr_clr = (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                   MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW) &
                  ~attr.attr_set;
  attr.attr_clr |= MOUNT_ATTR__ATIME;
  attr.propagation = propagation;
  change(mount, attr, object, "its flags cannot be set");
}

void set_propagation_of(int mount, unsigned long propagation, const std::string& object) {
  mount_attr attr{};
  attr.propagation = propagation;
  change(mount, attr, object, "its propagation cannot be set");
}

void make_read_only(int mount, const std::string& object) {
  UniqueFd context(static_cast<int>(::syscall(SYS_fspick, mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC)));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) ||
      ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0))
    fail(object, "its file system cannot be made read-only", errno);
}

void attach_mount(int mount, int below, const std::string& path, const std::string& object) {
  UniqueFd target;
  if (!path.empty()) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH;
    target = UniqueFd(static_cast<int>(::syscall(SYS_openat2, below, path.c_str(), &how, sizeof how)));
    if (!target) fail(object, "its mount point is not there", errno);
  }
  if (::syscall(SYS_move_mount, mount, "", target ? target.get() : below, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
    fail(object, "it cannot be put in its place", errno);
}

void join_sharing(int first, int second, const std::string& object) {
  if (::syscall(SYS_move_mount, first, "", second, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | kMoveMountSetGroup))
    fail(object, "it cannot join the group of mounts it shares changes with", errno);
}

void switch_root(int mount) {
  auto must = [](long result, const char* what) {
    if (result) fail("root directory of the tree", what, errno);
  };
  must(::syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "it cannot be mounted");
  must(::fchdir(mount), "it cannot be entered");
  // pivot_root(2): the old root comes to lie on top of the new one, where "." finds it
  must(::syscall(SYS_pivot_root, ".", "."), "the root cannot be changed");
  must(::umount2(".", MNT_DETACH), "the old root cannot be unmounted");
  must(::chdir("/"), "it cannot be entered");
}

}  // namespace nsr
