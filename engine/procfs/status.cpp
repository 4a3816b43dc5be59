#include "engine/procfs/status.h"

#include "engine/procfs/lines.h"

namespace nsr::procfs {
namespace {

constexpr const char* kKind = "status";

/// The kernel escapes newline and backslash in the name, nothing else.
std::string unescape(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    bool pair = name[i] == '\\' && i + 1 < name.size();
    if (pair && (name[i + 1] == 'n' || name[i + 1] == '\\'))
      out += name[++i] == 'n' ? '\n' : '\\';
    else
      out += name[i];
  }
  return out;
}

template <class T>
std::vector<T> numbers(LineParser& p) {
  std::vector<T> out;
  while (!p.at_end()) out.push_back(p.number<T>());
  return out;
}

std::array<uint32_t, 4> four(LineParser& p) {
  std::array<uint32_t, 4> out;
  for (uint32_t& n : out) n = p.number<uint32_t>();
  p.end();
  return out;
}

std::string text(LineParser& p) {
  p.at_end();
  std::string_view rest = p.rest();
  size_t last = rest.find_last_not_of(" \t");
  return std::string(last == std::string_view::npos ? std::string_view() : rest.substr(0, last + 1));
}

uint64_t mask(LineParser& p) {
  uint64_t n = p.hex();
  p.end();
  return n;
}

template <class T>
T only(LineParser& p, int base = 10) {
  T n = p.number<T>(base);
  p.end();
  return n;
}

uint64_t kib(LineParser& p) {
  uint64_t n = p.number();
  if (n > UINT64_MAX / 1024) p.fail("number out of range");
  p.field("kB");
  return n * 1024;
}

/// "ff,ffffffff": words of 32 bits, the most significant first.
std::vector<uint32_t> cpu_mask(LineParser& p) {
  std::vector<uint32_t> words{p.hex<uint32_t>()};
  while (p.accept(",")) words.insert(words.begin(), p.hex<uint32_t>());
  p.end();
  return words;
}

void signal_queue(LineParser& p, Status& s) {
  s.sig_queued = p.number();
  p.expect("/");
  s.sig_queue_limit = p.number();
}

struct Field {
  std::string_view key;
  bool required;
  void (*parse)(LineParser&, Status&);
};

/// In the kernel's order, so that the search below mostly hits at once.
constexpr Field kFields[] = {
    {"Name", true,
     [](LineParser& p, Status& s) {
       if (!p.accept("\t")) p.fail("no tab");
       s.name = unescape(p.rest());
     }},
    {"Umask", false, [](LineParser& p, Status& s) { s.umask = only<uint32_t>(p, 8); }},
    {"State", true, [](LineParser& p, Status& s) { s.state = p.word()[0]; }},
    {"Tgid", true, [](LineParser& p, Status& s) { s.tgid = only<int32_t>(p); }},
    {"Ngid", false, [](LineParser& p, Status& s) { s.ngid = only<int32_t>(p); }},
    {"Pid", true, [](LineParser& p, Status& s) { s.pid = only<int32_t>(p); }},
    {"PPid", true, [](LineParser& p, Status& s) { s.ppid = only<int32_t>(p); }},
    {"TracerPid", true, [](LineParser& p, Status& s) { s.tracer_pid = only<int32_t>(p); }},
    {"Uid", true, [](LineParser& p, Status& s) { s.uid = four(p); }},
    {"Gid", true, [](LineParser& p, Status& s) { s.gid = four(p); }},
    {"Groups", true, [](LineParser& p, Status& s) { s.groups = numbers<uint32_t>(p); }},
    {"NStgid", false, [](LineParser& p, Status& s) { s.ns_tgid = numbers<int32_t>(p); }},
    {"NSpid", false, [](LineParser& p, Status& s) { s.ns_pid = numbers<int32_t>(p); }},
    {"NSpgid", false, [](LineParser& p, Status& s) { s.ns_pgid = numbers<int32_t>(p); }},
    {"NSsid", false, [](LineParser& p, Status& s) { s.ns_sid = numbers<int32_t>(p); }},
    {"Kthread", false, [](LineParser& p, Status& s) { s.kthread = p.flag(); }},
    {"VmSize", false,
     [](LineParser& p, Status& s) {
       s.vm_size = kib(p);
       s.has_mm = true;
     }},
    {"VmLck", false, [](LineParser& p, Status& s) { s.vm_locked = kib(p); }},
    {"VmRSS", false, [](LineParser& p, Status& s) { s.vm_rss = kib(p); }},
    {"CoreDumping", false, [](LineParser& p, Status& s) { s.core_dumping = p.flag(); }},
    {"THP_enabled", false, [](LineParser& p, Status& s) { s.thp_enabled = p.flag(); }},
    {"Threads", true, [](LineParser& p, Status& s) { s.threads = only<uint32_t>(p); }},
    {"SigQ", true, signal_queue},
    {"SigPnd", true, [](LineParser& p, Status& s) { s.sig_pending = mask(p); }},
    {"ShdPnd", true, [](LineParser& p, Status& s) { s.shared_pending = mask(p); }},
    {"SigBlk", true, [](LineParser& p, Status& s) { s.sig_blocked = mask(p); }},
    {"SigIgn", true, [](LineParser& p, Status& s) { s.sig_ignored = mask(p); }},
    {"SigCgt", true, [](LineParser& p, Status& s) { s.sig_caught = mask(p); }},
    {"CapInh", true, [](LineParser& p, Status& s) { s.cap_inh = mask(p); }},
    {"CapPrm", true, [](LineParser& p, Status& s) { s.cap_prm = mask(p); }},
    {"CapEff", true, [](LineParser& p, Status& s) { s.cap_eff = mask(p); }},
    {"CapBnd", true, [](LineParser& p, Status& s) { s.cap_bnd = mask(p); }},
    {"CapAmb", false, [](LineParser& p, Status& s) { s.cap_amb = mask(p); }},
    {"NoNewPrivs", false, [](LineParser& p, Status& s) { s.no_new_privs = p.flag(); }},
    {"Seccomp", false, [](LineParser& p, Status& s) { s.seccomp = only<int>(p); }},
    {"Seccomp_filters", false, [](LineParser& p, Status& s) { s.seccomp_filters = only<uint32_t>(p); }},
    {"Speculation_Store_Bypass", false, [](LineParser& p, Status& s) { s.speculation_store_bypass = text(p); }},
    {"SpeculationIndirectBranch", false, [](LineParser& p, Status& s) { s.speculation_indirect_branch = text(p); }},
    {"Cpus_allowed", true, [](LineParser& p, Status& s) { s.cpus_allowed = cpu_mask(p); }},
    {"x86_Thread_features", false, [](LineParser& p, Status& s) { s.x86_thread_features = text(p); }},
    {"x86_Thread_features_locked", false, [](LineParser& p, Status& s) { s.x86_thread_features_locked = text(p); }},
};
constexpr size_t kFieldCount = std::size(kFields);

}  // namespace

Status parse_status(std::string_view text) {
  Status status;
  uint64_t seen = 0;
  static_assert(kFieldCount <= 64);
  size_t next = 0;
  each_field(kKind, text, [&](std::string_view key, LineParser& value) {
    for (size_t i = 0; i < kFieldCount; ++i) {
      size_t at = (next + i) % kFieldCount;
      if (kFields[at].key != key) continue;
      kFields[at].parse(value, status);
      seen |= 1ULL << at;
      next = at + 1;
      return;
    }
  });
  for (size_t i = 0; i < kFieldCount; ++i)
    if (kFields[i].required && (seen & (1ULL << i)) == 0) missing(kKind, kFields[i].key.data());
  return status;
}

}  // namespace nsr::procfs
