// Working directory, root directory and umask: of a process, and of those of its threads that have their own.
#pragma once

#include "engine/dump/dump_files.h"
#include "engine/dump/live_task.h"
#include "fs.pb.h"

namespace nsr {

/// Contents of fs-<pid>.img; the directories get their ids. Then notes those of threads that do not share them
/// (unshare(2), CLONE_FS) in t.ext.
pb::fs_entry collect_fs(LiveTask& t, DumpFiles& files);

}  // namespace nsr
