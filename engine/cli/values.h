// Decoding of option values. Each throws UsageError naming option and value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/cli/options.h"

namespace nsr {

/// Decimal number within [low, high].
int64_t number_value(const std::string& option, const std::string& text, int64_t low, int64_t high);
/// Bytes; a suffix K, M or G multiplies by 1024, 1024², 1024³.
uint64_t size_value(const std::string& option, const std::string& text);
/// "" and "v", "vv" … add to the level; anything else sets it to its leading number (none: 0). Capped at 4.
int verbosity_value(const std::string& text, int level);
/// "fd[N]:RES" -> RES, N.
std::pair<std::string, int> inherit_fd_value(const std::string& text);
std::vector<std::string> comma_list(std::string_view text);
CgroupMode cgroup_mode_value(const std::string& text);
NetworkLock network_lock_value(const std::string& text);
/// Mask of CpuCap; empty text = all.
uint32_t cpu_cap_value(const std::string& text);
JoinNamespace join_ns_value(const std::string& text);
CgroupRoot cgroup_root_value(const std::string& text);
/// "KEY:VAL" or "auto[:m|s]" of -M as the text of --external.
std::string external_of_mount_map(const std::string& text);

}  // namespace nsr
