#include "engine/memory/vma.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/memory/aio_ring.h"
#include "engine/procfs/reader.h"
#include "pidns/in_namespace.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08  // linux/mman.h, 6.11
#endif

namespace nsr {
namespace {

using procfs::SmapsEntry;
using procfs::VmaNaming;
using procfs::VmFlag;

/// madvise(2) states that survive in VmFlags.
constexpr std::pair<VmFlag, int> kAdvice[] = {
    {VmFlag::dc, MADV_DONTFORK},   {VmFlag::sr, MADV_SEQUENTIAL}, {VmFlag::rr, MADV_RANDOM},
    {VmFlag::dd, MADV_DONTDUMP},   {VmFlag::mg, MADV_MERGEABLE},  {VmFlag::hg, MADV_HUGEPAGE},
    {VmFlag::nh, MADV_NOHUGEPAGE}, {VmFlag::wf, MADV_WIPEONFORK},
};

constexpr std::string_view kIoUring = "anon_inode:[io_uring]", kSocket = "socket:[",
                           kPerfEvent = "anon_inode:[perf_event]";

class Collector {
 public:
  Collector(HostPid pid, NsPid nspid, DumpContext& ctx) : pid_(pid), nspid_(nspid), ctx_(ctx) {}

  void add(const SmapsEntry& s, VmaList& list) {
    pb::vma_entry e;
    e.set_start(s.vma.start);
    e.set_end(s.vma.end);
    e.set_pgoff(0);
    e.set_shmid(0);
    e.set_prot(static_cast<uint32_t>(s.vma.prot));
    e.set_fd(-1);
    uint32_t flags = s.vma.shared ? MAP_SHARED : s.has(VmFlag::dp) ? MAP_DROPPABLE : MAP_PRIVATE;
    if (s.has(VmFlag::gd)) flags |= MAP_GROWSDOWN;
    if (s.has(VmFlag::nr)) flags |= MAP_NORESERVE;
    if (s.has(VmFlag::lo)) flags |= MAP_LOCKED;
    uint64_t advice = 0;
    for (auto [flag, code] : kAdvice)
      if (s.has(flag)) advice |= 1ull << code;
    if (advice) e.set_madv(advice);
    e.set_status(classify(s, flags, e, list));
    e.set_flags(flags);
    list.entries.push_back(e);
    pb::nsr_vma_entry& x = *list.ext.add_vmas();
    x.set_start(s.vma.start);
    x.set_flags(s.flags);
    auto kind = procfs::naming(s.vma);
    if (s.vma.name == kIoUring) x.set_placed_by_kernel(true);
    if (kind == VmaNaming::sysv_shm) x.set_segment(segment_size(s));
    if (kind == VmaNaming::anon || kind == VmaNaming::anon_shmem) x.set_name(std::string(procfs::given_name(s.vma)));
    // an execute-only mapping gets its key from the kernel
    if (s.protection_key.value_or(0) && s.vma.prot != PROT_EXEC) x.set_pkey(static_cast<uint32_t>(*s.protection_key));
  }

