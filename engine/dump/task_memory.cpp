#include "engine/dump/task_memory.h"

#include <cstring>

#include "engine/descriptors/table.h"
#include "engine/memory/vma.h"
#include "engine/procfs/reader.h"
#include "engine/procfs/stat.h"

namespace nsr {
namespace {

/// proc_pid_stat(5); the program break is what brk(2) said, since Linux shows a stale one to others.
void describe_layout(const LiveTask& t, const procfs::ProcDir& dir, pb::mm_entry& mm) {
  procfs::Stat st = procfs::parse_stat(dir.read("stat"));
  mm.set_mm_start_code(st.start_code);
  mm.set_mm_end_code(st.end_code);
  mm.set_mm_start_data(st.start_data);
  mm.set_mm_end_data(st.end_data);
  mm.set_mm_start_stack(st.start_stack);
  mm.set_mm_start_brk(st.start_brk);
  mm.set_mm_brk(t.memory.brk);
  mm.set_mm_arg_start(st.arg_start);
  mm.set_mm_arg_end(st.arg_end);
  mm.set_mm_env_start(st.env_start);
  mm.set_mm_env_end(st.env_end);
  mm.set_dumpable(t.memory.dumpable);
  if (t.memory.thp_disabled) mm.set_thp_disabled(true);
}

void add_auxv(const std::string& auxv, pb::mm_entry& mm) {
  for (size_t i = 0; i + 8 <= auxv.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, auxv.data() + i, 8);
    mm.add_mm_saved_auxv(word);
  }
}

}  // namespace

void collect_task_memory(LiveTask& t, const PageRanges& areas, SmapsAhead& smaps, DumpFiles& files,
                         SysvSegments& segments) {
  const HostPid pid = t.handle();
  procfs::ProcDir dir(pid);
  describe_layout(t, dir, t.mm);
  add_auxv(dir.read("auxv"), t.mm);
  t.mm.set_exe_file_id(files.file_id_of(linked_file(pid, t.frozen->ns_pid, "exe", 0)));
  VmaList list = collect_vmas(pid, t.frozen->ns_pid, smaps.take(pid), areas, files);
  for (auto& v : list.entries) t.mm.add_vmas()->Swap(&v);
  for (auto& a : list.aios) t.mm.add_aios()->Swap(&a);
  t.mm_ext.MergeFrom(list.ext);
  if (t.memory.protection_keys) t.mm_ext.set_protection_keys(t.memory.protection_keys);
  for (const auto& v : t.mm.vmas())
    if (v.status() & kVmaSysvIpc)
      segments.add(pid, static_cast<uint32_t>(v.shmid()),
                   format("/proc/%d/map_files/%llx-%llx", pid.value, static_cast<unsigned long long>(v.start()),
                          static_cast<unsigned long long>(v.end())));
}

}  // namespace nsr
