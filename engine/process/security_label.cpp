#include "engine/process/security_label.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "engine/base/error.h"
#include "engine/base/file_io.h"

namespace nsr {
namespace {

const char* name_of(pb::lsmtype type) {
  switch (type) {
    case pb::SELINUX:
      return "SELinux";
    case pb::APPARMOR:
      return "AppArmor";
    default:
      return "no security module";
  }
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  return text;
}

}  // namespace

SecurityModule::SecurityModule(std::string proc, std::string sys) : proc_(std::move(proc)) {
  if (::access((sys + "/fs/selinux/enforce").c_str(), F_OK) == 0)
    type_ = pb::SELINUX;
  else if (read_file(sys + "/module/apparmor/parameters/enabled").value_or("").starts_with("Y"))
    type_ = pb::APPARMOR;
  struct stat st;
  own_attr_dir_ = type_ == pb::APPARMOR && ::stat((proc_ + "/self/attr/apparmor").c_str(), &st) == 0;
}

std::string SecurityModule::read_attr(const std::string& file) const {
  auto text = read_file(proc_ + "/" + file);
  if (!text) throw_errno(Failure::target, proc_ + "/" + file, "its security label cannot be read", errno);
  std::string label = trimmed(std::move(*text));
  if (type_ != pb::APPARMOR) return label;
  // "profile (enforce)": the mode belongs to the loaded policy, not to the task
  if (label.ends_with(')'))
    if (size_t at = label.rfind(" ("); at != std::string::npos) label.resize(at);
  return label == "unconfined" ? std::string() : label;
}

std::string SecurityModule::label(HostPid pid, HostPid tid) const {
  if (type_ == pb::NO_LSM) return {};
  return read_attr(format("%d/task/%d/attr/%s", pid.value, tid.value, own_attr_dir_ ? "apparmor/current" : "current"));
}

std::string SecurityModule::own_label() const { return type_ == pb::NO_LSM ? std::string() : read_attr(label_file()); }

std::string SecurityModule::socket_label(HostPid pid, HostPid tid) const {
  if (type_ != pb::SELINUX) return {};
  return trimmed(read_file(format("%s/%d/task/%d/attr/sockcreate", proc_.c_str(), pid.value, tid.value)).value_or(""));
}

std::string SecurityModule::label_file() const {
  return own_attr_dir_ ? "self/attr/apparmor/current" : "self/attr/current";
}

std::string SecurityModule::label_command(const std::string& label) const {
  if (type_ != pb::APPARMOR) return label;
  return "changeprofile " + (label.empty() ? "unconfined" : label);
}

std::string label_to_restore(const pb::creds_entry& creds, pb::lsmtype image, const std::string& profile,
                             const SecurityModule& host, const std::string& object) {
  if (creds.lsm_profile().empty()) return host.own_label();
  pb::lsmtype wanted = image;
  std::string label = creds.lsm_profile();
  if (size_t colon = profile.find(':'); colon != std::string::npos) {
    wanted = profile.starts_with("selinux:") ? pb::SELINUX : pb::APPARMOR;
    label = profile.substr(colon + 1);
  }
  if (wanted != host.type())
    throw Error(Failure::environment, object,
                format("its label \"%s\" is one of %s, and this host has %s", label.c_str(), name_of(wanted),
                       name_of(host.type())),
                "restore on a host with the same security module, or name a label of this one with --lsm-profile");
  return label;
}

void emit_proc_write(int proc_fd, const std::string& file, const std::string& text, const std::string& note, Program& p,
                     Arena& arena) {
  auto opened = p.call(SYS_openat, proc_fd, arena.put_string(file), O_WRONLY | O_CLOEXEC, 0);
  p.note("opening /proc/" + file);
  auto written = p.call(SYS_write, 0, arena.put(text.data(), text.size()), text.size());
  p.note(note);
  p.feed(opened, written, 0);
}

}  // namespace nsr