 private:
  uint32_t classify(const SmapsEntry& s, uint32_t& flags, pb::vma_entry& e, VmaList& list) {
    auto kind = procfs::naming(s.vma);
    switch (kind) {
      case VmaNaming::vsyscall:
        flags |= MAP_ANONYMOUS;
        return kVmaVsyscall | kVmaAnonPrivate;
      case VmaNaming::vdso:
        flags |= MAP_ANONYMOUS;
        return kVmaRegular | kVmaVdso | kVmaAnonPrivate;
      case VmaNaming::vvar:
        flags |= MAP_ANONYMOUS;
        return kVmaRegular | kVmaVvar | kVmaAnonPrivate;
      case VmaNaming::special:
        if (s.vma.name == "[uprobes]")
          refuse(s, "a uprobe is set in it", "remove the probe (perf probe -d, bpftrace) first");
        refuse(s, "it is a special mapping of the kernel that cannot be made again");
      default:
        break;
    }
    if (s.vma.name == kIoUring)
      return map_descriptor(s, e, "it is the memory of an io_uring that no task of the tree has open");
    if (s.vma.name.starts_with(kSocket))
      return map_descriptor(s, e, "it is the ring of a packet socket that no task of the tree has open") | kVmaSocket;
    if (s.vma.name == kPerfEvent) refuse(s, "it is the ring of a perf event", "stop its tracing before the dump");
    if (s.has(VmFlag::pf) || s.has(VmFlag::io)) refuse(s, "it maps a device's memory");
    if (s.has(VmFlag::um) || s.has(VmFlag::uw) || s.has(VmFlag::ui))
      refuse(s, "it is registered with userfaultfd, whose pending faults cannot be kept",
             "dump it when its pager is not active");
    if (s.has(VmFlag::ss)) refuse(s, "it is a shadow stack");
    if (s.vma.name.starts_with("/secretmem"))
      refuse(s, "it is memfd_secret memory, which the kernel shows to nobody but its owner");
    // the first segment of an IPC namespace has number 0
    bool fileless = s.vma.inode == 0 && kind != VmaNaming::sysv_shm;
    if (fileless && s.vma.shared) refuse(s, "it is shared memory without a file");
    bool huge_anonymous = s.has(VmFlag::ht) && !s.vma.shared && s.vma.name.starts_with("/anon_hugepage");
    if (huge_anonymous)
      flags |= MAP_HUGETLB | static_cast<uint32_t>(std::countr_zero(s.kernel_page_size)) << MAP_HUGE_SHIFT;
    if (fileless || huge_anonymous) {
      flags |= MAP_ANONYMOUS;
      if (huge_anonymous) e.set_pgoff(s.vma.offset);
      uint32_t status = kVmaRegular | kVmaAnonPrivate;
      if (kind == VmaNaming::stack) status |= kVmaStack;
      if (kind == VmaNaming::heap) status |= kVmaHeap;
      return status;
    }
    e.set_pgoff(s.vma.offset);
    if (kind == VmaNaming::sysv_shm) {
      e.set_shmid(s.vma.inode);
      e.set_fdflags(static_cast<uint32_t>(s.has(VmFlag::mw) ? O_RDWR : O_RDONLY));
      return kVmaRegular | kVmaSysvIpc;
    }
    if (is_aio_ring(s.vma)) {
      flags |= MAP_ANONYMOUS;
      add_aio_ring(s, list);
      return kVmaRegular | kVmaAioRing;
    }
    return classify_file(s, e);
  }

  uint32_t classify_file(const SmapsEntry& s, pb::vma_entry& e) {
    // sh: the file was opened for writing, although a seal may forbid to write through this mapping (6.7)
    bool writable_file = s.vma.shared && s.has(VmFlag::sh);
    e.set_fdflags(static_cast<uint32_t>(writable_file ? O_RDWR : O_RDONLY));
    e.set_shmid(file_id(s, writable_file));
    uint32_t status = kVmaRegular | (s.vma.shared ? kVmaFileShared : kVmaFilePrivate);
    auto kind = procfs::naming(s.vma);
    if (kind == VmaNaming::memfd || kind == VmaNaming::dev_zero || kind == VmaNaming::anon_shmem ||
        s.vma.name.starts_with("/anon_hugepage"))
      status |= kVmaMemfd;
    return status;
  }

  /// Memory of what has no path in map_files: known by its inode, which is that of a descriptor (io_uring: Linux 5.17).
  uint32_t map_descriptor(const SmapsEntry& s, pb::vma_entry& e, const char* nobody) {
    for (const OpenFile& f : ctx_.all_open_files()) {
      if (f.st.st_ino != s.vma.inode || f.link != s.vma.name) continue;
      e.set_pgoff(s.vma.offset);
      e.set_fdflags(O_RDWR);
      e.set_shmid(ctx_.file_id_of(f));
      return kVmaRegular | kVmaFileShared;
    }
    refuse(s, nobody);
  }

