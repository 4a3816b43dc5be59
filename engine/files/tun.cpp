// /dev/net/tun. A persistent interface is attached again; one that would vanish with its last descriptor takes
// addresses and routes with it, which belong to the host's network namespace, and is refused.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"

namespace nsr {
namespace {

class Tun final : public Kind {
 public:
  const char* name() const override { return "TUN/TAP"; }
  bool match(const OpenFile& file) const override {
    return S_ISCHR(file.st.st_mode) && file.st.st_rdev == makedev(10, 200) && !(file.flags & O_PATH);
  }

  void dump(const OpenFile& file, pb::file_entry& entry, DumpContext& ctx) override {
    entry.set_type(pb::TUNF);
    pb::tunfile_entry& e = *entry.mutable_tunf();
    e.set_id(entry.id());
    UniqueFd fd = ctx.borrow(file);
    ifreq request{};
    if (::ioctl(fd.get(), TUNGETIFF, &request) != 0) {
      if (errno != EBADFD) throw_errno(Failure::unsupported, file.describe(), "its interface cannot be read", errno);
      return;  // attached to none yet
    }
    e.set_netdev(request.ifr_name);
    auto flags = static_cast<unsigned short>(request.ifr_flags);
    if (!(flags & IFF_PERSIST))
      throw Error(Failure::unsupported, file.describe(),
                  format("its interface %s goes with it, and with that addresses and routes of this network namespace",
                         request.ifr_name),
                  format("make it persistent (ip tuntap add %s)", request.ifr_name));
    if (flags & IFF_DETACH_QUEUE) e.set_detached(true);
  }

  bool owns(const pb::file_entry& entry) const override { return entry.type() == pb::TUNF && entry.has_tunf(); }
  std::string describe(const pb::file_entry& entry) const override {
    return entry.tunf().has_netdev() ? "TUN/TAP of interface " + entry.tunf().netdev() : "TUN/TAP without interface";
  }

  void open(const pb::file_entry& entry, RestoreContext& ctx) override {
    const pb::tunfile_entry& e = entry.tunf();
    std::string object = image_object(name(), entry.id());
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (!fd) throw_errno(Failure::environment, object, "/dev/net/tun cannot be opened", errno);
    if (e.has_netdev()) attach(fd.get(), e, object);
    ctx.provide(entry.id(), std::move(fd));
  }

 private:
  static void attach(int fd, const pb::tunfile_entry& e, const std::string& object) {
    ifreq request{};
    if (e.netdev().empty() || e.netdev().size() >= sizeof request.ifr_name)
      throw Error(Failure::image, object, "the name of its interface is not one");
    // IFF_TUN or IFF_TAP must be said and fit: the interface knows, so both are tried
    for (short kind : {IFF_TUN, IFF_TAP})
      for (short extra : {0, static_cast<int>(IFF_NO_PI), static_cast<int>(IFF_NO_PI | IFF_VNET_HDR),
                          static_cast<int>(IFF_MULTI_QUEUE), static_cast<int>(IFF_NO_PI | IFF_MULTI_QUEUE)}) {
        std::memset(&request, 0, sizeof request);
        std::memcpy(request.ifr_name, e.netdev().c_str(), e.netdev().size());
        request.ifr_flags = static_cast<short>(kind | extra);
        if (::ioctl(fd, TUNSETIFF, &request) == 0) return;
      }
    throw_errno(Failure::environment, object, "cannot be attached to interface " + e.netdev(), errno,
                "make that interface first");
  }
};

}  // namespace

std::unique_ptr<Kind> make_tun_kind() { return std::make_unique<Tun>(); }

}  // namespace nsr
