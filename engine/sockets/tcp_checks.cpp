#include "engine/sockets/tcp_checks.h"

#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
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

UpperLayers upper_layers(int fd) {
  UpperLayers layers;
  char name[16] = {}, info[64] = {};
  socklen_t length = sizeof name;
  if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &length) == 0) layers.protocol.assign(name, strnlen(name, length));
  length = sizeof info;
  layers.signs = getsockopt(fd, IPPROTO_TCP, kTcpAoInfo, info, &length) == 0;
  return layers;
}

void refuse_upper_layers(const UpperLayers& layers, const std::string& object) {
  if (!layers.protocol.empty())
    throw Error(Failure::unsupported, object,
                "the kernel speaks " + layers.protocol + " on it, whose state in mid-stream it does not give back");
  if (layers.signs)
    throw Error(Failure::unsupported, object, "it has keys of TCP-AO, which the kernel does not give back");
}

void refuse_signed_end(const pb::nsr_sk_entry& extra, uint32_t state, const std::string& object) {
  if (extra.md5_key_size() == 0 || !(got_fin(state) || state == kTcpFinWait2)) return;
  throw Error(Failure::unsupported, object,
              format("it has TCP MD5 signatures and is in the state %s, which cannot be made again with them",
                     tcp_state_name(state)));
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
