#include "engine/sockets/tcp_checks.h"

#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/sockets/tcp_stream.h"

namespace nsr {
namespace {

constexpr int kTcpAoInfo = 40;  // TCP_AO_INFO, Linux 6.7

/// Whether the process has that socket open.
bool holds(const std::filesystem::path& process, const std::string& link) {
  std::error_code error;
  for (const auto& fd : std::filesystem::directory_iterator(process / "fd", error))
    if (read_link(fd.path()) == link) return true;
  return false;
}

/// "pid 4711 (nginx)" of a process that has the socket open; empty when there is none that can be seen.
std::string holder_of(uint32_t ino) {
  const std::string link = format("socket:[%u]", ino);
  std::error_code error;
  for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = process.path().filename();
    if (!isdigit(static_cast<unsigned char>(name[0])) || !holds(process.path(), link)) continue;
    std::string command = read_file(process.path() / "comm").value_or("");
    command.erase(std::remove(command.begin(), command.end(), '\n'), command.end());
    return "pid " + name + " (" + command + ")";
  }
  return {};
}

}  // namespace

void refuse_upper_layers(int fd, const std::string& object) {
  char name[16] = {};
  socklen_t length = sizeof name;
  if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &length) == 0 && length > 0 && name[0] != '\0')
    throw Error(Failure::unsupported, object,
                format("the kernel speaks %.*s on it, whose state in mid-stream it does not give back",
                       static_cast<int>(sizeof name), name));
  char info[64] = {};
  length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, kTcpAoInfo, info, &length) == 0)
    throw Error(Failure::unsupported, object, "it has keys of TCP-AO, which the kernel does not give back");
}

void refuse_signatures(const TcpRecord& record, const std::string& object) {
  if (record.md5)
    throw Error(Failure::unsupported, object, "it has keys of TCP MD5 signatures, which the kernel does not give back");
}

void refuse_connection(int fd, const SocketAddress& local, const SocketAddress& peer, uint32_t state,
                       const std::string& object) {
  const auto other = TcpDiag(fd).connection(peer.storage, local.storage, 0);
  const std::string holder = other && other->ino != 0 ? holder_of(other->ino) : "";
  throw Error(
      Failure::unsupported, object,
      format("it is a TCP connection from %s to %s (%s)%s%s", address_text(local).c_str(), address_text(peer).c_str(),
             tcp_state_name(state), holder.empty() ? "" : ", whose other end is with ", holder.c_str()),
      "use --tcp-established to keep it, or --tcp-close to drop it");
}

}  // namespace nsr
