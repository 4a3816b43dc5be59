// Living in another namespace for a while (setns(2)).
#pragma once

#include <string>

#include "engine/base/unique_fd.h"

namespace nsr {

/// Puts the calling thread into the namespace behind a descriptor for as long as this lives. kind: a name in
/// /proc/PID/ns other than "pid", "mnt", "user" and "time", whose change a thread could not take back alone.
/// Does nothing when the thread lives there already or the descriptor is empty.
class InNamespace {
 public:
  /// Throws Error(environment).
  InNamespace(const UniqueFd& target, const char* kind);
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;
  ~InNamespace();

 private:
  UniqueFd own_;
};

/// The same for a mount namespace, in whose root directory the whole process stands meanwhile. No other thread may run,
/// as they share the directories that change.
class InMountNamespace {
 public:
  /// Throws Error(environment).
  explicit InMountNamespace(const UniqueFd& target);
  /// Only remembers where the process is: what follows may change it, leave() undoes that.
  InMountNamespace();
  InMountNamespace(const InMountNamespace&) = delete;
  InMountNamespace& operator=(const InMountNamespace&) = delete;
  ~InMountNamespace() { leave(); }
  /// Back to the namespace, root and current directory of before. May be called again.
  void leave() noexcept;

 private:
  UniqueFd own_, root_, cwd_;
};

/// /proc/PID/ns/KIND of a task ("self" and "thread-self" are PIDs, too). Throws Error(target) when it cannot be opened.
UniqueFd open_namespace(const std::string& pid, const char* kind);

}  // namespace nsr
