#include "engine/process/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr int kGetFilter = 0x420c, kGetMetadata = 0x420d;  // PTRACE_SECCOMP_*
constexpr size_t kMaxFilters = 32768;

struct Metadata {
  uint64_t index, flags;
};

size_t instructions(const std::string& code) { return code.size() / sizeof(sock_filter); }

/// Whether a filter hands calls to a supervisor by a descriptor, which dies with the old tree.
bool asks_supervisor(const std::string& code) {
  for (size_t i = 0; i < instructions(code); i++) {
    sock_filter f;
    std::memcpy(&f, code.data() + i * sizeof f, sizeof f);
    if (f.code == (BPF_RET | BPF_K) && (f.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF) return true;
  }
  return false;
}

}  // namespace

uint32_t SeccompCollector::add(int64_t prev, std::string code, uint32_t flags) {
  auto key = std::make_tuple(prev, code, flags);
  auto [it, fresh] = known_.emplace(std::move(key), static_cast<uint32_t>(entry_.seccomp_filters_size()));
  if (!fresh) return it->second;
  pb::seccomp_filter& f = *entry_.add_seccomp_filters();
  f.set_filter(std::move(code));
  if (prev >= 0) f.set_prev(static_cast<uint32_t>(prev));
  if (flags) f.set_flags(flags);
  return it->second;
}

void SeccompCollector::collect(const Tracee& tracee, const std::string& object, pb::thread_core_entry& thread) {
  if (thread.seccomp_mode() != pb::filter) return;
  int64_t last = -1;
  auto request = [&](int what, uint64_t address, void* data) {
    return ::syscall(SYS_ptrace, what, tracee.tid().value, address, data);
  };
  for (uint64_t index = 0;; index++) {  // the kernel counts from the oldest
    long n = request(kGetFilter, index, nullptr);
    if (n < 0 && errno == ENOENT && index > 0) break;
    std::string code(n > 0 ? static_cast<size_t>(n) * sizeof(sock_filter) : 0, '\0');
    if (n < 0 || request(kGetFilter, index, code.data()) != n)
      throw_errno(Failure::environment, object, "its seccomp filter cannot be read", errno,
                  "CAP_SYS_ADMIN and an engine that is under no filter itself are needed");
    if (asks_supervisor(code))
      throw Error(Failure::unsupported, object, "its seccomp filter asks a supervisor (SECCOMP_RET_USER_NOTIF)",
                  "the supervisor's descriptor cannot be made again");
    Metadata meta{index, 0};
    if (request(kGetMetadata, sizeof meta, &meta) < 0) meta.flags = 0;
    last = add(last, std::move(code), static_cast<uint32_t>(meta.flags));
  }
  thread.set_seccomp_filter(static_cast<uint32_t>(last));
}

std::vector<uint32_t> seccomp_chain(const pb::seccomp_entry& entry, const pb::thread_core_entry& thread,
                                    const std::string& object) {
  std::vector<uint32_t> chain;
  if (thread.seccomp_mode() != pb::filter) return chain;
  auto bad = [&](const char* why) {
    return Error(Failure::image, object, std::string("its seccomp filters ") + why,
                 "the images are damaged or mixed up: dump the tree again");
  };
  size_t count = static_cast<size_t>(entry.seccomp_filters_size());
  if (!thread.has_seccomp_filter()) throw bad("are missing");
  for (std::optional<uint32_t> at = thread.seccomp_filter(); at;) {
    if (*at >= count) throw bad("refer to one that seccomp.img does not have");
    if (chain.size() >= std::min(count, kMaxFilters)) throw bad("run in a circle");
    chain.push_back(*at);
    const pb::seccomp_filter& f = entry.seccomp_filters(static_cast<int>(*at));
    if (f.filter().empty() || f.filter().size() % sizeof(sock_filter) || instructions(f.filter()) > BPF_MAXINSNS)
      throw bad("hold one of an impossible size");
    at = f.has_prev() ? std::optional(f.prev()) : std::nullopt;
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

size_t SeccompEmitter::common(const std::vector<std::vector<uint32_t>>& chains) {
  size_t n = chains.empty() ? 0 : chains[0].size();
  for (const auto& c : chains) {
    size_t k = 0;
    while (k < std::min(n, c.size()) && c[k] == chains[0][k]) k++;
    n = k;
  }
  return n;
}

void SeccompEmitter::emit(const std::vector<uint32_t>& chain, size_t from, size_t to, Program& p, Arena& arena) {
  for (size_t i = from; i < to; i++) {
    const pb::seccomp_filter& f = entry_.seccomp_filters(static_cast<int>(chain[i]));
    RemoteAddr& program = programs_[chain[i]];
    if (!program) {
      sock_fprog head{};
      head.len = static_cast<unsigned short>(instructions(f.filter()));
      head.filter = reinterpret_cast<sock_filter*>(arena.put(f.filter().data(), f.filter().size()).value);
      program = arena.put(head);
    }
    // without SPEC_ALLOW old kernels would also restrict speculation, which is restored by itself
    p.call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f.flags() | SECCOMP_FILTER_FLAG_SPEC_ALLOW, program);
    p.note(format("seccomp filter %u", chain[i]));
  }
}

size_t SeccompEmitter::arena_size(const pb::seccomp_entry& entry) {
  size_t n = 0;
  for (const auto& f : entry.seccomp_filters()) n += f.filter().size() + 64;
  return n;
}

}  // namespace nsr