  uint64_t segment_size(const SmapsEntry& s) const {
    InNamespace there(open_namespace(std::to_string(pid_.value), "ipc"), "ipc");
    shmid_ds ds{};
    if (::shmctl(static_cast<int>(s.vma.inode), IPC_STAT, &ds))
      refuse(s, "its SysV segment cannot be looked at: it is of another IPC namespace than the task's");
    return ds.shm_segsz;
  }

  void add_aio_ring(const SmapsEntry& s, VmaList& list) {
    auto ring = read_aio_ring(pid_, s.vma.start, s.vma.length());
    if (!ring) refuse(s, "it is an AIO ring that cannot be read");
    list.aios.push_back(ring->entry);
    *list.ext.add_aios() = ring->content;
  }

  uint32_t file_id(const SmapsEntry& s, bool writable) {
    auto key = std::make_tuple(s.vma.dev_major, s.vma.dev_minor, s.vma.inode, writable, s.vma.name);
    auto it = files_.find(key);
    if (it != files_.end()) return it->second;
    OpenFile f;
    f.pid = pid_;
    f.nspid = nspid_;
    f.proc_path = format("/proc/%d/map_files/%llx-%llx", pid_.value, static_cast<unsigned long long>(s.vma.start),
                         static_cast<unsigned long long>(s.vma.end));
    // the name in smaps may be one that was given by prctl
    f.link = read_link(f.proc_path).value_or(s.vma.name);
    f.flags = static_cast<uint32_t>(writable ? O_RDWR : O_RDONLY);
    if (::stat(f.proc_path.c_str(), &f.st))
      throw_errno(Failure::environment, f.describe(), f.proc_path + " cannot be read", errno,
                  "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
    uint32_t id = ctx_.file_id_of(f);
    files_.emplace(key, id);
    return id;
  }

  [[noreturn]] void refuse(const SmapsEntry& s, const char* why, const char* remedy = "") const {
    throw Error(Failure::unsupported,
                format("pid %d mapping %llx-%llx %s", pid_.value, static_cast<unsigned long long>(s.vma.start),
                       static_cast<unsigned long long>(s.vma.end), s.vma.name.c_str()),
                why, remedy);
  }

  HostPid pid_;
  NsPid nspid_;
  DumpContext& ctx_;
  std::map<std::tuple<uint32_t, uint32_t, uint64_t, bool, std::string>, uint32_t> files_;
};

}  // namespace

bool has_own_pages(const pb::vma_entry& v) {
  return (v.status() & (kVmaAnonPrivate | kVmaFilePrivate)) && !(v.status() & (kVmaVvar | kVmaVsyscall));
}

VmaList collect_vmas(HostPid pid, NsPid nspid, const std::vector<SmapsEntry>& smaps, const PageRanges& skip,
                     DumpContext& ctx) {
  VmaList list;
  Collector collector(pid, nspid, ctx);
  for (const SmapsEntry& s : smaps) {
    if (std::any_of(skip.begin(), skip.end(),
                    [&](const PageRange& r) { return s.vma.start >= r.start && s.vma.end <= r.end; })) {
      // our own areas were mapped as the task maps everything since mlockall(MCL_FUTURE)
      if (s.has(VmFlag::lo)) list.ext.set_mlock_future(MCL_FUTURE | (s.has(VmFlag::lf) ? MCL_ONFAULT : 0));
      continue;
    }
    collector.add(s, list);
  }
  if (std::none_of(list.entries.begin(), list.entries.end(), [](const auto& v) { return v.status() & kVmaVdso; }))
    throw Error(Failure::unsupported, format("pid %d", pid.value), "it has no vDSO, in which a restore ends");
  return list;
}

}  // namespace nsr
