// memfd_create(2): the file in memfd.img, its pages in pagemap-shmem-<shmid>, each open description an entry.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <map>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"
#include "engine/images/image_dir.h"
#include "memfd.pb.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010  // linux/fcntl.h, 5.1
#endif

namespace nsr {
namespace {

constexpr std::string_view kPrefix = "/memfd:";
constexpr std::string_view kDeleted = " (deleted)";
// Objects behind MAP_SHARED | MAP_ANONYMOUS, known by the names that the kernel gives them.
constexpr std::string_view kDevZero = "/dev/zero", kHugeAnonymous = "/anon_hugepage";
constexpr long kHugetlbfs = 0x958458f6;  // linux/magic.h
constexpr int kHugeShift = 26;           // MFD_HUGE_SHIFT

class Memfd final : public Kind {
 public:
  const char* name() const override { return "memfd"; }
  bool match(const OpenFile& file) const override {
    return S_ISREG(file.st.st_mode) && file.st.st_nlink == 0 &&
           (file.link.starts_with(kPrefix) || is_anonymous(name_of(file)));
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::MEMFD);
    pb::memfd_file_entry& e = *entry.mutable_memfd();
    UniqueFd fd = ctx.borrow(file);
    e.set_id(entry.id());
    e.set_flags(file.flags);
    e.set_pos(file.pos);
    *e.mutable_fown() = ctx.owner_of(fd.get());
    auto [at, fresh] = dumped_.try_emplace({file.st.st_dev, file.st.st_ino}, static_cast<uint32_t>(dumped_.size() + 1));
    e.set_inode_id(at->second);
    if (fresh) dump_inode(file, fd.get(), at->second, ctx);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::MEMFD && entry.has_memfd(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("memfd %u, flags 0%o, position %llu", entry.memfd().inode_id(), entry.memfd().flags(),
                  static_cast<unsigned long long>(entry.memfd().pos()));
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::memfd_file_entry& e = entry.memfd();
    std::string object = image_object(name(), entry.id());
    Inode& inode = inode_of(e.inode_id(), object, ctx);
    UniqueFd fd;
    // the description that memfd_create made is as good as any other one that reads and writes
    bool first = !inode.given && (e.flags() & O_ACCMODE) == O_RDWR;
    inode.given |= first;
    fd = first ? duplicate(inode.fd.get(), object) : reopen(inode.fd.get(), reopen_flags(e.flags()), object);
    set_status_flags(fd.get(), e.flags(), object);
    if (e.pos() != 0 && ::lseek(fd.get(), static_cast<off_t>(e.pos()), SEEK_SET) < 0)
      throw_errno(Failure::environment, object, "its position cannot be set", errno);
    ctx.provide(entry.id(), std::move(fd));
  }

  /// Seals that allow what the tasks have mapped; the last one would forbid the mappings that are still to be made.
  void finish_restore(RestoreContext&) override {
    for (auto& [id, inode] : inodes_) {
      uint32_t seals = inode.seals & ~static_cast<uint32_t>(F_SEAL_FUTURE_WRITE);
      if (inode.seals & F_SEAL_FUTURE_WRITE) seals &= ~static_cast<uint32_t>(F_SEAL_SEAL);
      if (seals != 0 && ::fcntl(inode.fd.get(), F_ADD_SEALS, seals) != 0)
        throw_errno(Failure::environment, format("memfd %u", id), format("seals %x cannot be set", seals), errno);
      inode.fd.reset();
    }
  }
  bool needs_task(const pb::file_entry& entry) const override {
    auto at = inodes_.find(entry.memfd().inode_id());
    return at != inodes_.end() && (at->second.seals & F_SEAL_FUTURE_WRITE) &&
           (entry.memfd().flags() & O_ACCMODE) == O_RDWR;
  }
  void emit(const pb::file_entry& entry, TaskStage& stage) override;

 private:
  struct Inode {
    UniqueFd fd;
    uint32_t seals = 0;
    bool given = false;
  };

  static std::string name_of(const OpenFile& file) {
    std::string name = file.link.starts_with(kPrefix) ? file.link.substr(kPrefix.size()) : file.link;
    if (name.size() >= kDeleted.size() && std::string_view(name).ends_with(kDeleted))
      name.resize(name.size() - kDeleted.size());
    return name;
  }

  static bool is_anonymous(std::string_view name) { return name == kDevZero || name == kHugeAnonymous; }

  /// mmap(2) of shared anonymous memory makes an object that no path leads to but that of the mapping itself.
  static UniqueFd make_anonymous(const pb::memfd_inode_entry& e, const std::string& object) {
    int flags = MAP_SHARED | MAP_ANONYMOUS;
    if (e.hugetlb_flag()) flags |= MAP_HUGETLB | static_cast<int>(e.hugetlb_flag() & ~MFD_HUGETLB);
    size_t size = std::max<uint64_t>(e.size(), 4096);
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at == MAP_FAILED) at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
      throw_errno(Failure::environment, object, format("mapping %zu bytes of shared memory failed", size), errno,
                  e.hugetlb_flag() ? "provide huge pages (vm.nr_hugepages)" : "free memory");
    auto start = reinterpret_cast<uintptr_t>(at);
    std::string path = format("/proc/self/map_files/%lx-%lx", start, start + size);
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    int err = errno;
    ::munmap(at, size);
    if (!fd)
      throw_errno(Failure::environment, object, path + " cannot be opened", err,
                  "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
    return fd;
  }

