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

void NetworkHold::get_ready(const std::function<NsPid()>& spare_id) {
  if (method_ == NetworkLock::nftables && !helper_) helper_ = std::make_unique<NftHelper>(spare_id);
}

std::unique_ptr<Firewall> NetworkHold::make_firewall() {
  if (method_ == NetworkLock::iptables) return make_iptables_firewall();
  get_ready();
  return make_nft_firewall(*helper_);
}

void NetworkHold::add(uint64_t net, UniqueFd net_fd, HeldPackets packets) {
  Held held{std::move(net_fd), make_firewall(), std::move(packets), {}};
  const InNetworkNamespace there(held.net);
  held.firewall->add(live_table_, held.packets, true);
  held.since = std::chrono::steady_clock::now();
  held_[net] = std::move(held);
}

void NetworkHold::hold(std::span<const Connection> connections, int socket) {
  if (method_ == NetworkLock::skip || connections.empty()) return;
  const uint64_t net = network_namespace_of(socket);
  const auto known = held_.find(net);
  HeldPackets packets(connections);
  if (known == held_.end()) {
    packets.all = net != own_net_;
    add(net, network_namespace(socket), std::move(packets));
  } else {
    Held& held = known->second;
    const InNetworkNamespace there(held.net);
    if (!held.packets.all) held.firewall->extend(live_table_, packets);
    held.packets.add(packets);
  }
  log.info("%zu connections are held still", connections.size());
}

void NetworkHold::hold_all(int namespace_fd) {
  if (method_ == NetworkLock::skip) return;
  struct stat st {};
  UniqueFd net(fcntl(namespace_fd, F_DUPFD_CLOEXEC, 0));
  if (!net || fstat(namespace_fd, &st) != 0)
    throw_errno(Failure::environment, "network lock", "looking at a network namespace", errno);
  HeldPackets packets;
  packets.all = true;
  add(st.st_ino, std::move(net), std::move(packets));
}

void NetworkHold::check() const {
  if (active() && helper_) helper_->check();
}

void NetworkHold::keep() {
  for (auto& [net, held] : held_) {
    // The namespace may live on and others in it; nobody but the connections needs to wait for the restore.
    held.packets.all = false;
    if (held.packets.v4.empty() && held.packets.v6.empty()) continue;
    const InNetworkNamespace there(held.net);
    held.firewall->add(kept_lock_table(run_id_), held.packets, false);
  }
  release();
}

void NetworkHold::let_go(Held& held, const std::vector<std::string>& tables) {
  const InNetworkNamespace there(held.net);
  held.firewall->remove(tables);
  using namespace std::chrono;
  log.info("let go after %lld us",
           static_cast<long long>(duration_cast<microseconds>(steady_clock::now() - held.since).count()));
}

void NetworkHold::release() noexcept {
  for (auto& [net, held] : held_) try {
      let_go(held, {live_table_});
    } catch (const std::exception& e) {
      log.error("%s", e.what());  // it goes with this process
    }
  held_.clear();
}

void NetworkHold::open() {
  if (method_ == NetworkLock::skip) return;
  // Both at once, as each change of a firewall with many rules takes its time.
  if (const auto own = held_.find(own_net_); own != held_.end()) {
    let_go(own->second, {live_table_, kept_lock_table(run_id_)});
    held_.erase(own);
  } else {
    make_firewall()->remove({kept_lock_table(run_id_)});
  }
  release();
}

bool NetworkHold::remove_kept() {
  if (method_ == NetworkLock::skip) return false;
  const auto firewall = make_firewall();
  const std::string table = kept_lock_table(run_id_);
  const bool there = firewall->exists(table);
  if (there) firewall->remove({table});
  return there;
}
}  // namespace nsr
