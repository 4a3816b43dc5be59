#!/usr/bin/python3
"""Feeds the restore damaged image directories:  broken_images.py --build BUILD [--seed N] [--cases N]

A good image directory of a small tree with threads, pipes, an open file and pending state is damaged in many ways: each file
removed, emptied, truncated at several places, swapped with another, bytes flipped. Each damaged copy goes to ns-restore and must
end in time, either in a correct restore, or in a documented exit code with one sentence as the last line on stderr; in both cases
no process, mount or namespace may be left. A death of the engine by a signal is a failure.
"""
import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios"))
from common import Failed, Scenario, alive, read, threads_of, until

TICKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios", "ticker.py")
CASE_LIMIT = 20
IMAGES = re.compile(r".*\.img$")


def damages(directory, rng, wanted):
    """(description, function of a copy's path) in a fixed order, then random ones until there are enough."""
    names = sorted(n for n in os.listdir(directory) if IMAGES.match(n) and not n.startswith("stats-"))
    for name in names:
        size = os.path.getsize(os.path.join(directory, name))
        yield f"{name} removed", lambda d, n=name: os.unlink(os.path.join(d, n))
        yield f"{name} is a directory", lambda d, n=name: (os.unlink(os.path.join(d, n)), os.mkdir(os.path.join(d, n)))
        for at in sorted({0, 4, 8, 12, size // 2, size - 1}):
            if 0 <= at < size:
                yield f"{name} cut from {size} to {at} bytes", lambda d, n=name, a=at: os.truncate(os.path.join(d, n), a)
    made = 0
    while made < wanted:
        made += 1
        name = rng.choice(names)
        size = os.path.getsize(os.path.join(directory, name))
        kind = rng.randrange(4)
        if kind == 0:
            other = rng.choice(names)
            yield f"{name} replaced by {other}", lambda d, n=name, o=other: shutil.copy(os.path.join(directory, o), os.path.join(d, n))
        elif kind == 1:
            extra = rng.randbytes(rng.randrange(1, 40))
            yield f"{name} with {len(extra)} bytes more", lambda d, n=name, e=extra: append(os.path.join(d, n), e)
        elif size:
            flips = [(rng.randrange(size), rng.randrange(1, 256)) for _ in range(rng.choice((1, 1, 1, 4)))]
            yield f"{name} flipped {flips}", lambda d, n=name, f=flips: flip(os.path.join(d, n), f)


def append(path, extra):
    with open(path, "ab") as f:
        f.write(extra)


def flip(path, flips):
    with open(path, "r+b") as f:
        for at, bits in flips:
            f.seek(at)
            old = f.read(1)
            f.seek(at)
            f.write(bytes([old[0] ^ bits]))


def our_descendants(known):
    """Live processes below us that were not there before."""
    found, todo = [], [os.getpid()]
    while todo:
        pid = todo.pop()
        for task in threads_of(pid):
            for child in map(int, read(f"/proc/{pid}/task/{task}/children").split()):
                if child not in known:
                    todo.append(child)
                    if alive(child):
                        found.append(child)
    return found


class Breaker:
    def __init__(self, scenario):
        self.s = scenario
        self.codes = {}

    def restore(self, images):
        pidfile = self.s.path("pid")
        if os.path.exists(pidfile):
            os.unlink(pidfile)
        argv = [os.path.join(self.s.bin, "ns-restore"), "-d", "-D", images, "--pidfile", pidfile, "-o", self.s.path("restore.log"), "-v4"]
        with open(self.s.path("stderr"), "w+", errors="replace") as err:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd=self.s.dir, start_new_session=True)
            try:
                code = process.wait(CASE_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Failed(f"it took over {CASE_LIMIT} s")
            err.seek(0)
            return code, err.read(), pidfile

    def case(self, images):
        mounts = read("/proc/self/mountinfo")
        known = set(our_descendants(()))
        code, text, pidfile = self.restore(images)
        self.codes[code] = self.codes.get(code, 0) + 1
        if code == 0:
            self.kill(int(read(pidfile)))
        else:
            lines = text.strip().splitlines()
            if code < 0 or code == 10 or code > 128:
                raise Failed(f"it ended with {code}: {text}")
            if not lines or not 20 < len(lines[-1]) < 1000:
                raise Failed(f"it ended with {code} and said {text!r}")
            if os.path.exists(pidfile):
                raise Failed("it failed and left a pid file")
        until(lambda: self.s.reap() or not our_descendants(known), f"nothing is left; there are {our_descendants(known)}", 5)
        if read("/proc/self/mountinfo") != mounts:
            raise Failed("a mount is left")

    def kill(self, root):
        """A damage that the restore could not see (contents of a page). The tree is what was asked for; away with it."""
        init = int(next(line for line in read(f"/proc/{root}/status").splitlines() if line.startswith("PPid:")).split()[1]) if alive(root) else 0
        for pid in (root, init):
            if pid > 1 and pid != os.getpid() and alive(pid):
                os.kill(pid, signal.SIGKILL)


def run(s, args):
    rng = random.Random(args.seed)
    root = s.spawn(["/usr/bin/python3", TICKER]).pid
    until(lambda: read(f"/proc/{root}/comm").startswith("n1."), "the ticker runs")
    s.dump(root, "good")
    s.reap()
    breaker = Breaker(s)
    breaker.case(s.path("good"))
    if breaker.codes != {0: 1}:
        raise Failed(f"the undamaged images do not restore: {breaker.codes} {read(s.path('stderr'))}")
    done, bad, end = 0, [], time.monotonic() + args.seconds
    for what, damage in damages(s.path("good"), rng, args.cases):
        if time.monotonic() > end:
            break
        copy = s.path("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(s.path("good"), copy, copy_function=os.link)
        for name in os.listdir(copy):  # linked, but what is damaged is a file of its own
            if name in what:
                os.unlink(os.path.join(copy, name))
                shutil.copy(s.path("good", name), copy)
        damage(copy)
        done += 1
        try:
            breaker.case(copy)
        except Failed as e:
            bad.append(f"{what}: {e}")
            print("BAD", bad[-1], flush=True)
    print(f"{done} damaged directories, exit codes {dict(sorted(breaker.codes.items()))}, {len(bad)} wrong; seed {args.seed}")
    if done < 150:
        raise Failed("too few cases in the time")
    if bad:
        raise Failed(f"{len(bad)} cases went wrong")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--cases", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=100)
    args = parser.parse_args()
    Scenario(args.build).main(lambda s: run(s, args))


if __name__ == "__main__":
    main()
