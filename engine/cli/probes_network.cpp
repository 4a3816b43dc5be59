#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/net_namespace.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include <linux/veth.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/unique_fd.h"
#include "engine/cli/netlink_request.h"
#include "engine/cli/probes.h"
#include "engine/namespaces/cgroup_hierarchies.h"
#include "engine/procfs/cgroup.h"

namespace nsr::probe {
namespace {

constexpr unsigned long get_socket_namespace = 0x894C;     // SIOCGSKNS, Linux 4.10
constexpr unsigned long get_unix_file = SIOCPROTOPRIVATE;  // SIOCUNIXFILE, Linux 4.12
constexpr int so_buf_lock = 72;                            // Linux 5.15
constexpr int ipv6_freebind_option = 78;                   // Linux 4.15

UniqueFd own_netns() { return UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }

/// For children only: a veth link of number 111 whose peer is in another new network namespace.
bool make_veth() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  UniqueFd other = own_netns();
  if (!other || ::unshare(CLONE_NEWNET) != 0) return false;
  ifinfomsg link{}, peer{};
  link.ifi_index = 111;
  int fd = other.get();
  NetlinkRequest request(NETLINK_ROUTE, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof link);
  request.attribute(IFLA_IFNAME, "probe", 6).begin(IFLA_LINKINFO).attribute(IFLA_INFO_KIND, "veth", 5);
  request.begin(IFLA_INFO_DATA).begin(VETH_INFO_PEER);
  std::string peer_head(reinterpret_cast<const char*>(&peer), sizeof peer);
  request.bytes(peer_head).attribute(IFLA_NET_NS_FD, &fd, sizeof fd).end().end().end();
  return request.ask() == 0;
}

bool has_attribute(const std::string& message, size_t body, uint16_t type) {
  size_t at = NLMSG_ALIGN(sizeof(nlmsghdr) + body);
  while (at + sizeof(nlattr) <= message.size()) {
    nlattr attribute;
    std::memcpy(&attribute, message.data() + at, sizeof attribute);
    if (attribute.nla_type == type) return true;
    if (attribute.nla_len < sizeof attribute) return false;
    at += NLA_ALIGN(attribute.nla_len);
  }
  return false;
}

UniqueFd open_tun() { return UniqueFd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)); }

bool set_on_socket(int domain, int level, int option, int value) {
  UniqueFd socket(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return socket && ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

}  // namespace

bool user_namespace() {
  return in_child([] { return ::unshare(CLONE_NEWUSER) == 0; });
}
bool cgroup_namespace() {
  return in_child([] { return ::unshare(CLONE_NEWCGROUP) == 0; });
}
bool time_namespace() {
  constexpr int new_time = 0x80;  // CLONE_NEWTIME
  return in_child([] { return ::unshare(new_time) == 0 && write_file("/proc/self/timens_offsets", "monotonic 1 0"); });
}

bool cgroups() {
  CgroupHierarchies hierarchies("");
  try {
    for (const auto& e : procfs::parse_cgroup(read_file("/proc/self/cgroup").value_or("")))
      (void)hierarchies.root(e.controllers);
  } catch (const Error&) {
    return false;
  }
  return true;
}

bool tun() {
  UniqueFd fd = open_tun();
  unsigned features = 0;
  return fd && ::ioctl(fd.get(), TUNGETFEATURES, &features) == 0;
}

bool tun_namespace() {
  return in_child([] {
    UniqueFd fd = ::unshare(CLONE_NEWNET) == 0 ? open_tun() : UniqueFd();
    ifreq request{};
    std::strcpy(request.ifr_name, "probe");
    request.ifr_flags = IFF_TUN;
    return fd && ::ioctl(fd.get(), TUNSETIFF, &request) == 0 &&
           UniqueFd(::ioctl(fd.get(), get_socket_namespace)).get() >= 0;
  });
}

bool tcp_half_closed() {
  UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  int on = 1;
  return server && client && ::bind(server.get(), generic, size) == 0 && ::listen(server.get(), 1) == 0 &&
         ::getsockname(server.get(), generic, &size) == 0 && ::connect(client.get(), generic, size) == 0 &&
         ::shutdown(client.get(), SHUT_WR) == 0 &&
         ::setsockopt(client.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0;
}

bool socket_namespace() {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket && UniqueFd(::ioctl(socket.get(), get_socket_namespace)).get() >= 0;
}

bool unix_socket_file() {
  // A socket without a name has no file: ENOENT is the answer of a kernel that knows the request.
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket && ::ioctl(socket.get(), get_unix_file) == -1 && errno == ENOENT;
}

bool raw_socket_diag() {
  inet_diag_req_v2 request{};
  request.sdiag_family = AF_INET;
  request.sdiag_protocol = IPPROTO_RAW;
  return NetlinkRequest(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof request).ask() == 0;
}

bool nsid() {
  UniqueFd self = own_netns();
  int fd = self.get();
  rtgenmsg request{};
  return NetlinkRequest(NETLINK_ROUTE, RTM_GETNSID, 0, &request, sizeof request)
             .attribute(NETNSA_FD, &fd, sizeof fd)
             .ask() == 0;
}

bool link_nsid() {
  return in_child([] {
    if (!make_veth()) return false;
    ifinfomsg link{};
    link.ifi_index = 111;
    std::string answer;
    return NetlinkRequest(NETLINK_ROUTE, RTM_GETLINK, 0, &link, sizeof link).ask(&answer) == 0 &&
           has_attribute(answer, sizeof(ifinfomsg), IFLA_LINK_NETNSID);
  });
}

bool new_ifindex() {
  return in_child([] {
    if (!make_veth()) return false;
    ifinfomsg link{};
    link.ifi_index = 111;
    return NetlinkRequest(NETLINK_ROUTE, RTM_GETLINK, 0, &link, sizeof link).ask() == 0;
  });
}

/// A namespace made elsewhere can be named by a descriptor and found again from a socket in it.
bool external_net_namespace() { return socket_namespace() && nsid(); }

bool nftables() {
  nfgenmsg request{};
  request.version = NFNETLINK_V0;
  return NetlinkRequest(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, &request, sizeof request)
             .ask() == 0;
}

bool iptables_legacy() {
  UniqueFd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  ipt_getinfo info{};
  std::strcpy(info.name, "filter");
  socklen_t size = sizeof info;
  return socket && ::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) == 0;
}

bool socket_buffer_lock() { return set_on_socket(AF_INET, SOL_SOCKET, so_buf_lock, 1); }
bool ipv6_freebind() { return set_on_socket(AF_INET6, IPPROTO_IPV6, ipv6_freebind_option, 1); }

bool apparmor_stacking() {
  auto text = read_file("/sys/kernel/security/apparmor/features/domain/stack");
  return text && text->starts_with("yes");
}

}  // namespace nsr::probe
