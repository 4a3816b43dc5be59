// The memory that an io_uring shares with its program (io_uring(7)), mapped by the engine; rings that are made anew.
#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/base/unique_fd.h"

namespace nsr {

inline constexpr uint32_t kNoSqArray = 1u << 16;  ///< IORING_SETUP_NO_SQARRAY, 6.6

/// Where things are in the shared memory. The kernel computes it from the sizes and flags alone.
struct UringLayout {
  io_uring_params params{};
  size_t rings_bytes() const;  ///< whole pages
  size_t sqes_bytes() const;   ///< whole pages
};

/// A ring with its memory mapped. The descriptor stays the caller's.
class UringMemory {
 public:
  /// Throws Error(environment) when the kernel does not let it be mapped (IORING_SETUP_NO_MMAP).
  UringMemory(int fd, const UringLayout& layout, const std::string& object);
  ~UringMemory();
  UringMemory(const UringMemory&) = delete;

  std::span<std::byte> rings() const { return {rings_, layout_.rings_bytes()}; }
  std::span<std::byte> sqes() const { return {sqes_, layout_.sqes_bytes()}; }
  uint32_t sq_head() const { return load(layout_.params.sq_off.head); }
  uint32_t sq_dropped() const { return load(layout_.params.sq_off.dropped); }
  uint32_t cq_tail() const { return load(layout_.params.cq_off.tail); }
  uint32_t cq_overflow() const { return load(layout_.params.cq_off.overflow); }
  /// No entry of the index array was ever written.
  bool array_is_zero() const;
  /// Every request slot under its own index.
  void fill_array() const;

  /// Lets the kernel take n requests and post n completions (with_completions), which nobody sees. The ring must be
  /// empty. Throws Error(environment).
  void run_nops(uint32_t n, bool with_completions) const;
  /// Lets the kernel post n completions, which nobody sees, through another ring.
  void post_completions(uint32_t n) const;
  /// Everything that the program can see, but what the kernel alone writes.
  void write_content(std::span<const std::byte> rings, std::span<const std::byte> sqes) const;

 private:
  uint32_t* word(uint32_t offset) const { return reinterpret_cast<uint32_t*>(rings_ + offset); }
  uint32_t load(uint32_t offset) const;
  void store(uint32_t offset, uint32_t value) const;
  void forget_completions() const { store(layout_.params.cq_off.head, cq_tail()); }

  int fd_;
  UringLayout layout_;
  std::string object_;
  std::byte *rings_ = nullptr, *sqes_ = nullptr;
};

/// io_uring_setup(2); the layout is filled. An empty descriptor with errno when it fails.
UniqueFd make_uring(uint32_t sq_entries, uint32_t cq_entries, uint32_t setup_flags, UringLayout& layout);

/// Whether a ring has that many bytes of memory at this offset.
bool has_bytes(int fd, uint64_t offset, size_t bytes);

}  // namespace nsr
