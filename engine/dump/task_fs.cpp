#include "engine/dump/task_fs.h"

#include "engine/descriptors/table.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/status.h"

namespace nsr {
namespace {

/// message: pb::fs_entry, or pb::nsr_thread_entry for a thread.
template <class Message>
void describe(HostPid tid, NsPid pid, DumpFiles& files, Message& message) {
  message.set_cwd_id(files.file_id_of(linked_file(tid, pid, "cwd", 0)));
  message.set_root_id(files.file_id_of(linked_file(tid, pid, "root", 0)));
  if (auto umask = procfs::parse_status(procfs::ProcDir(tid).read("status")).umask) message.set_umask(*umask);
}

}  // namespace

pb::fs_entry collect_fs(LiveTask& t, DumpFiles& files) {
  pb::fs_entry fs;
  describe(t.handle(), t.frozen->ns_pid, files, fs);
  const auto& facts = t.facts->finish();
  for (size_t i = 1; i < facts.size(); i++)
    if (!facts[i].shares_fs)
      describe(t.frozen->threads[i].tid, t.frozen->ns_pid, files, *t.ext().mutable_threads(static_cast<int>(i)));
  return fs;
}

}  // namespace nsr
