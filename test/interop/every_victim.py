#!/usr/bin/python3
"""Every live-test victim that can be dumped: each of its images decodes as crit does it and encodes to the same bytes.
every_victim.py BUILD [NAME...]"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIVE = os.path.join(HERE, "..", "live")
sys.path[:0] = [LIVE, os.path.join(LIVE, "scenarios")]
from common import Failed, Scenario, read
from run import Directives, own_mounts

# thousands of the same record or hundreds of megabytes of pages, which show nothing that others do not
HEAVY = {"fd_100000", "mem_hugetlb_1g", "mem_large", "mem_vmas_10000", "threads_1000", "tree_deep", "mem_pagemap_words"}
# names that are no UTF-8, which the string fields of this format cannot carry through crit
NO_TEXT = {"memfd_states", "proc_odd_names"}
# makes the host swap until it has verified
LASTING = {"mem_swapped"}
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"


def names():
    for file in sorted(os.listdir(os.path.join(LIVE, "victims"))):
        name = file.removesuffix(".c")
        directives = Directives(os.path.join(LIVE, "victims", file))
        flavours = re.search(r"^// flavours:(.*)", read(os.path.join(LIVE, "victims", file)), re.M)
        on_host = not flavours or set(flavours[1].split()) & {"host", "ns", "leave"}
        if on_host and not directives.refused and not directives.terminal and name not in HEAVY | NO_TEXT | LASTING:
            yield name, directives


def run(s):
    own_mounts()
    # victims that are killed here do not put it back
    huge_pages = read(HUGE_PAGES)
    try:
        recode_all(s)
    finally:
        with open(HUGE_PAGES, "w") as f:
            f.write(huge_pages)


def recode_all(s):
    wanted, dumped = set(sys.argv[2:]), []
    for name, directives in names():
        if wanted and name not in wanted:
            continue
        pid = s.start_victim(name, environment=directives.environment)
        if pid is None:
            print(f"{name}: skipped: {read(s.path(name, 'result')).strip()}")
            continue
        images = os.path.join(name, "images")
        s.dump(pid, images, "--leave-running", *directives.engine, *directives.dump)
        dumped.append(s.path(images))
        s.kill_orphans()
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "recode.py"), *dumped], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        wrong = [line for line in done.stdout.splitlines() if " same by " not in line]
        raise Failed("images that do not come back:\n" + "\n".join(wrong)[-3000:])
    print(f"{len(dumped)} victims; {done.stdout.splitlines()[-1]}")
    if not wanted and len(dumped) < 150:
        raise Failed("too few victims")


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
