#include "engine/namespaces/time_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/base/unique_fd.h"

namespace nsr {
namespace {

const Logger log("time");
constexpr int64_t kSecond = 1'000'000'000;
constexpr int kCloneNewtime = 0x80;

/// Nanoseconds; 292 years are enough for both clocks.
struct Clocks {
  int64_t monotonic = 0, boottime = 0;
};

Clocks here() {
  auto read = [](clockid_t id) {
    timespec ts{};
    ::clock_gettime(id, &ts);
    return ts.tv_sec * kSecond + ts.tv_nsec;
  };
  return {read(CLOCK_MONOTONIC), read(CLOCK_BOOTTIME)};
}

/// timens_offsets: "monotonic SEC NSEC" and "boottime SEC NSEC", relative to the initial namespace.
Clocks offsets(const std::string& proc) {
  Clocks out;
  std::string text = read_file(proc + "/timens_offsets").value_or("");
  for (size_t at = 0; at < text.size();) {
    char name[16];
    int64_t sec = 0, nsec = 0;
    size_t end = std::min(text.find('\n', at), text.size());
    if (std::sscanf(text.substr(at, end - at).c_str(), "%15s %" SCNd64 " %" SCNd64, name, &sec, &nsec) == 3)
      (std::strcmp(name, "monotonic") ? out.boottime : out.monotonic) = sec * kSecond + nsec;
    at = end + 1;
  }
  return out;
}

void put(int64_t ns, pb::timespec& out) {
  out.set_tv_sec(static_cast<uint64_t>(ns / kSecond));
  out.set_tv_nsec(static_cast<uint64_t>(ns % kSecond));
}

int64_t get(const pb::timespec& ts, const char* what) {
  if (ts.tv_nsec() >= static_cast<uint64_t>(kSecond) || ts.tv_sec() > INT64_MAX / kSecond / 2)
    throw Error(Failure::image, "timens image", std::string(what) + " holds an impossible time", "dump the tree again");
  return static_cast<int64_t>(ts.tv_sec()) * kSecond + static_cast<int64_t>(ts.tv_nsec());
}

std::string offset_line(const char* name, int64_t ns) {
  int64_t sec = ns / kSecond, rest = ns % kSecond;
  if (rest < 0) sec--, rest += kSecond;
  return format("%s %" PRId64 " %" PRId64 "\n", name, sec, rest);
}

std::string proc_of(HostPid pid) { return format("/proc/%d", pid.value); }

}  // namespace

TaskClocks clocks_of(HostPid pid) {
  TaskClocks out;
  auto mine = read_link("/proc/self/ns/time"), its = read_link(proc_of(pid) + "/ns/time");
  auto later = read_link(proc_of(pid) + "/ns/time_for_children");
  Clocks now = here();
  if (mine && its && *mine != *its) {
    if (later && *later != *its)
      throw Error(Failure::unsupported, format("pid %d", pid.value),
                  "its children would be born in another time namespace than its own");
    out.own_namespace = true;
    Clocks base = offsets("/proc/self"), shift = offsets(proc_of(pid));
    now.monotonic += shift.monotonic - base.monotonic;
    now.boottime += shift.boottime - base.boottime;
  }
  put(now.monotonic, *out.now.mutable_monotonic());
  put(now.boottime, *out.now.mutable_boottime());
  return out;
}

void check_same_clocks(HostPid root, HostPid other) {
  auto a = read_link(proc_of(root) + "/ns/time"), b = read_link(proc_of(other) + "/ns/time");
  if (a && b && *a != *b)
    throw Error(Failure::unsupported, format("pid %d", other.value),
                "its time namespace is another than that of the root task");
}

bool carry_clocks_on(const pb::timens_entry& image) {
  Clocks now = here();
  int64_t monotonic = get(image.monotonic(), "CLOCK_MONOTONIC") - now.monotonic;
  int64_t boottime = get(image.boottime(), "CLOCK_BOOTTIME") - now.boottime;
  if (monotonic <= 0 && boottime <= 0) return false;
  monotonic = std::max<int64_t>(monotonic, 0);
  boottime = std::max<int64_t>(boottime, 0);
  if (::unshare(kCloneNewtime)) {
    log.warn("the clocks of the tree go back by %" PRId64 " s: a time namespace cannot be made here: %s",
             std::max(monotonic, boottime) / kSecond, std::strerror(errno));
    return false;
  }
  Clocks base = offsets("/proc/self");
  std::string text =
      offset_line("monotonic", base.monotonic + monotonic) + offset_line("boottime", base.boottime + boottime);
  if (!write_file("/proc/self/timens_offsets", text))
    throw_errno(Failure::environment, "time namespace", "its clocks cannot be set ahead", errno);
  log.info("clocks of the tree go on in a time namespace: monotonic %+" PRId64 " s, boottime %+" PRId64 " s",
           monotonic / kSecond, boottime / kSecond);
  return true;
}

void keep_own_clocks() {
  UniqueFd own(::open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC));
  if (own && ::setns(own.get(), kCloneNewtime) != 0) log.warn("action scripts see the clocks of the tree: %m");
}

}  // namespace nsr
