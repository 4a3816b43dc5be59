// The last row of the registry: what no kind keeps, with the reason that can be told.
#include <sys/stat.h>

#include "engine/base/error.h"
#include "engine/files/common.h"
#include "engine/files/kinds.h"

namespace nsr {
namespace {

struct Reason {
  const char* name;  ///< behind "anon_inode:"
  const char* what;
  const char* why;
};

constexpr Reason kReasons[] = {
    {"[perf_event]", "a performance counter", "its count and configuration cannot be read back from the kernel"},
    {"[userfaultfd]", "a userfaultfd", "another task's faults may be waiting in it"},
    {"bpf-prog", "a BPF program", "its verified code cannot be loaded again as it was"},
    {"bpf_link", "a BPF link", "what it is attached to is state of this host"},
    {"bpf_btf", "BPF type information", "it belongs to programs of this host"},
    {"[secretmem]", "secret memory", "the kernel lets nobody but its owner read it"},
    {"kvm-vm", "a virtual machine", "KVM state cannot be kept"},
    {"kvm-vcpu", "a virtual CPU", "KVM state cannot be kept"},
    {"seccomp notify", "a seccomp listener", "the filters that report to it cannot be installed again"},
    {"[landlock-ruleset]", "a Landlock ruleset", "its rules cannot be read back"},
    {"[fscontext]", "a filesystem being configured", "its options cannot be read back"},
    {"[iommufd]", "an IOMMU context", "it is bound to hardware of this host"},
    {"sync_file", "a graphics fence", "it is bound to hardware of this host"},
    {"dmabuf", "a DMA buffer", "it is bound to hardware of this host"},
};

class Unknown final : public Kind {
 public:
  const char* name() const override { return "unknown"; }
  bool match(const OpenFile&) const override { return true; }
  [[noreturn]] void dump(const OpenFile& file, pb::file_entry&, DumpContext&) override {
    for (const Reason& r : kReasons)
      if (anon_name(file).starts_with(r.name))
        throw Error(Failure::unsupported, file.describe(), std::string(r.what) + ": " + r.why,
                    "close it before the dump");
    throw Error(Failure::unsupported, file.describe(), "no kind of open file that can be kept" + mode(file));
  }
  bool owns(const pb::file_entry&) const override { return true; }
  std::string describe(const pb::file_entry& entry) const override {
    return format("unknown kind %d", static_cast<int>(entry.type()));
  }
  [[noreturn]] void open(const pb::file_entry& entry, RestoreContext&) override {
    throw Error(Failure::image, format("file id %u", entry.id()),
                format("its kind %d is not known or its details are missing", static_cast<int>(entry.type())));
  }

 private:
  static std::string_view anon_name(const OpenFile& file) {
    std::string_view link = file.link;
    size_t colon = link.find(':');
    return link.starts_with("anon_inode:") || link.starts_with("/dmabuf:") ? link.substr(colon + 1) : link;
  }
  static std::string mode(const OpenFile& file) { return format(" (mode 0%o)", file.st.st_mode); }
};

}  // namespace

std::unique_ptr<Kind> make_unknown_kind() { return std::make_unique<Unknown>(); }

}  // namespace nsr
