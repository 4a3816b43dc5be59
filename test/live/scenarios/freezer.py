#!/usr/bin/python3
"""Dumps through a frozen cgroup, and of trees that are frozen when they are dumped:  freezer.py NAME BUILD

Each function test_NAME is the ctest live.freezer.NAME. The tree is a Python process with two threads that count in shared
memory (a file) and a child that does the same; it tells in a file how far each has come."""
import contextlib
import os
import signal
import subprocess
import sys

from common import Failed, Scenario, read, tree_of, until
from control_group import Group

CONTROLLERS = {"v1": "freezer", "v2": ""}
COUNTERS = 3
PROGRAM = f"""
import mmap, os, threading, time
f = os.open("count", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
os.ftruncate(f, {8 * COUNTERS})
counts = memoryview(mmap.mmap(f, {8 * COUNTERS})).cast("Q")
os.close(f)
def work(i):
    while True:
        counts[i] += 1
        time.sleep(0.001)
if os.fork() == 0:
    work(0)
threading.Thread(target=work, args=(1,), daemon=True).start()
work(2)
"""


def counts(s):
    with open(s.path("count"), "rb") as f:
        data = f.read()
    return [int.from_bytes(data[i * 8:i * 8 + 8], sys.byteorder) for i in range(COUNTERS)]


def runs(s):
    before = counts(s)
    until(lambda: all(now > then for now, then in zip(counts(s), before)), "all threads go on")


def start(s, group=None):
    def enter():
        os.chdir(s.dir)
        if group:
            group.add(os.getpid())
    child = subprocess.Popen(["/usr/bin/python3", "-S", "-c", PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=enter)
    s.processes.append(child)
    until(lambda: os.path.exists(s.path("count")) and all(counts(s)), "the tree works")
    return child.pid


def through(s, version):
    """All tasks are stopped by their cgroup, which is thawed at once; dumped again and restored."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, CONTROLLERS[version])
        pid = start(s, group)
        s.dump(pid, "running", "-R", "--freeze-cgroup", group.path)
        runs(s)
        tree = tree_of(pid)
        s.dump(pid, "images", "--freeze-cgroup", group.path)
        s.gone(tree)
        if group.is_frozen():
            raise Failed("the dump left its cgroup frozen")
        s.restore("images")
        runs(s)


def found(s, version):
    """A tree that its cgroup had frozen is dumped without any option, stays frozen, and comes back frozen."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, CONTROLLERS[version])
        pid = start(s, group)
        group.freeze(True)
        s.dump(pid, "running", "-R")
        until(group.is_frozen, "the cgroup is frozen again")
        tree = tree_of(pid)
        s.dump(pid, "images")
        s.gone(tree)
        s.restore("images")
        until(group.is_frozen, "the restored tree is frozen")
        group.freeze(False)
        runs(s)


def killed(s, version):
    """The engine dies while it has thawed a frozen cgroup: the cgroup is frozen again, and the tree goes on later."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, CONTROLLERS[version])
        pid = start(s, group)
        group.freeze(True)
        script = s.path("kill.sh")
        with open(script, "w") as f:
            f.write("#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != post-dump ] || kill -KILL $PPID\n")
        os.chmod(script, 0o700)
        os.mkdir(s.path("images"))
        done = s.command([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", s.path("images"), "-o", "dump.log",
                          "--action-script", script], ok=False)
        if done.returncode != -signal.SIGKILL:
            raise Failed(f"the engine ended with {done.returncode} instead of being killed")
        until(group.is_frozen, "the cgroup is frozen again")
        group.freeze(False)
        runs(s)


def test_through_v1(s):
    through(s, "v1")


def test_through_v2(s):
    through(s, "v2")


def test_found_v1(s):
    found(s, "v1")


def test_found_v2(s):
    found(s, "v2")


def test_killed_v1(s):
    killed(s, "v1")


def test_killed_v2(s):
    killed(s, "v2")


def test_outside(s):
    """A tree that is not in the cgroup is refused and runs on; so is a directory that is no cgroup."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "")
        pid = start(s)
        os.mkdir(s.path("images"))
        for path, reason in ((group.path, f"pid {pid}: it is not in the cgroup"), (s.dir, "it is no cgroup that can be frozen")):
            done = s.command([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", s.path("images"), "-o", "dump.log",
                              "--freeze-cgroup", path], ok=False)
            if done.returncode == 0 or reason not in done.stderr:
                raise Failed(f"{path}: status {done.returncode}, {done.stderr}")
            runs(s)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
