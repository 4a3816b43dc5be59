"""What the kernel shows of a process tree from outside, in a form that can be compared before and after a restore.

Everything is keyed by the ids the tree itself sees (last column of NSpid), so a host tree and one in a pid namespace compare.
Numbers that no restore can keep (inodes of pipes and sockets, mount ids) are replaced by their order of appearance.
"""
import os
import re
import shutil
import signal
import stat
import subprocess

STATUS = ("Name Umask Tgid Uid Gid Groups NSpgid NSsid VmStk VmLck SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm CapEff "
          "CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters Speculation_Store_Bypass SpeculationIndirectBranch "
          "THP_enabled untag_mask x86_Thread_features x86_Thread_features_locked Cpus_allowed Mems_allowed").split()
# proc(5), /proc/PID/stat, numbered from 1
STAT = {"comm": 2, "priority": 18, "nice": 19, "startcode": 26, "endcode": 27, "startstack": 28, "exit_signal": 38,
        "rt_priority": 40, "policy": 41, "start_data": 45, "end_data": 46, "start_brk": 47, "arg_start": 48, "arg_end": 49,
        "env_start": 50, "env_end": 51}
FILES = ("limits", "cmdline", "environ", "comm", "oom_score_adj", "coredump_filter", "personality", "loginuid", "cgroup", "auxv")
GO_BIT = 1 << (signal.SIGRTMIN + 14 - 1)
LINKS = ("cwd", "root", "exe")
NOT_SHOWN = "<not shown>"
# Numbers that the kernel gives out in the order of creation, and a pid as the host counts
FDINFO_SKIP = ("eventfd-id", "map_id", "Pid")
# What else differs in a line of fdinfo between a file and the same one made again: (key, pattern, text instead).
# An inode below (major 0) of no disk is a new one; what was deleted is another inode with that content.
NEW_INODE = ((r"lock", r" \S+:\S+:\d+ ", " * "), (r"ino", r"\d+", "*"), (r"tfd", r"\b(ino|sdev):[0-9a-f]+", r"\1:*"))
FDINFO_LOOSE = (
    (r"lock", r"(READ|WRITE|UNLCK) -?\d+", r"\1 *"),                         # a pid of the host
    (r"NSpid", r"\t.*\t", "\t"),                                            # outer namespaces' ids
    (r"it_value", r"\([1-9]\d*, \d+\)|\(0, [1-9]\d*\)", "(running)"),     # time goes on
    (r"ticks", r"[1-9]\d*", "some"),
    (r"tfd", r"\b(ino|sdev):[0-9a-f]+", r"\1:*"),                           # of targets without a disk, most of them
    (r"(inotify|fanotify).*", r"\b(ino|f_handle):[0-9a-f]+", r"\1:*"),      # of deleted ones; those of others are in the mark
    (r"inotify.*|fanotify.*", r"\bsdev:[0-9a-f]{1,5}\b", "sdev:*"),             # no disk: a number given out in order
    (r"fanotify mnt_id", r"mnt_id:[0-9a-f]+", "mnt_id:*"),                   # ns-restore has mounts of its own
    (r"(memlock|SqThreadCpu|SqTotalTime|SqWorkTime|CachedSqHead|CachedCqTail)", r"-?\d+", "*"),
)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("latin-1")
    except OSError as e:
        return f"<{e.strerror}>"


def link(path):
    try:
        return os.readlink(path)
    except OSError as e:
        return f"<{e.strerror}>"


def status_of(path):
    return dict(line.split(":", 1) for line in read(path + "/status").splitlines() if ":" in line)


def inner(status, key):
    return status.get(key, "0").split()[-1]


def tree_of(root):
    """Host pids of root and all its descendants, parents first."""
    found, queue = [], [root]
    while queue:
        pid = queue.pop(0)
        found.append(pid)
        for tid in threads_of(pid):
            queue += [int(c) for c in read(f"/proc/{pid}/task/{tid}/children").split() if c.isdigit()]
    return found


def is_worker(path):
    """A thread that the kernel made for an io_uring: PF_IO_WORKER or PF_USER_WORKER in its flags."""
    fields = read(path + "/stat").rpartition(")")[2].split()
    return len(fields) > 6 and int(fields[6]) & 0x4010 != 0


def threads_of(pid):
    """The program's own threads."""
    try:
        return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task") if not is_worker(f"/proc/{pid}/task/{t}"))
    except OSError:
        return []


