// Sockets that are refused, with the reason.
#include "engine/base/error.h"
#include "engine/sockets/kinds.h"
#include "engine/sockets/socket_base.h"

namespace nsr {
namespace {

struct Reason {
  const char* protocol;
  const char* why;
};

constexpr Reason kReasons[] = {
    {"AF_VSOCK", "a vsock leads to another machine or the hypervisor, which cannot be frozen with it"},
    {"SMC", "its memory is shared with a network card"},
    {"ALG", "the kernel does not give back the keys of a crypto socket"},
    {"XDP", "its rings are shared with a network driver"},
    {"RDS", "the kernel does not give back its messages on the way"},
    {"TIPC", "the kernel does not give back its connections"},
    {"KEY", "the kernel does not give back what a key management socket waits for"},
};

class OtherSocketKind : public Kind {
 public:
  const char* name() const override { return "other socket"; }
  bool match(const OpenFile& file) const override { return !socket_protocol(file).empty(); }
  void dump(const OpenFile& file, pb::file_entry&, DumpContext&) override {
    const std::string protocol = socket_protocol(file);
    const char* why = "this kind of socket is not supported";
    for (const Reason& reason : kReasons)
      if (protocol == reason.protocol) why = reason.why;
    throw Error(Failure::unsupported, file.describe(), "it is a socket of protocol " + protocol + ": " + why);
  }
  bool owns(const pb::file_entry&) const override { return false; }
  std::string describe(const pb::file_entry&) const override { return {}; }
  void open(const pb::file_entry& entry, RestoreContext&) override {
    throw Error(Failure::internal, format("file %u", entry.id()), "no such kind is restored");
  }
};

}  // namespace

std::unique_ptr<Kind> make_other_socket_kind() { return std::make_unique<OtherSocketKind>(); }

}  // namespace nsr
