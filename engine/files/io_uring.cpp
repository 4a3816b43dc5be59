// io_uring instances (io_uring_setup(2)) without requests under way. A ring is made anew with its sizes; empty requests
// bring the kernel's positions to where they were, since programs keep copies of them; then the shared memory gets its
// content, completions that nobody has taken and requests that were not handed over included.
//
// The kernel does not tell with which flags a ring was made. What changes its layout is found by its size, polling and
// the limit to one thread by what it answers to us. Which thread that was, nobody tells: the limit is lifted.
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/files/common.h"
#include "engine/files/uring_memory.h"
#include "engine/files/uring_questions.h"
#include "engine/images/image_dir.h"
#include "engine/procfs/io_uring_info.h"
#include "engine/procfs/mountinfo.h"
#include "nsr-files.pb.h"

namespace nsr {
namespace {

const Logger log("files");
constexpr std::string_view kName = "[io_uring]";
constexpr uint32_t kManyRequests = 1 << 26;                   // replaying these takes seconds
constexpr uint32_t kMostFiles = 65536, kMostBuffers = 16384;  // kRingOperands of engine/restore/programs.cpp
constexpr int kPatience = 1000;                               // milliseconds for requests under way

std::string_view bytes_of(std::span<const std::byte> memory) {
  return {reinterpret_cast<const char*>(memory.data()), memory.size()};
}
std::span<const std::byte> span_of(const std::string& bytes) { return std::as_bytes(std::span(bytes)); }

procfs::RingInfo info_of(const OpenFile& file) {
  auto text = read_file(format("/proc/%d/fdinfo/%d", file.pid.value, file.fd).c_str());
  auto info = procfs::parse_ring(text.value_or(""));
  if (!info) throw Error(Failure::unsupported, file.describe(), "this kernel does not tell the state of an io_uring");
  return *info;
}

[[noreturn]] void refuse(const OpenFile& file, const std::string& why, const char* remedy = "") {
  throw Error(Failure::unsupported, file.describe(), why, remedy);
}

/// Flags of io_uring_setup(2) that make a ring's memory as large as this one's.
UringLayout layout_of(const OpenFile& file, int fd, const procfs::RingInfo& info) {
  UringLayout layout;
  auto fits = [&](uint32_t flags, uint64_t offset, size_t (UringLayout::*bytes)() const) {
    return make_uring(info.sq_mask + 1, info.cq_mask + 1, flags, layout) && has_bytes(fd, offset, (layout.*bytes)()) &&
           !has_bytes(fd, offset, (layout.*bytes)() + 1);
  };
  for (uint32_t sqes : {0u, IORING_SETUP_SQE128})
    for (uint32_t flags : {sqes, sqes | kNoSqArray, sqes | IORING_SETUP_CQE32, sqes | IORING_SETUP_CQE32 | kNoSqArray})
      if (fits(flags, IORING_OFF_SQES, &UringLayout::sqes_bytes) &&
          fits(flags, IORING_OFF_SQ_RING, &UringLayout::rings_bytes))
        return layout;
  refuse(file, "its memory lies in the program's own (IORING_SETUP_NO_MMAP) or in an order that is not known");
}

/// Requests that the kernel has taken and not completed; one that posts several completions is not seen so.
bool is_busy(const procfs::RingInfo& info, const UringMemory& memory) {
  auto under_way =
      static_cast<int32_t>((info.cached_sq_head - memory.sq_dropped()) - (info.cached_cq_tail + memory.cq_overflow()));
  return under_way > 0 || info.polls || info.overflow;
}

/// The threads of the task go on with work for the kernel while they are held, so requests come to their end.
procfs::RingInfo wait_until_idle(const OpenFile& file, const UringMemory& memory) {
  for (int patience = kPatience; patience > 0; patience--) {
    procfs::RingInfo info = info_of(file);
    if (!is_busy(info, memory)) return info;
    if (info.polls) refuse(file, "requests in it wait for a file to become ready", "dump it when it is idle");
    if (info.overflow) refuse(file, "completions wait for room in its ring", "dump it when they are taken");
    timespec pause{0, 1000000};
    ::nanosleep(&pause, nullptr);
  }
  refuse(file, "requests in it do not come to their end", "dump it when it is idle");
}

/// What a program has registered and nobody tells again.
void refuse_unseen(const OpenFile& file, int fd, const procfs::RingInfo& info) {
  if (info.personalities)
    refuse(file, "credentials are registered with it, and nobody tells which (IORING_REGISTER_PERSONALITY)");
  if (is_restricted(fd))
    refuse(file, "what it may do is restricted, and nobody tells how (IORING_REGISTER_RESTRICTIONS)");
  if (auto group = group_of_buffers(fd))
    refuse(file, format("group %u of buffers is provided to it, and nobody tells which these are", *group));
}

/// Dead, whether anybody has waited for it or not.
bool is_gone(HostPid pid) {
  std::string stat = read_file(format("/proc/%d/stat", pid.value).c_str()).value_or("");
  size_t name_end = stat.rfind(") ");
  return name_end == std::string::npos || stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X';
}

/// Flags that do not show in the layout, as far as they can be kept.
uint32_t hidden_flags(const OpenFile& file, int fd, const procfs::RingInfo& info) {
  if (is_disabled(fd)) return IORING_SETUP_R_DISABLED;
  if (is_of_one_thread(fd))
    log.warn(
        "%s: its limit to one thread (IORING_SETUP_SINGLE_ISSUER, DEFER_TASKRUN) is lifted: it works, but slower; "
        "buffers that were provided to it cannot be seen and are lost",
        file.describe().c_str());
  return is_polled(fd, info.cached_cq_tail - info.cq_head > info.cq_mask) ? IORING_SETUP_IOPOLL : 0;
}

class IoUring final : public Kind {
 public:
  /// When the tree is dead: the kernel takes rings down some time later, and until then a registered socket keeps its
  /// port, which the restore needs.
  ~IoUring() override {
    for (const auto& [owner, ring] : with_files_)
      if (doomed_ && is_gone(owner)) ::syscall(SYS_io_uring_register, ring.get(), IORING_UNREGISTER_FILES, nullptr, 0);
  }

