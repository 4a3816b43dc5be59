#include "engine/namespaces/net_sysctl.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"

namespace nsr {
namespace {

const Logger log("net");
constexpr const char* kRoot = "/proc/sys/net/";

std::optional<std::string> value_of(const std::string& path) {
  auto text = read_file(kRoot + path);
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

void collect(const std::string& below, pb::nsr_net_entry& out) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir((kRoot + below).c_str()), ::closedir);
  if (!dir) return;
  while (dirent* e = ::readdir(dir.get())) {
    std::string name = e->d_name;
    if (name == "." || name == "..") continue;
    std::string path = below + name;
    struct stat st {};
    if (::stat((kRoot + path).c_str(), &st)) continue;
    if (S_ISDIR(st.st_mode)) collect(path + "/", out);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0600) != 0600) continue;
    auto value = value_of(path);
    if (!value) continue;  // one that was never set, like stable_secret
    pb::nsr_sysctl& entry = *out.add_sysctls();
    entry.set_path(path);
    entry.set_value(*value);
  }
}

/// "all" changes what the devices have, "default" what new ones get.
int rank(const std::string& path) {
  if (path == "ipv4/ip_forward") return 0;
  if (path.find("/all/") != std::string::npos) return 1;
  return path.find("/default/") != std::string::npos ? 2 : 3;
}

}  // namespace

void collect_net_sysctls(pb::nsr_net_entry& out) { collect("", out); }

void fill_net_sysctls(const pb::nsr_net_entry& entry, bool with_devices, bool weak) {
  std::vector<const pb::nsr_sysctl*> order;
  for (const auto& e : entry.sysctls()) order.push_back(&e);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return rank(a->path()) < rank(b->path()); });
  for (const auto* e : order) {
    if (e->path().find("..") != std::string::npos)
      throw Error(Failure::image, "nsr-net image", "sysctl " + e->path() + " is impossible");
    auto now = value_of(e->path());
    if ((now && *now == e->value()) || (!now && !with_devices)) continue;
    if (now && write_file(kRoot + e->path(), e->value())) continue;
    int error = errno;
    std::string object = kRoot + e->path();
    if (!weak)
      throw_errno(Failure::environment, object, "it cannot be set to \"" + e->value() + "\"", error,
                  "--weak-sysctls restores without it");
    log.warn("%s stays as it is here: %s", object.c_str(), std::strerror(error));
  }
}

NoDuplicateDetection::NoDuplicateDetection() {
  const std::string conf = std::string(kRoot) + "ipv6/conf";
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(conf.c_str()), ::closedir);
  while (dirent* e = dir ? ::readdir(dir.get()) : nullptr) {
    std::string path = conf + "/" + e->d_name + "/accept_dad";
    auto value = read_file(path);
    if (value && write_file(path, "0")) before_.emplace_back(path, *value);
  }
}

NoDuplicateDetection::~NoDuplicateDetection() {
  for (const auto& [path, value] : before_)
    if (!write_file(path, value)) log.error("%s stays 0: %s", path.c_str(), std::strerror(errno));
}

}  // namespace nsr
