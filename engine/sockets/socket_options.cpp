#include "engine/sockets/socket_options.h"

#include <linux/filter.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "engine/base/error.h"
#include "engine/sockets/socket_base.h"

namespace nsr {
namespace {

timeval timeout_option(int fd, int name) {
  timeval value{};
  socklen_t length = sizeof value;
  getsockopt(fd, SOL_SOCKET, name, &value, &length);
  return value;
}

void set_timeout(int fd, int name, uint64_t seconds, uint64_t micros, const char* words, const std::string& object) {
  if (seconds == 0 && micros == 0) return;
  const timeval value{static_cast<time_t>(seconds), static_cast<suseconds_t>(micros)};
  if (setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) != 0)
    throw_errno(Failure::environment, object, format("setting %s", words), errno);
}

void collect_filter(int fd, pb::sk_opts_entry& opts, const std::string& object) {
  socklen_t count = 0;
  if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, nullptr, &count) != 0) {
    // EACCES: an eBPF program is attached, which has no classic form to read back (net/core/filter.c).
    if (errno == EACCES)
      throw Error(Failure::unsupported, object,
                  "an eBPF filter is attached to the socket, which the kernel does not give back");
    return;
  }
  if (count == 0) return;
  std::vector<sock_filter> filter(count);
  if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, filter.data(), &count) != 0)
    throw_errno(Failure::unsupported, object, "reading the socket filter", errno);
  static_assert(sizeof(sock_filter) == sizeof(uint64_t));
  for (const sock_filter& instruction : filter) {
    uint64_t word;
    memcpy(&word, &instruction, sizeof word);
    opts.add_so_filter(word);
  }
}

std::optional<std::string> read_option(int fd, const ExtraOption& option) {
  char value[256] = {};
  socklen_t length = option.size ? option.size : sizeof value;
  if (getsockopt(fd, option.level, option.name, value, &length) != 0) return {};
  return std::string(value, length);
}

std::string bound_device(int fd) {
  char name[IFNAMSIZ] = {};
  socklen_t length = sizeof name;
  if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) != 0 || length == 0) return {};
  return std::string(name, strnlen(name, length));
}

// The image holds what getsockopt says, which is twice what setsockopt takes.
void set_buffer(int fd, int name, uint32_t value, const char* words, const std::string& object) {
  if (value == 0 || value > INT32_MAX)
    throw Error(Failure::image, object, format("%s of %u bytes is impossible", words, value));
  const auto now = int_option(fd, SOL_SOCKET, name == SO_SNDBUFFORCE ? SO_SNDBUF : SO_RCVBUF);
  if (now && static_cast<uint32_t>(*now) == value) return;
  set_int_option(fd, SOL_SOCKET, name, static_cast<int>(value / 2), words, object);
}

}  // namespace

pb::sk_opts_entry collect_options(int fd, const std::string& object) {
  pb::sk_opts_entry opts;
  opts.set_so_sndbuf(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_SNDBUF).value_or(0)));
  opts.set_so_rcvbuf(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_RCVBUF).value_or(0)));
  const timeval send = timeout_option(fd, SO_SNDTIMEO), receive = timeout_option(fd, SO_RCVTIMEO);
  opts.set_so_snd_tmo_sec(static_cast<uint64_t>(send.tv_sec));
  opts.set_so_snd_tmo_usec(static_cast<uint64_t>(send.tv_usec));
  opts.set_so_rcv_tmo_sec(static_cast<uint64_t>(receive.tv_sec));
  opts.set_so_rcv_tmo_usec(static_cast<uint64_t>(receive.tv_usec));
  const auto flag = [&](int name) { return int_option(fd, SOL_SOCKET, name).value_or(0) != 0; };
  opts.set_reuseaddr(flag(SO_REUSEADDR));
  opts.set_so_priority(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_PRIORITY).value_or(0)));
  opts.set_so_rcvlowat(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_RCVLOWAT).value_or(1)));
  opts.set_so_mark(static_cast<uint32_t>(int_option(fd, SOL_SOCKET, SO_MARK).value_or(0)));
  opts.set_so_passcred(flag(SO_PASSCRED));
  opts.set_so_passsec(flag(SO_PASSSEC));
  opts.set_so_dontroute(flag(SO_DONTROUTE));
  opts.set_so_no_check(flag(SO_NO_CHECK));
  if (const std::string device = bound_device(fd); !device.empty()) opts.set_so_bound_dev(device);
  collect_filter(fd, opts, object);
  opts.set_so_reuseport(flag(SO_REUSEPORT));
  opts.set_so_broadcast(flag(SO_BROADCAST));
  opts.set_so_keepalive(flag(SO_KEEPALIVE));
  opts.set_so_oobinline(flag(SO_OOBINLINE));
  linger wait{};
  socklen_t length = sizeof wait;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, &length) == 0 && wait.l_onoff)
    opts.set_so_linger(static_cast<uint32_t>(wait.l_linger));
  if (const auto lock = int_option(fd, SOL_SOCKET, SO_BUF_LOCK)) opts.set_so_buf_lock(static_cast<uint32_t>(*lock));
  return opts;
}