  const char* name() const override { return "io_uring"; }
  bool match(const OpenFile& file) const override { return is_anon_inode(file, kName); }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    procfs::RingInfo info = info_of(file);
    if (info.sq_thread != -1)
      refuse(file, "it has a thread of the kernel that takes its requests (IORING_SETUP_SQPOLL)");
    UniqueFd fd = ctx.borrow(file);
    UringLayout layout = layout_of(file, fd.get(), info);
    UringMemory memory(fd.get(), layout, file.describe());
    info = wait_until_idle(file, memory);
    refuse_unseen(file, fd.get(), info);
    entry.set_type(pb::EXT);
    entry.mutable_ext()->set_id(entry.id());
    *entry.mutable_ext()->mutable_fown() = ctx.owner_of(fd.get());
    pb::nsr_file_entry ext;
    ext.set_id(entry.id());
    pb::nsr_uring_entry& e = *ext.mutable_uring();
    e.set_flags(file.flags);
    e.set_sq_entries(info.sq_mask + 1);
    e.set_cq_entries(info.cq_mask + 1);
    e.set_setup_flags(layout.params.flags | hidden_flags(file, fd.get(), info));
    e.set_array_offset(layout.params.sq_off.array);
    e.set_cqes_offset(layout.params.cq_off.cqes);
    e.set_sq_head(info.cached_sq_head);
    e.set_cq_tail(info.cached_cq_tail);
    e.set_rings(std::string(bytes_of(memory.rings())));
    e.set_sqes(std::string(bytes_of(memory.sqes())));
    if (info.files.size() > kMostFiles || info.buffers.size() > kMostBuffers)
      refuse(file, format("it has %zu registered files and %zu registered buffers; %u and %u can be kept",
                          info.files.size(), info.buffers.size(), kMostFiles, kMostBuffers));
    describe_files(file, info, e, ctx);
    describe_buffers(info, e);
    describe_eventfd(file, fd.get(), e, ctx);
    ctx.images().append(Img::file_ext).write(ext);
    if (e.files_size()) with_files_.emplace_back(file.pid, std::move(fd));
  }
  void before_kill(DumpContext&) override { doomed_ = true; }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::EXT && entry.has_ext(); }
  std::string describe(const pb::file_entry& entry) const override {
    return format("io_uring or external file %u", entry.id());
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    read_rings(ctx);
    std::string object = image_object(name(), entry.id());
    auto at = rings_.find(entry.id());
    if (at == rings_.end()) throw Error(Failure::image, object, "it is an external file of a plugin that is not known");
    const pb::nsr_uring_entry& e = at->second;
    UringLayout layout;
    UniqueFd fd = make_uring(e.sq_entries(), e.cq_entries(), e.setup_flags(), layout);
    if (!fd) throw_errno(Failure::environment, object, "io_uring_setup failed", errno);
    check(e, layout, object);
    UringMemory memory(fd.get(), layout, object);
    if (!(e.setup_flags() & IORING_SETUP_R_DISABLED)) replay(e, memory, object);
    memory.write_content(span_of(e.rings()), span_of(e.sqes()));
    // an index array of zeros is one that the program does not use (IORING_SETUP_NO_SQARRAY) or not yet
    if (!(e.setup_flags() & kNoSqArray) && memory.array_is_zero()) memory.fill_array();
    set_status_flags(fd.get(), e.flags(), object);
    ctx.provide(entry.id(), std::move(fd));
  }

