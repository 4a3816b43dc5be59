#!/usr/bin/python3
"""Kills the engine with SIGKILL at random instants of a dump of a multi-threaded victim.

Without --final the dump is one that leaves the victim running: one victim must survive all kills, go on working in every
thread after each, be dumpable in between, and verify itself at the end.
With --final the dump would end the victim: after each kill either the victim runs on and verifies itself, or all of its tasks
are gone and the images are complete (they were committed before the first task was killed).

The instants are spread uniformly over the duration of an undisturbed dump, measured first and all along; only those count
that met the engine at work.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import snapshot
from live import Failed, Log, Runner, Skipped
from run import Directives, HERE


class Killer:
    def __init__(self, args):
        self.args = args
        self.random = random.Random(args.seed)
        self.directives = Directives(os.path.join(HERE, "victims", args.victim + ".c"))
        self.reset()

    def reset(self):
        self.directory = tempfile.mkdtemp(prefix="fault.")
        os.chmod(self.directory, 0o777)
        self.runner = Runner(self.args.build, self.args.victim, self.directory, self.directives, Log(False))
        self.runner.start()
        self.runner.wait_settled()
        self.tasks = snapshot.all_ids(self.runner.root)

    def close(self):
        self.runner.clean()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_dump(self, *options):
        images = os.path.join(self.directory, "images")
        shutil.rmtree(images, ignore_errors=True)
        os.mkdir(images)
        argv = [os.path.join(self.runner.bin, "ns-engine"), "dump", "-t", str(self.runner.root), "-D", images, "-v4", "-o", "dump.log",
                *options, *self.directives.engine, *self.directives.dump]
        null = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, start_new_session=True)

    def whole_dump(self, *options):
        begin = time.monotonic()
        code = self.start_dump(*options).wait(self.directives.timeout)
        if code != 0:
            log = os.path.join(self.directory, "images", "dump.log")
            if os.path.exists(log):
                shutil.copy(log, self.directory)
            self.runner.print_tails()
            raise Failed(f"an undisturbed dump ended with {code}")
        return time.monotonic() - begin

    def killed_dump(self, after, *options):
        """True when the engine was still at work at that instant."""
        engine = self.start_dump(*options)
        time.sleep(after)
        alive = engine.poll() is None
        if alive:
            engine.send_signal(signal.SIGKILL)
        engine.wait()
        return alive and engine.returncode == -signal.SIGKILL

    def gone(self):
        self.runner.reap()
        return not os.path.exists(f"/proc/{self.runner.root}")

    def check_alive(self, what):
        """All tasks are there, none is stopped or traced, and the process gets CPU time."""
        pid = self.runner.root
        if self.gone() or snapshot.all_ids(pid) != self.tasks:
            raise Failed(f"{what}: tasks are missing: {len(self.tasks)} before, {len(snapshot.all_ids(pid))} now")

        def running():
            states = [snapshot.status_of(f"/proc/{t}") for t in self.tasks]
            return all(s.get("State", "X").strip()[0] in "RSD" and s.get("TracerPid", "1").strip() == "0" for s in states)
        self.runner.until(running, f"{what}: all tasks run, traced by nobody")
        before = self.ticks()
        self.runner.until(lambda: self.ticks() > before, f"{what}: the victim gets CPU time", 0.0005)

    def ticks(self):
        """Context switches of all threads: they sleep and wake for ever."""
        total = 0
        for t in self.tasks:
            status = snapshot.status_of(f"/proc/{t}")
            total += int(status.get("voluntary_ctxt_switches", "0"))
        return total


def median(durations):
    return sorted(durations)[len(durations) // 2]


def survive(killer, kills):
    options = ("--leave-running",)
    durations = [killer.whole_dump(*options) for _ in range(5)]
    hits = 0
    for n in range(3 * kills):
        if hits == kills:
            break
        after = killer.random.uniform(0, median(durations))
        begin = time.monotonic()
        if killer.killed_dump(after, *options):
            hits += 1
        else:
            durations = durations[-14:] + [min(time.monotonic() - begin, after)]  # the machine is faster now
        killer.check_alive(f"kill {n} after {after * 1000:.3f} ms")
        if n % 20 == 19:
            durations = durations[-14:] + [killer.whole_dump(*options)]
            killer.check_alive(f"dump after kill {n}")
    duration = median(durations)
    killer.runner.go()
    killer.runner.finish()
    return duration, hits


def final(killer, kills):
    durations = [killer.whole_dump("--leave-running") for _ in range(5)]
    hits = lost = 0
    for n in range(3 * kills):
        if hits == kills:
            break
        after = killer.random.uniform(0, median(durations) * 1.1)
        begin = time.monotonic()
        hit = killer.killed_dump(after)
        hits += hit
        if not hit:
            durations = durations[-6:] + [min(time.monotonic() - begin, after)]  # the machine is faster now
        what = f"kill {n} after {after * 1000:.3f} ms"
        if hit and not dying(killer):
            killer.check_alive(what)
            killer.runner.go()
            killer.runner.finish()
        else:
            killer.runner.until(lambda: not any(os.path.exists(f"/proc/{t}") for t in killer.tasks), f"{what}: all tasks are gone, not only some")
            if not os.path.exists(os.path.join(killer.directory, "images", "inventory.img")):
                raise Failed(f"{what}: the victim is gone and its images are not complete")
            lost += hit
        killer.close()
        killer.reset()
    return median(durations), hits, lost


def dying(killer):
    """The kill of the victim had begun: its leader is gone, a zombie, or has SIGKILL pending."""
    if killer.gone():
        return True
    status = snapshot.status_of(f"/proc/{killer.runner.root}")
    pending = int(status.get("ShdPnd", "0"), 16) | int(status.get("SigPnd", "0"), 16)
    return status.get("State", "X").strip()[0] in "ZX" or bool(pending >> (signal.SIGKILL - 1) & 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--victim", default="monster")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--final", action="store_true")
    args = parser.parse_args()
    killer = Killer(args)
    try:
        if args.final:
            duration, hits, lost = final(killer, args.kills)
            more = f", {lost} of them when the victim was being ended"
        else:
            duration, hits = survive(killer, args.kills)
            more = ""
        print(f"passed: {hits} of {args.kills} kills hit the engine at work{more}; dump {duration * 1000:.1f} ms; seed {args.seed}")
        if hits < args.kills // 2:
            raise Failed("fewer than half of the kills hit: nothing was tested")
        return 0
    except Skipped as e:
        print("skipped:", e)
        return 77
    except Failed as e:
        print(f"FAILED: {e}; seed {args.seed}")
        return 1
    finally:
        killer.close()


if __name__ == "__main__":
    sys.exit(main())
