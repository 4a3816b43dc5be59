// Texts of /proc as Linux 6.18 printed them for one program made to hold one of everything (shortened where it
// repeats).
#pragma once

namespace samples {

inline constexpr char locked[] = R"TEXT(pos:	0
flags:	02100002
mnt_id:	27
ino:	10952979
lock:	1: FLOCK  ADVISORY  WRITE 18077 fe:00:10952979 0 EOF
lock:	2: POSIX  ADVISORY  WRITE 18077 fe:00:10952979 10 29
lock:	3: OFDLCK ADVISORY  READ -1 fe:00:10952979 100 EOF
)TEXT";

inline constexpr char lease[] = R"TEXT(pos:	0
flags:	0120000
mnt_id:	27
ino:	10953011
lock:	1: LEASE  ACTIVE    READ 18077 fe:00:10953011 0 EOF
)TEXT";

inline constexpr char locks[] = R"TEXT(1: LEASE  ACTIVE    READ 18077 fe:00:10953011 0 EOF
2: FLOCK  ADVISORY  WRITE 18077 fe:00:10952979 0 EOF
3: OFDLCK ADVISORY  READ -1 fe:00:10952979 100 EOF
4: POSIX  ADVISORY  WRITE 18077 fe:00:10952979 10 29
)TEXT";

inline constexpr char eventfd[] = R"TEXT(pos:	0
flags:	02
mnt_id:	17
ino:	1038
eventfd-count:               12
eventfd-id: 1
eventfd-semaphore: 1
)TEXT";

inline constexpr char epoll[] = R"TEXT(pos:	0
flags:	02
mnt_id:	17
ino:	1038
tfd:        7 events: 80000019 data:     deadbeefcafe  pos:0 ino:40e sdev:10
)TEXT";

inline constexpr char signalfd[] = R"TEXT(pos:	0
flags:	02
mnt_id:	17
ino:	1038
sigmask:	8000000000000200
)TEXT";

inline constexpr char timerfd[] = R"TEXT(pos:	0
flags:	02
mnt_id:	17
ino:	1038
clockid: 1
ticks: 1
settime flags: 01
it_value: (0, 0)
it_interval: (5, 6)
)TEXT";

inline constexpr char inotify[] = R"TEXT(pos:	0
flags:	00
mnt_id:	17
ino:	1038
inotify wd:e ino:ebb1 sdev:15 mask:2 ignored_mask:0 fhandle-bytes:c fhandle-type:81 f_handle:b1eb00000000000000000000
inotify wd:d ino:a72212 sdev:fe00000 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:1222a700b47e041c
inotify wd:1 ino:a72103 sdev:fe00000 mask:fff ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:0321a70044a921e6
)TEXT";

inline constexpr char fanotify[] = R"TEXT(pos:	0
flags:	02
mnt_id:	17
ino:	1038
fanotify flags:0 event-flags:8000
fanotify sdev:fe00000 mflags:0 mask:20 ignored_mask:0
fanotify mnt_id:1b mflags:0 mask:20 ignored_mask:0
fanotify ino:a72103 sdev:fe00000 mflags:0 mask:38 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:0321a70044a921e6
)TEXT";

inline constexpr char pidfd[] = R"TEXT(pos:	0
flags:	02000002
mnt_id:	4
ino:	18078
Pid:	18077
NSpid:	18077
)TEXT";

inline constexpr char dead_pidfd[] = R"TEXT(pos:	0
flags:	02000002
mnt_id:	4
ino:	18079
Pid:	-1
NSpid:	-1
)TEXT";

inline constexpr char tun_unset[] = R"TEXT(pos:	0
flags:	0100002
mnt_id:	24
ino:	105
iff:	
)TEXT";

inline constexpr char tun[] = R"TEXT(pos:	0
flags:	0100002
mnt_id:	24
ino:	105
iff:	nsrcap0
)TEXT";

inline constexpr char bpf_map[] = R"TEXT(pos:	0
flags:	02000002
mnt_id:	17
ino:	1038
map_type:	2
key_size:	4
value_size:	8
max_entries:	3
map_flags:	0x0
map_extra:	0x0
memlock:	336
map_id:	25
frozen:	0
)TEXT";

