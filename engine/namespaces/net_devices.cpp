#include "engine/namespaces/net_devices.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/veth.h>

#include <cerrno>
#include <set>

#include "engine/base/error.h"
#include "netdev.pb.h"

namespace nsr {
namespace {

constexpr unsigned kKeptFlags = IFF_UP | IFF_DEBUG | IFF_NOARP | IFF_MULTICAST;
constexpr size_t kBody = sizeof(ifinfomsg);

/// Tunnel devices of which the kernel makes one in each namespace.
bool is_fallback(const std::string& name) {
  static const std::set<std::string> kNames = {"sit0",    "tunl0",    "gre0",    "gretap0", "erspan0",
                                               "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"};
  return kNames.count(name) > 0;
}

std::string object_of(const std::string& name) { return "network device " + name; }

pb::nd_type type_of(const std::string& kind) {
  if (kind == "veth") return pb::VETH;
  if (kind == "bridge") return pb::BRIDGE;
  if (kind == "macvlan") return pb::MACVLAN;
  return pb::EXTLINK;  // the format has no word for it
}

void describe_link(std::string_view link, std::string_view info, const std::string& kind, pb::nsr_net_device& d) {
  d.set_ifindex(static_cast<uint32_t>(route_body<ifinfomsg>(link).ifi_index));
  d.set_kind(kind);
  if (kind == "vlan" || kind == "macvlan") d.set_data(std::string(nested_attribute(info, IFLA_INFO_DATA)));
  if (kind == "bridge") {
    std::string kept;
    for (uint16_t a : {IFLA_BR_FORWARD_DELAY, IFLA_BR_AGEING_TIME, IFLA_BR_STP_STATE, IFLA_BR_VLAN_FILTERING}) {
      std::string_view value = nested_attribute(nested_attribute(info, IFLA_INFO_DATA), a);
      // some kernels show VLAN filtering as off and refuse to be told so
      if (value.find_first_not_of('\0') == value.npos) continue;
      rtattr head{static_cast<unsigned short>(sizeof head + value.size()), a};
      kept.append(reinterpret_cast<const char*>(&head), sizeof head).append(value);
      kept.resize(RTA_ALIGN(kept.size()), '\0');
    }
    d.set_bridge(kept);
  }
  std::string_view below = route_attribute(link, kBody, IFLA_LINK);
  if (!below.empty()) d.set_link(attribute_value<uint32_t>(below));
  if (!route_attribute(link, kBody, IFLA_LINK_NETNSID).empty()) d.set_outside(true);
  std::string_view alias = route_attribute(link, kBody, IFLA_IFALIAS);
  if (!alias.empty()) d.set_alias(attribute_text(alias));
  d.set_tx_queue_length(attribute_value<uint32_t>(route_attribute(link, kBody, IFLA_TXQLEN)));
}

void check_kind(const std::string& name, const std::string& kind, const pb::nsr_net_device& d) {
  static const std::set<std::string> kKept = {"veth", "dummy", "bridge", "vlan", "macvlan"};
  if (!kKept.count(kind))
    throw Error(Failure::unsupported, object_of(name),
                kind.empty() ? "it is hardware" : format("devices of kind %s cannot be kept", kind.c_str()),
                "take it out of the tree's network namespace before the dump");
  if (d.outside() && kind != "veth")
    throw Error(Failure::unsupported, object_of(name), "it stands on a device of another network namespace");
}

/// Making one device.
class Maker {
 public:
  Maker(RouteSocket& route, const NetSurroundings& around) : route_(route), around_(around) {}

  /// other: the entry of a veth's peer when that is in the tree's namespace, too.
  void make(const pb::net_device_entry& e, const pb::nsr_net_device& d, const pb::net_device_entry* other) {
    RouteMessage m(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body_of(e));
    describe(m, e);
    if (d.has_tx_queue_length()) m.add_value(IFLA_TXQLEN, d.tx_queue_length());
    if (d.has_alias()) m.add_text(IFLA_IFALIAS, d.alias());
    if (d.has_link() && d.kind() != "veth") m.add_value(IFLA_LINK, d.link());
    m.nest(IFLA_LINKINFO, [&](RouteMessage& info) {
      info.add_text(IFLA_INFO_KIND, d.kind());
      if (d.kind() == "veth") {
        info.nest(IFLA_INFO_DATA, [&](RouteMessage& data) { add_peer(data, e, other); });
      } else if (d.has_data() || d.has_bridge()) {
        info.add(IFLA_INFO_DATA, d.has_bridge() ? d.bridge() : d.data());
      }
    });
    if (int error = route_.request(m))
      throw_errno(Failure::environment, object_of(e.name()), "it cannot be made in the tree's network namespace",
                  error);
    if (d.kind() == "veth" && !other) connect(around_.veth.at(e.name()));
  }

 private:
  static ifinfomsg body_of(const pb::net_device_entry& e) {
    ifinfomsg body{};
    body.ifi_index = static_cast<int>(e.ifindex());
    return body;
  }

  static void describe(RouteMessage& m, const pb::net_device_entry& e) {
    m.add_text(IFLA_IFNAME, e.name());
    m.add_value(IFLA_MTU, e.mtu());
    if (e.has_address()) m.add(IFLA_ADDRESS, e.address());
  }

  void add_peer(RouteMessage& data, const pb::net_device_entry& e, const pb::net_device_entry* other) {
    data.nest(VETH_INFO_PEER, [&](RouteMessage& peer) {
      ifinfomsg body = other ? body_of(*other) : ifinfomsg{};
      peer.append(&body, sizeof body);
      if (other) return describe(peer, *other);
      auto outer = around_.veth.find(e.name());
      if (outer == around_.veth.end())
        throw Error(Failure::usage, object_of(e.name()), "its other end was in another network namespace",
                    "say what that shall be called here: --external veth[" + e.name() + "]:NAME[@BRIDGE]");
      peer.add_text(IFLA_IFNAME, outer->second.name);
      peer.add_value(IFLA_NET_NS_FD, around_.home_fd);
    });
  }

