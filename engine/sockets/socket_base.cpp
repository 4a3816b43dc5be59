#include "engine/sockets/socket_base.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/xattr.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/images/image_dir.h"

namespace nsr {

std::string socket_protocol(const OpenFile& file) {
  if (!S_ISSOCK(file.st.st_mode) || !file.link.starts_with("socket:[")) return {};
  char name[64];
  // The magic link is followed to the socket's inode; no descriptor of it is needed.
  const ssize_t n = getxattr(file.proc_path.c_str(), "system.sockprotoname", name, sizeof name);
  return n > 0 ? std::string(name, strnlen(name, static_cast<size_t>(n))) : "unknown";
}

UniqueFd open_socket(int family, int type, int protocol, const std::string& object) {
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC, protocol));
  if (!fd) throw_errno(Failure::environment, object, format("socket(%d, %d, %d)", family, type, protocol), errno);
  return fd;
}

std::optional<int> int_option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(fd, level, name, &value, &length) != 0) return {};
  return value;
}

void set_int_option(int fd, int level, int name, int value, const char* words, const std::string& object) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0)
    throw_errno(Failure::environment, object, format("setting %s to %d", words, value), errno);
}

bool has_unread(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

void set_socket_flags(int fd, uint32_t flags, const std::string& object) {
  if (flags & O_NONBLOCK && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
    throw_errno(Failure::environment, object, "setting O_NONBLOCK", errno);
}

SocketAddress local_address(int fd) {
  SocketAddress a;
  a.length = sizeof a.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.length) != 0) a.length = 0;
  return a;
}

SocketAddress peer_address(int fd) {
  SocketAddress a;
  a.length = sizeof a.storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&a.storage), &a.length) != 0) a.length = 0;
  return a;
}

const pb::nsr_sk_entry& SocketExtras::of(uint32_t id, ImageDir& images) {
  static const pb::nsr_sk_entry nothing;
  if (!read_) {
    read_ = true;
    for (auto& entry : images.all<pb::nsr_sk_entry>(Img::sk_ext)) by_id_[entry.id()] = entry;
  }
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nothing : it->second;
}

void write_extra(const pb::nsr_sk_entry& extra, ImageDir& images) {
  pb::nsr_sk_entry bare;
  bare.set_id(extra.id());
  if (extra.ByteSizeLong() != bare.ByteSizeLong()) images.append(Img::sk_ext).write(extra);
}

}  // namespace nsr