inline constexpr char bpf_prog[] = R"TEXT(pos:	0
flags:	02000002
mnt_id:	17
ino:	1038
prog_type:	1
prog_jited:	1
prog_tag:	59f4a931744dcdc6
memlock:	4096
prog_id:	97
run_time_ns:	0
run_cnt:	0
recursion_misses:	0
verified_insns:	2
)TEXT";

inline constexpr char io_uring[] = R"TEXT(pos:	0
flags:	02000002
mnt_id:	17
ino:	60368
SqMask:	0x7
SqHead:	0
SqTail:	0
CachedSqHead:	0
CqMask:	0xf
CqHead:	0
CqTail:	0
CachedCqTail:	0
SQEs:	0
CQEs:	0
SqThread:	-1
SqThreadCpu:	-1
SqTotalTime:	0
SqWorkTime:	0
UserFiles:	0
UserBufs:	0
PollList:
CqOverflowList:
NAPI:	disabled
)TEXT";

inline constexpr char userfaultfd[] = R"TEXT(pos:	0
flags:	00
mnt_id:	17
ino:	60371
pending:	0
total:	0
API:	aa:80000000:80000000000001ff
)TEXT";

inline constexpr char ptmx[] = R"TEXT(pos:	0
flags:	0100002
mnt_id:	24
ino:	91
tty-index:	0
)TEXT";

inline constexpr char unix_socket[] = R"TEXT(pos:	0
flags:	02
mnt_id:	10
ino:	60376
scm_fds: 0
)TEXT";

inline constexpr char timers[] = R"TEXT(ID: 3
signal: 14/0000000000000000
notify: signal/pid.18077
ClockID: -6
ID: 2
signal: 35/00007fff86e452a8
notify: none/pid.18077
ClockID: 7
ID: 1
signal: 35/00007fff86e452a8
notify: signal/tid.18077
ClockID: 0
ID: 0
signal: 35/00007fff86e452a8
notify: signal/pid.18077
ClockID: 1
)TEXT";

inline constexpr char maps[] =
    R"TEXT(55f57f416000-55f57f418000 r--p 00000000 fe:00 10953025                   /tmp/pf/cap
55f57f418000-55f57f41a000 r-xp 00002000 fe:00 10953025                   /tmp/pf/cap
55f57f41a000-55f57f41b000 r--p 00004000 fe:00 10953025                   /tmp/pf/cap
55f57f41b000-55f57f41c000 r--p 00004000 fe:00 10953025                   /tmp/pf/cap
55f57f41c000-55f57f41d000 rw-p 00005000 fe:00 10953025                   /tmp/pf/cap
55f5bf239000-55f5bf25a000 rw-p 00000000 00:00 0                          [heap]
7f95bff1b000-7f95bff1e000 rw-p 00000000 00:00 0 
7f95c01d3000-7f95c01e0000 rw-p 00000000 00:00 0 
7f95c0417000-7f95c041a000 rw-p 00000000 00:00 0 
7f95c041c000-7f95c041e000 rw-p 00000000 00:00 0 
7f95c041f000-7f95c0420000 rw-p 00000000 00:00 0 
7f95c0420000-7f95c0421000 rw-s 00000000 00:10 60368                      anon_inode:[io_uring]
7f95c0421000-7f95c0422000 r-xs 00000000 00:01 1050                       /memfd:x y (deleted)
7f95c0422000-7f95c0423000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)
7f95c0423000-7f95c0424000 r--s 00000000 00:01 1048                       /dev/zero (deleted)
7f95c0424000-7f95c0425000 ---s 00000000 00:01 1047                       /dev/zero (deleted)
7f95c0425000-7f95c0426000 rw-p 00000000 00:00 0 
7f95c0426000-7f95c0427000 rw-p 00000000 00:00 0 
7f95c0427000-7f95c0428000 r--p 00000000 fe:00 10952997                   /tmp/pf/d/gone (deleted)
7f95c0428000-7f95c0429000 rw-s 00001000 fe:00 10952979                   /tmp/pf/d/sp ace\012nl (x)
7f95c0429000-7f95c042b000 rw-p 00000000 00:00 0 
7f95c042b000-7f95c042f000 r--p 00000000 00:00 0                          [vvar]
7f95c042f000-7f95c0431000 r--p 00000000 00:00 0                          [vvar_vclock]
7f95c0431000-7f95c0433000 r-xp 00000000 00:00 0                          [vdso]
7ffee2fca000-7ffee2feb000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
)TEXT";

