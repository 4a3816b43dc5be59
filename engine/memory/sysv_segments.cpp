#include "engine/memory/sysv_segments.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/memory/memory_object.h"
#include "ipc-shm.pb.h"

namespace nsr {
namespace {

const Logger log("sysv");
constexpr int kDest = 01000;    // SHM_DEST: removed, goes with its last user
constexpr int kHugeShift = 26;  // SHM_HUGE_SHIFT
constexpr const char* kNextId = "/proc/sys/kernel/shm_next_id";

std::string object_of(uint32_t id) { return format("SysV shared memory segment %u", id); }

/// A descriptor of the memory behind an attachment of this process.
UniqueFd open_attached(const void* at, size_t size, const std::string& object) {
  auto start = reinterpret_cast<uintptr_t>(at);
  std::string path = format("/proc/self/map_files/%lx-%lx", start, start + ((size + 4095) & ~size_t{4095}));
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd)
    throw_errno(Failure::environment, object, path + " cannot be opened", errno,
                "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
  return fd;
}

/// The segment with this id when it is the same one and nobody uses it.
bool can_take_over(const pb::ipc_shm_entry& e) {
  shmid_ds ds{};
  if (::shmctl(static_cast<int>(e.desc().id()), IPC_STAT, &ds)) return false;
  std::string object = object_of(e.desc().id());
  if (ds.shm_perm.__key != static_cast<key_t>(e.desc().key()) || ds.shm_segsz != e.size())
    throw Error(Failure::environment, object, "another segment has this number on this host", "remove it (ipcrm -m)");
  if (ds.shm_nattch)
    throw Error(Failure::environment, object,
                format("it is in use by %lu others", static_cast<unsigned long>(ds.shm_nattch)),
                "stop what uses it (ipcs -m -p)");
  return true;
}

void create(const pb::ipc_shm_entry& e) {
  std::string object = object_of(e.desc().id());
  std::string id = std::to_string(e.desc().id());
  UniqueFd next(::open(kNextId, O_WRONLY | O_CLOEXEC));
  if (!next || !write_exact(next.get(), id.data(), id.size()))
    throw_errno(Failure::environment, object, std::string(kNextId) + " cannot be written", errno,
                "a kernel with CONFIG_CHECKPOINT_RESTORE is needed");
  int flags = IPC_CREAT | IPC_EXCL | static_cast<int>(e.desc().mode() & 0777) | static_cast<int>(e.hugetlb_flag());
  int made = ::shmget(static_cast<key_t>(e.desc().key()), e.size(), flags);
  if (made < 0)
    throw_errno(Failure::environment, object, format("making it with key 0x%08x failed", e.desc().key()), errno,
                errno == EEXIST ? "another segment has this key: remove it (ipcrm -M)" : "");
  if (made == static_cast<int>(e.desc().id())) return;
  ::shmctl(made, IPC_RMID, nullptr);
  throw Error(Failure::environment, object, format("the kernel gave it number %d", made),
              "another segment is in its place (ipcs -m)");
}

}  // namespace

void SysvSegments::add(HostPid pid, uint32_t shmid, const std::string& path) {
  Segment& s = segments_[shmid];
  s.pid = pid;
  s.path = path;
  s.attached++;
}

void SysvSegments::write(ImageDir& images, PageStore& pages, uint32_t ipc_ns_id) const {
  if (segments_.empty()) return;
  ImageWriter out = images.create(Img::ipcns_shm, ipc_ns_id);
  for (const auto& [id, s] : segments_) {
    shmid_ds ds{};
    std::string object = format("pid %d %s", s.pid.value, object_of(id).c_str());
    if (::shmctl(static_cast<int>(id), IPC_STAT, &ds)) throw_errno(Failure::target, object, "IPC_STAT failed", errno);
    // the kernel counts mappings: an attachment of which a part was protected counts twice
    if (ds.shm_nattch != s.attached)
      throw Error(Failure::unsupported, object,
                  format("it is attached %lu times, %zu of them in this tree",
                         static_cast<unsigned long>(ds.shm_nattch), s.attached),
                  "dump all its users together, in one tree");
    UniqueFd fd(::open(s.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, s.path + " cannot be opened", errno);
    pb::ipc_shm_entry e;
    pb::ipc_desc_entry& d = *e.mutable_desc();
    d.set_key(static_cast<uint32_t>(ds.shm_perm.__key));
    d.set_uid(ds.shm_perm.uid);
    d.set_gid(ds.shm_perm.gid);
    d.set_cuid(ds.shm_perm.cuid);
    d.set_cgid(ds.shm_perm.cgid);
    d.set_mode(ds.shm_perm.mode);
    d.set_id(id);
    e.set_size(ds.shm_segsz);
    e.set_in_pagemaps(true);
    if (uint64_t size = huge_page_size(fd.get()))
      e.set_hugetlb_flag(SHM_HUGETLB | static_cast<uint32_t>(std::countr_zero(size)) << kHugeShift);
    out.write(e);
    pages.write_shared(id, fd.get(), ds.shm_segsz);
  }
  out.finish();
}

void RestoredSegments::make(const ImageDir& images, uint32_t ipc_ns_id,
                            const std::function<void(uint32_t, int)>& fill) {
  for (const auto& e : images.all<pb::ipc_shm_entry>(Img::ipcns_shm, ipc_ns_id)) {
    int id = static_cast<int>(e.desc().id());
    std::string object = object_of(e.desc().id());
    if (!can_take_over(e)) {
      create(e);
      made_.push_back(id);
    }
    if (e.desc().mode() & kDest) doomed_.push_back(id);
    void* at = ::shmat(id, nullptr, 0);
    if (at == reinterpret_cast<void*>(-1)) throw_errno(Failure::environment, object, "attaching it failed", errno);
    try {
      UniqueFd fd = open_attached(at, e.size(), object);
      fill(e.desc().id(), fd.get());
    } catch (...) {
      ::shmdt(at);
      throw;
    }
    ::shmdt(at);
    shmid_ds ds{};
    ds.shm_perm.uid = e.desc().uid();
    ds.shm_perm.gid = e.desc().gid();
    ds.shm_perm.mode = static_cast<unsigned short>(e.desc().mode() & 0777);
    if (::shmctl(id, IPC_SET, &ds))
      throw_errno(Failure::environment, object, "setting its owner and mode failed", errno);
  }
}

void RestoredSegments::keep() {
  for (int id : doomed_)
    if (::shmctl(id, IPC_RMID, nullptr))
      log.warn("%s could not be marked for removal: errno %d", object_of(static_cast<uint32_t>(id)).c_str(), errno);
  made_.clear();
}

RestoredSegments::~RestoredSegments() {
  for (int id : made_) ::shmctl(id, IPC_RMID, nullptr);
}

}  // namespace nsr
