// The program ns-netlock, which talks to the firewall for us: it has libnftables, which cannot be linked statically.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>

#include "engine/base/ids.h"
#include "engine/base/unique_fd.h"

namespace nsr {

/// A running ns-netlock. It ends with this object, and with this thread however that ends; what it has made in the
/// firewall for an owner goes with it.
class NftHelper {
 public:
  /// Starts it and does not wait until it is ready: that takes as long as the start of the engine. It is the
  /// ns-netlock beside the program that runs, or one on PATH. spare_id: gives a process id for it that nobody else
  /// wants; empty: any will do. What goes wrong is told when it is asked for something.
  explicit NftHelper(const std::function<NsPid()>& spare_id = {});
  /// Waits for its end.
  ~NftHelper();
  NftHelper(const NftHelper&) = delete;
  NftHelper& operator=(const NftHelper&) = delete;

  /// Runs commands of nft(8), as one transaction, in the calling thread's network namespace. Empty, or the first line
  /// of what went wrong; nothing was changed then. Throws Error(environment) when the program is not there, lacks its
  /// library or has ended.
  std::string run(const std::string& commands);
  /// Has it look at the firewall as these commands would, and change nothing. Nobody waits for that; the same commands
  /// are quick afterwards, when nobody else changes rules meanwhile.
  void rehearse(const std::string& commands);
  /// Throws Error(environment) when it is not running any more, and with it what it held.
  void check() const;

 private:
  void ask(uint32_t flags, const std::string& commands);
  [[noreturn]] void gone() const;

  UniqueFd channel_, errors_;
  pid_t pid_ = 0;
  int start_error_ = 0;
  std::map<uint64_t, uint32_t> namespaces_;  ///< by inode, numbers as in NetlockRequest
};

}  // namespace nsr
