#include "engine/memory/sysv_segments.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/memory_object.h"
#include "engine/descriptors/ipc_object.h"
#include "ipc-shm.pb.h"
#include "pidns/in_namespace.h"

namespace nsr {
namespace {

const Logger log("sysv");
constexpr int kDest = 01000;    // SHM_DEST: removed, goes with its last user
constexpr int kLocked = 02000;  // SHM_LOCKED
constexpr int kHugeShift = 26;  // SHM_HUGE_SHIFT

std::string object_of(uint32_t id) { return format("SysV shared memory segment %u", id); }

/// A descriptor of the memory behind an attachment of this process. The mapping is as many pages as the segment needs,
/// which may be huge ones.
UniqueFd open_attached(const void* at, size_t size, const std::string& object, int access) {
  auto start = reinterpret_cast<uintptr_t>(at);
  std::string path;
  for (size_t page : {size_t{4} << 10, size_t{2} << 20, size_t{1} << 30}) {
    path = format("/proc/self/map_files/%lx-%lx", start, start + ((size + page - 1) & ~(page - 1)));
    UniqueFd fd(::open(path.c_str(), access | O_CLOEXEC));
    if (fd) return fd;
    if (errno != ENOENT) break;
  }
  throw_errno(Failure::environment, object, path + " cannot be opened", errno,
              "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
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

void create(const pb::ipc_shm_entry& e, const UserMap& users) {
  auto get = [&](key_t key, int flags) { return ::shmget(key, e.size(), flags | static_cast<int>(e.hugetlb_flag())); };
  make_ipc(e.desc(), {"shm", get, [](int made) { ::shmctl(made, IPC_RMID, nullptr); }}, users,
           object_of(e.desc().id()));
}

/// A segment of this process for as long as it lives.
class Attached {
 public:
  Attached(uint32_t id, int flags) : at_(::shmat(static_cast<int>(id), nullptr, flags)) {
    if (at_ == reinterpret_cast<void*>(-1))
      throw_errno(Failure::environment, object_of(id), "attaching it failed", errno);
  }
  Attached(const Attached&) = delete;
  ~Attached() { ::shmdt(at_); }
  const void* at() const { return at_; }

 private:
  void* at_;
};

/// Ids of all segments of the calling thread's IPC namespace.
std::vector<uint32_t> all_segments() {
  std::vector<uint32_t> out;
  shm_info info{};
  int last = ::shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&info));
  for (int i = 0; i <= last; i++) {
    shmid_ds ds{};
    int id = ::shmctl(i, SHM_STAT, &ds);
    if (id >= 0) out.push_back(static_cast<uint32_t>(id));
  }
  return out;
}

}  // namespace

void SysvSegments::add(HostPid pid, uint32_t shmid, const std::string& path) {
  Segment& s = segments_[shmid];
  s.pid = pid;
  s.path = path;
  s.attached++;
}

void SysvSegments::write(ImageDir& images, PageStore& pages, uint32_t ipc_ns_id, const UniqueFd& own_namespace,
                         const UserMap& users) {
  InNamespace there(own_namespace, "ipc");
  if (own_namespace)
    for (uint32_t id : all_segments()) segments_.try_emplace(id);
  if (segments_.empty()) return;
  ImageWriter out = images.create(Img::ipcns_shm, ipc_ns_id);
  for (const auto& [id, s] : segments_) write_one(id, s, users, out, pages);
  out.finish();
}

void SysvSegments::write_one(uint32_t id, const Segment& s, const UserMap& users, ImageWriter& out, PageStore& pages) {
  shmid_ds ds{};
  std::string object = s.attached ? format("pid %d %s", s.pid.value, object_of(id).c_str()) : object_of(id);
  if (::shmctl(static_cast<int>(id), IPC_STAT, &ds)) throw_errno(Failure::target, object, "IPC_STAT failed", errno);
  // the kernel counts mappings: an attachment of which a part was protected counts twice
  if (ds.shm_nattch != s.attached)
    throw Error(Failure::unsupported, object,
                format("it is attached %lu times, %zu of them in this tree", static_cast<unsigned long>(ds.shm_nattch),
                       s.attached),
                "dump all its users together, in one tree");
  std::optional<Attached> ours;
  UniqueFd fd;
  if (s.attached) {
    fd = UniqueFd(::open(s.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, s.path + " cannot be opened", errno);
  } else {
    ours.emplace(id, SHM_RDONLY);
    fd = open_attached(ours->at(), ds.shm_segsz, object, O_RDONLY);
  }
  pb::ipc_shm_entry e;
  describe_ipc(ds.shm_perm, static_cast<int>(id), users, *e.mutable_desc());
  e.set_size(ds.shm_segsz);
  e.set_in_pagemaps(true);
  if (uint64_t page = huge_page_size(fd.get()))
    e.set_hugetlb_flag(SHM_HUGETLB | static_cast<uint32_t>(std::countr_zero(page)) << kHugeShift);
  out.write(e);
  pages.write_shared(id, fd.get(), ds.shm_segsz);
}

void RestoredSegments::make(const ImageDir& images, uint32_t ipc_ns_id, const UserMap& users,
                            const std::function<void(uint32_t, int)>& fill) {
  namespace_ = open_namespace("self", "ipc");
  for (const auto& e : images.all<pb::ipc_shm_entry>(Img::ipcns_shm, ipc_ns_id)) {
    int id = static_cast<int>(e.desc().id());
    std::string object = object_of(e.desc().id());
    bool old = can_take_over(e);
    if (!old) {
      create(e, users);
      made_.push_back(id);
    }
    if (e.desc().mode() & kDest) doomed_.push_back(id);
    {
      Attached ours(e.desc().id(), 0);
      UniqueFd fd = open_attached(ours.at(), e.size(), object, O_RDWR);
      // what was written since the dump, perhaps by a tree restored from the same images, is not in it
      if (old && ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(e.size())))
        throw_errno(Failure::environment, object, "emptying it failed", errno);
      fill(e.desc().id(), fd.get());
    }
    if (e.desc().mode() & kLocked && ::shmctl(id, SHM_LOCK, nullptr))
      throw_errno(Failure::environment, object, "locking it into memory failed", errno);
    shmid_ds ds{};
    own_ipc(e.desc(), users, ds.shm_perm);
    if (::shmctl(id, IPC_SET, &ds))
      throw_errno(Failure::environment, object, "setting its owner and mode failed", errno);
  }
}

void RestoredSegments::keep() {
  InNamespace there(namespace_, "ipc");
  for (int id : doomed_)
    if (::shmctl(id, IPC_RMID, nullptr))
      log.warn("%s could not be marked for removal: errno %d", object_of(static_cast<uint32_t>(id)).c_str(), errno);
  made_.clear();
}

RestoredSegments::~RestoredSegments() {
  if (made_.empty()) return;
  InNamespace there(namespace_, "ipc");
  for (int id : made_) ::shmctl(id, IPC_RMID, nullptr);
}

}  // namespace nsr
