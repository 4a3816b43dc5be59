#!/usr/bin/python3
"""Dump and restore in one run, medians:  victims_bench.py BUILD [ROUNDS]

A tiny process, 1,000 threads and 10,000 VMAs, each dumped and brought back by ns-restore; the tiny one also against
`unshare -pf --mount-proc /bin/true` and a static program's exec."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios"))
from common import Failed, Scenario, read


def timed(argv, cwd):
    null = os.open("/dev/null", os.O_RDWR)
    quiet = [(os.POSIX_SPAWN_DUP2, null, n) for n in range(3)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=quiet)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    taken = time.perf_counter() - begin
    os.close(null)
    if code != 0:
        raise Failed(f"{' '.join(argv)} ended with {code}")
    return taken * 1e3


def median(values):
    return sorted(values)[len(values) // 2]


def cycle(s, name, rounds):
    """Medians of dump and restore of one victim, in ms."""
    dumps, restores = [], []
    for n in range(rounds):
        pid = s.start_victim(name, f"{name}.{n}")
        images = s.path(f"{name}.{n}", "images")
        os.mkdir(images)
        dumps.append(timed([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", images], s.dir))
        s.gone([pid])
        pidfile = s.path(f"{name}.{n}", "pid")
        restores.append(timed([os.path.join(s.bin, "ns-restore"), "-d", "-D", images, "--pidfile", pidfile], s.dir))
        root = int(read(pidfile))
        os.kill(root, 9)
        s.gone([root])
    return median(dumps), median(restores)


def run(s):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    unshare, static = [], []
    for _ in range(4 * rounds):
        unshare.append(timed(["/usr/bin/unshare", "-pf", "--mount-proc", "/bin/true"], s.dir))
        static.append(timed([os.path.join(s.bin, "ns-engine"), "--version"], s.dir))
    unshare, static = median(unshare), median(static)
    tiny_dump, tiny = cycle(s, "bench_tiny", rounds)
    print(f"tiny process:   dump {tiny_dump:6.2f} ms  ns-restore {tiny:6.2f} ms; unshare {unshare:.2f} ms, static exec {static:.2f} ms: "
          f"{tiny / unshare:.2f} times unshare (aim: at most 2), {tiny / static:.1f} times a static exec")
    for name, unit, many in (("threads_1000", "thread", 1000), ("mem_vmas_10000", "VMA", 10000)):
        dump, restore = cycle(s, name, 3)
        print(f"{name:15s} dump {dump:6.1f} ms  ns-restore {restore:6.1f} ms; over the tiny process {(dump - tiny_dump) / many * 1e3:.1f} and "
              f"{(restore - tiny) / many * 1e3:.1f} us a {unit}; {dump / unshare:.0f} and {restore / unshare:.0f} times unshare")


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
