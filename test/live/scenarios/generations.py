#!/usr/bin/python3
"""Trees that were restored by ns-restore before, or live in pid namespaces:  generations.py NAME BUILD

Each function test_NAME is the ctest live.generations.NAME."""
import os
import signal
import subprocess
import sys

from common import LIMIT, Failed, Scenario, alive, inner_pid, ns_ids, read, threads_of, tree_of, until

HERE = os.path.dirname(os.path.abspath(__file__))
TICKER = ["/usr/bin/python3", os.path.join(HERE, "ticker.py")]
NEW_PIDNS = ["/usr/bin/unshare", "-pf", "--mount-proc"]


def name_of(pid):
    return read(f"/proc/{pid}/comm").strip()


def shown(pid, count):
    """Waits until the ticker shows this count; returns its own view of its pid and its child's."""
    until(lambda: name_of(pid).startswith(f"n{count}."), f"pid {pid} shows {name_of(pid)!r}, not count {count}")
    return tuple(map(int, name_of(pid).split(".")[1:]))


def tick(pid, count):
    os.kill(pid, signal.SIGUSR1)
    return shown(pid, count)


def inner_ids(root):
    return sorted(inner_pid(t, pid) for pid in tree_of(root) for t in threads_of(pid))


def start(s):
    root = s.spawn(TICKER).pid
    shown(root, 1)
    return root


def child_of(pid):
    return until(lambda: [p for p in tree_of(pid) if name_of(p).startswith("n1.")], "the ticker runs in its pid namespace")[0]


def test_rounds(s):
    """dump - ns-restore - dump - ns-restore: the inner ids stay, the host's change."""
    root = start(s)
    ids, seen, self_view = inner_ids(root), {root}, tick(root, 2)
    for n in range(6):
        s.dump(root, f"images.{n}")
        s.gone([root])
        root = s.ns_restore(f"images.{n}")
        assert inner_ids(root) == ids, (n, inner_ids(root), ids)
        assert tick(root, n + 3) == self_view
        assert root not in seen
        seen.add(root)


def test_leave_running(s):
    """A restored tree that is dumped and runs on is the same as before."""
    root = start(s)
    s.dump(root, "images.0")
    root = s.ns_restore("images.0")
    ids = inner_ids(root)
    for n in range(3):
        s.dump(root, f"images.{n + 1}", "--leave-running")
        assert tick(root, n + 2) and inner_ids(root) == ids
    copy = s.ns_restore("images.1")
    assert inner_ids(copy) == ids and tick(copy, 2)


def test_copies(s):
    """Any number side by side; each of them can be dumped and restored again."""
    root = start(s)
    ids = inner_ids(root)
    s.dump(root, "images")
    copies = [s.ns_restore("images") for _ in range(8)]
    for n, copy in enumerate(copies):
        for count in range(n):
            tick(copy, count + 2)
    for n, copy in enumerate(copies):
        assert inner_ids(copy) == ids and shown(copy, n + 1)
    s.dump(copies[5], "again")
    more = [s.ns_restore("again") for _ in range(2)]
    for each in more:
        assert inner_ids(each) == ids and tick(each, 7)


def test_copies_at_once(s):
    root = start(s)
    ids = inner_ids(root)
    s.dump(root, "images")
    commands = [subprocess.Popen([os.path.join(s.bin, "ns-restore"), "-d", "-D", s.path("images"), "-o", f"r{n}.log", "--pidfile",
                                  s.path(f"pid.{n}")], stdin=subprocess.DEVNULL) for n in range(6)]
    codes = [command.wait(LIMIT) for command in commands]
    s.roots += [int(read(s.path(f"pid.{n}")) or 0) for n in range(6) if os.path.exists(s.path(f"pid.{n}"))]
    assert codes == [0] * 6, codes
    for root in s.roots:
        assert inner_ids(root) == ids and tick(root, 2)


def test_root_is_init(s):
    """A root that is pid 1 of its namespace comes back as pid 1, with no other init around it."""
    root = child_of(s.spawn(NEW_PIDNS + ["/usr/bin/setsid", *TICKER]).pid)
    ids = inner_ids(root)
    assert ids[0] == 1 and tick(root, 2)[0] == 1
    for n in range(3):
        s.dump(root, f"images.{n}")
        s.gone([root])
        root = s.ns_restore(f"images.{n}")
        assert inner_ids(root) == ids and len(ns_ids(f"/proc/{root}")) == 2, ns_ids(f"/proc/{root}")
        assert tick(root, n + 3)[0] == 1
    members = tree_of(root)
    os.kill(root, signal.SIGKILL)
    s.gone(members)


