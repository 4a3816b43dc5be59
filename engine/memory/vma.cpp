#include "engine/memory/vma.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include <map>
#include <tuple>

#include "engine/base/error.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

using procfs::SmapsEntry;
using procfs::VmaNaming;
using procfs::VmFlag;

/// madvise(2) states that survive in VmFlags.
constexpr std::pair<VmFlag, int> kAdvice[] = {
    {VmFlag::dc, MADV_DONTFORK}, {VmFlag::sr, MADV_SEQUENTIAL}, {VmFlag::rr, MADV_RANDOM},
    {VmFlag::dd, MADV_DONTDUMP}, {VmFlag::mg, MADV_MERGEABLE},  {VmFlag::hg, MADV_HUGEPAGE},
    {VmFlag::nh, MADV_NOHUGEPAGE}, {VmFlag::wf, MADV_WIPEONFORK},
};

class Collector {
 public:
  Collector(HostPid pid, NsPid nspid, DumpContext& ctx) : pid_(pid), nspid_(nspid), ctx_(ctx) {}

  bool add(const SmapsEntry& s, VmaList& list) {
    pb::vma_entry e;
    e.set_start(s.vma.start);
    e.set_end(s.vma.end);
    e.set_pgoff(0);
    e.set_shmid(0);
    e.set_prot(static_cast<uint32_t>(s.vma.prot));
    e.set_fd(-1);
    uint32_t flags = s.vma.shared ? MAP_SHARED : MAP_PRIVATE;
    if (s.has(VmFlag::gd)) flags |= MAP_GROWSDOWN;
    if (s.has(VmFlag::nr)) flags |= MAP_NORESERVE;
    if (s.has(VmFlag::lo)) flags |= MAP_LOCKED;
    uint64_t advice = 0;
    for (auto [flag, code] : kAdvice)
      if (s.has(flag)) advice |= 1ull << code;
    if (advice) e.set_madv(advice);
    uint32_t status = classify(s, flags, e);
    if (status == 0) return false;
    e.set_flags(flags);
    e.set_status(status);
    list.entries.push_back(e);
    if (status & (kVmaAnonPrivate | kVmaFilePrivate | kVmaVdso)) list.with_pages.push_back(list.entries.size() - 1);
    return true;
  }

 private:
  uint32_t classify(const SmapsEntry& s, uint32_t& flags, pb::vma_entry& e) {
    switch (procfs::naming(s.vma)) {
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
        refuse(s, "it is a special mapping of the kernel that cannot be made again");
      default:
        break;
    }
    if (s.has(VmFlag::ht)) refuse(s, "huge page mappings (hugetlb) are not supported yet");
    if (s.has(VmFlag::pf) || s.has(VmFlag::io)) refuse(s, "it maps a device's memory");
    if (s.has(VmFlag::um) || s.has(VmFlag::ui)) refuse(s, "it is registered with userfaultfd");
    if (s.has(VmFlag::ss)) refuse(s, "it is a shadow stack");
    if (s.vma.inode == 0 && s.vma.shared) refuse(s, "it is shared memory without a file");
    if (s.vma.inode == 0) {
      flags |= MAP_ANONYMOUS;
      uint32_t status = kVmaRegular | kVmaAnonPrivate;
      if (procfs::naming(s.vma) == VmaNaming::stack) status |= kVmaStack;
      if (procfs::naming(s.vma) == VmaNaming::heap) status |= kVmaHeap;
      return status;
    }
    bool writable_file = s.vma.shared && s.has(VmFlag::mw);
    e.set_pgoff(s.vma.offset);
    e.set_fdflags(static_cast<uint32_t>(writable_file ? O_RDWR : O_RDONLY));
    e.set_shmid(file_id(s, writable_file));
    uint32_t status = kVmaRegular | (s.vma.shared ? kVmaFileShared : kVmaFilePrivate);
    auto kind = procfs::naming(s.vma);
    if (kind == VmaNaming::memfd || kind == VmaNaming::dev_zero || kind == VmaNaming::anon_shmem) status |= kVmaMemfd;
    return status;
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
    f.link = s.vma.name;
    f.flags = static_cast<uint32_t>(writable ? O_RDWR : O_RDONLY);
    if (::stat(f.proc_path.c_str(), &f.st))
      throw_errno(Failure::environment, f.describe(), f.proc_path + " cannot be read", errno,
                  "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
    uint32_t id = ctx_.file_id_of(f);
    files_.emplace(key, id);
    return id;
  }

  [[noreturn]] void refuse(const SmapsEntry& s, const char* why) const {
    throw Error(Failure::unsupported,
                format("pid %d mapping %llx-%llx %s", pid_.value, static_cast<unsigned long long>(s.vma.start),
                       static_cast<unsigned long long>(s.vma.end), s.vma.name.c_str()),
                why);
  }

  HostPid pid_;
  NsPid nspid_;
  DumpContext& ctx_;
  std::map<std::tuple<uint32_t, uint32_t, uint64_t, bool, std::string>, uint32_t> files_;
};

}  // namespace

VmaList collect_vmas(HostPid pid, NsPid nspid, PageRange skip, DumpContext& ctx) {
  VmaList list;
  Collector collector(pid, nspid, ctx);
  for (const SmapsEntry& s : procfs::parse_smaps(procfs::ProcDir(pid).read("smaps"))) {
    if (s.vma.start >= skip.start && s.vma.end <= skip.end) continue;
    collector.add(s, list);
  }
  return list;
}

}  // namespace nsr