inline constexpr char smaps[] =
    R"TEXT(55f57f416000-55f57f418000 r--p 00000000 fe:00 10953025                   /tmp/pf/cap
Size:                  8 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   8 kB
Pss:                   8 kB
Pss_Dirty:             8 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         8 kB
Referenced:            8 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd mr mw me 
55f57f418000-55f57f41a000 r-xp 00002000 fe:00 10953025                   /tmp/pf/cap
Size:                  8 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   8 kB
Pss:                   8 kB
Pss_Dirty:             8 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         8 kB
Referenced:            8 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd ex mr mw me 
55f57f41b000-55f57f41c000 r--p 00004000 fe:00 10953025                   /tmp/pf/cap
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   4 kB
Pss:                   4 kB
Pss_Dirty:             4 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         4 kB
Referenced:            4 kB
Anonymous:             4 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd mr mw me ac 
55f57f41c000-55f57f41d000 rw-p 00005000 fe:00 10953025                   /tmp/pf/cap
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   4 kB
Pss:                   4 kB
Pss_Dirty:             4 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         4 kB
Referenced:            4 kB
Anonymous:             4 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd wr mr mw me ac 
7f95c041f000-7f95c0420000 rw-p 00000000 00:00 0 
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd wr mr mw me um ac 
7f95c0420000-7f95c0421000 rw-s 00000000 00:10 60368                      anon_inode:[io_uring]
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   4 kB
Pss:                   4 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         4 kB
Private_Dirty:         0 kB
Referenced:            4 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd wr sh mr mw ms de mm 
7f95c0421000-7f95c0422000 r-xs 00000000 00:01 1050                       /memfd:x y (deleted)
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd ex sh mr mw me ms 
7f95c0422000-7f95c0423000 rw-s 00000000 00:01 0                          /SYSV00000000 (deleted)
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd wr sh mr mw me ms 
7f95c0423000-7f95c0424000 r--s 00000000 00:01 1048                       /dev/zero (deleted)
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd sh mr mw me ms 
7f95c0424000-7f95c0425000 ---s 00000000 00:01 1047                       /dev/zero (deleted)
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: sh mr mw me ms 
7f95c0425000-7f95c0426000 rw-p 00000000 00:00 0 
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   4 kB
Pss:                   4 kB
Pss_Dirty:             4 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         4 kB
Referenced:            4 kB
Anonymous:             4 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                4 kB
THPeligible:           0
VmFlags: rd wr mr mw me lo ac 
7f95c042b000-7f95c042f000 r--p 00000000 00:00 0                          [vvar]
Size:                 16 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd mr pf io de dd 
7f95c0431000-7f95c0433000 r-xp 00000000 00:00 0                          [vdso]
Size:                  8 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   4 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          4 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            4 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd ex mr mw me de 
7ffee2fca000-7ffee2feb000 rw-p 00000000 00:00 0                          [stack]
Size:                132 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                  24 kB
Pss:                  24 kB
Pss_Dirty:            24 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:        24 kB
Referenced:           24 kB
Anonymous:            24 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: rd wr mr mw me gd ac 
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Size:                  4 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                   0 kB
Pss:                   0 kB
Pss_Dirty:             0 kB
Shared_Clean:          0 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Referenced:            0 kB
Anonymous:             0 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
THPeligible:           0
VmFlags: ex 
)TEXT";

