#!/usr/bin/python3
"""What open files cost:  descriptors_bench.py BUILD [ROUNDS]

Trees with 1,000, 10,000 and 100,000 distinct open files (10,000 a process) are dumped and brought back by ns-restore, all in one run; medians.
Linear means that a file costs the same however many there are: the run fails when one of 100,000 costs more than twice one of 10,000."""
import os
import signal
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "live", "scenarios"))
from common import Failed, Scenario  # noqa: E402

MOST = 2.0  # times


def timed(call):
    begin = time.monotonic()
    result = call()
    return result, 1000 * (time.monotonic() - begin)


def cycle(s, kind, count, rounds):
    dumps, restores = [], []
    for n in range(rounds):
        name = f"{kind}.{count}.{n}"
        pid = s.start_victim("bench_descriptors", name, {"NSR_KIND": kind, "NSR_COUNT": str(count)})
        dumps.append(timed(lambda: s.dump(pid, name + ".images"))[1])
        s.gone([pid])
        root, taken = timed(lambda: s.ns_restore(name + ".images"))
        restores.append(taken)
        os.kill(root, signal.SIGKILL)
        s.gone([root])
    return statistics.median(dumps), statistics.median(restores)


def run(s):
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    slow = []
    for kind, counts in (("file", (1000, 10000, 100000)), ("pipe", (1000, 10000, 100000)), ("ghost", (100, 1000, 10000))):
        cost = {}
        for count in counts:
            cost[count] = cycle(s, kind, count, rounds)
            print(f"{count:7d} {kind:6s} dump {cost[count][0]:8.1f} ms, {cost[count][0] / count * 1e3:6.1f} us each;  "
                  f"ns-restore {cost[count][1]:8.1f} ms, {cost[count][1] / count * 1e3:6.1f} us each", flush=True)
        _, some, most = counts
        for what, i in (("dump", 0), ("restore", 1)):
            times = cost[most][i] / cost[some][i] / (most / some)
            print(f"        {what} of {most} {kind}s: {times:.2f} times what one of {some} costs")
            if times > MOST:
                slow.append(f"{what} of {kind}s")
    if slow:
        raise Failed("not linear: " + ", ".join(slow))


if __name__ == "__main__":
    Scenario(sys.argv[1]).main(run)
