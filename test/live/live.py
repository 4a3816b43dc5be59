"""One victim's life under the live tests: start, dump, restore, verify, clean up. run.py says in which order."""
import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time

import snapshot
import terminal

GO = signal.SIGRTMIN + 14
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Log:
    """Collects how long each step took."""

    def __init__(self, verbose):
        self.verbose, self.steps = verbose, []

    def step(self, name, seconds):
        self.steps.append((name, seconds))
        if self.verbose:
            print(f"  {name}: {seconds * 1000:.1f} ms", flush=True)

    def times(self):
        total = {}
        for name, seconds in self.steps:
            total.setdefault(name, []).append(seconds)
        return ", ".join(f"{name} {1000 * sum(t) / len(t):.1f} ms" + (f" (mean of {len(t)})" if len(t) > 1 else "")
                         for name, t in total.items())


class Runner:
    def __init__(self, build, name, directory, directives, log, kinds=""):
        self.bin = os.path.join(os.path.abspath(build), "bin")
        self.live = os.path.join(os.path.abspath(build), "live")
        self.name, self.dir, self.directives, self.log = name, directory, directives, log
        self.kinds = kinds     # namespaces of its own that the victim is pid 1 of, as tools/own_namespaces.c takes them
        self.root = 0          # the root task's pid as this process sees it
        self.statuses = {}     # wait statuses of all that was reaped
        self.occupier = None
        self.shell = None
        self.blocked = []      # (inner tid, syscall number) that must be inside that call before a dump
        self.words = []
        self.masters = []      # pseudo-terminals that somebody else has
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for stop in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop, lambda number, frame: sys.exit(128 + number))  # through all finally clauses

    # --- waiting -----------------------------------------------------------------------------------------------------
    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.statuses[pid] = status

    def until(self, condition, what, interval=0.002):
        """The kernel has no event for most of what is awaited here, hence the polling; never a fixed sleep."""
        end = time.monotonic() + self.directives.timeout
        while True:
            self.reap()
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(f"no sign within {self.directives.timeout:.0f} s: {what}")
            time.sleep(interval)

    # --- start -------------------------------------------------------------------------------------------------------
    def start(self):
        if not os.path.exists(os.path.join(self.live, self.name)):
            raise Failed(f"{self.live}/{self.name} is not built")
        fifo = os.path.join(self.dir, "ready")
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.close(os.open(os.path.join(self.dir, "result"), os.O_CREAT | os.O_WRONLY, 0o666))
        os.chmod(os.path.join(self.dir, "result"), 0o666)  # tasks of any user write to it
        work = os.path.join(self.dir, "cwd")
        os.mkdir(work)
        os.chmod(work, 0o777)
        begin = time.monotonic()
        self.root = self.spawn([os.path.join(self.live, self.name), self.dir], work)
        text = b""
        while True:  # until the writer has closed: the descriptor must not be in the dump
            self.reap()
            if self.root in self.statuses:
                self.ended_early()
            ready, _, _ = select.select([reader], [], [], 0.01)
            if ready:
                data = os.read(reader, 4096)
                if text and not data:
                    break
                text += data
            if time.monotonic() > begin + self.directives.timeout:
                raise Failed("the victim did not become ready")
        os.close(reader)
        self.log.step("start", time.monotonic() - begin)
        for line in text.decode().splitlines():
            words = line.split()[1:]
            if words[:1] == ["blocked"]:
                self.blocked += [(words[i], words[i + 1]) for i in range(1, len(words) - 1, 2)]

    def spawn(self, argv, work):
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C", "VICTIM": self.name}
        environment |= {key: value for key, value in os.environ.items() if key.startswith("NSR_")}
        if self.directives.terminal:
            self.shell = terminal.Shell()
            return self.shell.spawn(argv, work, environment, wait=False)
        null = subprocess.DEVNULL
        if self.kinds:
            starter = [os.path.join(self.live, "own_namespaces"), self.kinds, *argv]
            return int(subprocess.run(starter, stdin=null, stdout=subprocess.PIPE, cwd=work, env=environment, check=True).stdout)
        child = subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, cwd=work, start_new_session=True, env=environment)
        child.returncode = 0  # this class reaps it
        return child.pid

    def ended_early(self):
        code = os.waitstatus_to_exitcode(self.statuses[self.root])
        text = self.result()
        if code == 77:
            raise Skipped(text.strip())
        raise Failed(f"the victim ended with {code} before it was ready: {text.strip()}")

    def result(self):
        """Text of all files named result below the run directory (a victim may have changed its root)."""
        text = ""
        for path in (os.path.join(self.dir, "result"), os.path.join(self.dir, "cwd", "result")):
            if os.path.exists(path):
                with open(path) as f:
                    text += f.read()
        return text

    # --- state -------------------------------------------------------------------------------------------------------
    def wait_settled(self):
        """Until each leader waits for go (rt_sigtimedwait) or is a zombie or stopped, and the announced threads are where they
        should be. Which children exist is known then: a process forks its children before it waits."""
        being_made = 3 << 31  # the C library blocks its two internal signals (32, 33) only while it creates a thread

        def threads_made(pid):
            masks = [snapshot.status_of(f"/proc/{pid}/task/{t}").get("SigBlk", "0") for t in snapshot.threads_of(pid)]
            return all(int(mask, 16) & being_made != being_made for mask in masks)

        def settled(pid):
            if not threads_made(pid):
                return False
            state = snapshot.status_of(f"/proc/{pid}").get("State", "Z").strip()[0]
            return state in "TtZX" or snapshot.read(f"/proc/{pid}/syscall").split(" ")[0] in ("128", "<Input/output error>")
        if self.directives.leaders != "any":
            self.until(lambda: all(settled(p) for p in snapshot.tree_of(self.root)), "all leaders of the tree wait for go; " + self.result())
        self.wait_blocked()

    def wait_blocked(self):
        if not self.blocked:
            return
        paths = {}
        for pid in snapshot.tree_of(self.root):
            for tid in snapshot.threads_of(pid):
                paths[snapshot.inner_id(f"/proc/{pid}/task/{tid}")] = f"/proc/{pid}/task/{tid}"
        for tid, number in self.blocked:
            if tid not in paths:
                raise Failed(f"thread {tid} is not there")
            accepted = (number, "219")  # restart_syscall carries on the call
            path = paths[tid]

            def inside():
                if snapshot.read(path + "/stat") == "<No such file or directory>":
                    raise Failed(f"thread {tid} ended instead of going on in system call {number}; {self.result()}")
                return snapshot.read(path + "/syscall").split()[0] in accepted
            self.until(inside, f"thread {tid} inside system call {number}, it is in: {snapshot.read(path + '/syscall').strip()}")

    def snapshot(self):
        begin = time.monotonic()
        state = snapshot.snapshot(self.root)
        # VMA flags, sharing of open files by kcmp, and more
        seen = subprocess.run([os.path.join(self.bin, "taskstate"), str(self.root)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=self.directives.timeout)
        if seen.returncode != 0:
            raise Failed(f"taskstate: {seen.stdout.decode(errors='replace')[-500:]}")
        state.update(snapshot.from_taskstate(seen.stdout.decode("latin-1")))
        self.log.step("snapshot", time.monotonic() - begin)
        return state

    def compare(self, before, after, n, left_running=False):
        if left_running and "--link-remap" in self.directives.engine:
            before, after = snapshot.without_link_counts(before), snapshot.without_link_counts(after)
        lines = snapshot.differences(before, after, self.directives.ignore)
        if lines:
            raise Failed(f"round {n}: {len(lines)} differences before - after:\n    " + "\n    ".join(lines[:40]))

    def freeze(self):
        for pid in snapshot.tree_of(self.root):
            os.kill(pid, signal.SIGSTOP)
        self.wait_stopped()
        self.resume()

    def wait_stopped(self):
        pids = snapshot.tree_of(self.root)
        self.until(lambda: all(snapshot.status_of(f"/proc/{p}").get("State", "Z").strip()[0] in "TZ" for p in pids), "all tasks are stopped")

    def resume(self):
        for pid in snapshot.tree_of(self.root):
            os.kill(pid, signal.SIGCONT)

    # --- dump and restore --------------------------------------------------------------------------------------------
    def engine(self, what, argv, n):
        output = os.path.join(self.dir, f"{what}.{n}.output")
        begin = time.monotonic()
        if self.shell:
            code = self.shell.spawn(argv, self.dir, {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, wait=True)
            self.log.step(what, time.monotonic() - begin)
            if code != 0:
                raise Failed(f"{what} round {n} ended with {code}")
            return
        with open(output, "wb") as out:
            try:
                child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir, start_new_session=True,
                                         env=os.environ | self.directives.environment)
            except OSError as e:
                raise Failed(f"{what}: {argv[0]}: {e.strerror}")
            try:
                code = child.wait(self.directives.timeout)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise Failed(f"{what} took over {self.directives.timeout:.0f} s")
        self.log.step(what, time.monotonic() - begin)
        if code != 0:
            raise Failed(f"{what} round {n} ended with {code}")

    def images(self, n):
        return os.path.join(self.dir, f"images.{n}")

    def dump(self, n, *options):
        os.mkdir(self.images(n))
        self.ids = snapshot.all_ids(self.root)
        self.inner = [int(snapshot.inner_id(f"/proc/{i}")) for i in self.ids]
        self.engine("dump", [os.path.join(self.bin, "ns-engine"), "dump", "-t", str(self.root), "-D", self.images(n), "-v4", "-o",
                             "dump.log", *options, *self.directives.engine, *self.directives.dump], n)
        self.check_pages(n)

    def check_pages(self, n):
        with os.scandir(self.images(n)) as found:
            pages = sum(f.stat().st_size for f in found if re.fullmatch(r"pages-\d+\.img", f.name)) // 4096
        if self.directives.pages and pages > self.directives.pages:
            raise Failed(f"the images have {pages} pages, at most {self.directives.pages} are different")

    def refused_dump(self, n):
        try:
            self.dump(n)
        except Failed:
            pass
        else:
            raise Failed("the dump was not refused")
        with open(os.path.join(self.dir, f"dump.{n}.output"), errors="replace") as f:
            lines = f.read().strip().splitlines() or ["nothing on stderr"]
        if not re.search(self.directives.refused, lines[-1]):
            raise Failed(f"the reason does not match {self.directives.refused!r}: {lines[-1]}")
        if os.path.exists(os.path.join(self.images(n), "inventory.img")):
            raise Failed("a refused dump left an inventory.img")

    def wait_gone(self):
        self.until(lambda: not any(os.path.exists(f"/proc/{i}") for i in self.ids), "the dumped tasks are gone")

    def occupy(self, ids):
        if self.occupier:
            return  # the inner ids are the same in each round
        self.occupier = subprocess.Popen([os.path.join(self.live, "occupy")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, start_new_session=True)
        self.occupier.stdin.write("".join(f"{i}\n" for i in ids) + "\n")
        self.occupier.stdin.flush()
        answer = self.occupier.stdout.readline().strip()
        if answer != f"occupied {len(ids)}":
            raise Failed("occupy: " + answer)

    def leave_peers_images(self, n):
        """Removes the files that the peer does not write (docs/images.md, "What is ours")."""
        for entry in os.scandir(self.images(n)):
            if entry.name.startswith("nsr-") and entry.is_file():
                os.unlink(entry.path)

    def restore(self, n, in_namespace, *more):
        self.masters += [os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC) for _ in range(self.directives.terminals)]
        pidfile = os.path.join(self.dir, f"pid.{n}")
        options = ["-D", self.images(n), "-d", "-v4", "-o", "restore.log", "--pidfile", pidfile, *more, *self.directives.engine, *self.directives.restore]
        if in_namespace:
            self.occupy(self.inner)
            argv = [os.path.join(self.bin, "ns-restore"), *options]
        else:
            argv = [os.path.join(self.bin, "ns-engine"), "restore", *options]
        self.engine("restore", argv, n)
        try:
            with open(pidfile) as f:
                self.root = int(f.read())
        except (OSError, ValueError) as e:
            raise Failed(f"restore succeeded but its pidfile is bad: {e}")
        self.statuses.pop(self.root, None)
        status = snapshot.status_of(f"/proc/{self.root}")
        if in_namespace and len(status.get("NSpid", "0").split()) < 2:
            raise Failed("the restored root is in no pid namespace of its own")

    # --- end ---------------------------------------------------------------------------------------------------------
    def init_of(self, pid):
        """Host pid of the init of pid's namespace when that is not ours: the ancestor whose inner pid is 1."""
        while pid > 1:
            status = snapshot.status_of(f"/proc/{pid}")
            ids = status.get("NSpid", "").split()
            if len(ids) < 2:
                return 0
            if ids[-1] == "1":
                return pid
            pid = int(status["PPid"])
        return 0

    def go(self):
        self.init = self.init_of(self.root)
        self.last_ids = snapshot.all_ids(self.root)
        try:
            os.kill(self.root, GO)
        except ProcessLookupError:
            raise Failed(f"the restored root is gone; {self.result()}")

    def finish(self):
        begin = time.monotonic()
        self.until(lambda: self.root in self.statuses or not os.path.exists(f"/proc/{self.root}"), "the victim ends; " + self.result())
        self.log.step("verify", time.monotonic() - begin)
        text = self.result()
        lines = text.splitlines()
        if "PASS" not in lines or any(line != "PASS" for line in lines):
            status = self.statuses.get(self.root)
            ended = f"wait status {status:#x}" if status is not None else "not reaped here"
            raise Failed(f"verification ({ended}):\n    " + "\n    ".join(lines or ["the victim said nothing"]))
        if self.root in self.statuses and self.statuses[self.root] != 0:
            raise Failed(f"the victim passed but its wait status is {self.statuses[self.root]:#x}")
        if self.init:
            self.until(lambda: not os.path.exists(f"/proc/{self.init}"), "the namespace's init ends with its tree")

    def print_tails(self):
        for name in sorted(os.listdir(self.dir)) + [f"images.{n}/{f}" for n in range(self.directives.rounds) for f in ("dump.log", "restore.log")]:
            path = os.path.join(self.dir, name)
            if os.path.isfile(path) and name.endswith((".output", ".log")) and os.path.getsize(path):
                print(f"--- end of {name}")
                print("".join(open(path, errors="replace").readlines()[-25:]), end="")

    def clean(self):
        """Ends everything that this test started: it is all below this process, which is the subreaper."""
        if self.occupier:
            self.occupier.stdin.close()
            self.occupier.wait()
        for _ in range(200):
            mine = snapshot.tree_of(os.getpid())[1:]
            self.reap()
            if not mine:
                break
            for pid in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)
        for master in self.masters:
            os.close(master)
        if self.shell:
            self.shell.close()
        # what the victim mounted here: in the flavour ns it unmounts that in a mount namespace of its own only
        with open("/proc/self/mounts") as f:
            for at in reversed([line.split()[1] for line in f if line.split()[1].startswith(self.dir + "/")]):
                subprocess.run(["umount", "-l", at], stderr=subprocess.DEVNULL, check=False)
