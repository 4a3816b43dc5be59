#include <sys/syscall.h>

#include "arch/arch.h"

namespace nsr::arch {

LocalDescriptorCalls local_descriptor_calls() { return {SYS_modify_ldt, 0, 0x11}; }

// Bits of a segment descriptor (Intel manual, volume 3, 3.4.5) to struct user_desc of modify_ldt(2).
std::array<uint32_t, 4> local_descriptor(uint32_t entry, uint64_t descriptor) {
  auto bits = [&](int from, int count) { return static_cast<uint32_t>(descriptor >> from & ((1u << count) - 1)); };
  const uint32_t base = bits(16, 16) | bits(32, 8) << 16 | bits(56, 8) << 24;
  const uint32_t limit = bits(0, 16) | bits(48, 4) << 16;
  const uint32_t is_32bit = bits(54, 1), contents = bits(42, 2), read_only = bits(41, 1) ^ 1, in_pages = bits(55, 1),
                 absent = bits(47, 1) ^ 1, useable = bits(52, 1);
  return {entry, base, limit, is_32bit | contents << 1 | read_only << 3 | in_pages << 4 | absent << 5 | useable << 6};
}

}  // namespace nsr::arch
