#include "engine/sockets/multicast.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

struct Group {
  unsigned ifindex;
  sockaddr_storage address{};
  int family() const { return address.ss_family; }
  int level() const { return family() == AF_INET ? IPPROTO_IP : IPPROTO_IPV6; }
  socklen_t length() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
};

/// /proc/net/igmp: a line of an interface, then indented lines "\t\t\t\t010000E0     1 0:00000000\t\t0".
std::vector<Group> igmp_groups(std::string_view text) {
  std::vector<Group> groups;
  Scanner scanner(text);
  unsigned ifindex = 0;
  while (const auto line = scanner.line()) {
    Scanner s(*line);
    const bool indented = !line->empty() && (*line)[0] == '\t' && line->size() > 1 && (*line)[1] == '\t';
    if (!indented) {
      ifindex = static_cast<unsigned>(s.number().value_or(0));
      continue;
    }
    const auto address = s.blanks().number(16);
    if (!address || ifindex == 0) continue;
    Group g{ifindex};
    auto& in = reinterpret_cast<sockaddr_in&>(g.address);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = static_cast<uint32_t>(*address);  // printed as it lies in memory
    groups.push_back(g);
  }
  return groups;
}

/// /proc/net/igmp6: "1    lo              ff020000000000000000000000000001     1 0000000C 0".
std::vector<Group> igmp6_groups(std::string_view text) {
  std::vector<Group> groups;
  Scanner scanner(text);
  while (const auto line = scanner.line()) {
    Scanner s(*line);
    const auto ifindex = s.number();
    const auto device = s.blanks().word();
    const auto hex = s.blanks().word();
    if (!ifindex || !device || !hex || hex->size() != 32) continue;
    Group g{static_cast<unsigned>(*ifindex)};
    auto& in = reinterpret_cast<sockaddr_in6&>(g.address);
    in.sin6_family = AF_INET6;
    for (size_t i = 0; i < 16; i++)
      in.sin6_addr.s6_addr[i] = static_cast<uint8_t>(Scanner(hex->substr(2 * i, 2)).number(16).value_or(0));
    groups.push_back(g);
  }
  return groups;
}

/// group_filter of linux/in.h with room for the given number of sources.
struct Filter {
  std::vector<char> bytes;
  explicit Filter(size_t sources) : bytes(GROUP_FILTER_SIZE(sources)) {
    get()->gf_numsrc = static_cast<uint32_t>(sources);
  }
  group_filter* get() { return reinterpret_cast<group_filter*>(bytes.data()); }
};

/// Whether the socket is a member, and with which sources.
bool read_filter(int fd, const Group& group, pb::nsr_sk_membership& membership) {
  for (size_t room = 16;; room *= 4) {
    Filter filter(room);
    filter.get()->gf_interface = group.ifindex;
    memcpy(&filter.get()->gf_group, &group.address, sizeof group.address);
    auto length = static_cast<socklen_t>(filter.bytes.size());
    if (getsockopt(fd, group.level(), MCAST_MSFILTER, filter.bytes.data(), &length) != 0) return false;
    const size_t count = filter.get()->gf_numsrc;
    if (count > room) continue;
    membership.set_mode(filter.get()->gf_fmode);
    for (size_t i = 0; i < count; i++) membership.add_source(&filter.get()->gf_slist[i], group.length());
    return true;
  }
}

void set_filter(int fd, int level, unsigned ifindex, const pb::nsr_sk_membership& m, const std::string& object) {
  Filter filter(static_cast<size_t>(m.source_size()));
  filter.get()->gf_interface = ifindex;
  filter.get()->gf_fmode = m.mode();
  memcpy(&filter.get()->gf_group, m.group().data(), m.group().size());
  for (int i = 0; i < m.source_size(); i++) {
    if (m.source(i).size() > sizeof(sockaddr_storage))
      throw Error(Failure::image, object, "a multicast source is too long");
    memcpy(&filter.get()->gf_slist[i], m.source(i).data(), m.source(i).size());
  }
  if (setsockopt(fd, level, MCAST_MSFILTER, filter.bytes.data(), static_cast<socklen_t>(filter.bytes.size())) != 0)
    throw_errno(Failure::environment, object, "setting the sources of a multicast group on " + m.ifname(), errno);
}

}  // namespace

void collect_memberships(int fd, int family, pb::nsr_sk_entry& extra) {
  std::vector<Group> groups = igmp_groups(read_file("/proc/thread-self/net/igmp").value_or(""));
  if (family == AF_INET6)
    for (const Group& g : igmp6_groups(read_file("/proc/thread-self/net/igmp6").value_or(""))) groups.push_back(g);
  for (const Group& g : groups) {
    pb::nsr_sk_membership membership;
    char ifname[IF_NAMESIZE];
    if (!read_filter(fd, g, membership) || !if_indextoname(g.ifindex, ifname)) continue;
    membership.set_ifname(ifname);
    membership.set_group(&g.address, g.length());
    *extra.add_membership() = membership;
  }
}

void apply_memberships(int fd, const pb::nsr_sk_entry& extra, const std::string& object) {
  for (const auto& m : extra.membership()) {
    if (m.group().size() != sizeof(sockaddr_in) && m.group().size() != sizeof(sockaddr_in6))
      throw Error(Failure::image, object, "a multicast group has no address");
    group_req request{};
    request.gr_interface = if_nametoindex(m.ifname().c_str());
    if (request.gr_interface == 0)
      throw Error(Failure::environment, object,
                  "interface " + m.ifname() + " of a multicast group does not exist here");
    memcpy(&request.gr_group, m.group().data(), m.group().size());
    const int level = m.group().size() == sizeof(sockaddr_in) ? IPPROTO_IP : IPPROTO_IPV6;
    if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request) != 0)
      throw_errno(Failure::environment, object, "joining a multicast group on " + m.ifname(), errno);
    if (m.mode() != MCAST_EXCLUDE || m.source_size() != 0) set_filter(fd, level, request.gr_interface, m, object);
  }
}

}  // namespace nsr
