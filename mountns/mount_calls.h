// The mount calls that work on descriptors of mounts (open_tree(2), fsopen(2), move_mount(2), mount_setattr(2); Linux
// 5.2 to 5.12). A mount that is attached nowhere lives as long as its descriptor. All throw Error(environment).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/unique_fd.h"

namespace nsr {

/// A new instance of a file system.
struct NewFileSystem {
  std::string type;
  std::string source;
  std::string options;    ///< as in mountinfo: words and KEY=VALUE by commas, without ro and rw
  std::string context{};  ///< SELinux label in place of that of an option context=; empty: as it stands
};

/// Who makes system calls: proc shows the pid namespace of the process that makes it.
struct Caller {
  std::function<long(long nr, const std::array<uint64_t, 5>& args)> call;  ///< result or -errno
  std::function<uint64_t(const std::string&)> text;                        ///< where the caller finds a string
};
/// The calling thread itself.
Caller self_caller();

/// Who makes the new file systems of a tree.
struct MountCallers {
  Caller proc;    ///< lives in the pid namespace of the tree
  Caller others;  ///< lives in its user namespace, which owns what it makes
};

/// The descriptor is one of the caller's. An option that the file system does not know is left out.
UniqueFd new_mount(const NewFileSystem& fs, const Caller& caller);
/// As above. What its maker may not mount, the tree has had from outside of its user namespace: this process makes it.
UniqueFd new_mount(const NewFileSystem& fs, const MountCallers& callers);
/// A copy of the mount that has this path, from there on downwards; recursive: with all that is mounted below.
UniqueFd clone_mount(int directory, const std::string& path, bool recursive = false);
/// flags: of mount(2), all that are not given are off. propagation: MS_PRIVATE, MS_SLAVE ...; 0: as it is.
void set_mount_flags(int mount, unsigned long flags, unsigned long propagation, const std::string& object);
/// Of one mount, attached or not.
void set_propagation_of(int mount, unsigned long propagation, const std::string& object);
/// The file system behind a mount, for all its mounts.
void make_read_only(int mount, const std::string& object);
/// Puts it on a path below a mount ("": on its root, on top of what is there), which nothing else covers.
void attach_mount(int mount, int below, const std::string& path, const std::string& object);
/// The second, which must be private, joins the peer group and the master of the first (Linux 5.15).
void join_sharing(int first, int second, const std::string& object);

/// Makes a mount that is attached nowhere the root of the caller's mount namespace; all other mounts of that go. The
/// caller's root and current directory, and that of others there who had the old root, are its root then. Nothing of
/// the old root may be shared.
void switch_root(int mount);

}  // namespace nsr