  bool needs_task(const pb::file_entry& entry) const override {
    auto at = rings_.find(entry.id());
    return at != rings_.end() && (at->second.file_slots() || at->second.buffer_slots() || at->second.has_eventfd());
  }
  void emit(const pb::file_entry& entry, TaskStage& stage) override;

 private:
  /// fdinfo says what readlink says; older kernels, 6.12 among them, only the last part of it, and of a socket its
  /// protocol.
  static bool is_called(const std::string& link, const std::string& name) {
    static constexpr std::string_view protocols[] = {"UNIX", "UNIX-STREAM", "TCP", "TCPv6", "UDP", "UDPv6"};
    if (link.starts_with("socket:[") && std::ranges::find(protocols, name) != std::end(protocols)) return true;
    return link == name || (!name.empty() && (link.ends_with("/" + name) || link == "anon_inode:" + name));
  }

  using FilesByLink = std::multimap<std::string_view, const OpenFile*>;

  /// What a registered file may be. Only older kernels, whose names are not whole, need the look at each one.
  static std::vector<const OpenFile*> candidates(const FilesByLink& files, const std::string& name) {
    std::vector<const OpenFile*> out;
    auto [first, last] = files.equal_range(name);
    for (auto at = first; at != last; ++at) out.push_back(at->second);
    if (out.empty())
      for (const auto& [link, f] : files)
        if (is_called(f->link, name)) out.push_back(f);
    return out;
  }

  /// Registered files are known by their names; one of the task's descriptors must be the same.
  static void describe_files(const OpenFile& file, const procfs::RingInfo& info, pb::nsr_uring_entry& e,
                             DumpContext& ctx) {
    e.set_file_slots(static_cast<uint32_t>(info.files.size()));
    if (info.files.empty()) return;
    FilesByLink files;
    for (const OpenFile& f : ctx.all_open_files())
      if (f.pid == file.pid) files.emplace(f.link, &f);
    for (size_t slot = 0; slot < info.files.size(); slot++) {
      if (!info.files[slot]) continue;
      int found = -1;
      uint32_t id = 0;
      for (const OpenFile* f : candidates(files, procfs::unescape_octal(*info.files[slot]))) {
        uint32_t this_id = ctx.file_id_of(*f);
        if (found >= 0 && this_id != id)
          refuse(file, format("which of several open files \"%s\" its registered file %zu is cannot be told",
                              info.files[slot]->c_str(), slot));
        found = f->fd;
        id = this_id;
      }
      if (found < 0)
        refuse(file, format("its registered file %zu (%s) is open nowhere else", slot, info.files[slot]->c_str()));
      pb::nsr_uring_file& r = *e.add_files();
      r.set_slot(static_cast<uint32_t>(slot));
      r.set_fd(found);
    }
  }

  static void describe_buffers(const procfs::RingInfo& info, pb::nsr_uring_entry& e) {
    e.set_buffer_slots(static_cast<uint32_t>(info.buffers.size()));
    for (size_t slot = 0; slot < info.buffers.size(); slot++) {
      if (!info.buffers[slot]) continue;
      pb::nsr_uring_buffer& b = *e.add_buffers();
      b.set_slot(static_cast<uint32_t>(slot));
      b.set_address(info.buffers[slot]->first);
      b.set_length(info.buffers[slot]->second);
    }
  }

