#!/usr/bin/python3
"""Time for the state of processes and threads, medians of one run:  state_bench.py BUILD [ROUNDS] [THREADS...]

1. One process, its memory and files aside: the sums of the phases in the engine's log that STATE names (docs/process.md).
2. Each extra thread, both ways: from one number of threads (100, 1,000, 10,000) to the next, of whole commands, memory (a
   stack of two pages and its guard) and all else included; and how much of that the phases of STATE are.
3. What the kernel takes for a thread at least (floor.c).
Images are on tmpfs: a disk would be measured else."""
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios"))
from common import Scenario, read
from victims_bench import median, timed

STATE = {"dump": ("freezing", "describing the tree", "process state", "writing images"),
         "restore": ("reading images", "building programs", "creating the root", "groups", "descriptors, threads, state", "release")}


def phases(log):
    return {name: int(us) for name, us in re.findall(r"(?:dump|restore): (.*) took (\d+) us", read(log))}


def state_time(log, way):
    found = phases(log)
    return sum(found[name] for name in STATE[way]) / 1e3


def cycle(s, victim, rounds, threads, restorer):
    """Medians in ms: whole dump, its state, whole restore, its state."""
    figures = []
    for _ in range(rounds):
        room = tempfile.mkdtemp(dir=s.images)
        log = {way: os.path.join(room, way + ".log") for way in STATE}
        pid = s.start_victim(victim, os.path.basename(room), {"NSR_THREADS": str(threads)})
        dump = timed([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", room, "-v3", "-o", log["dump"]], s.dir)
        s.gone([pid])
        pidfile = os.path.join(room, "pid")
        restore = timed([os.path.join(s.bin, restorer[0]), *restorer[1:], "-d", "-D", room, "-v3", "-o", log["restore"], "--pidfile", pidfile], s.dir)
        root = int(read(pidfile))
        os.kill(root, 9)
        with contextlib.suppress(ChildProcessError):  # without a namespace of its own it has come to us
            os.waitpid(root, 0)
        s.gone([root])
        figures.append((dump, state_time(log["dump"], "dump"), restore, state_time(log["restore"], "restore")))
        shutil.rmtree(room)
    return [median(column) for column in zip(*figures)]


def run(s):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    counts = [int(n) for n in sys.argv[3:]] or [100, 1000, 10000]
    s.images = tempfile.mkdtemp(prefix="nsr-bench.", dir="/dev/shm")
    try:
        _, dump, _, restore = cycle(s, "bench_tiny", 3 * rounds, 1, ["ns-engine", "restore"])
        print(f"state of one process: dumped in {dump:.2f} ms, restored in {restore:.2f} ms (aim: under 1 ms each)")
        before = None
        for n in counts:
            figures = cycle(s, "bench_threads", rounds, n, ["ns-restore"])
            print(f"{n:6} threads: dump {figures[0]:7.1f} ms, ns-restore {figures[2]:7.1f} ms", end="")
            if before:
                dump, dump_state, restore, restore_state = ((b - a) / (n - before[0]) * 1e3 for a, b in zip(before[1], figures))
                print(f"; each extra thread {dump:.1f} and {restore:.1f} us (aim: under 60), of it state {dump_state:.1f} and {restore_state:.1f} us", end="")
            print(flush=True)
            before = n, figures
        print("floor for a thread:", subprocess.run([os.path.join(s.live, "bench_floor"), "1000"], check=True, capture_output=True,
                                                    text=True).stdout.strip().replace("\n", ", "))
    finally:
        shutil.rmtree(s.images)


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