inline constexpr char status[] = R"TEXT(Name:	a b) R (\\\n
Umask:	0022
State:	R (running)
Tgid:	18077
Ngid:	0
Pid:	18077
PPid:	18069
TracerPid:	0
Uid:	0	0	0	0
Gid:	0	0	0	0
FDSize:	256
Groups:	 
NStgid:	18077
NSpid:	18077
NSpgid:	18069
NSsid:	3312
Kthread:	0
VmPeak:	    5708 kB
VmSize:	    5708 kB
VmLck:	       4 kB
VmPin:	       0 kB
VmHWM:	    2968 kB
VmRSS:	    2968 kB
RssAnon:	     212 kB
RssFile:	    2756 kB
RssShmem:	       0 kB
VmData:	     276 kB
VmStk:	     132 kB
VmExe:	       8 kB
VmLib:	    3116 kB
VmPTE:	      56 kB
VmSwap:	       0 kB
HugetlbPages:	       0 kB
CoreDumping:	0
THP_enabled:	1
untag_mask:	0xffffffffffffffff
Threads:	1
SigQ:	4/96365
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
SigBlk:	0000000000000000
SigIgn:	0000000000000000
SigCgt:	0000000000000000
CapInh:	0000000000000000
CapPrm:	000001fffeffffff
CapEff:	000001fffeffffff
CapBnd:	000001fffeffffff
CapAmb:	0000000000000000
NoNewPrivs:	0
Seccomp:	0
Seccomp_filters:	0
Speculation_Store_Bypass:	vulnerable
SpeculationIndirectBranch:	always enabled
Cpus_allowed:	3
Cpus_allowed_list:	0-1
Mems_allowed:	00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000001
Mems_allowed_list:	0
voluntary_ctxt_switches:	2
nonvoluntary_ctxt_switches:	0
)TEXT";

inline constexpr char stat[] = R"TEXT(18077 (a b) R (\
) R 18069 18069 3312 0 -1 4194560 172 20 0 0 0 0 0 0 20 0 1 0 219102 5844992 697 18446744073709551615 94512890347520 94512890352761 140732706757840 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94512890363312 94512890364336 94513962127360 140732706761378 140732706761384 140732706761384 140732706762738 0
)TEXT";

inline constexpr char limits[] = R"TEXT(Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    unlimited            bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             96365                96365                processes 
Max open files            20000                20000                files     
Max locked memory         8388608              8388608              bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       96365                96365                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      unlimited            unlimited            us        
)TEXT";

inline constexpr char zombie_status[] = R"TEXT(Name:	a b) R (\\\n
State:	Z (zombie)
Tgid:	18079
Ngid:	0
Pid:	18079
PPid:	18077
TracerPid:	0
Uid:	0	0	0	0
Gid:	0	0	0	0
FDSize:	0
Groups:	 
NStgid:	18079
NSpid:	18079
NSpgid:	18069
NSsid:	3312
Kthread:	0
Threads:	1
SigQ:	4/96365
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
SigBlk:	0000000000000000
SigIgn:	0000000000000000
SigCgt:	0000000000000000
CapInh:	0000000000000000
CapPrm:	000001fffeffffff
CapEff:	000001fffeffffff
CapBnd:	000001fffeffffff
CapAmb:	0000000000000000
NoNewPrivs:	0
Seccomp:	0
Seccomp_filters:	0
Speculation_Store_Bypass:	vulnerable
SpeculationIndirectBranch:	always enabled
Cpus_allowed:	3
Cpus_allowed_list:	0-1
Mems_allowed:	00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000001
Mems_allowed_list:	0
voluntary_ctxt_switches:	1
nonvoluntary_ctxt_switches:	0
)TEXT";

inline constexpr char zombie_stat[] = R"TEXT(18079 (a b) R (\
) Z 18077 18069 3312 0 -1 4227148 20 0 0 0 0 0 0 0 20 0 1 0 219104 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 768
)TEXT";

inline constexpr char kthread_status[] = R"TEXT(Name:	kthreadd
Umask:	0022
State:	S (sleeping)
Tgid:	2
Ngid:	0
Pid:	2
PPid:	0
TracerPid:	0
Uid:	0	0	0	0
Gid:	0	0	0	0
FDSize:	64
Groups:	 
NStgid:	2
NSpid:	2
NSpgid:	0
NSsid:	0
Kthread:	1
Threads:	1
SigQ:	4/96365
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
SigBlk:	0000000000000000
SigIgn:	ffffffffffffffff
SigCgt:	0000000000000000
CapInh:	0000000000000000
CapPrm:	000001ffffffffff
CapEff:	000001ffffffffff
CapBnd:	000001ffffffffff
CapAmb:	0000000000000000
NoNewPrivs:	0
Seccomp:	0
Seccomp_filters:	0
Speculation_Store_Bypass:	vulnerable
SpeculationIndirectBranch:	always enabled
Cpus_allowed:	3
Cpus_allowed_list:	0-1
Mems_allowed:	00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000001
Mems_allowed_list:	0
voluntary_ctxt_switches:	63
nonvoluntary_ctxt_switches:	0
)TEXT";

}  // namespace samples
