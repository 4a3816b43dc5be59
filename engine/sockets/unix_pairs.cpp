#include "engine/sockets/unix_pairs.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/error.h"
#include "engine/sockets/run_as.h"

namespace nsr {
namespace {

constexpr size_t kMostAtOnce = 64;

int make_pair(const SocketPair& over, int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) return errno;
  if (::dup3(fds[0], over.first.get(), O_CLOEXEC) < 0 || ::dup3(fds[1], over.second.get(), O_CLOEXEC) < 0) return errno;
  ::close(fds[0]);
  ::close(fds[1]);
  return 0;
}

}  // namespace

SocketPair SocketPairs::take(const pb::nsr_sk_cred& who, int type, const std::string& object) {
  Stock& stock = stock_[{who.pid(), who.uid(), who.gid(), type}];
  if (stock.pairs.empty()) {
    // The copy that makes the pairs shares descriptors, not memory: it puts the ends over some that are known here.
    std::vector<SocketPair> fresh(stock.next);
    bool open = true;
    for (SocketPair& p : fresh)
      for (UniqueFd* end : {&p.first, &p.second}) {
        end->reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        open &= static_cast<bool>(*end);
      }
    if (!open) throw_errno(Failure::environment, object, "no descriptor is free to make it", errno, "raise ulimit -Hn");
    int error = run_as(who, [&] {
      for (const SocketPair& p : fresh)
        if (int failed = make_pair(p, type)) return failed;
      return 0;
    });
    if (error != 0) throw_errno(Failure::environment, object, "socketpair", error);
    stock.pairs = std::move(fresh);
    stock.next = std::min(2 * stock.next, kMostAtOnce);
  }
  SocketPair pair = std::move(stock.pairs.back());
  stock.pairs.pop_back();
  return pair;
}

}  // namespace nsr
