#include "engine/sockets/tcp_signatures.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "engine/base/error.h"

namespace nsr {
namespace {

constexpr size_t kHead = offsetof(tcp_diag_md5sig, tcpm_key);

/// The address of a key as a socket of `family` takes it: IPv6 sockets know IPv4 as v4-mapped.
void put_address(const tcp_diag_md5sig& from, uint32_t family, tcp_md5sig& to) {
  if (family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(to.tcpm_addr);
    in.sin_family = AF_INET;
    memcpy(&in.sin_addr, from.tcpm_addr, sizeof in.sin_addr);
    return;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(to.tcpm_addr);
  in.sin6_family = AF_INET6;
  if (from.tcpm_family == AF_INET6) {
    memcpy(&in.sin6_addr, from.tcpm_addr, sizeof in.sin6_addr);
    return;
  }
  in.sin6_addr.s6_addr[10] = in.sin6_addr.s6_addr[11] = 0xff;
  memcpy(&in.sin6_addr.s6_addr[12], from.tcpm_addr, sizeof(in_addr));
}

}  // namespace

void collect_md5_keys(const TcpRecord& record, pb::nsr_sk_entry& extra) {
  extra.clear_md5_key();
  tcp_diag_md5sig key;
  for (size_t at = 0; at + sizeof key <= record.md5_keys.size(); at += sizeof key) {
    memcpy(&key, record.md5_keys.data() + at, sizeof key);
    extra.add_md5_key(record.md5_keys.substr(at, kHead + key.tcpm_keylen));
  }
}

void apply_md5_keys(int fd, uint32_t family, const pb::nsr_sk_entry& extra, const std::string& object) {
  for (const std::string& bytes : extra.md5_key()) {
    tcp_diag_md5sig key{};
    memcpy(&key, bytes.data(), std::min(bytes.size(), sizeof key));
    if (bytes.size() < kHead || key.tcpm_keylen > sizeof key.tcpm_key || bytes.size() != kHead + key.tcpm_keylen)
      throw Error(Failure::image, object, "a key of its TCP MD5 signatures is not as long as it says");
    tcp_md5sig wanted{};
    put_address(key, family, wanted);
    wanted.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    wanted.tcpm_prefixlen = key.tcpm_prefixlen;
    wanted.tcpm_keylen = key.tcpm_keylen;
    memcpy(wanted.tcpm_key, key.tcpm_key, key.tcpm_keylen);
    if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &wanted, sizeof wanted) != 0)
      throw_errno(Failure::environment, object, "giving it a key of TCP MD5 signatures", errno,
                  "the kernel needs CONFIG_TCP_MD5SIG");
  }
}

}  // namespace nsr
