#include "engine/namespaces/uts_namespace.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "utsns.pb.h"

namespace nsr {

void dump_uts_namespace(ImageDir& images, uint64_t id) {
  utsname names{};
  ::uname(&names);
  pb::utsns_entry e;
  e.set_nodename(names.nodename);
  e.set_domainname(names.domainname);
  images.create(Img::utsns, id).write(e);
}

void fill_uts_namespace(const ImageDir& images, uint64_t id) {
  auto e = images.one<pb::utsns_entry>(Img::utsns, id);
  if (::sethostname(e.nodename().data(), e.nodename().size()))
    throw_errno(Failure::environment, "host name \"" + e.nodename() + "\"", "it cannot be set", errno);
  if (::setdomainname(e.domainname().data(), e.domainname().size()))
    throw_errno(Failure::environment, "domain name \"" + e.domainname() + "\"", "it cannot be set", errno);
}

}  // namespace nsr