void apply_options(int fd, const pb::sk_opts_entry& opts, const std::string& object) {
  set_buffer(fd, SO_SNDBUFFORCE, opts.so_sndbuf(), "SO_SNDBUF", object);
  set_buffer(fd, SO_RCVBUFFORCE, opts.so_rcvbuf(), "SO_RCVBUF", object);
  // Setting a size also locks it against autotuning; the lock is put back to what it was. Multipath TCP cannot.
  const int lock = static_cast<int>(opts.so_buf_lock());
  if (opts.has_so_buf_lock() && int_option(fd, SOL_SOCKET, SO_BUF_LOCK) != lock &&
      setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof lock) != 0 && errno != EOPNOTSUPP)
    throw_errno(Failure::environment, object, format("setting SO_BUF_LOCK to %d", lock), errno);
  set_timeout(fd, SO_SNDTIMEO, opts.so_snd_tmo_sec(), opts.so_snd_tmo_usec(), "SO_SNDTIMEO", object);
  set_timeout(fd, SO_RCVTIMEO, opts.so_rcv_tmo_sec(), opts.so_rcv_tmo_usec(), "SO_RCVTIMEO", object);
  const auto flag = [&](bool on, int name, const char* words) {
    if (on) set_int_option(fd, SOL_SOCKET, name, 1, words, object);
  };
  const auto number = [&](uint32_t value, uint32_t fresh, int name, const char* words) {
    if (value != fresh) set_int_option(fd, SOL_SOCKET, name, static_cast<int>(value), words, object);
  };
  if (opts.has_so_priority()) number(opts.so_priority(), 0, SO_PRIORITY, "SO_PRIORITY");
  if (opts.has_so_rcvlowat()) number(opts.so_rcvlowat(), 1, SO_RCVLOWAT, "SO_RCVLOWAT");
  if (opts.has_so_mark()) number(opts.so_mark(), 0, SO_MARK, "SO_MARK");
  flag(opts.so_passcred(), SO_PASSCRED, "SO_PASSCRED");
  flag(opts.so_passsec(), SO_PASSSEC, "SO_PASSSEC");
  flag(opts.so_dontroute(), SO_DONTROUTE, "SO_DONTROUTE");
  flag(opts.so_no_check(), SO_NO_CHECK, "SO_NO_CHECK");
  flag(opts.so_broadcast(), SO_BROADCAST, "SO_BROADCAST");
  flag(opts.so_keepalive(), SO_KEEPALIVE, "SO_KEEPALIVE");
  flag(opts.so_oobinline() != 0, SO_OOBINLINE, "SO_OOBINLINE");
  const auto family = int_option(fd, SOL_SOCKET, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6) flag(opts.reuseaddr(), SO_REUSEADDR, "SO_REUSEADDR");
  if (opts.has_so_linger()) {
    const linger wait{1, static_cast<int>(opts.so_linger())};
    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof wait) != 0)
      throw_errno(Failure::environment, object, "setting SO_LINGER", errno);
  }
  if (!opts.so_bound_dev().empty() && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opts.so_bound_dev().c_str(),
                                                 static_cast<socklen_t>(opts.so_bound_dev().size() + 1)) != 0)
    throw_errno(Failure::environment, object, "binding it to device " + opts.so_bound_dev(), errno,
                "restore where that device exists");
}

void apply_filter(int fd, const pb::sk_opts_entry& opts, const std::string& object) {
  if (opts.so_filter_size() == 0) return;
  if (opts.so_filter_size() > BPF_MAXINSNS)
    throw Error(Failure::image, object,
                format("a socket filter of %d instructions is impossible", opts.so_filter_size()));
  std::vector<sock_filter> code(static_cast<size_t>(opts.so_filter_size()));
  memcpy(code.data(), opts.so_filter().data(), code.size() * sizeof(sock_filter));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    throw_errno(Failure::environment, object, "attaching the socket filter", errno);
}

FreshSocket::FreshSocket(UniqueFd fd) : fd_(std::move(fd)) {
  const bool stream = int_option(fd_.get(), SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
  for (const ExtraOption& option : extra_options()) {
    if (stream && option.use == OptionUse::datagrams) continue;
    if (auto value = read_option(fd_.get(), option)) answers_.push_back({&option, std::move(*value)});
  }
}

void collect_extra_options(int fd, const FreshSocket& fresh, pb::nsr_sk_entry& extra) {
  for (const auto& [option, usual] : fresh.answers()) {
    auto value = read_option(fd, *option);
    if (!value || *value == usual) continue;
    auto& record = *extra.add_option();
    record.set_level(static_cast<uint32_t>(option->level));
    record.set_name(static_cast<uint32_t>(option->name));
    record.set_value(std::move(*value));
  }
}

void apply_extra_options(int fd, const pb::nsr_sk_entry& extra, OptionTime when, const std::string& object) {
  for (const pb::nsr_sk_option& record : extra.option()) {
    const ExtraOption* option = find_extra_option(static_cast<int>(record.level()), static_cast<int>(record.name()));
    if (option == nullptr)
      throw Error(Failure::image, object,
                  format("socket option %u of level %u is not one that a dump writes", record.name(), record.level()));
    if ((option->use == OptionUse::late) != (when == OptionTime::late)) continue;
    if (setsockopt(fd, option->level, option->name, record.value().data(),
                   static_cast<socklen_t>(record.value().size())) != 0)
      throw_errno(Failure::environment, object, format("setting %s", option->words), errno);
  }
}

}  // namespace nsr
