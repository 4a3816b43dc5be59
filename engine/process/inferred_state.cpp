#include "engine/process/inferred_state.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "arch/arch.h"

namespace nsr {
namespace {

constexpr long kGetRegistrations = 1 << 9;  // MEMBARRIER_CMD_GET_REGISTRATIONS
constexpr std::pair<int, int> kCommands[] = {
    {MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED},
    {MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE},
    {1 << 7, 1 << 8},  // MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
};

bool kernel_tells_registrations() {
  static const bool tells = ::syscall(SYS_membarrier, kGetRegistrations, 0, 0) >= 0;
  return tells;
}

}  // namespace

void MembarrierReader::add(Program& program) {
  if (kernel_tells_registrations()) {
    first_ = program.allow(SYS_membarrier, kGetRegistrations, 0, 0);
    return;
  }
  for (auto [command, registration] : kCommands) {
    auto at = program.allow(SYS_membarrier, command, 0, 0);
    if (command == kCommands[0].first) first_ = at;
  }
}

uint32_t MembarrierReader::mask(const Program& program) const {
  const auto& records = program.records();
  if (kernel_tells_registrations())
    return records[first_].result > 0 ? static_cast<uint32_t>(records[first_].result) : 0;
  uint32_t mask = 0;
  for (size_t i = 0; i < std::size(kCommands); i++)
    if (records[first_ + i].result == 0) mask |= static_cast<uint32_t>(kCommands[i].second);
  return mask;
}

void ProtectionKeyReader::add(Program& program) {
  // Above any address that a mapping can have. The key is looked at first: EINVAL for one that is not allocated,
  // ENOMEM for lack of a mapping.
  constexpr uint64_t kNowhere = 0x00fffffffffff000;
  asked_ = arch::has_protection_keys();
  for (unsigned key = 1; asked_ && key <= kKeys; key++) {
    auto at = program.allow(SYS_pkey_mprotect, kNowhere, 4096, 0, key);
    if (key == 1) first_ = at;
  }
}

uint32_t ProtectionKeyReader::allocated(const Program& program) const {
  uint32_t bits = 0;
  for (unsigned key = 1; asked_ && key <= kKeys; key++)
    if (program.records()[first_ + key - 1].result == -ENOMEM) bits |= 1u << key;
  return bits;
}

}  // namespace nsr