  /// Brings the outer end up, and into its bridge.
  void connect(const OuterVeth& outer) {
    ifinfomsg body{};
    body.ifi_flags = body.ifi_change = IFF_UP;
    RouteMessage m(RTM_NEWLINK, 0, body);
    m.add_text(IFLA_IFNAME, outer.name);
    if (!outer.bridge.empty()) m.add_value(IFLA_MASTER, bridge_index(outer.bridge));
    if (int error = around_.home->request(m))
      throw_errno(Failure::environment, object_of(outer.name), "it cannot be brought up", error);
  }

  uint32_t bridge_index(const std::string& name) {
    for (const std::string& link : around_.home->dump(RTM_GETLINK, AF_UNSPEC))
      if (attribute_text(route_attribute(link, kBody, IFLA_IFNAME)) == name)
        return static_cast<uint32_t>(route_body<ifinfomsg>(link).ifi_index);
    throw Error(Failure::environment, object_of(name), "there is no such bridge here");
  }

  RouteSocket& route_;
  const NetSurroundings& around_;
};

void change_link(RouteSocket& route, const pb::net_device_entry& e, unsigned flags, unsigned mask,
                 const std::function<void(RouteMessage&)>& fill) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(e.ifindex());
  body.ifi_flags = flags;
  body.ifi_change = mask;
  RouteMessage m(RTM_NEWLINK, 0, body);
  fill(m);
  if (int error = route.request(m))
    throw_errno(Failure::environment, object_of(e.name()), "it cannot be set up", error);
}

}  // namespace

void dump_net_devices(ImageDir& images, uint64_t id, RouteSocket& route, pb::nsr_net_entry& ext) {
  ImageWriter out = images.create(Img::netdev, id);
  for (const std::string& link : route.dump(RTM_GETLINK, AF_UNSPEC)) {
    auto body = route_body<ifinfomsg>(link);
    std::string name = attribute_text(route_attribute(link, kBody, IFLA_IFNAME));
    std::string_view info = route_attribute(link, kBody, IFLA_LINKINFO);
    std::string kind = attribute_text(nested_attribute(info, IFLA_INFO_KIND));
    if (is_fallback(name)) continue;
    pb::net_device_entry e;
    e.set_type(body.ifi_type == ARPHRD_LOOPBACK ? pb::LOOPBACK : type_of(kind));
    e.set_ifindex(static_cast<uint32_t>(body.ifi_index));
    e.set_mtu(attribute_value<uint32_t>(route_attribute(link, kBody, IFLA_MTU)));
    e.set_flags(body.ifi_flags);
    e.set_name(name);
    if (e.type() != pb::LOOPBACK) {
      pb::nsr_net_device& d = *ext.add_devices();
      describe_link(link, info, kind, d);
      check_kind(name, kind, d);
      if (kind == "veth" && !d.outside()) e.set_peer_ifindex(d.link());
      e.set_address(std::string(route_attribute(link, kBody, IFLA_ADDRESS)));
    }
    if (auto master = route_attribute(link, kBody, IFLA_MASTER); !master.empty())
      e.set_master(attribute_value<uint32_t>(master));
    out.write(e);
  }
  out.finish();
}

void make_net_devices(const ImageDir& images, uint64_t id, RouteSocket& route, const pb::nsr_net_entry& ext,
                      const NetSurroundings& around) {
  std::map<uint32_t, pb::net_device_entry> all;
  for (const auto& e : images.all<pb::net_device_entry>(Img::netdev, id)) all[e.ifindex()] = e;
  std::map<uint32_t, pb::nsr_net_device> more;
  for (const auto& d : ext.devices()) more[d.ifindex()] = d;
  Maker maker(route, around);
  std::set<uint32_t> made;
  // What stands on another device needs that first.
  for (size_t before = all.size() + 1, left = all.size(); left && left < before;) {
    before = left;
    for (const auto& [index, e] : all) {
      if (made.count(index)) continue;
      if (e.type() == pb::LOOPBACK) {
        change_link(route, e, 0, 0, [&](RouteMessage& m) { m.add_value(IFLA_MTU, e.mtu()); });
      } else {
        auto d = more.find(index);
        if (d == more.end())
          throw Error(Failure::unsupported, object_of(e.name()), "the images do not say enough to make it again",
                      "restore with --empty-ns net");
        bool veth = d->second.kind() == "veth";
        if (!veth && d->second.has_link() && d->second.link() && !made.count(d->second.link())) continue;
        auto peer = veth && !d->second.outside() ? all.find(d->second.link()) : all.end();
        maker.make(e, d->second, peer == all.end() ? nullptr : &peer->second);
        if (peer != all.end() && made.insert(peer->first).second) left--;
      }
      if (made.insert(index).second) left--;
    }
    if (left == before)
      throw Error(Failure::image, image_name(Img::netdev, id), "a device stands on one that is not there");
  }
  for (const auto& [index, e] : all)
    if (e.has_master() && e.master())
      change_link(route, e, 0, 0, [&](RouteMessage& m) { m.add_value(IFLA_MASTER, e.master()); });
}

void raise_net_devices(const ImageDir& images, uint64_t id, RouteSocket& route) {
  for (const auto& e : images.all<pb::net_device_entry>(Img::netdev, id))
    change_link(route, e, e.flags() & kKeptFlags, kKeptFlags, [](RouteMessage&) {});
}

}  // namespace nsr
