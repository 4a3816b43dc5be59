#include "engine/sockets/unix_name.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/log.h"
#include "engine/sockets/sock_diag.h"

namespace nsr {
namespace {

const Logger log("unix");
constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
constexpr unsigned long kSiocUnixFile = 0x89E0;  // SIOCUNIXFILE; linux/un.h does not go along with sys/un.h

/// Puts the process into another directory for as long as it lives: a relative name is bound from there.
class InDirectory {
 public:
  InDirectory(const std::string& dir, const std::string& object) {
    if (dir.empty()) return;
    before_ = UniqueFd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!before_ || chdir(dir.c_str()) != 0)
      throw_errno(Failure::environment, object, "entering directory " + dir + " of its name", errno);
  }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() {
    if (before_ && fchdir(before_.get()) != 0) log.error("the working directory is lost: error %d", errno);
  }

 private:
  UniqueFd before_;
};

/// Whether a socket of this network namespace is bound to that node, without touching it.
bool somebody_is_bound(int fd, const struct stat& node) {
  const uint32_t device = static_cast<uint32_t>(major(node.st_dev) << 20 | minor(node.st_dev));
  for (const auto& [ino, record] : unix_sockets(fd))
    if (record.vfs_ino == static_cast<uint32_t>(node.st_ino) && record.vfs_dev == device) return true;
  return false;
}

/// Makes way for the owner of a path: the node that the dumped tree left there is dead.
void remove_dead_node(int fd, const std::string& path, const std::string& object) {
  struct stat node {};
  if (lstat(path.c_str(), &node) != 0) return;
  if (!S_ISSOCK(node.st_mode))
    throw Error(Failure::environment, object, "a file that is no socket stands at its name " + path, "move it away");
  if (somebody_is_bound(fd, node))
    throw Error(Failure::environment, object, "another socket is bound to its name " + path,
                "stop the program that holds it (ss -xlp shows which)");
  if (unlink(path.c_str()) != 0) throw_errno(Failure::environment, object, "removing the dead node " + path, errno);
}

bool same_node(const struct stat& a, const struct stat& b) { return a.st_ino == b.st_ino && a.st_dev == b.st_dev; }

bool leads_to(const std::string& path, const struct stat& node) {
  struct stat st {};
  return lstat(path.c_str(), &st) == 0 && same_node(st, node);
}

/// Links to a node in one directory.
std::vector<std::string> links_in(const std::string& directory, const struct stat& node) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (leads_to(entry.path(), node)) found.push_back(entry.path());
  return found;
}

/// Where a node is that does not stand at the name it was bound to: programs bind to a temporary name and then rename
/// it, or link it and unlink the name. `path` is the kernel's present one.
std::vector<std::string> moved_to(const std::string& name, const std::string& path, const struct stat& node) {
  const bool there = leads_to(path, node);
  if (there && (path.ends_with(name) || (name[0] == '/' && leads_to(name, node)))) return {};
  if (there && node.st_nlink == 1) return {path};
  if (node.st_nlink == 0) return {};
  return links_in(path.substr(0, path.rfind('/') + 1), node);
}

/// Puts a fresh node, bound to `name`, where it was before.
void move_node(int fd, const std::string& name, const pb::nsr_sk_entry& extra, const std::string& object) {
  for (int i = 0; i < extra.node_size(); ++i) {
    const std::string& to = extra.node(i);
    remove_dead_node(fd, to, object);
    const int result = i == 0 ? rename(name.c_str(), to.c_str()) : link(extra.node(0).c_str(), to.c_str());
    if (result != 0) throw_errno(Failure::environment, object, "moving its node to " + to, errno);
  }
}

int plain_bind(int fd, const std::string& name, const std::string& object) {
  const SocketAddress address = unix_address(name, object);
  return bind(fd, address.get(), address.length) == 0 ? 0 : errno;
}

/// Binds and removes the node again; whatever stood there is put aside meanwhile.
bool bind_in_passing(int fd, const std::string& path, const std::string& object) {
  const std::string aside = path + format(".nsr-%d", getpid());
  const bool moved = rename(path.c_str(), aside.c_str()) == 0;
  const int error = plain_bind(fd, path, object);
  if (error == 0) unlink(path.c_str());
  if (moved && rename(aside.c_str(), path.c_str()) != 0)
    throw_errno(Failure::environment, object, "moving " + aside + " back to its name", errno);
  return error == 0;
}

}  // namespace

std::string sun_path(const SocketAddress& address) {
  if (address.length <= kPathAt) return {};
  const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
  const size_t room = address.length - kPathAt;
  return un->sun_path[0] == '\0' ? std::string(un->sun_path, room)
                                 : std::string(un->sun_path, strnlen(un->sun_path, room));
}

