#include "engine/restore/self_settings.h"

#include <cstdlib>
#include <vector>

#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/process/security_label.h"

namespace nsr {
namespace {

const Logger log("restore");
constexpr const char* kOwnLoginUid = "/proc/self/loginuid";

}  // namespace

SelfSettings self_settings(const ImageSet& set, const std::string& lsm_profile, bool own_users) {
  SelfSettings self;
  auto own = read_file(kOwnLoginUid);
  SecurityModule host;
  self.label_file = host.label_file();
  const std::string own_label = host.own_label();
  std::vector<std::string> labels(set.tasks.size(), own_label);
  for (size_t i = 0; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    if (t.zombie) continue;
    bool born_so =
        own && std::strtoul(own->c_str(), nullptr, 10) == t.tc().loginuid() && !self.login_uid.count(t.parent);
    if (t.tc().has_loginuid() && own && !born_so && !own_users) self.login_uid[static_cast<int>(i)] = t.tc().loginuid();
    const pb::creds_entry& creds = t.threads[0].core.thread_core().creds();
    // a task is born with the label of its parent
    const std::string& inherited = t.parent < 0 ? own_label : labels[static_cast<size_t>(t.parent)];
    labels[i] = label_to_restore(creds, set.inventory.lsmtype(), lsm_profile, host, t.object());
    if (labels[i] != own_label || inherited != own_label)
      self.label[static_cast<int>(i)] = host.label_command(labels[i]);
    if (host.type() == pb::SELINUX && !creds.lsm_sockcreate().empty())
      self.socket_label[static_cast<int>(i)] = creds.lsm_sockcreate();
  }
  return self;
}

WithLoginUid::WithLoginUid(std::optional<uint32_t> uid) {
  auto now = read_file(kOwnLoginUid);
  if (!uid || !now || std::strtoul(now->c_str(), nullptr, 10) == *uid) return;
  if (write_file(kOwnLoginUid, std::to_string(*uid)))
    own_ = now;
  else
    log.warn("the audit login uid %u of the tree cannot be set: it has the engine's, %s", *uid, now->c_str());
}

WithLoginUid::~WithLoginUid() {
  if (own_ && !write_file(kOwnLoginUid, *own_)) log.warn("the engine keeps the audit login uid of the tree");
}

}  // namespace nsr
