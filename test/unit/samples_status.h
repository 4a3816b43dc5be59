// Texts of /proc/PID/status and stat as Linux 6.18 printed them for one program made to hold one of everything
// (shortened where it repeats).
#pragma once

namespace samples {

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
