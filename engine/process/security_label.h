// Labels of security modules (SELinux, AppArmor): /proc/PID/attr to messages and back.
#pragma once

#include <string>

#include "creds.pb.h"
#include "engine/base/ids.h"
#include "engine/trace/program.h"
#include "inventory.pb.h"

namespace nsr {

/// The security module of a host whose labels tasks carry. The roots are parameters so that a test can lay out a tree.
class SecurityModule {
 public:
  explicit SecurityModule(std::string proc = "/proc", std::string sys = "/sys");
  pb::lsmtype type() const { return type_; }
  /// Label of a thread; empty when it has none (AppArmor: unconfined). Throws Error(target) when it cannot be read.
  std::string label(HostPid pid, HostPid tid) const;
  /// Label of the engine itself, which a restored task inherits.
  std::string own_label() const;
  /// SELinux label for new sockets (/proc/PID/attr/sockcreate); empty when there is none.
  std::string socket_label(HostPid pid, HostPid tid) const;
  /// Where a task writes its label, below the root of /proc.
  std::string label_file() const;
  /// What it writes there for this label.
  std::string label_command(const std::string& label) const;

 private:
  std::string read_attr(const std::string& file) const;

  std::string proc_;
  pb::lsmtype type_ = pb::NO_LSM;
  bool own_attr_dir_ = false;  ///< attr/apparmor/ (Linux 5.8)
};

/// SELinux' label for new sockets, below the root of /proc; threads made later inherit it.
inline constexpr const char* kSocketLabelFile = "self/attr/sockcreate";

/// The label that a task of the images gets: the one of --lsm-profile ("apparmor:NAME", "selinux:LABEL", may be empty)
/// when the images have one, else that of the images; where they have none the engine's own. Throws Error(environment)
/// when this host has another security module than the label needs.
std::string label_to_restore(const pb::creds_entry& creds, pb::lsmtype image, const std::string& profile,
                             const SecurityModule& host, const std::string& object);

/// Records by which a task writes a text to a file below its own /proc. The file stays open, at
/// some number that was free.
void emit_proc_write(int proc_fd, const std::string& file, const std::string& text, const std::string& note,
                     Program& program, Arena& arena);

}  // namespace nsr