def test_plain_restore_of_inner_tree(s):
    """Images of a tree that lived in a pid namespace restore on the plain host, too, where its ids are free."""
    root = start(s)
    ids = inner_ids(root)
    host = tree_of(root)
    s.dump(root, "images.0")
    root = s.ns_restore("images.0")
    inner = tree_of(root)
    s.dump(root, "images.1")
    s.gone(host + inner)
    s.command([os.path.join(s.bin, "ns-engine"), "restore", "-d", "-D", s.path("images.1"), "--pidfile", s.path("pid")])
    root = int(read(s.path("pid")))
    s.roots.append(root)
    assert inner_ids(root) == ids and root in ids and tick(root, 2)


def test_nested_three_deep(s):
    """ns-restore in three pid namespaces inside each other; the result is dumped from the host and from half way."""
    root = start(s)
    ids = inner_ids(root)
    s.dump(root, "images.0")
    before = set(os.listdir("/proc"))
    outer = s.spawn(NEW_PIDNS * 3 + [os.path.join(s.bin, "ns-restore"), "-D", s.path("images.0"), "--pidfile", s.path("pid")],
                    stderr=open(s.path("nested.log"), "w"))
    root = until(lambda: [p for p in tree_of(outer.pid) if name_of(p).startswith("n1.")], "the tree is restored; " + read(s.path("nested.log")))[0]
    until(lambda: read(s.path("pid")), "its pid file")
    assert len(ns_ids(f"/proc/{root}")) == 5 and int(read(s.path("pid"))) == ns_ids(f"/proc/{root}")[3]
    assert inner_ids(root) == ids and tick(root, 2)
    s.dump(root, "images.1", "--leave-running")
    # the same from inside of the second namespace
    second = [p for p in tree_of(outer.pid) if len(ns_ids(f"/proc/{p}")) == 3 and inner_pid(p) == 1][0]
    s.dump(ns_ids(f"/proc/{root}")[2], "images.2", enter=["/usr/bin/nsenter", "-t", str(second), "-p", "/usr/bin/unshare", "-m", "/bin/sh", "-c", 'mount -t proc proc /proc; exec "$@"', "sh"])
    for n in (1, 2):
        copy = s.ns_restore(f"images.{n}")
        assert inner_ids(copy) == ids and tick(copy, 3)
    outer.wait(LIMIT)


def test_spawning(s):
    """A tree that starts programs all the time, by vfork and by fork: threads that wait in vfork(), tasks that end while the
    tree is being stopped."""
    loop = "while :; do /bin/sh -c '/bin/true; /bin/true | /bin/true'; echo >>%s; done"
    count = [s.path("a"), s.path("b")]
    root = s.spawn(["/bin/sh", "-ec", f"({loop % count[0]}) & {loop % count[1]}"]).pid

    def goes_on():
        before = [len(read(path)) for path in count]
        until(lambda: all(len(read(path)) > n for path, n in zip(count, before)), "both loops go on")
    for n in range(10):
        goes_on()
        s.dump(root, f"left.{n}", "--leave-running")
    for n in range(5):
        goes_on()
        s.dump(root, f"images.{n}")
        root = s.ns_restore(f"images.{n}")
    goes_on()


def test_mount_namespace_goes_on(s):
    """Mounts made on the host later are seen inside; what the tree does to its own /proc stays inside."""
    root = start(s)
    s.dump(root, "images")
    before = read("/proc/self/mountinfo")
    root = s.ns_restore("images")
    assert read("/proc/self/mountinfo") == before
    assert os.readlink(f"/proc/{root}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    os.kill(root, signal.SIGKILL)
    s.gone([root])
    assert read("/proc/self/mountinfo") == before


if __name__ == "__main__":
    test = globals()["test_" + sys.argv[1]]

    def run(scenario):
        try:
            test(scenario)
        except AssertionError as e:
            import traceback
            raise Failed("".join(traceback.format_exception(e)[-2:])) from e
    Scenario(sys.argv[2]).main(run)
