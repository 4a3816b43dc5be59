#!/usr/bin/python3
"""Dump and restore of much memory against memcpy and write() of the same bytes, all in one run:  memory_bench.py BUILD [MIB] [ROUNDS]

Prints per victim the best of ROUNDS (others on the host only add to it): the engine's own times of the memory phases, out of its log, and the
ratios to memcpy (restore) and to write() of a hot buffer into a new file (dump) of the bytes that it has. fork has MIB/4 shared by
64 children: with it stands what those forks alone take. reserve has 16 pages in 1 TiB that is only reserved.
"""
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def baseline(victim, mode, mib, path="-"):
    out = float(subprocess.check_output([victim, mode, str(mib), path]))
    if path != "-":
        os.unlink(path)
    return out


def phase(log, name):
    m = re.search(rf"{name} (?:took )?(\d+) us", open(log).read())
    return int(m[1]) / 1000 if m else 0.0


def tree(pid):
    found = [pid]
    for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
        found += tree(int(child))
    return found


def end(root):
    """Kills a tree and waits until its ids are free again."""
    pidfds = [os.pidfd_open(pid) for pid in tree(root)]
    for fd in pidfds:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    for fd in pidfds:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll()
        os.close(fd)
    try:
        while os.waitpid(-1, 0):  # all of them are below us, which is the subreaper
            pass
    except ChildProcessError:
        pass


def one(engine, victim, mode, mib, directory):
    images = os.path.join(directory, "images")
    os.mkdir(images)
    child = subprocess.Popen([victim, mode, str(mib)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    child.stdout.read()  # ends when the victim has let go of it
    subprocess.check_call([engine, "dump", "-t", str(child.pid), "-D", images, "-v4", "-o", "dump.log", "--leave-running"], cwd=directory)
    dump, waited = phase(images + "/dump.log", "memory"), phase(images + "/dump.log", "memory: waited")
    end(child.pid)
    pidfile = os.path.join(directory, "pid")
    subprocess.check_call([engine, "restore", "-D", images, "-v4", "-o", "restore.log", "-d", "--pidfile", pidfile], cwd=directory)
    restore = phase(images + "/restore.log", "processes and memory") + phase(images + "/restore.log", "pages")
    end(int(open(pidfile).read()))
    os.unlink(pidfile)
    shutil.rmtree(images)
    return dump, restore, waited


def main():
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    build = os.path.abspath(sys.argv[1])
    mib = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    directory = tempfile.mkdtemp(prefix="memory_bench.", dir=build)
    victim = os.path.join(directory, "victim")
    subprocess.check_call(["cc", "-O2", "-o", victim, os.path.join(HERE, "memory_victim.c")])
    engine = os.path.join(build, "bin", "ns-engine")
    sizes = {"small": mib, "thp": mib, "holes": mib // 2, "vmas": 20, "fork": mib // 4, "reserve": 0}
    try:
        copy, write = {}, {}
        for size in sorted(set(sizes.values()) - {0}):
            copy[size] = min(baseline(victim, "memcpy", size) for _ in range(rounds))
            write[size] = min(baseline(victim, "write", size, directory + "/w") for _ in range(rounds))
            print(f"{size} MiB: memcpy {copy[size]:.1f} ms, write {write[size]:.1f} ms")
        print(f"64 forks with {mib // 4} MiB: {min(baseline(victim, 'forks', mib // 4) for _ in range(rounds)):.1f} ms")
        for mode, size in sizes.items():
            times = [one(engine, victim, mode, mib // 4 if mode == "fork" else mib, directory) for _ in range(rounds)]
            dump, restore, waited = (min(t[i] for t in times) for i in range(3))
            ratios = (f" ({dump / write[size]:.2f} write)", f" ({restore / copy[size]:.2f} memcpy)") if size else ("", "")
            print(f"{mode:7} dump {dump:7.1f} ms{ratios[0]}, of it waiting for smaps {waited:.1f} ms  restore {restore:7.1f} ms{ratios[1]}", flush=True)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
