#include "engine/namespaces/net_namespace.h"

#include "engine/namespaces/firewall_rules.h"
#include "engine/namespaces/net_config.h"
#include "engine/namespaces/net_sysctl.h"
#include "netdev.pb.h"

namespace nsr {

void dump_net_namespace(ImageDir& images, uint64_t id, const std::string& key, bool empty) {
  pb::netns_entry e;
  if (!key.empty()) e.set_ext_key(key);
  images.create(Img::netns, id).write(e);
  if (!key.empty() || empty) return;
  RouteSocket route;
  pb::nsr_net_entry ext;
  collect_net_sysctls(ext);
  dump_net_devices(images, id, route, ext);
  dump_net_config(images, id, route);
  dump_firewall(images, id);
  images.create(Img::net_ext, id).write(ext);
}

std::string external_net_key(const ImageDir& images, uint64_t id) {
  return images.has(Img::netns, id) ? images.one<pb::netns_entry>(Img::netns, id).ext_key() : std::string();
}

void fill_net_namespace(const ImageDir& images, uint64_t id, const NetFill& how) {
  pb::nsr_net_entry ext;
  if (images.has(Img::net_ext, id)) ext = images.one<pb::nsr_net_entry>(Img::net_ext, id);
  RouteSocket route;
  fill_net_sysctls(ext, false, how.weak_sysctls);
  make_net_devices(images, id, route, ext, how.around);
  fill_net_sysctls(ext, true, how.weak_sysctls);
  fill_firewall(images, id);
  NoDuplicateDetection at_once;
  raise_net_devices(images, id, route);
  fill_net_config(images, id, route);
}

}  // namespace nsr
