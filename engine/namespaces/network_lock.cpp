#include "engine/namespaces/network_lock.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/descriptors/net_namespace.h"

namespace nsr {
namespace {

const Logger log("netlock");

}  // namespace

std::string new_run_id() {
  uint8_t b[16] = {};
  if (getrandom(b, sizeof b, 0) != sizeof b) throw_errno(Failure::environment, "run id", "getrandom", errno);
  b[6] = static_cast<uint8_t>((b[6] & 0x0f) | 0x40);  // version 4
  b[8] = static_cast<uint8_t>((b[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < sizeof b; i++) text += format(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
  return text;
}

std::string kept_lock_table(const std::string& run_id) { return "nsr-" + run_id; }

NetworkHold::NetworkHold(NetworkLock method, std::string run_id)
    : method_(method), run_id_(std::move(run_id)), own_net_(current_network_namespace()) {
  // Restores of the same images may run side by side.
  uint32_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) number = static_cast<uint32_t>(getpid());
  live_table_ = format("nsr-%s-live-%08x", run_id_.c_str(), number);
}

NetworkHold::~NetworkHold() { release(); }

NetworkHold::Held& NetworkHold::add(uint64_t net, UniqueFd net_fd, Directions directions) {
  Held held{std::move(net_fd), nullptr, std::move(directions), std::chrono::steady_clock::now()};
  const InNetworkNamespace there(held.net);
  held.firewall = make_firewall(method_);
  held.firewall->add(live_table_, held.directions, true);
  return held_[net] = std::move(held);
}

void NetworkHold::hold(std::span<const Connection> connections, int socket) {
  if (method_ == NetworkLock::skip || connections.empty()) return;
  const uint64_t net = network_namespace_of(socket);
  const auto known = held_.find(net);
  Directions directions(connections);
  if (known == held_.end()) {
    directions.all = net != own_net_;
    add(net, network_namespace(socket), std::move(directions));
  } else {
    if (!known->second.directions.all) known->second.firewall->extend(live_table_, directions);
    known->second.directions.add(directions);
  }
  log.info("%zu connections are held still", connections.size());
}

void NetworkHold::hold_all(int namespace_fd) {
  if (method_ == NetworkLock::skip) return;
  struct stat st {};
  UniqueFd net(fcntl(namespace_fd, F_DUPFD_CLOEXEC, 0));
  if (!net || fstat(namespace_fd, &st) != 0)
    throw_errno(Failure::environment, "network lock", "looking at a network namespace", errno);
  Directions directions;
  directions.all = true;
  add(st.st_ino, std::move(net), std::move(directions));
}

void NetworkHold::keep() {
  for (auto& [net, held] : held_) {
    // The namespace may live on and others in it; nobody but the connections needs to wait for the restore.
    held.directions.all = false;
    if (held.directions.v4.empty() && held.directions.v6.empty()) continue;
    const InNetworkNamespace there(held.net);
    held.firewall->add(kept_lock_table(run_id_), held.directions, false);
  }
  release();
}

void NetworkHold::release() noexcept {
  for (auto& [net, held] : held_) {
    try {
      const InNetworkNamespace there(held.net);
      held.firewall->remove(live_table_);
    } catch (const std::exception& e) {
      log.error("%s", e.what());  // it goes with this process
    }
    using namespace std::chrono;
    log.info("let go after %lld us",
             static_cast<long long>(duration_cast<microseconds>(steady_clock::now() - held.since).count()));
    // Closing a netlink socket of the firewall waits until the kernel has forgotten the rules, 10 to 20 ms.
    released_.push_back(std::move(held));
  }
  held_.clear();
}

void NetworkHold::open() {
  release();
  if (method_ == NetworkLock::skip) return;
  auto firewall = make_firewall(method_);
  firewall->remove(kept_lock_table(run_id_));
  released_.push_back({UniqueFd(), std::move(firewall), {}, {}});
}

bool remove_kept_lock(NetworkLock method, const std::string& run_id) {
  return method != NetworkLock::skip && make_firewall(method)->remove(kept_lock_table(run_id));
}

}  // namespace nsr
