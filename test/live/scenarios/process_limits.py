#!/usr/bin/python3
"""What a dump or restore says of state that cannot be kept:  process_limits.py NAME BUILD

Each function test_NAME is the ctest live.process_limits.NAME."""
import os
import resource
import subprocess
import sys

from common import Failed, Scenario, alive, read, until

SLEEP = ["/usr/bin/sleep", "1000"]
# keyctl(2) with KEYCTL_GET_KEYRING_ID: makes the process keyring (-2)
WITH_KEYRING = ["/usr/bin/python3", "-S", "-c", "import ctypes, time\nctypes.CDLL(None).syscall(250, 0, -2, 1)\ntime.sleep(1000)"]


def sleeping(s, argv):
    pid = s.spawn(argv).pid
    until(lambda: read(f"/proc/{pid}/syscall").split(" ")[0] == "230", "the program sleeps")  # clock_nanosleep
    return pid


def restore(s, **more):
    argv = [os.path.join(s.bin, "ns-engine"), "restore", "-d", "-D", s.path("images"), "-o", "restore.log", "--pidfile", s.path("pid")]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, **more)
    if done.returncode == 0:
        s.roots.append(int(read(s.path("pid"))))
    return done


def test_limit_too_low(s):
    """An engine that may not raise a limit to what the images want says so before it makes anything; one that may does it."""
    capable = int(read("/proc/self/status").split("CapEff:")[1].split()[0], 16) >> 24 & 1
    if capable:
        print("SKIP with CAP_SYS_RESOURCE any limit can be raised")
        sys.exit(77)
    pid = sleeping(s, SLEEP)
    s.dump(pid, "images")
    s.gone([pid])
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    low = 1 << 40
    if hard != resource.RLIM_INFINITY and hard <= low:
        print("SKIP the hard limit is low already")
        sys.exit(77)
    done = restore(s, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (low, low)))
    if done.returncode == 0 or f"pid {pid}: its limit file size is" not in done.stderr or "CAP_SYS_RESOURCE" not in done.stderr:
        raise Failed(f"status {done.returncode}: {done.stderr}")
    if alive(pid):
        raise Failed("a failed restore left its process")
    done = restore(s)
    if done.returncode:
        raise Failed(done.stderr)


def test_keyring_warning(s):
    """A process keyring is told to be lost, and only where there is one."""
    for argv, images, expected in (WITH_KEYRING, "with", True), (SLEEP, "without", False):
        s.dump(sleeping(s, argv), images, "-v2", "-R")
        if ("keyring" in read(s.path(images, "dump.log"))) != expected:
            raise Failed(f"{images} a keyring the log says: {read(s.path(images, 'dump.log'))}")


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
