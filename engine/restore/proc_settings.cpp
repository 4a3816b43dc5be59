#include "engine/restore/proc_settings.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/process/scheduling.h"
#include "engine/procfs/reader.h"

namespace nsr {
namespace {

const Logger log("restore");

bool write_text(const procfs::ProcDir& dir, const char* name, const std::string& text) {
  UniqueFd fd = dir.open(name, O_WRONLY);
  return fd && write_exact(fd.get(), text.data(), text.size());
}

void warn(const ImageTask& t, const std::string& what) {
  log.warn("%s: %s cannot be set again: %s", t.object().c_str(), what.c_str(), std::strerror(errno));
}

void apply_autogroup(const ImageTask& t, const procfs::ProcDir& dir) {
  auto text = dir.try_read("autogroup");
  size_t at = text ? text->find(" nice ") : std::string::npos;
  if (at == std::string::npos) {
    if (t.ext.autogroup_nice())
      log.warn("%s: this kernel has no autogroups; its group had nice value %d", t.object().c_str(),
               t.ext.autogroup_nice());
    return;
  }
  if (std::atoi(text->c_str() + at + 6) == t.ext.autogroup_nice()) return;
  if (!write_text(dir, "autogroup", format("%d", t.ext.autogroup_nice())))
    warn(t, format("autogroup nice value %d", t.ext.autogroup_nice()));
}

/// CPUs of the images that this host lacks: the kernel takes the others, or all when none is left.
void check_affinity(const ImageTask& t) {
  const std::string here = online_cpus();
  if (here.empty()) return;
  for (const ImageThread& th : t.threads) {
    const std::string want = th.ext ? th.ext->cpu_affinity() : std::string();
    if (want.find_first_not_of(kEveryCpu) == std::string::npos) continue;
    for (size_t i = 0; i < want.size(); i++)
      if (unsigned missing =
              static_cast<unsigned char>(want[i]) & ~(i < here.size() ? static_cast<unsigned char>(here[i]) : 0u)) {
        log.warn("%s thread %d may run on CPU %zu, which is not there", t.object().c_str(), th.tid.value,
                 i * 8 + static_cast<size_t>(__builtin_ctz(missing)));
        return;
      }
  }
}

}  // namespace

void apply_proc_settings(const ImageTask& t, int proc_root, HostPid pid) {
  procfs::ProcDir dir(proc_root, pid);
  if (t.tc().has_oom_score_adj()) {
    auto now = dir.try_read("oom_score_adj");
    if (now && std::atoi(now->c_str()) != t.tc().oom_score_adj() &&
        !write_text(dir, "oom_score_adj", format("%d", t.tc().oom_score_adj())))
      warn(t, format("oom_score_adj %d", t.tc().oom_score_adj()));
  }
  if (t.ext.has_coredump_filter()) {
    auto now = dir.try_read("coredump_filter");
    if (now && std::strtoul(now->c_str(), nullptr, 16) != t.ext.coredump_filter() &&
        !write_text(dir, "coredump_filter", format("%#x", t.ext.coredump_filter())))
      warn(t, format("coredump filter %#x", t.ext.coredump_filter()));
  }
  if (t.ext.has_autogroup_nice()) apply_autogroup(t, dir);
  check_affinity(t);
}

}  // namespace nsr