def all_ids(root):
    """Every process and thread id of the tree as the host sees it."""
    return sorted({tid for pid in tree_of(root) for tid in threads_of(pid)} | set(tree_of(root)))


def inner_id(path):
    return inner(status_of(path), "NSpid")


def stat_fields(path):
    text = read(path + "/stat")
    close = text.rfind(")")
    if close < 0:
        return {}
    fields = [text[:text.find(" ")], text[text.find("(") + 1:close]] + text[close + 2:].split()
    return {name: fields[number - 1] for name, number in STAT.items() if number <= len(fields)}


class Namer:
    """Gives pipes, sockets and the like names by order of appearance."""

    def __init__(self):
        self.names = {}

    def name(self, target):
        m = re.fullmatch(r"(pipe|socket|mnt|net|pid|ipc|uts|user|cgroup|time):\[(\d+)\]", target)
        if not m:
            return target
        return self.names.setdefault(target, f"{m[1]}:[#{len(self.names)}]")


def mount_points(pid):
    """Mount id -> mount point, as the process has it."""
    return {line.split()[0]: line.split()[4] for line in read(f"/proc/{pid}/mountinfo").splitlines()}


def mount_of(path, mounts):
    """For a mount that is in no list of the process: an inner one (pipes, sockets), or one of another namespace."""
    above = [m for m in mounts.values() if (path + "/").startswith(m.rstrip("/") + "/")]
    return max(above, key=len) if above and path.startswith("/") else "inner"


def has_new_inode(path, target):
    """Whether the file that this descriptor refers to is another inode when it is made again."""
    try:
        st = os.stat(path)
    except OSError:
        return True
    return os.major(st.st_dev) == 0 or target.endswith(" (deleted)")


def inode(path, target):
    """Type, mode, owner, names and size of what a descriptor refers to."""
    try:
        st = os.stat(path)
    except OSError as e:
        return e.strerror
    text = f"{st.st_mode:o} {st.st_uid}:{st.st_gid}"
    if target.endswith(" (deleted)"):
        text += f" {st.st_nlink} names"
    if stat.S_ISREG(st.st_mode):
        text += f" {st.st_size} bytes"
    if stat.S_ISCHR(st.st_mode):
        text += f" {os.major(st.st_rdev)}"  # the minor of a pseudo-terminal is its name
    return text


def fdinfo(pid, fd, target, mounts, namer):
    """All lines of fdinfo, but for what no restore can bring back."""
    rules = FDINFO_LOOSE + (NEW_INODE if has_new_inode(f"/proc/{pid}/fd/{fd}", target) else ())
    lines, text = [], read(f"/proc/{pid}/fdinfo/{fd}")
    if "it_interval:" in text and "it_interval: (0, 0)" not in text:  # between expiry and read it shows no time
        text = text.replace("it_value: (0, 0)", "it_value: (running)")
    for line in text.splitlines():
        key = line.split(":", 1)[0]
        if key in FDINFO_SKIP:
            continue
        if key == "mnt_id":
            line = "mnt_id:\t" + (mounts.get(line.split()[1]) or mount_of(target, mounts))
        for wanted, pattern, instead in rules:
            if re.fullmatch(wanted, key):
                line = re.sub(pattern, instead, line)
        line = re.sub(r"(pipe|socket):\[\d+\]", lambda m: namer.name(m[0]), line)  # what an io_uring has registered
        lines.append(" ".join(line.split()))
    return "; ".join(sorted(lines))


# Words of ss(8) about a TCP connection that packets do not change, and what it says of options.
SS_WORDS = re.compile(r"\b(ts|sack|ecn|fastopen|wscale:\S+|md5keys:\S+|uid:\d+|v6only:\d|fwmark:\S+)(?=\s|$)")
SS_OPTIONS = re.compile(r"inet-sockopt: \(([^)]*)\)")


