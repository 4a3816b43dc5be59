#!/usr/bin/python3
"""Time of ns-restore around an engine that does nothing, against `unshare -pf --mount-proc /bin/true` and a static exec, medians
of one run:  launcher_bench.py NS-RESTORE FAKE-ENGINE"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../live/launcher"))
from harness import Run

ROUNDS = 60


def once(command, env):
    quiet = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    start = time.perf_counter()
    os.waitpid(os.posix_spawn(command[0], command, env, file_actions=quiet), 0)
    return (time.perf_counter() - start) * 1e3


def main():
    run = Run(*sys.argv[1:3])
    try:
        env = run.environment(options="noroot")
        commands = [run.command(), ["/usr/bin/unshare", "-pf", "--mount-proc", "/bin/true"], [sys.argv[2]]]
        times = [[] for _ in commands]
        for _ in range(ROUNDS):  # in turns, so that a busy moment hits all alike
            for each, command in zip(times, commands):
                each.append(once(command, env))
        restore, unshare, static = (sorted(each)[ROUNDS // 2] for each in times)
        print(f"ns-restore {restore:.2f} ms, unshare {unshare:.2f} ms, static exec {static:.2f} ms: "
              f"{restore / unshare:.2f} times unshare (aim: at most 2)")
        sys.exit(restore > 2 * unshare)
    finally:
        run.end()


if __name__ == "__main__":
    main()
