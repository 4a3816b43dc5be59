// The probes behind the feature table. Each asks this kernel by doing the thing once, in a child where it would leave a
// trace.
#pragma once

namespace nsr::probe {

/// Runs f in a forked child; true when it returns true there.
bool in_child(bool (*f)());

// memory
bool soft_dirty();
bool aio_remap();
bool uffd();
bool uffd_noncoop();
bool map_vdso();
bool map_vdso_32();
bool memfd_hugetlb();
bool pagemap_scan();
bool pagemap_scan_guard_pages();
bool map_files();
// processes
bool seccomp_suspend();
bool seccomp_filters();
bool rseq_configuration();
bool breakpoints();
bool loginuid();
bool clone3_set_tid();
bool pidfd();
bool timer_ids();
bool nspid();
bool raise_limits();
bool dead_leaders();
bool user_dispatch();
bool membarrier_registrations();
bool sleep_times();
// files
bool mnt_id();
bool fdinfo_lock();
bool timerfd();
bool kcmp_epoll();
bool openat2();
bool autofs();
bool move_mount_set_group();
bool overlayfs_maps();
// namespaces and network
bool user_namespace();
bool cgroup_namespace();
bool cgroups();
bool time_namespace();
bool tun();
bool tun_namespace();
bool tcp_half_closed();
bool socket_namespace();
bool unix_socket_file();
bool raw_socket_diag();
bool nsid();
bool link_nsid();
bool new_ifindex();
bool external_net_namespace();
bool nftables();
bool iptables_legacy();
bool socket_buffer_lock();
bool ipv6_freebind();
bool apparmor_stacking();

}  // namespace nsr::probe
