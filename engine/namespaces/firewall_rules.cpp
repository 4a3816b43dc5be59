#include "engine/namespaces/firewall_rules.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/namespaces/route_socket.h"

namespace nsr {
namespace {

struct Table {
  uint8_t family;
  std::string name;
};

const char* family_name(uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_BRIDGE:
      return "bridge";
    default:
      return "netdev";
  }
}

/// All but our own.
std::vector<Table> tables() {
  std::vector<Table> out;
  UniqueFd probe(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!probe) return out;  // a kernel without a packet filter
  RouteSocket socket(NETLINK_NETFILTER);
  for (const std::string& m : socket.dump(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, AF_UNSPEC)) {
    Table t{route_body<nfgenmsg>(m).nfgen_family,
            attribute_text(route_attribute(m, sizeof(nfgenmsg), NFTA_TABLE_NAME))};
    if (!t.name.starts_with("nsr-")) out.push_back(t);
  }
  return out;
}

bool has_legacy_tables() {
  for (const char* list : {"/proc/thread-self/net/ip_tables_names", "/proc/thread-self/net/ip6_tables_names"})
    if (auto text = read_file(list); text && !text->empty()) return true;
  return false;
}

/// Runs a program with these as its standard input and output; its exit status, or nothing when it is not installed.
std::optional<int> run(const std::vector<std::string>& words, int in, int out) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  std::vector<char*> argv;
  for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) return std::nullopt;
  if (error) throw_errno(Failure::environment, words[0], "it cannot be started", error);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

UniqueFd null_device() { return UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)); }

void check(const std::optional<int>& status, const std::string& program) {
  if (!status)
    throw Error(Failure::environment, program,
                "it is not installed, but the tree's network namespace has packet filter rules",
                "install nftables or iptables");
  if (*status) throw Error(Failure::environment, program, format("it ended with status %d", *status));
}

/// What a program prints; nothing when it is not installed. Without the lines that name a chain of our own lock.
std::optional<std::string> rules_by(const std::vector<std::string>& words) {
  UniqueFd out(::memfd_create("rules", MFD_CLOEXEC));
  auto status = run(words, null_device().get(), out.get());
  if (!status) return std::nullopt;
  check(status, words[0]);
  std::string all = read_file(format("/proc/self/fd/%d", out.get())).value_or(""), kept;
  for (size_t at = 0, end; at < all.size(); at = end + 1) {
    end = std::min(all.find('\n', at), all.size() - 1);
    std::string_view line(all.data() + at, end + 1 - at);
    if (line.find(" nsr-") == line.npos && !line.starts_with(":nsr-")) kept += line;
  }
  return kept;
}

bool is_iptables(const Table& t) {
  static const std::set<std::string> kNames = {"filter", "nat", "mangle", "raw", "security"};
  return kNames.count(t.name) && (t.family == NFPROTO_IPV4 || t.family == NFPROTO_IPV6);
}

void save_table(const Table& t, ImageWriter& out) {
  auto text = rules_by({"nft", "list", "table", family_name(t.family), t.name});
  check(text ? std::optional(0) : std::nullopt, "nft");
  out.raw(text->data(), text->size());
}

/// Tables that iptables made are its own to read: nft(8) cannot write all of their rules.
void save_tables(const std::vector<Table>& all, uint8_t family, const char* program, ImageWriter& own,
                 ImageWriter& nft) {
  bool wanted = std::ranges::any_of(all, [&](const Table& t) { return is_iptables(t) && t.family == family; });
  if (!wanted) return;
  if (auto text = rules_by({program})) return own.raw(text->data(), text->size());
  for (const Table& t : all)
    if (is_iptables(t) && t.family == family) save_table(t, nft);
}

void load(const ImageDir& images, Img type, uint64_t id, const std::vector<std::string>& program) {
  UniqueFd fd(::openat(images.fd(), image_name(type, id).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) || st.st_size == 0) return;
  check(run(program, fd.get(), null_device().get()), program[0]);
}

}  // namespace

void dump_firewall(ImageDir& images, uint64_t id) {
  ImageWriter nft = images.create(Img::nftables, id), v4 = images.create(Img::iptables, id),
              v6 = images.create(Img::ip6tables, id);
  if (has_legacy_tables())
    throw Error(Failure::unsupported, "network namespace of the tree", "it has rules of the old iptables",
                "use iptables-nft there");
  std::vector<Table> all = tables();
  save_tables(all, NFPROTO_IPV4, "iptables-nft-save", v4, nft);
  save_tables(all, NFPROTO_IPV6, "ip6tables-nft-save", v6, nft);
  for (const Table& t : all)
    if (!is_iptables(t)) save_table(t, nft);
  for (ImageWriter* w : {&nft, &v4, &v6}) w->finish();
}

void fill_firewall(const ImageDir& images, uint64_t id) {
  load(images, Img::iptables, id, {"iptables-restore"});
  load(images, Img::ip6tables, id, {"ip6tables-restore"});
  load(images, Img::nftables, id, {"nft", "-f", "-"});
}

}  // namespace nsr
