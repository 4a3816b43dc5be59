#include "engine/namespaces/net_config.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>

#include <cerrno>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"

namespace nsr {
namespace {

const Logger log("net");
// The first word of each image.
constexpr uint32_t kAddresses = 0x47361222, kRoutes = 0x45311224, kRules = 0x71706986;

using Messages = std::vector<std::string>;

void write_messages(ImageDir& images, Img type, uint64_t id, uint32_t word, const Messages& list) {
  ImageWriter out = images.create(type, id);
  out.raw(&word, sizeof word);
  for (const std::string& m : list) {
    std::string padded = m;
    padded.resize(NLMSG_ALIGN(padded.size()), '\0');
    out.raw(padded.data(), padded.size());
  }
  out.finish();
}

/// The messages of one image; none when it is missing or empty.
Messages read_messages(const ImageDir& images, Img type, uint64_t id, uint32_t word) {
  Messages out;
  auto text = read_file_at(images.fd(), image_name(type, id).c_str());
  if (!text || text->empty()) return out;
  auto bad = [&](const char* why) { throw Error(Failure::image, image_name(type, id), why, "dump the tree again"); };
  std::string_view left = *text;
  if (attribute_value<uint32_t>(left) != word) bad("it does not begin as such an image does");
  left.remove_prefix(sizeof word);
  while (!left.empty()) {
    auto header = attribute_value<nlmsghdr>(left);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > left.size()) bad("a message in it is cut off");
    if (header.nlmsg_type != NLMSG_DONE) out.emplace_back(left.substr(0, header.nlmsg_len));
    left.remove_prefix(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), left.size()));
  }
  return out;
}

Messages all_routes(RouteSocket& route, uint8_t family) {
  Messages out;
  for (std::string& m : route.dump(RTM_GETROUTE, family))
    if (!(route_body<rtmsg>(m).rtm_flags & RTM_F_CLONED)) out.push_back(std::move(m));
  return out;
}

Messages all_rules(RouteSocket& route) {
  Messages out = route.dump(RTM_GETRULE, AF_INET);
  for (std::string& m : route.dump(RTM_GETRULE, AF_INET6)) out.push_back(std::move(m));
  return out;
}

/// What makes an address the same one: family, prefix, device, value.
std::string address_key(std::string_view m) {
  auto body = route_body<ifaddrmsg>(m);
  return format("%u/%u@%u ", body.ifa_family, body.ifa_prefixlen, body.ifa_index)
      .append(route_attribute(m, sizeof body, IFA_LOCAL))
      .append("|")
      .append(route_attribute(m, sizeof body, IFA_ADDRESS));
}

std::string address_text(std::string_view m, uint16_t attribute, size_t body, uint8_t family) {
  char text[INET6_ADDRSTRLEN] = "default";
  std::string_view value = route_attribute(m, body, attribute);
  if (value.size() >= (family == AF_INET6 ? 16u : 4u)) ::inet_ntop(family, value.data(), text, sizeof text);
  return text;
}

[[noreturn]] void fail(const std::string& object, int error) {
  throw_errno(Failure::environment, object, "it cannot be set in the tree's network namespace", error);
}

void fill_addresses(const Messages& wanted, RouteSocket& route) {
  std::set<std::string> keys;
  for (const std::string& m : wanted) keys.insert(address_key(m));
  // Those that the kernel gave the devices by itself when they came up.
  for (const std::string& m : route.dump(RTM_GETADDR, AF_UNSPEC))
    if (!keys.count(address_key(m)) && route.repeat(m, RTM_DELADDR, 0))
      log.warn("an address that the kernel gave a device by itself could not be taken away");
  for (const std::string& m : wanted) {
    auto body = route_body<ifaddrmsg>(m);
    int error = route.repeat(m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    if (error && error != EEXIST) fail("address " + address_text(m, IFA_ADDRESS, sizeof body, body.ifa_family), error);
  }
}

/// What makes a route the same one.
std::string route_key(const std::string& m) {
  auto body = route_body<rtmsg>(m);
  std::string key = format("%u %u %u %u|", body.rtm_family, body.rtm_dst_len, body.rtm_src_len, body.rtm_type);
  for (uint16_t a : {RTA_TABLE, RTA_DST, RTA_OIF, RTA_PRIORITY, RTA_GATEWAY, RTA_SRC})
    key.append(route_attribute(m, sizeof body, a)).append("|");
  return key;
}

/// A route may need another one to be there first: as long as one more can be set, the rest is tried again.
void fill_routes(Messages wanted, uint8_t family, RouteSocket& route) {
  std::set<std::string> keep, there;
  std::set<uint8_t> tables;  // an image may hold some tables only
  for (const std::string& m : wanted) {
    keep.insert(route_key(m));
    tables.insert(route_body<rtmsg>(m).rtm_table);
  }
  for (const std::string& m : all_routes(route, family)) {
    there.insert(route_key(m));
    bool extra = !keep.count(route_key(m)) && tables.count(route_body<rtmsg>(m).rtm_table);
    if (extra && route.repeat(m, RTM_DELROUTE, 0))
      log.warn("a route that came with an address could not be taken away");
  }
  // Those of the kernel come with addresses; what it has made differently is the same to who sends.
  std::erase_if(wanted, [&](const std::string& m) {
    return route_body<rtmsg>(m).rtm_protocol == RTPROT_KERNEL || there.count(route_key(m));
  });
  int error = 0;
  for (size_t before = wanted.size() + 1; !wanted.empty() && wanted.size() < before;) {
    before = wanted.size();
    std::erase_if(wanted, [&](const std::string& m) {
      int e = route.repeat(m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
      if (e && e != EEXIST) error = e;
      return e == 0 || e == EEXIST;
    });
  }
  if (!wanted.empty()) fail("route to " + address_text(wanted[0], RTA_DST, sizeof(rtmsg), family), error);
}

void fill_rules(const Messages& wanted, RouteSocket& route) {
  auto content = [](const std::string& m) { return m.substr(NLMSG_HDRLEN); };
  std::set<std::string> keep, there;
  for (const std::string& m : wanted) keep.insert(content(m));
  for (const std::string& m : all_rules(route)) {
    if (keep.count(content(m)) || route.repeat(m, RTM_DELRULE, 0)) there.insert(content(m));
  }
  for (const std::string& m : wanted) {
    if (there.count(content(m))) continue;
    int error = route.repeat(m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    if (error && error != EEXIST) fail("routing rule", error);
  }
}

}  // namespace

void dump_net_config(ImageDir& images, uint64_t id, RouteSocket& route) {
  write_messages(images, Img::ifaddr, id, kAddresses, route.dump(RTM_GETADDR, AF_UNSPEC));
  write_messages(images, Img::route, id, kRoutes, all_routes(route, AF_INET));
  write_messages(images, Img::route6, id, kRoutes, all_routes(route, AF_INET6));
  write_messages(images, Img::rule, id, kRules, all_rules(route));
}

void fill_net_config(const ImageDir& images, uint64_t id, RouteSocket& route) {
  if (images.has(Img::ifaddr, id)) fill_addresses(read_messages(images, Img::ifaddr, id, kAddresses), route);
  fill_routes(read_messages(images, Img::route, id, kRoutes), AF_INET, route);
  fill_routes(read_messages(images, Img::route6, id, kRoutes), AF_INET6, route);
  Messages rules = read_messages(images, Img::rule, id, kRules);
  if (!rules.empty()) fill_rules(rules, route);
}

}  // namespace nsr
