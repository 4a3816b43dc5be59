"""Cgroups that a scenario makes and removes again, of v1 and of v2 (cgroups(7))."""
import contextlib
import os
import signal
import sys

from common import read, until

FREEZERS = ("freezer.state", "FROZEN", "THAWED"), ("cgroup.freeze", "1", "0")


def mount_of(controller):
    """Where the v1 hierarchy with this controller is mounted; that of v2 for "". Ends the test as skipped where there is none."""
    for line in read("/proc/mounts").splitlines():
        _, at, kind, options = line.split()[:4]
        if kind == "cgroup" and controller and controller in options.split(",") or kind == "cgroup2" and not controller:
            return at
    print(f"SKIP no cgroup hierarchy {controller or 'of v2'} is mounted here")
    sys.exit(77)


class Group:
    """A new cgroup PREFIX-PID/below, removed at the end of the stack with all processes in it."""

    def __init__(self, stack, controller, below="", prefix="nsr-live"):
        self.top = f"/{prefix}-{os.getpid()}"
        self.name = self.top + below           # as in /proc/PID/cgroup
        self.controller = controller
        self.mount = mount_of(controller)
        self.path = self.mount + self.name
        try:
            os.makedirs(self.path, exist_ok=True)
        except OSError as e:
            print(f"SKIP no cgroup can be made in {self.mount}: {e.strerror}")
            sys.exit(77)
        stack.callback(self.remove)

    def put(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(str(text))

    def get(self, name):
        return read(os.path.join(self.path, name)).strip()

    def has(self, name):
        return os.path.exists(os.path.join(self.path, name))

    def members(self):
        return sorted(map(int, self.get("cgroup.procs").split()))

    def add(self, pid):
        self.put("cgroup.procs", pid)

    def add_thread(self, tid):
        self.put("tasks" if self.controller else "cgroup.threads", tid)

    def freeze(self, on):
        for name, frozen, thawed in FREEZERS:
            if self.has(name):
                self.put(name, frozen if on else thawed)
                until(lambda: self.is_frozen() == on, f"the cgroup is {'frozen' if on else 'thawed'}")

    def is_frozen(self):
        return "frozen 1" in self.get("cgroup.events") or self.get("freezer.state") == "FROZEN"

    def remove(self):
        """With all that is in it and below it, from the top one on."""
        if os.path.isdir(self.mount + self.top):
            with contextlib.suppress(OSError):
                self.freeze(False)
            until(self.try_remove, "the cgroup is empty")  # who is still exiting is in no list but in the way

    def try_remove(self):
        for directory, _, _ in os.walk(self.mount + self.top, topdown=False):
            for name in "cgroup.procs", "tasks", "cgroup.threads":
                with contextlib.suppress(OSError):
                    for pid in map(int, read(os.path.join(directory, name)).split()):
                        os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        return not os.path.exists(self.mount + self.top)


def place_of(pid, controller, tid=None):
    """The cgroup of a thread as the kernel shows it."""
    for line in read(f"/proc/{pid}/task/{tid or pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if (controller in controllers.split(",")) if controller else not controllers:
            return path
    return None
