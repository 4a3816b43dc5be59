#include "engine/process/memory_policy.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/file_io.h"

namespace nsr {
namespace {

constexpr size_t kWord = sizeof(uint64_t);
constexpr unsigned long kMostNodes = 1024;  // CONFIG_NODES_SHIFT is at most 10

/// Empty where the kernel has no NUMA.
const std::string& possible_nodes() {
  static const std::string nodes = node_mask(read_file("/sys/devices/system/node/possible").value_or(""));
  return nodes;
}

const std::string& nodes_with_memory() {
  static const std::string nodes = node_mask(read_file("/sys/devices/system/node/has_memory").value_or(""));
  return nodes;
}

/// The kernel counts one bit less than it is told.
uint64_t max_node(size_t bytes) { return bytes * 8 + 1; }

}  // namespace

std::string node_mask(const std::string& list) {
  std::string mask;
  for (const char* at = list.c_str(); *at >= '0' && *at <= '9';) {
    char* end;
    unsigned long from = std::strtoul(at, &end, 10), to = from;
    if (*end == '-') to = std::strtoul(end + 1, &end, 10);
    for (unsigned long node = from; node <= to && node < kMostNodes; node++) {
      if (mask.size() * 8 <= node) mask.resize((node / (8 * kWord) + 1) * kWord);
      mask[node / 8] = static_cast<char>(mask[node / 8] | 1 << node % 8);
    }
    at = *end == ',' ? end + 1 : end;
  }
  return mask;
}

void MemoryPolicyReader::add(Program& program, Arena& arena) {
  bytes_ = possible_nodes().size();
  if (bytes_ == 0) return;
  mode_ = arena.alloc(kWord + bytes_);
  call_ = program.allow(SYS_get_mempolicy, mode_, mode_.value + kWord, max_node(bytes_), 0, 0);
}

void MemoryPolicyReader::collect(const Program& program, const Arena& arena, pb::nsr_thread_entry& ext) const {
  if (bytes_ == 0 || program.records()[call_].result != 0) return;
  const auto* mode = arena.local<uint32_t>(mode_);
  if (*mode == 0) return;
  ext.set_memory_policy(*mode);
  ext.set_memory_nodes(reinterpret_cast<const char*>(mode) + kWord, bytes_);
}

void emit_memory_policy(const pb::nsr_thread_entry& ext, Program& program, Arena& arena) {
  const std::string& here = nodes_with_memory();
  if (!ext.has_memory_policy() || here.empty()) return;
  std::string nodes(here.size(), '\0');
  for (size_t i = 0; i < std::min(nodes.size(), ext.memory_nodes().size()); i++)
    nodes[i] = static_cast<char>(ext.memory_nodes()[i] & here[i]);
  auto any = [](const std::string& mask) { return mask.find_first_not_of('\0') != std::string::npos; };
  if (any(ext.memory_nodes()) && !any(nodes)) return;
  program.call(SYS_set_mempolicy, ext.memory_policy(), arena.put(nodes.data(), nodes.size()), max_node(nodes.size()));
  program.note("NUMA memory policy");
}

}  // namespace nsr
