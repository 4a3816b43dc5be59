// Texts of /proc/PID/fdinfo as Linux 6.18 printed them for one program made to hold one of everything (shortened where
// it repeats).
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

}  // namespace samples
