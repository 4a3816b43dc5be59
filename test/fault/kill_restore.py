#!/usr/bin/python3
"""Kills a restore with SIGKILL at random instants:  kill_restore.py --build BUILD [--kills N] [--seed N]

Flavours in turns: the engine alone on the plain host, ns-restore's engine, and ns-restore itself. After each kill either nothing
of the tree is there, no process and no mount, or the whole tree runs and works (the kill came after its release)."""
import argparse
import ctypes
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios"))
from common import Failed, Scenario, alive, inner_pid, read, tree_of, until

TICKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live", "scenarios", "ticker.py")


def below_us(known):
    return [p for p in tree_of(os.getpid())[1:] if p not in known and alive(p)]


def running_root(s, known, ids):
    """The released tree's root: it is traced by nobody and its child is there."""
    for pid in below_us(known):
        if inner_pid(pid) == ids[0] and "TracerPid:\t0" in read(f"/proc/{pid}/status") and read(f"/proc/{pid}/comm").startswith("n1."):
            return pid
    return 0


class Killer:
    def __init__(self, s, rng):
        self.s, self.rng, self.durations, self.hits = s, rng, {}, 0

    def command(self, flavour):
        if flavour == "host":
            return [os.path.join(self.s.bin, "ns-engine"), "restore", "-d", "-D", self.s.path("images"), "-o", self.s.path("r.log")]
        return [os.path.join(self.s.bin, "ns-restore"), "-d", "-D", self.s.path("images"), "-o", self.s.path("r.log")]

    def victim(self, flavour, process, known):
        if flavour != "engine":
            return process.pid
        for pid in below_us(known):
            if read(f"/proc/{pid}/comm").strip() == "ns-engine":
                return pid
        return 0

    def once(self, flavour, ids, kill=True):
        known = set(tree_of(os.getpid()))
        begin = time.monotonic()
        null = subprocess.DEVNULL
        process = subprocess.Popen(self.command(flavour), stdin=null, stdout=null, stderr=null, cwd=self.s.dir, start_new_session=True)
        killed = 0
        if kill:
            time.sleep(self.rng.uniform(0, self.durations[flavour]))
            killed = self.victim(flavour, process, known)
            if killed and process.poll() is None:
                os.kill(killed, signal.SIGKILL)
        code = process.wait(30)
        self.durations.setdefault(flavour, time.monotonic() - begin)
        self.hits += code != 0

        asked = set()

        def settled():
            """A root that answers, or nothing. What the engine's end kills may still be seen for a moment."""
            self.s.reap()
            left = below_us(known)
            for pid in left:
                if read(f"/proc/{pid}/comm").startswith("n2."):
                    return True
            root = running_root(self.s, known, ids)
            if root and root not in asked:
                asked.add(root)
                os.kill(root, signal.SIGUSR1)
            return not left
        try:
            until(settled, f"{flavour}: nothing or a whole working tree is left", 15)
        except Failed as e:
            words = [f"{p}: {read(f'/proc/{p}/syscall').strip()} " + " ".join(read(f"/proc/{p}/status").split()) for p in below_us(known)]
            raise Failed(f"{e}; " + "\n".join(words)) from e
        left = below_us(known)
        if code == 0 and not left:
            raise Failed(f"{flavour}: it said that the tree runs, but it does not")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until(lambda: self.s.reap() or not below_us(known), "the tree is gone")


def leave_others_mounts():
    """What other tests mount meanwhile is not seen here; what they remove a mount point of goes here, too."""
    clone_newns, private_rec = 0x20000, 0x44000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(clone_newns) or libc.mount(None, b"/", None, private_rec, None):
        raise Failed(f"a mount namespace of its own: {os.strerror(ctypes.get_errno())}")


def run(s, args):
    leave_others_mounts()
    root = s.spawn(["/usr/bin/python3", TICKER]).pid
    until(lambda: read(f"/proc/{root}/comm").startswith("n1."), "the ticker runs")
    ids = tree_of(root)
    s.dump(root, "images")
    s.gone(ids)
    mounts = set(read("/proc/self/mountinfo").splitlines())
    killer = Killer(s, random.Random(args.seed))
    flavours = ("host", "engine", "launcher")
    for flavour in flavours:
        killer.once(flavour, ids, kill=False)
    for n in range(args.kills):
        killer.once(flavours[n % 3], ids)
        if more := set(read("/proc/self/mountinfo").splitlines()) - mounts:
            raise Failed(f"mounts are left: {more}")
    print(f"{args.kills} kills, {killer.hits} met the restore at work; seed {args.seed}")
    if killer.hits < args.kills // 4:
        raise Failed("too few kills met the restore at work")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--kills", type=int, default=90)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    args = parser.parse_args()
    Scenario(args.build).main(lambda s: run(s, args))


if __name__ == "__main__":
    main()
