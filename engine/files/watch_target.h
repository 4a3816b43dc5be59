// What an inotify watch or fanotify mark is on: an inode, known by its file handle (name_to_handle_at(2)).
#pragma once

#include <optional>
#include <string>

#include "engine/files/named_files.h"
#include "engine/procfs/fdinfo.h"
#include "engine/procfs/mountinfo.h"
#include "fh.pb.h"

namespace nsr {

/// The target of a watch at dump: handle as words, and the path that leads to the inode now. No path for a deleted
/// file that the tree has open: it is found by its inode among the ghosts. Throws Error(unsupported) when
/// neither is to be had.
pb::fh_entry dump_watch_target(const OpenFile& watcher, uint32_t sdev, uint64_t ino,
                               const std::optional<procfs::FileHandle>& handle, NamedFiles& files, DumpContext& ctx);

/// A path for inotify_add_watch(2) and fanotify_mark(2) at restore. It may lead through /proc/self/fd of `keep`.
/// Throws Error(environment) when the file is not found.
std::string restore_watch_target(const pb::fh_entry& target, uint32_t sdev, uint64_t ino, const std::string& object,
                                 NamedFiles& files, RestoreContext& ctx, UniqueFd& keep);

/// Whether that path is a link of /proc/self/fd, to be followed; any other one is of the inode itself, be that a
/// symbolic link.
bool watch_follows(const std::string& path);

/// A mount of the filesystem with this device (kernel encoding) that the task sees.
std::optional<procfs::MountInfo> mount_of_device(HostPid pid, uint32_t sdev);

/// Mount point of a mount id of that task; nothing when it has none such.
std::optional<std::string> mount_point(HostPid pid, int mnt_id);

}  // namespace nsr
