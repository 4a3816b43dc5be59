#!/usr/bin/python3
"""Real dumps of live victims through the peer's tools: each image decodes and encodes to the same bytes, `crit show` reads the main
ones, and `restore --plan` tells the steps and does none.  real_dump.py BUILD"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live"))
sys.path.insert(0, os.path.join(HERE, "..", "live", "scenarios"))
from common import Failed, Scenario, read

VICTIMS = ("monster", "tree_sessions", "tree_zombies", "pipe_data", "timer_posix", "sig_pending", "mem_file_private", "tcp_listen",
           "epoll_targets", "regs_amx", "file_shared")


def run(s):
    dumped = []
    for name in VICTIMS:
        pid = s.start_victim(name)
        if pid is None:
            print(f"{name}: skipped: {read(s.path(name, 'result')).strip()}")
            continue
        images = os.path.join(name, "images")
        s.dump(pid, images, "--leave-running")
        dumped.append(s.path(images))
        show = s.command(["/usr/bin/crit", "show", s.path(images, "pstree.img")])
        if f'"pid": {pid}' not in show.stdout:
            raise Failed(f"{name}: crit shows no pid {pid}: {show.stdout[:300]}")
        before = set(os.listdir("/proc"))
        plan = s.command([os.path.join(s.bin, "ns-engine"), "restore", "--plan", "-D", s.path(images)])
        if str(pid) not in plan.stdout or len(plan.stdout.splitlines()) < 5:
            raise Failed(f"{name}: the plan says {plan.stdout[:300]!r}")
        by_launcher = s.command([os.path.join(s.bin, "ns-restore"), "--plan", "-D", s.path(images)])
        if by_launcher.stdout != plan.stdout:
            raise Failed(f"{name}: ns-restore --plan says something else")
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "recode.py"), *dumped], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print(done.stdout[-3000:])
    if done.returncode != 0:
        raise Failed("images that do not come back")
    if len(dumped) < 8:
        raise Failed("too few victims")


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
