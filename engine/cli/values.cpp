#include "engine/cli/values.h"

#include <algorithm>
#include <cstdlib>

#include "engine/base/scanner.h"
#include "engine/cli/usage_error.h"

namespace nsr {
namespace {

[[noreturn]] void bad(const std::string& option, const std::string& text, const std::string& wanted,
                      bool show_usage = false) {
  throw UsageError("option --" + option, "cannot take \"" + text + "\"", wanted, show_usage);
}

template <class T, size_t N>
T choice(const std::string& option, const std::string& text, const std::pair<const char*, T> (&rows)[N],
         const char* wanted) {
  for (auto& [name, result] : rows)
    if (text == name) return result;
  bad(option, text, wanted, true);
}

}  // namespace

int64_t number_value(const std::string& option, const std::string& text, int64_t low, int64_t high) {
  Scanner scan(text);
  auto n = scan.integer();
  if (!n || !scan.done() || *n < low || *n > high)
    bad(option, text, "give a number from " + std::to_string(low) + " to " + std::to_string(high));
  return *n;
}

uint64_t size_value(const std::string& option, const std::string& text) {
  Scanner scan(text);
  auto n = scan.number();
  int shift = 0;
  if (scan.literal("K") || scan.literal("k"))
    shift = 10;
  else if (scan.literal("M") || scan.literal("m"))
    shift = 20;
  else if (scan.literal("G") || scan.literal("g"))
    shift = 30;
  if (!n || !scan.done() || *n > (UINT64_MAX >> shift)) bad(option, text, "give a size such as 65536, 64K, 1M or 2G");
  return *n << shift;
}

int verbosity_value(const std::string& text, int level) {
  bool only_v = std::all_of(text.begin(), text.end(), [](char c) { return c == 'v'; });
  level = only_v ? level + std::max<int>(1, static_cast<int>(text.size()) + (text.empty() ? 0 : 1))
                 : std::atoi(text.c_str());
  return std::clamp(level, 0, 4);
}

std::pair<std::string, int> inherit_fd_value(const std::string& text) {
  Scanner scan(text);
  std::optional<uint64_t> fd;
  if (scan.literal("fd[")) fd = scan.number();
  if (!fd || *fd > INT32_MAX || !scan.literal("]:") || scan.done())
    bad("inherit-fd", text, "write fd[N]:RESOURCE with an open descriptor N");
  return {std::string(scan.rest()), static_cast<int>(*fd)};
}

std::vector<std::string> comma_list(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    if (comma) list.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

CgroupMode cgroup_mode_value(const std::string& text) {
  if (text.empty()) return CgroupMode::soft;
  static constexpr std::pair<const char*, CgroupMode> rows[] = {
      {"ignore", CgroupMode::ignore}, {"none", CgroupMode::none}, {"props", CgroupMode::props},
      {"soft", CgroupMode::soft},     {"full", CgroupMode::full}, {"strict", CgroupMode::strict}};
  return choice("manage-cgroups", text, rows, "give ignore, none, props, soft, full or strict");
}

NetworkLock network_lock_value(const std::string& text) {
  static constexpr std::pair<const char*, NetworkLock> rows[] = {{"iptables", NetworkLock::iptables},
                                                                 {"nftables", NetworkLock::nftables},
                                                                 {"skip", NetworkLock::skip},
                                                                 {"none", NetworkLock::skip}};
  return choice("network-lock", text, rows, "give iptables, nftables or skip");
}

uint32_t cpu_cap_value(const std::string& text) {
  if (text.empty()) return CpuCap::all;
  static constexpr std::pair<const char*, uint32_t> rows[] = {
      {"cpu", CpuCap::cpu}, {"fpu", CpuCap::fpu}, {"ins", CpuCap::ins}, {"all", CpuCap::all}, {"none", CpuCap::all}};
  uint32_t mask = CpuCap::image;
  for (const std::string& item : comma_list(text)) {
    bool negate = item.starts_with("^");
    std::string name = negate ? item.substr(1) : item;
    uint32_t bits = choice("cpu-cap", name, rows, "list cpu, fpu, ins, all or none; ^ in front negates");
    if (name == "none") negate = !negate;
    mask = negate ? mask & ~bits : mask | bits;
  }
  return mask;
}

JoinNamespace join_ns_value(const std::string& text) {
  const char* wanted = "write NS:PID or NS:FILE[,EXTRA]; NS is net, uts, time, ipc, user or mnt";
  size_t colon = text.find(':');
  if (colon == text.npos) bad("join-ns", text, wanted);
  JoinNamespace join;
  join.kind = text.substr(0, colon);
  bool known = false;
  for (const char* kind : {"net", "uts", "time", "ipc", "user", "mnt"}) known = known || join.kind == kind;
  size_t comma = text.find(',', colon);
  std::string source = text.substr(colon + 1, comma == text.npos ? comma : comma - colon - 1);
  if (comma != text.npos) join.extra = text.substr(comma + 1);
  if (!known || source.empty()) bad("join-ns", text, wanted);
  bool is_pid = std::all_of(source.begin(), source.end(), [](char c) { return c >= '0' && c <= '9'; });
  join.source = is_pid ? "/proc/" + source + "/ns/" + join.kind : source;
  return join;
}

CgroupRoot cgroup_root_value(const std::string& text) {
  size_t colon = text.find(':');
  if (text.starts_with("/") || colon == text.npos) return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string external_of_mount_map(const std::string& text) {
  if (text == "auto" || text == "auto:m" || text == "auto:s") return "mnt[]" + text.substr(4);
  size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) bad("ext-mount-map", text, "write KEY:VALUE or auto");
  return "mnt[" + text.substr(0, colon) + "]:" + text.substr(colon + 1);
}

}  // namespace nsr
