#!/usr/bin/python3
"""Trees whose processes come and go all the time, also while they are being stopped:  restless.py NAME BUILD

Each function test_NAME is the ctest live.restless.NAME."""
import os
import sys

from common import Scenario, alive, tree_of, until

# Every loop counts its rounds in the length of a file. The second leaves orphans to a reaper outside of the tree.
LOOPS = """
for i in 1 2 3; do (while :; do /bin/true; (:) & wait; printf . >>$0/$i; done) & done
(while :; do (/bin/true & ); printf . >>$0/4; done) &
while :; do (exit 3); printf . >>$0/5; done
"""


def rounds(s):
    return [os.path.getsize(s.path(str(i))) for i in range(1, 6)]


def goes_on(s):
    before = rounds(s)
    until(lambda: s.reap() or all(now > then for now, then in zip(rounds(s), before)), f"every loop goes on after {before}")


def start(s):
    for i in range(1, 6):
        open(s.path(str(i)), "w").close()
    root = s.spawn(["/bin/bash", "-c", LOOPS, s.dir]).pid
    goes_on(s)
    return root


def test_leave_running(s):
    root = start(s)
    for n in range(25):
        s.dump(root, f"images.{n}", "--leave-running")
        goes_on(s)


def test_restore(s):
    root = start(s)
    for n in range(8):
        pids = tree_of(root)
        s.dump(root, f"images.{n}")
        s.gone([pid for pid in pids if alive(pid)])
        root = s.ns_restore(f"images.{n}")
        goes_on(s)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
