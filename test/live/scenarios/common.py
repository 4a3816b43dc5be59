"""What the scenarios share: starting, dumping, restoring, and cleaning up whole process trees."""
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
LIMIT = 30.0 * float(os.environ.get("NSR_PATIENCE", 1))   # seconds that any single step may take


class Failed(Exception):
    pass


def say(text):
    print(text, flush=True)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def threads_of(pid):
    try:
        return sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    except OSError:
        return []


def tree_of(pid):
    pids = [pid]
    for p in pids:
        for t in threads_of(p):
            pids += map(int, read(f"/proc/{p}/task/{t}/children").split())
    return pids


def ns_ids(path):
    for line in read(path + "/status").splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]
    return []


def inner_pid(tid, pid=None):
    return (ns_ids(f"/proc/{pid or tid}/task/{tid}") or [0])[-1]


def alive(pid):
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def until(condition, what, limit=LIMIT):
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"no sign within {limit:.0f} s: {what}")
        time.sleep(0.002)
    return value


class Scenario:
    def __init__(self, build):
        self.bin = os.path.join(os.path.abspath(build), "bin")
        self.live = os.path.join(os.path.abspath(build), "live")
        self.dir = tempfile.mkdtemp(prefix="nsr-scenario.")
        self.occupier = None
        self.processes, self.roots, self.inits = [], [], []
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def spawn(self, argv, **more):
        """Starts argv in a session of its own, with no descriptor but /dev/null."""
        null = subprocess.DEVNULL
        child = subprocess.Popen(argv, stdin=null, stdout=null, stderr=more.pop("stderr", null), cwd=more.pop("cwd", "/"), start_new_session=True, **more)
        self.processes.append(child)
        return child

    def start_victim(self, name, directory=None, environment=None):
        """A live-test victim up to its word "ready"; its pid, or None when it skips itself."""
        directory = self.path(directory or name)
        os.makedirs(os.path.join(directory, "cwd"))
        os.mkfifo(os.path.join(directory, "ready"))
        open(os.path.join(directory, "result"), "w").close()
        fifo = os.open(os.path.join(directory, "ready"), os.O_RDONLY | os.O_NONBLOCK)
        child = self.spawn([os.path.join(self.live, name), directory], cwd=os.path.join(directory, "cwd"), env={**os.environ, **(environment or {})})
        text = b""

        def ready():
            nonlocal text
            with contextlib.suppress(BlockingIOError):
                text += os.read(fifo, 4096)
            return b"\n" in text or child.poll() is not None
        try:
            until(ready, f"{name} becomes ready")
        finally:
            os.close(fifo)
        return child.pid if child.poll() is None else None

    def command(self, argv, ok=True):
        """Runs argv to its end; its last line on stderr is the reason when it fails."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", timeout=LIMIT, cwd=self.dir)
        if ok and done.returncode != 0:
            raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def reap(self):
        """Ours and the orphans, for whom we stand in as init."""
        for child in self.processes:
            child.poll()
        ours = {child.pid for child in self.processes}
        for pid in map(int, read(f"/proc/self/task/{os.getpid()}/children").split()):
            if pid not in ours and (not self.occupier or pid != self.occupier.pid) and not alive(pid):
                os.waitpid(pid, 0)

    def dump(self, pid, images, *options, enter=()):
        os.makedirs(self.path(images), exist_ok=True)
        self.command([*enter, os.path.join(self.bin, "ns-engine"), "dump", "-t", str(pid), "-D", self.path(images), "-o", "dump.log", *options])

    def restore(self, images, *options, enter=(), ok=True):
        """A detached restore under the same ids. Where other tests have taken one meanwhile it is tried again."""
        pidfile = tempfile.mktemp(prefix="pid.", dir=self.dir)
        argv = [*enter, os.path.join(self.bin, "ns-engine"), "restore", "-d", "-D", self.path(images), "-v4", "-o", "restore.log", "--pidfile", pidfile, *options]
        done = self.command(argv, ok=False)
        end = time.monotonic() + LIMIT
        while done.returncode != 0 and "this id is taken on this host" in done.stderr and time.monotonic() < end:
            done = self.command(argv, ok=False)
        if ok and done.returncode != 0:
            raise Failed(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        if done.returncode == 0:
            self.roots.append(int(read(pidfile)))
        return done

    def ns_restore(self, images, *options, enter=()):
        """A detached restore; returns the root's pid."""
        pidfile = tempfile.mktemp(prefix="pid.", dir=self.dir)
        self.command([*enter, os.path.join(self.bin, "ns-restore"), "-d", "-D", self.path(images), "-o", "restore.log", "-v4", "--pidfile", pidfile, *options])
        self.roots.append(int(read(pidfile)))
        parent = int(read(f"/proc/{self.roots[-1]}/stat").rsplit(")", 1)[1].split()[1] or 0)
        if read(f"/proc/{parent}/comm").strip() == "ns-restore-init":
            self.inits.append(parent)
        return self.roots[-1]

    def kill_orphans(self):
        """Kills and reaps what is below us, whoever has started it; true while there is something."""
        left = tree_of(os.getpid())[1:]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return left

    def gone(self, pids):
        until(lambda: self.reap() or not any(os.path.exists(f"/proc/{p}") for p in pids), f"processes {pids} end")

    def occupy(self, ids):
        """Gives these ids of our own pid namespace to other processes."""
        self.occupier = subprocess.Popen([os.path.join(self.live, "occupy")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         start_new_session=True)
        self.occupier.stdin.write("".join(f"{i}\n" for i in ids) + "\n")
        self.occupier.stdin.flush()
        answer = self.occupier.stdout.readline().strip()
        if answer != f"occupied {len(ids)}":
            raise Failed("occupy: " + answer)

    def occupier_has(self, pid):
        return read(f"/proc/{pid}/comm").strip() == "occupy"

    def clean(self):
        for pid in self.roots + self.inits:  # with an init goes all that is left in its namespace
            if alive(pid) and read(f"/proc/{pid}/comm").strip() != "occupy":
                os.kill(pid, signal.SIGKILL)
        for child in self.processes:
            if child.poll() is None:
                for pid in tree_of(child.pid):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                child.wait()
        if self.occupier:
            self.occupier.stdin.close()
            self.occupier.wait()
        until(lambda: not self.kill_orphans(), "what the scenario has left behind ends")
        shutil.rmtree(self.dir, ignore_errors=True)

    def main(self, run):
        try:
            run(self)
        except (Failed, OSError, subprocess.TimeoutExpired) as e:
            for directory, _, names in os.walk(self.dir):
                for name in names:
                    if name.endswith(".log") and name != "service.log":
                        say(f"--- {name}\n" + "\n".join(read(os.path.join(directory, name)).splitlines()[-8:]))
            say(f"FAILED: {e}")
            sys.exit(1)
        finally:
            self.clean()
