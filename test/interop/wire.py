"""The container of an image: header words, records, payload. Written from the wire facts, independent of pycriu."""
import struct

COMMON, SERVICE, INVENTORY = 0x54564319, 0x55105940, 0x58313116

# magic -> (name, message of the first record, message of those after it)
TYPES = {}
for line in """
58313116 inventory inventory_entry     50273030 pstree pstree_entry        56303138 files file_entry
64413049 seccomp seccomp_entry         59423047 apparmor apparmor_entry    59383330 cgroup cgroup_entry
61404013 cpuinfo cpuinfo_entry         54323616 filelocks file_lock_entry  59133954 remap-fpath remap_file_path_entry
52583605 ghost-file-1f ghost_file_entry:ghost_chunk_entry                  48453499 memfd memfd_inode_entry
56453709 pipes-data pipe_data_entry    59333054 fifo-data pipe_data_entry  56264026 sk-queues sk_packet_entry
51465506 tcp-stream-1f tcp_stream_entry                                    59453036 tty-info tty_info_entry
59413026 tty-data tty_data_entry       64324033 bpfmap-data bpfmap_data_entry
55053847 core-1 core_entry             54432030 ids-1 task_kobj_ids_entry  57492820 mm-1 mm_entry
51403912 fs-1 fs_entry                 54023547 creds-1 creds_entry        56213732 fdinfo-1 fdinfo_entry
56084025 pagemap-1 pagemap_head:pagemap_entry                              54473203 utsns-1 utsns_entry
53115007 ipcns-var-1 ipc_var_entry     46283044 ipcns-shm-1 ipc_shm_entry  55453737 ipcns-msg-1 ipc_msg_entry
59573019 ipcns-sem-1 ipc_sem_entry     55933752 netns-1 netns_entry        57373951 netdev-1 net_device_entry
55474906 userns-1 userns_entry         43114433 timens-1 timens_entry      61157326 pidns-1 pidns_entry
55563928 mountpoints-1 mnt_entry       49353943 autofs-1 autofs_entry      67343323 binfmt-misc binfmt_misc_entry
57093306 stats-dump stats_entry        4e535254 nsr-task-1 nsr_task_entry  50363636 reg-files reg_file_entry
59255641 ext-files ext_file_entry      54123737 vmas-1 vma_entry           55344201 sigacts-1 sa_entry
57464056 itimers-1 itimer_entry        52603957 posix-timers-1 posix_timer_entry
57113925 rlimit-1 rlimit_entry         59255647 signal-s-1 siginfo_entry
""".split("\n"):
    words = line.split()
    for magic, name, message in zip(words[0::3], words[1::3], words[2::3]):
        first, _, rest = message.partition(":")
        TYPES[int(magic, 16)] = (name, first, rest or first)

RAW = ("pages-", "ifaddr-", "route-", "route6-", "rule-", "iptables-", "ip6tables-", "nftables-", "netns-ct-", "netns-exp-",
       "tmpfs-")


class Damaged(Exception):
    pass


def padded(n, to):
    return (n + to - 1) // to * to


def payload_size(message):
    """(bytes of data, bytes in the file) behind a record; None: all the rest."""
    kind = message.DESCRIPTOR.name
    if kind == "pipe_data_entry":
        n = message.bytes
    elif kind == "sk_packet_entry":
        n = message.length
    elif kind == "tcp_stream_entry":
        n = message.inq_len + message.outq_len
    elif kind == "bpfmap_data_entry":
        n = message.keys_bytes + message.values_bytes
    elif kind == "ghost_chunk_entry":
        n = message.len
    elif kind == "ghost_file_entry":
        return (0, 0) if message.chunks else None
    elif kind == "ipc_sem_entry":
        return 2 * message.nsems, padded(2 * message.nsems, 8)
    elif kind == "ipc_msg":
        return message.msize, padded(message.msize, 8)
    elif kind == "ipc_shm_entry":
        return (0, 0) if message.in_pagemaps else (message.size, padded(message.size, 4))
    else:
        n = 0
    return n, n


def header(magic):
    if magic == INVENTORY:
        return struct.pack("<I", magic)
    first = SERVICE if TYPES[magic][0].startswith("stats-") else COMMON
    return struct.pack("<II", first, magic)


def split_header(data):
    """(magic, offset of the first record); magic None when this is no image that we know."""
    if len(data) >= 4 and struct.unpack_from("<I", data)[0] == INVENTORY:
        return INVENTORY, 4
    if len(data) < 8:
        return None, 0
    first, magic = struct.unpack_from("<II", data)
    if first not in (COMMON, SERVICE) or magic not in TYPES or not data.startswith(header(magic)):
        return None, 0
    return magic, 8


def record(body):
    return struct.pack("<I", len(body)) + body


def records(data, magic, at, classes):
    """Yields (message, body, payload) with classes giving the message class of a name."""
    _, kind, rest = TYPES[magic]
    pending = 0  # ipc_msg records that belong to the queue before
    while at < len(data):
        if len(data) - at < 4:
            raise Damaged(f"stray bytes at {at}")
        size, = struct.unpack_from("<I", data, at)
        body = data[at + 4:at + 4 + size]
        if len(body) != size:
            raise Damaged(f"record of {size} bytes at {at} is cut short")
        message = getattr(classes, "ipc_msg" if pending else kind)()
        message.ParseFromString(body)
        pending = pending - 1 if pending else getattr(message, "qnum", 0) if kind == "ipc_msg_entry" else 0
        at += 4 + size
        kind = rest
        found = payload_size(message)
        used, room = found if found is not None else (len(data) - at,) * 2
        payload = data[at:at + room]
        if len(payload) != room:
            raise Damaged(f"payload of {room} bytes at {at} is cut short")
        if any(payload[used:]):
            raise Damaged(f"padding at {at + used} is not zero")
        at += room
        yield message, body, payload
    if pending:
        raise Damaged(f"{pending} messages of a queue are missing")
