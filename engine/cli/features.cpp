#include "engine/cli/features.h"

#include "engine/cli/probes.h"

namespace nsr {
namespace {

constexpr Need must = Need::must;
constexpr Need extra = Need::extra;
constexpr Need trial = Need::experimental;

constexpr Feature table[] = {
    {"mnt_id", must, probe::mnt_id, "needs Linux 3.15"},
    {"kcmp_epoll", must, probe::kcmp_epoll, "needs Linux 4.13 with CONFIG_KCMP"},
    {"timerfd", must, probe::timerfd, "needs Linux 3.17 with CONFIG_CHECKPOINT_RESTORE"},
    {"fdinfo_lock", must, probe::fdinfo_lock, "needs Linux 4.1"},
    {"ns_pid", must, probe::nspid, "needs Linux 4.1 with CONFIG_PID_NS"},
    {"clone3_set_tid", must, probe::clone3_set_tid, "needs Linux 5.5 and CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE"},
    {"pidfd_store", must, probe::pidfd, "needs Linux 5.6"},
    {"openat2", must, probe::openat2, "needs Linux 5.6"},
    {"map_files", must, probe::map_files, "needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (Linux 5.9)"},
    {"seccomp_suspend", extra, probe::seccomp_suspend,
     "needs Linux 4.3 with CONFIG_CHECKPOINT_RESTORE, and CAP_SYS_ADMIN"},
    {"seccomp_filters", extra, probe::seccomp_filters,
     "needs Linux 4.4 with CONFIG_CHECKPOINT_RESTORE, and CAP_SYS_ADMIN"},
    {"get_rseq_conf", extra, probe::rseq_configuration, "needs Linux 5.13 with CONFIG_RSEQ"},
    {"timer_cr_ids", extra, probe::timer_ids, "needs Linux 6.15; without it POSIX timer ids may be hard to reach"},
    {"pagemap_scan", extra, probe::pagemap_scan, "needs Linux 6.7"},
    {"pagemap_scan_guard_pages", extra, probe::pagemap_scan_guard_pages, "needs Linux 6.15"},
    {"uffd", extra, probe::uffd,
     "needs Linux 4.3 with CONFIG_USERFAULTFD, and CAP_SYS_PTRACE or vm.unprivileged_userfaultfd=1"},
    {"uffd-noncoop", extra, probe::uffd_noncoop, "needs Linux 4.11 with CONFIG_USERFAULTFD, and CAP_SYS_PTRACE"},
    {"mem_dirty_track", extra, probe::soft_dirty, "needs CONFIG_MEM_SOFT_DIRTY"},
    {"memfd_hugetlb", extra, probe::memfd_hugetlb, "needs Linux 4.16 with CONFIG_HUGETLBFS"},
    {"aio_remap", extra, probe::aio_remap, "needs Linux 3.18 with CONFIG_AIO"},
    {"can_map_vdso", extra, probe::map_vdso, "needs Linux 4.8 with CONFIG_CHECKPOINT_RESTORE on x86"},
    {"compat_cr", extra, probe::map_vdso_32, "needs CONFIG_IA32_EMULATION"},
    {"breakpoints", extra, probe::breakpoints,
     "needs hardware breakpoints, which some virtual machines lack, and CAP_PERFMON or kernel.perf_event_paranoid "
     "below 3"},
    {"loginuid", extra, probe::loginuid, "needs CONFIG_AUDIT, and CAP_AUDIT_CONTROL once it has been set"},
    {"userns", extra, probe::user_namespace, "needs CONFIG_USER_NS and a higher user.max_user_namespaces"},
    {"cgroupns", extra, probe::cgroup_namespace, "needs Linux 4.6, and CAP_SYS_ADMIN"},
    {"timens", extra, probe::time_namespace, "needs Linux 5.6 with CONFIG_TIME_NS, and CAP_SYS_ADMIN"},
    {"autofs", extra, probe::autofs, "needs CONFIG_AUTOFS_FS, and CAP_SYS_ADMIN"},
    {"move_mount_set_group", extra, probe::move_mount_set_group, "needs Linux 5.15, and CAP_SYS_ADMIN"},
    {"overlayfs_maps", extra, probe::overlayfs_maps, "needs Linux 6.8 with CONFIG_OVERLAY_FS, and CAP_SYS_ADMIN"},
    {"tun", extra, probe::tun, "needs CONFIG_TUN, and /dev/net/tun open to this user"},
    {"tun_ns", extra, probe::tun_namespace, "needs Linux 5.2 with CONFIG_TUN, and CAP_NET_ADMIN"},
    {"tcp_half_closed", extra, probe::tcp_half_closed, "needs Linux 4.9 and CAP_NET_ADMIN"},
    {"sk_ns", extra, probe::socket_namespace, "needs Linux 4.10 and CAP_NET_ADMIN"},
    {"sk_unix_file", extra, probe::unix_socket_file, "needs Linux 4.12 and CAP_NET_ADMIN"},
    {"net_diag_raw", extra, probe::raw_socket_diag, "needs CONFIG_INET_RAW_DIAG"},
    {"nsid", extra, probe::nsid, "needs Linux 4.0 with CONFIG_NET_NS"},
    {"link_nsid", extra, probe::link_nsid, "needs Linux 4.0 with CONFIG_VETH, and CAP_SYS_ADMIN"},
    {"newifindex", extra, probe::new_ifindex, "needs Linux 3.7 with CONFIG_VETH, and CAP_SYS_ADMIN"},
    {"external_net_ns", extra, probe::external_net_namespace, "needs Linux 4.10 with CONFIG_NET_NS, and CAP_NET_ADMIN"},
    {"nftables", extra, probe::nftables, "needs CONFIG_NF_TABLES, and CAP_NET_ADMIN"},
    {"network_lock_nftables", extra, probe::nftables, "needs CONFIG_NF_TABLES, and CAP_NET_ADMIN"},
    {"has_ipt_legacy", extra, probe::iptables_legacy,
     "needs CONFIG_IP_NF_FILTER (module iptable_filter), and CAP_NET_ADMIN and CAP_NET_RAW"},
    {"sockopt_buf_lock", extra, probe::socket_buffer_lock, "needs Linux 5.15"},
    {"ipv6_freebind", extra, probe::ipv6_freebind, "needs Linux 4.15 with CONFIG_IPV6"},
    {"raise_limits", extra, probe::raise_limits,
     "needs CAP_SYS_RESOURCE; without it a limit above the engine's own is refused"},
    {"cgroups", extra, probe::cgroups, "needs CAP_SYS_ADMIN, or --cgroup-yard; --manage-cgroups=ignore does without"},
    {"dead_leaders", extra, probe::dead_leaders,
     "needs Linux 6.9; a process whose leading thread has exited is refused"},
    {"user_dispatch", extra, probe::user_dispatch, "needs Linux 6.4; without it syscall user dispatch is lost"},
    {"membarrier_get", extra, probe::membarrier_registrations,
     "needs Linux 6.3; without it registrations of MEMBARRIER_CMD_GLOBAL_EXPEDITED are lost"},
    {"sleep_times", extra, probe::sleep_times, "needs CONFIG_SCHED_DEBUG; without it waits with a limit begin anew"},
    {"apparmor_stacking", trial, probe::apparmor_stacking, "needs AppArmor with stacked profiles"},
};

}  // namespace

std::span<const Feature> feature_table() { return table; }

const Feature* find_feature(const std::string& name) {
  for (const Feature& feature : table)
    if (name == feature.name) return &feature;
  return nullptr;
}

}  // namespace nsr
