#include "engine/images/image_types.h"

#include <cinttypes>
#include <iterator>

#include "engine/base/error.h"
#include "engine/base/scanner.h"

namespace nsr {
namespace {

using enum Framing;
using enum Numbering;

// clang-format off
constexpr ImageType kTypes[] = {
    {Img::inventory, single, none, kInventoryMagic, "inventory", ".img"},
    {Img::pstree, common, none, 0x50273030, "pstree", ".img"},
    {Img::files, common, none, 0x56303138, "files", ".img"},
    {Img::seccomp, common, none, 0x64413049, "seccomp", ".img"},
    {Img::apparmor, common, none, 0x59423047, "apparmor", ".img"},
    {Img::cgroup, common, none, 0x59383330, "cgroup", ".img"},
    {Img::cpuinfo, common, none, 0x61404013, "cpuinfo", ".img"},
    {Img::filelocks, common, none, 0x54323616, "filelocks", ".img"},
    {Img::remap_fpath, common, none, 0x59133954, "remap-fpath", ".img"},
    {Img::ghost_file, common, hex, 0x52583605, "ghost-file-", ".img"},
    {Img::memfd, common, none, 0x48453499, "memfd", ".img"},
    {Img::pipes_data, common, none, 0x56453709, "pipes-data", ".img"},
    {Img::fifo_data, common, none, 0x59333054, "fifo-data", ".img"},
    {Img::sk_queues, common, none, 0x56264026, "sk-queues", ".img"},
    {Img::tcp_stream, common, hex, 0x51465506, "tcp-stream-", ".img"},
    {Img::tty_info, common, none, 0x59453036, "tty-info", ".img"},
    {Img::tty_data, common, none, 0x59413026, "tty-data", ".img"},
    {Img::bpfmap_data, common, none, 0x64324033, "bpfmap-data", ".img"},
    {Img::core, common, decimal, 0x55053847, "core-", ".img"},
    {Img::ids, common, decimal, 0x54432030, "ids-", ".img"},
    {Img::mm, common, decimal, 0x57492820, "mm-", ".img"},
    {Img::fs, common, decimal, 0x51403912, "fs-", ".img"},
    {Img::creds, common, decimal, 0x54023547, "creds-", ".img"},
    {Img::fdinfo, common, decimal, 0x56213732, "fdinfo-", ".img"},
    {Img::pagemap, common, decimal, 0x56084025, "pagemap-", ".img"},
    {Img::shmem_pagemap, common, decimal, 0x56084025, "pagemap-shmem-", ".img"},
    {Img::pages, raw, decimal, 0, "pages-", ".img"},
    {Img::utsns, common, decimal, 0x54473203, "utsns-", ".img"},
    {Img::ipc_var, common, decimal, 0x53115007, "ipcns-var-", ".img"},
    {Img::ipcns_shm, common, decimal, 0x46283044, "ipcns-shm-", ".img"},
    {Img::ipcns_msg, common, decimal, 0x55453737, "ipcns-msg-", ".img"},
    {Img::ipcns_sem, common, decimal, 0x59573019, "ipcns-sem-", ".img"},
    {Img::netns, common, decimal, 0x55933752, "netns-", ".img"},
    {Img::netdev, common, decimal, 0x57373951, "netdev-", ".img"},
    {Img::userns, common, decimal, 0x55474906, "userns-", ".img"},
    {Img::timens, common, decimal, 0x43114433, "timens-", ".img"},
    {Img::pidns, common, decimal, 0x61157326, "pidns-", ".img"},
    {Img::mountpoints, common, decimal, 0x55563928, "mountpoints-", ".img"},
    {Img::tmpfs_dev, raw, decimal, 0, "tmpfs-dev-", ".tar.gz.img"},
    {Img::autofs, common, decimal, 0x49353943, "autofs-", ".img"},
    {Img::binfmt_misc, common, none, 0x67343323, "binfmt-misc", ".img"},
    {Img::ifaddr, raw, decimal, 0, "ifaddr-", ".img"},
    {Img::route, raw, decimal, 0, "route-", ".img"},
    {Img::route6, raw, decimal, 0, "route6-", ".img"},
    {Img::rule, raw, decimal, 0, "rule-", ".img"},
    {Img::iptables, raw, decimal, 0, "iptables-", ".img"},
    {Img::ip6tables, raw, decimal, 0, "ip6tables-", ".img"},
    {Img::nftables, raw, decimal, 0, "nftables-", ".img"},
    {Img::netns_ct, raw, decimal, 0, "netns-ct-", ".img"},
    {Img::netns_exp, raw, decimal, 0, "netns-exp-", ".img"},
    {Img::stats, service, stats_word, 0x57093306, "stats-", ""},
    {Img::irmap_cache, service, none, 0x57004059, "irmap-cache", ""},
    // Ours. No .img suffix: tools that decode every *.img of a directory stop at a magic that they do not know.
    {Img::task_ext, common, decimal, 0x4e535254, "nsr-task-", ""},
    {Img::sk_ext, common, none, 0x4e53534b, "nsr-sk", ""},
    {Img::mm_ext, common, decimal, 0x4e534d4d, "nsr-mm-", ""},
    {Img::file_ext, common, none, 0x4e534649, "nsr-files", ""},
    {Img::net_ext, common, decimal, 0x4e534e45, "nsr-net-", ""},
    {Img::mnt_ext, common, decimal, 0x4e534d4e, "nsr-mnt-", ""},
    {Img::user_ext, common, decimal, 0x4e535553, "nsr-user-", ""},
    {Img::cpu_ext, common, none, 0x4e534350, "nsr-cpu", ""},
    {Img::reg_files, common, none, 0x50363636, "reg-files", ".img"},
    {Img::ext_files, common, none, 0x59255641, "ext-files", ".img"},
    {Img::ns_files, common, none, 0x61394011, "ns-files", ".img"},
    {Img::eventfd, common, none, 0x44523722, "eventfd", ".img"},
    {Img::eventpoll, common, none, 0x45023858, "eventpoll", ".img"},
    {Img::eventpoll_tfd, common, none, 0x44433746, "eventpoll-tfd", ".img"},
    {Img::signalfd, common, none, 0x57323820, "signalfd", ".img"},
    {Img::inotify, common, none, 0x48424431, "inotify", ".img"},
    {Img::inotify_wd, common, none, 0x54562009, "inotify-wd", ".img"},
    {Img::fanotify, common, none, 0x55096122, "fanotify", ".img"},
    {Img::fanotify_mark, common, none, 0x56506035, "fanotify-mark", ".img"},
    {Img::pipes, common, none, 0x56513555, "pipes", ".img"},
    {Img::fifo, common, none, 0x58364939, "fifo", ".img"},
    {Img::unixsk, common, none, 0x54373943, "unixsk", ".img"},
    {Img::inetsk, common, none, 0x56443851, "inetsk", ".img"},
    {Img::packetsk, common, none, 0x60454618, "packetsk", ".img"},
    {Img::netlinksk, common, none, 0x58005614, "netlinksk", ".img"},
    {Img::tty_files, common, none, 0x59433025, "tty", ".img"},
    {Img::tunfile, common, none, 0x57143751, "tunfile", ".img"},
    {Img::timerfd, common, none, 0x50493712, "timerfd", ".img"},
    {Img::bpfmap_file, common, none, 0x57506142, "bpfmap-file", ".img"},
    {Img::vmas, common, decimal, 0x54123737, "vmas-", ".img"},
    {Img::sigacts, common, decimal, 0x55344201, "sigacts-", ".img"},
    {Img::itimers, common, decimal, 0x57464056, "itimers-", ".img"},
    {Img::posix_timers, common, decimal, 0x52603957, "posix-timers-", ".img"},
    {Img::rlimit, common, decimal, 0x57113925, "rlimit-", ".img"},
    {Img::signal_s, common, decimal, 0x59255647, "signal-s-", ".img"},
    {Img::signal_p, common, decimal, 0x59255647, "signal-p-", ".img"},
    {Img::tmpfs, raw, decimal, 0, "tmpfs-", ".tar.gz.img"},
    {Img::binfmt_misc_old, common, decimal, 0x67343323, "binfmt-misc-", ".img"},
};
// clang-format on

constexpr bool table_follows_the_enum() {
  for (size_t i = 0; i < std::size(kTypes); i++)
    if (kTypes[i].type != static_cast<Img>(i)) return false;
  return std::size(kTypes) == static_cast<size_t>(Img::binfmt_misc_old) + 1;
}
static_assert(table_follows_the_enum());

std::string number_text(Numbering numbering, uint64_t number) {
  switch (numbering) {
    case none:
      return {};
    case decimal:
      return format("%" PRIu64, number);
    case hex:
      return format("%" PRIx64, number);
    case stats_word:
      return number == kStatsDump ? "dump" : "restore";
  }
  return {};
}

/// The number between prefix and suffix; nothing when the name is not exactly what the table would give.
std::optional<uint64_t> number_in(const ImageType& type, std::string_view name) {
  Scanner in(name);
  if (!in.literal(type.prefix)) return std::nullopt;
  uint64_t number = 0;
  if (type.numbering == decimal || type.numbering == hex) {
    auto found = in.number(type.numbering == hex ? 16 : 10);
    if (!found) return std::nullopt;
    number = *found;
  } else if (type.numbering == stats_word) {
    number = in.rest() == "dump" ? kStatsDump : kStatsRestore;
  }
  if (image_name(type.type, number) != name) return std::nullopt;
  return number;
}

}  // namespace

const ImageType& image_type(Img type) { return kTypes[static_cast<size_t>(type)]; }

std::string image_name(Img type, uint64_t number) {
  const ImageType& t = image_type(type);
  return t.prefix + number_text(t.numbering, number) + t.suffix;
}

std::optional<ImageId> parse_image_name(std::string_view name) {
  for (const ImageType& t : kTypes)
    if (auto number = number_in(t, name)) return ImageId{t.type, *number};
  return std::nullopt;
}

}  // namespace nsr