def descriptors_of(pid):
    try:
        return sorted(int(f) for f in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return []


def sockets_of(root):
    """As listed_sockets(), again while a socket of the tree is missing: the kernel leaves some out of a list when others come and
    go at that moment. UNIX sockets it has in another list, too; of some other kinds ss shows none."""
    targets = {link(f"/proc/{pid}/fd/{fd}") for pid in tree_of(root) for fd in descriptors_of(pid)}
    wanted = {t[len("socket:["):-1] for t in targets if t.startswith("socket:[")}
    out, unix = {}, set()
    for attempt in range(100 if wanted and shutil.which("ss") else 0):
        out |= listed_sockets(root)
        # this list may leave some out as well
        unix |= {field for line in read(f"/proc/{root}/net/unix").splitlines() for field in line.split()[6:7]}
        missing = wanted - out.keys()
        if not missing or (attempt >= 7 and not missing & unix):
            break
    return out


def listed_sockets(pid):
    """inode -> what ss(8) shows of the sockets in the network namespace of that process, and a UNIX socket's peer."""
    text = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ss", "-HnatuwxeiO0", "--inet-sockopt"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, errors="replace").stdout
    out = {}
    for line in text.splitlines():
        kind, state, received, sent, *rest = line.split()
        queue = f"{received} of {sent}" if state == "LISTEN" else received if kind.startswith("u_") else ""
        if kind == "u_dgr":
            state = ""   # the kernel's note of whether others are or were connected to it
        if kind.startswith("u_") and len(rest) >= 4:   # ADDRESS INODE PEER INODE
            out[rest[1]] = (f"{kind} {state} {queue} {rest[0]}", rest[3])
        elif inode := re.search(r"\bino:(\d+)", line):
            words = SS_WORDS.findall(line) + [w for part in SS_OPTIONS.findall(line) for w in part.split()]
            out[inode[1]] = (f"{kind} {state} {queue} {rest[0]} {rest[1]} {' '.join(words)}", None)
    return out


def socket_of(sockets, namer, target):
    """The line of one descriptor's target; another socket in it by its name here."""
    text, peer = sockets.get(target[len("socket:["):-1], (NOT_SHOWN, None))
    if peer and peer != "0":
        text += " to " + namer.name(f"socket:[{peer}]")
    return text


# Before, neighbours that look alike stay two where each had pages of its own first; which ones had is not restored.
KERNEL_JOINS_MAPPINGS = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 16)


def joined(lines):
    """The lines of maps, or of taskstate, with each mapping that goes on where an alike one ends made part of that."""
    out = []
    for line in lines:
        start, end, before, offset, behind = re.fullmatch(r"(\w+)-(\w+) (.*?\b(?:off=)?)([0-9a-f]+)( .*)", line).groups()
        start, end, offset, what = int(start, 16), int(end, 16), int(offset, 16), (before, behind)
        if out:
            first, last, from_offset, alike = out[-1]
            anonymous = offset == from_offset == 0
            if last == start and what == alike and (anonymous or offset == from_offset + last - first):
                out[-1] = (first, end, from_offset, alike)
                continue
        out.append((start, end, offset, what))
    return [f"{start:x}-{end:x} {before}{offset:x}{behind}" for start, end, offset, (before, behind) in out]


def maps_of(pid, namer):
    """maps without inode columns of objects that have no stable one."""
    lines = []
    for line in read(f"/proc/{pid}/maps").splitlines():
        parts = line.split(None, 5)
        name = parts[5] if len(parts) > 5 else ""
        device = f"{parts[3]} {parts[4]}" if name.startswith("/") and "(deleted)" not in name else ""
        lines.append(f"{parts[0]} {parts[1]} {parts[2]} {device} {namer.name(name)}")
    return "\n".join(lines if KERNEL_JOINS_MAPPINGS else joined(lines))


def task_state(letter):
    """Running and all kinds of sleeping are one; stopped, traced and zombie are states of their own."""
    return letter if letter in "TtZX" else "run"


def snapshot(root):
    """dict key -> text for the whole tree; keys read like 'pid 12 tid 13 status Umask'."""
    out, namer, sockets = {}, Namer(), sockets_of(root)
    for pid in tree_of(root):
        p = f"/proc/{pid}"
        status = status_of(p)
        if not status:
            continue
        me = f"pid {inner(status, 'NSpid')}"
        zombie = status.get("State", "").strip().startswith("Z")
        out[f"{me} tgid pgid sid"] = " ".join(inner(status, k) for k in ("NStgid", "NSpgid", "NSsid"))
        if pid != root:
            out[f"{me} parent"] = inner(status_of(f"/proc/{status['PPid'].strip()}"), "NSpid")
        if zombie:
            out[f"{me} zombie"] = read(p + "/stat").split()[-1]
            out[f"{me} comm"] = read(p + "/comm")
        else:
            process(out, namer, sockets, me, p, pid)
        for tid in threads_of(pid):
            thread(out, me, f"{p}/task/{tid}")
    return out