  static void dump_inode(const OpenFile& file, int fd, uint32_t id, DumpContext& ctx) {
    // F_GET_SEALS and the page reader want a description that is more than O_PATH
    UniqueFd own = file.flags & O_PATH ? reopen(fd, O_RDONLY, file.describe()) : duplicate(fd, file.describe());
    pb::memfd_inode_entry inode;
    inode.set_name(name_of(file));
    inode.set_uid(ctx.users().uids.inner(file.st.st_uid));
    inode.set_gid(ctx.users().gids.inner(file.st.st_gid));
    inode.set_size(static_cast<uint64_t>(file.st.st_size));
    // numbers of SysV segments are in the same space, and inode numbers are unique in one file system only
    inode.set_shmid(0x80000000u | id);
    int seals = ::fcntl(own.get(), F_GET_SEALS);
    if (seals < 0) throw_errno(Failure::unsupported, file.describe(), "its seals cannot be read", errno);
    inode.set_seals(static_cast<uint32_t>(seals));
    inode.set_inode_id(id);
    struct statfs fs {};
    if (::fstatfs(own.get(), &fs) == 0 && static_cast<long>(fs.f_type) == kHugetlbfs)
      inode.set_hugetlb_flag(MFD_HUGETLB | static_cast<uint32_t>(std::countr_zero(static_cast<uint64_t>(fs.f_bsize)))
                                               << kHugeShift);
    inode.set_mode(file.st.st_mode);
    ctx.images().append(Img::memfd).write(inode);
    if (file.st.st_size > 0) ctx.dump_shared_memory(inode.shmid(), own.get(), inode.size());
  }

  void read_inodes(RestoreContext& ctx) {
    for (auto& inode : ctx.images().all<pb::memfd_inode_entry>(Img::memfd)) {
      uint64_t id = inode.inode_id();
      if (!stored_.emplace(id, std::move(inode)).second)
        throw Error(Failure::image, image_name(Img::memfd),
                    format("has inode %llu twice", static_cast<unsigned long long>(id)));
    }
    read_ = true;
  }

  Inode& inode_of(uint32_t id, const std::string& object, RestoreContext& ctx) {
    if (!read_) read_inodes(ctx);
    auto [at, fresh] = inodes_.try_emplace(id);
    Inode& inode = at->second;
    if (!fresh) return inode;
    auto stored = stored_.find(id);
    if (stored == stored_.end())
      throw Error(Failure::image, object, format("%s has no inode %u", image_name(Img::memfd).c_str(), id));
    const pb::memfd_inode_entry& e = stored->second;
    if (is_anonymous(e.name())) {
      inode.fd = make_anonymous(e, object);
      if (e.size() > 0) ctx.fill_shared_memory(e.shmid(), inode.fd.get());
      return inode;
    }
    inode.fd.reset(::memfd_create(e.name().c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | e.hugetlb_flag()));
    if (!inode.fd) throw_errno(Failure::environment, object, "memfd_create failed", errno);
    if (::ftruncate(inode.fd.get(), static_cast<off_t>(e.size())) != 0)
      throw_errno(Failure::environment, object, "its size cannot be set", errno);
    if (e.size() > 0) ctx.fill_shared_memory(e.shmid(), inode.fd.get());
    if (::fchown(inode.fd.get(), ctx.users().uids.outer(e.uid()), ctx.users().gids.outer(e.gid())) != 0 ||
        (e.has_mode() && ::fchmod(inode.fd.get(), e.mode() & 07777) != 0))
      throw_errno(Failure::environment, object, "its owner and mode cannot be set", errno);
    inode.seals = e.seals();
    return inode;
  }

  std::map<std::pair<dev_t, ino_t>, uint32_t> dumped_;
  std::map<uint64_t, pb::memfd_inode_entry> stored_;
  bool read_ = false;
  std::map<uint32_t, Inode> inodes_;
};

void Memfd::emit(const pb::file_entry& entry, TaskStage& stage) {
  uint32_t seals = inodes_.at(entry.memfd().inode_id()).seals;
  // a second holder finds them set: EPERM when F_SEAL_SEAL is among them
  stage.program.allow(SYS_fcntl, stage.fd, F_ADD_SEALS, seals);
  stage.program.note(format("fd %d: seals %x", stage.fd, seals));
}

}  // namespace

std::unique_ptr<Kind> make_memfd_kind() { return std::make_unique<Memfd>(); }

}  // namespace nsr
