// flavours: own ownns ownleave
// A tree in a network namespace of its own: devices (veth pair, bridge) with addresses, routes, a policy
// rule, settings, packet filter rules, and sockets bound to all that.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

static const char* kSetUp =
    "set -e; export PATH=/usr/sbin:/sbin:/usr/bin:/bin;"
    "ip link add gone type veth peer name gone1; ip link del gone;"
    "ip link add d0 type veth peer name d1; ip link set d0 address 02:11:22:33:44:55 mtu 1400;"
    "ip link add br0 type bridge; ip link set d1 master br0; ip link set br0 up; ip link set d0 up; ip link set d1 up;"
    "ip addr add 10.9.8.7/24 dev d0; ip -6 addr add fd00:9::7/64 dev d0 nodad; ip addr add 10.1.2.3/32 dev lo;"
    "ip route add 10.200.0.0/16 via 10.9.8.1 dev d0 metric 77; ip route add default via 10.200.3.4 onlink dev d0;"
    "ip -6 route add fd00:77::/32 via fd00:9::1;"
    "ip route add 10.201.0.0/16 dev d0 table 300; ip rule add from 10.9.0.0/16 table 300 pref 500;"
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/conf/d0/accept_redirects;"
    "echo 333 > /proc/sys/net/core/somaxconn";
static const char* kShow =
    "export PATH=/usr/sbin:/sbin:/usr/bin:/bin; (ip -o link | sed 's/ state [A-Z]*//'; ip -o addr | sed 's/ "
    "tentative//';"
    "ip route show table all | sort; ip -6 route show table all | sort; ip rule; ip -6 rule;"
    "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/accept_redirects /proc/sys/net/ipv4/conf/*/forwarding"
    " /proc/sys/net/core/somaxconn; iptables-save 2>/dev/null | grep -v '^#' | sed 's, .[0-9]*:[0-9]*.$,,') > ";

static int run(const char* command, const char* more) {
  char text[2 * PATH_MAX];
  snprintf(text, sizeof text, "%s%s", command, more);
  return system(text);
}

static void show(const char* name) {
  char path[PATH_MAX + 64];
  snprintf(path, sizeof path, "%s/%s", victim_dir, name);
  MUST(run(kShow, path) == 0);
}

static int bound(int family, int type, const void* address, socklen_t size) {
  int s = socket(family, type, 0);
  MUST(s >= 0 && bind(s, address, size) == 0);
  return s;
}

int main(int argc, char** argv) {
  victim_init(argc, argv);
  if (access("/usr/sbin/ip", X_OK) && access("/sbin/ip", X_OK)) victim_skip("iproute2 is not installed");
  MUST(run(kSetUp, "") == 0);
  bool filter = run("export PATH=/usr/sbin:/sbin:/usr/bin:/bin;"
                    "iptables -A INPUT -p tcp --dport 4444 -j DROP",
                    " 2>/dev/null") == 0;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(4321)};
  inet_pton(AF_INET, "10.9.8.7", &v4.sin_addr);
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(4322)};
  inet_pton(AF_INET6, "fd00:9::7", &v6.sin6_addr);
  int server = bound(AF_INET, SOCK_STREAM, &v4, sizeof v4);
  MUST(listen(server, 5) == 0);
  int udp = bound(AF_INET6, SOCK_DGRAM, &v6, sizeof v6);
  // the last automatic addresses
  MUST(run("for i in $(seq 200); do grep -q '40 *d0$\\|04 *d0$' /proc/net/if_inet6 || break; sleep 0.01; done", "") ==
       0);
  show("before");

  victim_ready();

  show("after");
  char compare[4 * PATH_MAX];
  snprintf(compare, sizeof compare, "diff %s/before %s/after > %s/difference", victim_dir, victim_dir, victim_dir);
  if (run(compare, "") != 0) {
    char text[2000] = "";
    snprintf(compare, sizeof compare, "%s/difference", victim_dir);
    int fd = open(compare, O_RDONLY);
    ssize_t n = read(fd, text, 900);
    CHECK(n < 0, "%s", text);
  }
  CHECK(!filter ||
        run("export PATH=/usr/sbin:/sbin:/usr/bin:/bin; iptables -C INPUT -p tcp --dport 4444 -j DROP", "") == 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, (struct sockaddr*)&v4, sizeof v4) == 0);
  CHECK(accept(server, NULL, NULL) >= 0);
  CHECK(sendto(udp, "x", 1, 0, (struct sockaddr*)&v6, sizeof v6) == 1);
  char c = 0;
  CHECK(recv(udp, &c, 1, 0) == 1 && c == 'x');
  return victim_done();
}