def process(out, namer, sockets, me, p, pid):
    for name in FILES:
        out[f"{me} {name}"] = read(f"{p}/{name}")
    for name in LINKS:
        out[f"{me} {name}"] = link(f"{p}/{name}")
    out[f"{me} timers"] = re.sub(r"([pt]id\.)\d+", r"\1*", read(f"{p}/timers"))
    out[f"{me} timers"] = re.sub(r"signal: (\d+)/[0-9a-fx]+", r"signal: \1", out[f"{me} timers"])
    out[f"{me} slack"] = read(f"{p}/timerslack_ns")
    out[f"{me} maps"] = maps_of(pid, namer)
    mounts = mount_points(pid)
    for fd in descriptors_of(pid):
        target = link(f"{p}/fd/{fd}")
        out[f"{me} fd {fd}"] = namer.name(target)
        if target.startswith("socket:["):
            out[f"{me} fd {fd} ss"] = socket_of(sockets, namer, target)
        out[f"{me} fd {fd} inode"] = inode(f"{p}/fd/{fd}", target)
        out[f"{me} fd {fd} info"] = fdinfo(pid, fd, target, mounts, namer)


def thread(out, me, path):
    status = status_of(path)
    if not status:
        return
    who = f"{me} tid {inner(status, 'NSpid')}"
    state = task_state(status["State"].strip()[0])
    out[f"{who} state"] = state
    if state == "Z":
        return
    for key in STATUS:
        if key in status:
            value = status[key].strip()
            if key == "SigBlk":  # sigwaitinfo unblocks the go signal while it waits
                value = f"{int(value, 16) & ~GO_BIT:016x}"
            out[f"{who} status {key}"] = value.split()[-1] if key.startswith("NS") else inner(status, "NStgid") if key == "Tgid" else value
    for key, value in stat_fields(path).items():
        out[f"{who} stat {key}"] = value
    out[f"{who} comm"] = read(path + "/comm")
    out[f"{who} attr"] = read(path + "/attr/current")


def from_taskstate(text):
    """Lines of the program taskstate, by process and section, without what the harness itself changes."""
    out = {}
    for line in text.splitlines():
        pid, section, rest = (line.split(" ", 2) + ["", ""])[:3]
        if not out and section == "ids":
            rest = re.sub(r"ppid=\d+", "ppid=outside", rest)
        rest = re.sub(r"blocked=([0-9a-f]+)", lambda m: f"blocked={int(m[1], 16) & ~GO_BIT:016x}", rest)
        if section == "map":
            rest = re.sub(r"socket:\[\d+\]", "socket:[*]", rest)
            rest = re.sub(r" gu\]", "]", rest)  # had a guard once: not to be had where every page is in use
            if not KERNEL_JOINS_MAPPINGS:
                rest = rest.replace(" ac", "")  # counted as memory: from when it was filled on, though it is read-only
        key = f"taskstate {pid} {section}" + (" " + rest.split(" ")[0] if section in ("thread", "fd", "ns") else "")
        out[key] = out[key] + "\n" + rest if key in out else rest
    if not KERNEL_JOINS_MAPPINGS:
        out |= {key: "\n".join(joined(text.splitlines())) for key, text in out.items() if key.endswith(" map")}
    return out


def without_link_counts(shown):
    """The same without the names that open files have: the images of a tree that goes on hold one with --link-remap."""
    return {key: re.sub(r" \d+ names", "", value) if key.endswith(" inode") else value for key, value in shown.items()}


def differences(before, after, ignore=()):
    """Lines that tell what differs. ignore: regular expressions of keys that the victim says may change."""
    lines = []
    for key in sorted(set(before) | set(after)):
        a, b = before.get(key, "<absent>"), after.get(key, "<absent>")
        if a == b or any(re.search(r, key) for r in ignore):
            continue
        if key.endswith(" ss") and NOT_SHOWN in (a, b):  # on a busy host the kernel's lists lack a socket now and then
            continue
        if "\n" in a or "\n" in b:
            left, right = a.splitlines(), b.splitlines()
            lines += [f"{key}: - {x}" for x in left if x not in right][:8]
            lines += [f"{key}: + {x}" for x in right if x not in left][:8]
            if set(left) == set(right):
                lines.append(f"{key}: other order")
        else:
            lines.append(f"{key}: before {a!r} after {b!r}")
    return lines
