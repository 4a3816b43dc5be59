#include "engine/files/uring_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/interruption.h"

namespace nsr {
namespace {

constexpr size_t kPage = 4096;
constexpr uint32_t kHelperEntries = 1024;

size_t pages(size_t bytes) { return (bytes + kPage - 1) & ~(kPage - 1); }

size_t sqe_size(uint32_t flags) { return flags & IORING_SETUP_SQE128 ? 128 : 64; }
size_t cqe_size(uint32_t flags) { return flags & IORING_SETUP_CQE32 ? 32 : 16; }

void* map(int fd, size_t bytes, uint64_t offset) {
  return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
}

uint32_t enter(int fd, uint32_t n, const std::string& object) {
  long done = ::syscall(SYS_io_uring_enter, fd, n, 0, 0, nullptr, 0);
  if (done < 0 && (errno == EINTR || errno == EAGAIN || errno == EBUSY)) return 0;
  if (done <= 0) throw_errno(Failure::environment, object, "running empty requests failed", done ? errno : EIO);
  return static_cast<uint32_t>(done);
}

}  // namespace

size_t UringLayout::rings_bytes() const {
  size_t cqes = params.cq_off.cqes + params.cq_entries * cqe_size(params.flags);
  bool no_array = params.flags & kNoSqArray;
  size_t array = no_array ? 0 : params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  return pages(std::max(cqes, array));
}

size_t UringLayout::sqes_bytes() const { return pages(params.sq_entries * sqe_size(params.flags)); }

UringMemory::UringMemory(int fd, const UringLayout& layout, const std::string& object)
    : fd_(fd), layout_(layout), object_(object) {
  void* rings = map(fd, layout.rings_bytes(), IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) throw_errno(Failure::environment, object, "its rings cannot be mapped", errno);
  rings_ = static_cast<std::byte*>(rings);
  void* sqes = map(fd, layout.sqes_bytes(), IORING_OFF_SQES);
  if (sqes == MAP_FAILED) {
    int err = errno;
    ::munmap(rings, layout.rings_bytes());
    throw_errno(Failure::environment, object, "its requests cannot be mapped", err);
  }
  sqes_ = static_cast<std::byte*>(sqes);
}

UringMemory::~UringMemory() {
  ::munmap(rings_, layout_.rings_bytes());
  ::munmap(sqes_, layout_.sqes_bytes());
}

uint32_t UringMemory::load(uint32_t offset) const {
  return std::atomic_ref<uint32_t>(*word(offset)).load(std::memory_order_acquire);
}

void UringMemory::store(uint32_t offset, uint32_t value) const {
  std::atomic_ref<uint32_t>(*word(offset)).store(value, std::memory_order_release);
}

bool UringMemory::array_is_zero() const {
  const uint32_t* array = word(layout_.params.sq_off.array);
  return std::all_of(array, array + layout_.params.sq_entries, [](uint32_t i) { return i == 0; });
}

void UringMemory::fill_array() const {
  uint32_t* array = word(layout_.params.sq_off.array);
  for (uint32_t i = 0; i < layout_.params.sq_entries; i++) array[i] = i;
}

void UringMemory::run_nops(uint32_t n, bool with_completions) const {
  const io_uring_params& p = layout_.params;
  if (!(p.flags & kNoSqArray)) fill_array();
  std::memset(sqes_, 0, sqes().size());
  for (uint32_t i = 0; i < p.sq_entries; i++) {
    auto* sqe = reinterpret_cast<io_uring_sqe*>(sqes_ + i * sqe_size(p.flags));
    sqe->opcode = IORING_OP_NOP;
    sqe->flags = with_completions ? 0 : IOSQE_CQE_SKIP_SUCCESS;
  }
  uint32_t most = std::min(p.sq_entries, p.cq_entries);
  while (n > 0) {
    check_interruption();
    // the kernel takes no more at a time than there are slots, wherever the tail is
    store(p.sq_off.tail, sq_head() + std::min(n, most));
    n -= std::min(n, enter(fd_, std::min(n, most), object_));
    if (with_completions) forget_completions();
  }
}

void UringMemory::post_completions(uint32_t n) const {
  if (n == 0) return;
  UringLayout layout;
  UniqueFd helper = make_uring(kHelperEntries, 2 * kHelperEntries, IORING_SETUP_CQSIZE, layout);
  if (!helper) throw_errno(Failure::environment, object_, "io_uring_setup of a helper failed", errno);
  UringMemory memory(helper.get(), layout, object_);
  memory.fill_array();
  for (uint32_t i = 0; i < kHelperEntries; i++) {
    auto* sqe = reinterpret_cast<io_uring_sqe*>(memory.sqes_ + i * sizeof(io_uring_sqe));
    std::memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_MSG_RING;
    sqe->fd = fd_;
  }
  uint32_t most = std::min(kHelperEntries, layout_.params.cq_entries);
  while (n > 0) {
    check_interruption();
    uint32_t before = cq_tail();
    memory.store(layout.params.sq_off.tail, memory.sq_head() + std::min(n, most));
    enter(helper.get(), std::min(n, most), object_);
    memory.forget_completions();
    uint32_t posted = cq_tail() - before;
    if (posted == 0) throw Error(Failure::environment, object_, "its completion position cannot be set");
    n -= std::min(n, posted);
    forget_completions();
  }
}

void UringMemory::write_content(std::span<const std::byte> rings, std::span<const std::byte> sqes) const {
  const io_uring_params& p = layout_.params;
  auto saved = [&](uint32_t offset) {
    uint32_t value;
    std::memcpy(&value, rings.data() + offset, sizeof value);
    return value;
  };
  std::memcpy(rings_ + p.cq_off.cqes, rings.data() + p.cq_off.cqes, this->rings().size() - p.cq_off.cqes);
  std::memcpy(sqes_, sqes.data(), sqes.size());
  for (uint32_t offset : {p.sq_off.tail, p.sq_off.dropped, p.cq_off.head, p.cq_off.overflow, p.cq_off.flags})
    store(offset, saved(offset));
}

UniqueFd make_uring(uint32_t sq_entries, uint32_t cq_entries, uint32_t setup_flags, UringLayout& layout) {
  layout.params = {};
  layout.params.cq_entries = cq_entries;
  layout.params.flags = setup_flags | IORING_SETUP_CQSIZE;
  return UniqueFd(static_cast<int>(::syscall(SYS_io_uring_setup, sq_entries, &layout.params)));
}

bool has_bytes(int fd, uint64_t offset, size_t bytes) {
  void* at = map(fd, bytes, offset);
  if (at == MAP_FAILED) return false;
  // newer kernels map what there is; the rest faults
  int ends[2];
  bool readable = ::pipe2(ends, O_CLOEXEC) == 0;
  if (readable) {
    UniqueFd out(ends[0]), in(ends[1]);
    readable = ::write(in.get(), static_cast<char*>(at) + bytes - 1, 1) == 1;
  }
  ::munmap(at, bytes);
  return readable;
}

}  // namespace nsr
