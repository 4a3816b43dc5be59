#!/usr/bin/python3
"""Processes under seccomp, and an engine that is killed while it dumps them:  confined.py NAME BUILD

Each function test_NAME is the ctest live.confined.NAME. Without a living tracer the filters act, and kill whoever makes another call
than theirs: the child that dumps for the engine (engine/base/stand_in.h) survives it and gives everything back."""
import os
import random
import signal
import subprocess
import sys
import time

from common import Failed, Scenario, alive, read, tree_of, until

KILLS = 25
VICTIM_GO = signal.SIGRTMIN + 14


def is_traced(pid):
    return any(read(f"/proc/{p}/status").split("TracerPid:", 1)[-1].split()[0] not in ("0", "") for p in tree_of(pid) if alive(p))


def dump(s, pid, n):
    os.mkdir(s.path(f"images.{n}"))
    return subprocess.Popen([os.path.join(s.bin, "ns-engine"), "dump", "-R", "-t", str(pid), "-D", s.path(f"images.{n}"), "-o", "dump.log"],
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed(s, name):
    """At any moment of a dump; the next dump begins at once. In the end the victim finds all as it was."""
    pid = s.start_victim(name)
    tree = tree_of(pid)
    began = time.monotonic()
    if dump(s, pid, 0).wait(60):
        raise Failed("the dump failed")
    took = time.monotonic() - began
    dice = random.Random(7)
    for n in range(1, KILLS + 1):
        engine = dump(s, pid, n)
        time.sleep(dice.uniform(0, took))
        engine.kill()
        engine.wait()
    if dump(s, pid, KILLS + 1).wait(60):
        raise Failed("the dump after those that were killed failed")
    until(lambda: not is_traced(pid), "the tree is let go")
    if tree_of(pid) != tree:
        raise Failed(f"of {tree} there are {tree_of(pid)}")
    os.kill(pid, VICTIM_GO)
    until(lambda: not alive(pid), "the victim ends")
    if not read(s.path(name, "result")).endswith("PASS\n"):
        raise Failed(f"the victim says {read(s.path(name, 'result'))}")


def test_killed_deny_all(s):
    killed(s, "seccomp_deny_all")


def test_killed_strict(s):
    killed(s, "seccomp_strict")


def test_killed_filters(s):
    killed(s, "seccomp_filters")


def test_interrupted(s):
    """A signal to the engine reaches the one that works for it: the dump is undone, the exit status tells."""
    pid = s.start_victim("seccomp_deny_all")
    script = s.path("ask.sh")
    with open(script, "w") as f:
        f.write("#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != pre-dump ] || kill -TERM $(cat engine)\n")
    os.chmod(script, 0o700)
    os.mkdir(s.path("images"))
    argv = [os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", s.path("images"), "-W", s.dir, "-o", "dump.log", "--action-script", script]
    engine = subprocess.Popen(["/bin/sh", "-c", 'echo $$ >engine; exec "$@"', "sh", *argv], cwd=s.dir, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
    _, text = engine.communicate(timeout=60)
    if engine.returncode in (0, None):
        raise Failed(f"status {engine.returncode}: {text}")
    until(lambda: not is_traced(pid), "the tree is let go")
    if not alive(pid):
        raise Failed("the victim is gone")


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