  /// Registering no address fails in any case: EBUSY tells that an eventfd is registered already, EEXIST that only
  /// another thread may ask.
  static void describe_eventfd(const OpenFile& file, int fd, pb::nsr_uring_entry& e, DumpContext& ctx) {
    ::syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, nullptr, 1);
    if (errno != EBUSY && errno != EEXIST) return;
    bool hidden = errno == EEXIST;
    std::vector<int> candidates;
    for (const OpenFile& f : ctx.all_open_files())
      if (f.pid == file.pid && is_anon_inode(f, "[eventfd]")) candidates.push_back(f.fd);
    if (hidden && candidates.empty()) return;
    if (hidden || candidates.size() != 1) refuse(file, "which eventfd is registered with it cannot be told");
    e.set_eventfd(candidates[0]);
  }

  void read_rings(RestoreContext& ctx) {
    if (read_) return;
    read_ = true;
    for (auto& e : ctx.images().all<pb::nsr_file_entry>(Img::file_ext))
      if (e.has_uring()) rings_.emplace(e.id(), std::move(*e.mutable_uring()));
  }

  static void check(const pb::nsr_uring_entry& e, const UringLayout& layout, const std::string& object) {
    const io_uring_params& p = layout.params;
    if (p.sq_entries != e.sq_entries() || p.cq_entries != e.cq_entries())
      throw Error(Failure::image, object, "its sizes are impossible");
    if (p.sq_off.array != e.array_offset() || p.cq_off.cqes != e.cqes_offset())
      throw Error(Failure::environment, object, "this kernel orders the memory of an io_uring in another way",
                  "restore on the kernel it was dumped on");
    for (const auto& f : e.files())
      if (f.slot() >= e.file_slots()) throw Error(Failure::image, object, "a registered file lies beyond its table");
    for (const auto& b : e.buffers())
      if (b.slot() >= e.buffer_slots()) throw Error(Failure::image, object, "a buffer lies beyond its table");
    if (e.file_slots() > kMostFiles || e.buffer_slots() > kMostBuffers)
      throw Error(Failure::image, object, "its tables are too large");
    if (e.rings().size() != layout.rings_bytes() || e.sqes().size() != layout.sqes_bytes())
      throw Error(Failure::image, object, "its memory has another size than it should");
  }

  static void replay(const pb::nsr_uring_entry& e, const UringMemory& memory, const std::string& object) {
    uint32_t both = std::min(e.sq_head(), e.cq_tail());
    if (std::max(e.sq_head(), e.cq_tail()) > kManyRequests)
      log.warn("%s: bringing it to position %u takes some seconds", object.c_str(), e.sq_head());
    memory.run_nops(both, true);
    memory.run_nops(e.sq_head() - both, false);
    memory.post_completions(e.cq_tail() - both);
    if (memory.sq_head() != e.sq_head() || memory.cq_tail() != e.cq_tail())
      throw Error(Failure::environment, object,
                  format("its positions are %u and %u and should be %u and %u", memory.sq_head(), memory.cq_tail(),
                         e.sq_head(), e.cq_tail()));
  }

  static void emit_table(uint32_t opcode, RemoteAddr table, uint32_t slots, TaskStage& stage);

  std::vector<std::pair<HostPid, UniqueFd>> with_files_;  ///< dumped rings, of a task that has them open
  bool doomed_ = false;
  bool read_ = false;
  std::map<uint32_t, pb::nsr_uring_entry> rings_;
};

void IoUring::emit_table(uint32_t opcode, RemoteAddr table, uint32_t slots, TaskStage& stage) {
  stage.program.call(SYS_io_uring_register, stage.fd, opcode, table, slots);
  stage.program.note(format("fd %d: register %u with the io_uring (operation %u)", stage.fd, slots, opcode));
}

void IoUring::emit(const pb::file_entry& entry, TaskStage& stage) {
  const pb::nsr_uring_entry& e = rings_.at(entry.id());
  if (e.file_slots()) {
    std::vector<int32_t> table(e.file_slots(), -1);
    for (const auto& f : e.files()) table.at(f.slot()) = f.fd();
    emit_table(IORING_REGISTER_FILES, stage.arena.put(table.data(), table.size() * sizeof table[0]), e.file_slots(),
               stage);
  }
  if (e.buffer_slots()) {
    std::vector<iovec> table(e.buffer_slots());
    for (const auto& b : e.buffers()) table.at(b.slot()) = {reinterpret_cast<void*>(b.address()), b.length()};
    emit_table(IORING_REGISTER_BUFFERS, stage.arena.put(table.data(), table.size() * sizeof table[0]), e.buffer_slots(),
               stage);
  }
  if (e.has_eventfd()) emit_table(IORING_REGISTER_EVENTFD, stage.arena.put(e.eventfd()), 1, stage);
}

}  // namespace

std::unique_ptr<Kind> make_io_uring_kind() { return std::make_unique<IoUring>(); }

}  // namespace nsr