SocketAddress unix_address(const std::string& name, const std::string& object) {
  SocketAddress a;
  auto* un = reinterpret_cast<sockaddr_un*>(&a.storage);
  if (name.size() > sizeof un->sun_path)
    throw Error(Failure::image, object, format("a name of %zu bytes is too long", name.size()));
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, name.data(), name.size());
  a.length = static_cast<socklen_t>(kPathAt + name.size());
  return a;
}

std::string name_of(const pb::unix_sk_entry& sk) {
  std::string name = sk.name();
  if (is_path(name)) name.resize(strnlen(name.c_str(), name.size()));
  return name;
}

std::string name_text(const std::string& name) {
  if (name.empty()) return "unnamed";
  return is_path(name) ? name : "@" + name.substr(1);
}

void collect_name(int fd, pb::unix_sk_entry& sk, pb::nsr_sk_entry& extra, const UserMap& users,
                  const std::string& object) {
  std::string name = sun_path(local_address(fd));
  sk.set_name(is_path(name) ? std::string(name.c_str(), name.size() + 1) : name);
  if (!is_path(name)) return;
  UniqueFd node(ioctl(fd, kSiocUnixFile));
  struct stat st {};
  if (!node || fstat(node.get(), &st) != 0)
    throw_errno(Failure::unsupported, object, "finding the node of its name " + name, errno);
  auto& perms = *sk.mutable_file_perms();
  perms.set_mode(st.st_mode);
  perms.set_uid(users.uids.inner(st.st_uid));
  perms.set_gid(users.gids.inner(st.st_gid));
  const std::string path = read_link(format("/proc/self/fd/%d", node.get())).value_or("");
  const std::vector<std::string> places = moved_to(name, path, st);
  for (const std::string& place : places) extra.add_node(place);
  if (places.empty() && !leads_to(path, st)) sk.set_deleted(true);
  if (name[0] == '/') return;
  std::string dir = path;
  for (const std::string& tail : {std::string(" (deleted)"), "/" + name})
    if (dir.ends_with(tail)) dir.resize(dir.size() - tail.size());
  const bool here = path.ends_with("/" + name) || path.ends_with("/" + name + " (deleted)");
  if (!here && !places.empty() && name.find('/') == std::string::npos)
    dir.resize(dir.rfind('/'));  // most likely it was moved within its directory; any serves to bind the name
  else if (!here)                // a name like "../run/x": the directory alone does not lead there again
    throw Error(Failure::unsupported, object,
                "it is bound to the relative name " + name + ", whose node is now " + path);
  sk.set_name_dir(dir.empty() ? "/" : dir);
}

bool bind_name(int fd, const pb::unix_sk_entry& sk, const pb::nsr_sk_entry& extra, Bind how,
               const std::string& object) {
  const std::string name = name_of(sk);
  if (name.empty()) return true;
  if (!is_path(name)) {
    const int error = plain_bind(fd, name, object);
    if (error != 0 && how == Bind::owner)
      throw_errno(Failure::environment, object, "binding it to " + name_text(name), error,
                  "stop the program that holds the name (ss -xlp shows which)");
    return error == 0;
  }
  InDirectory there(sk.name_dir(), object);
  if (how == Bind::in_passing) return bind_in_passing(fd, name, object);
  remove_dead_node(fd, name, object);
  if (const int error = plain_bind(fd, name, object); error != 0)
    throw_errno(Failure::environment, object, "binding it to " + name, error,
                error == ENOENT ? "make its directory first" : "");
  move_node(fd, name, extra, object);
  return true;
}

void apply_name_permissions(const pb::unix_sk_entry& sk, const pb::nsr_sk_entry& extra, const UserMap& users,
                            const std::string& object) {
  if (!sk.has_file_perms()) return;
  InDirectory there(sk.name_dir(), object);
  const std::string path = extra.node_size() ? extra.node(0) : name_of(sk);
  if (lchown(path.c_str(), users.uids.outer(sk.file_perms().uid()), users.gids.outer(sk.file_perms().gid())) != 0 ||
      chmod(path.c_str(), sk.file_perms().mode() & 07777) != 0)
    throw_errno(Failure::environment, object, "giving its node " + path + " mode and owner", errno);
}

SocketAddress reachable_address(int fd, UniqueFd& node) {
  SocketAddress address = local_address(fd);
  if (!is_path(sun_path(address))) return address;
  node = UniqueFd(ioctl(fd, kSiocUnixFile));
  return node ? unix_address(format("/proc/self/fd/%d", node.get()), "socket") : address;
}

}  // namespace nsr
