#include "engine/restore/self_settings.h"

#include <cstdlib>

#include "engine/base/file_io.h"
#include "engine/process/security_label.h"

namespace nsr {

SelfSettings self_settings(const ImageSet& set, const std::string& lsm_profile) {
  SelfSettings self;
  auto own = read_file("/proc/self/loginuid");
  SecurityModule host;
  self.label_file = host.label_file();
  for (size_t i = 0; i < set.tasks.size(); i++) {
    const ImageTask& t = set.tasks[i];
    if (t.zombie) continue;
    bool born_so =
        own && std::strtoul(own->c_str(), nullptr, 10) == t.tc().loginuid() && !self.login_uid.count(t.parent);
    if (t.tc().has_loginuid() && own && !born_so) self.login_uid[static_cast<int>(i)] = t.tc().loginuid();
    std::string label = label_to_restore(t.threads[0].core.thread_core().creds(), set.inventory.lsmtype(), lsm_profile,
                                         host, t.object());
    if (!label.empty()) self.label[static_cast<int>(i)] = host.label_command(label);
  }
  return self;
}

}  // namespace nsr
