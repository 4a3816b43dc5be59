"""The life of one service: start, dump, restore on the host or in new namespaces, stop; every step timed."""
import contextlib
import copy
import ctypes
import glob
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE, os.path.join(os.path.dirname(HERE), "live")]
import snapshot  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNET = 0x40000000
# $0 files in /dev/shm, $1 copy of the service's directory, $2 that directory, then the command
OWN_COPIES = """set -e
mkdir "$1.shm"
mount -t tmpfs -o mode=1777 tmpfs "$1.shm"
[ -z "$0" ] || cp -a $0 "$1.shm"
mount --move "$1.shm" /dev/shm
mount --bind "$1" "$2"
shift 2
exec "$@"
"""
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def load_subject(name):
    path = os.path.join(HERE, name + ".py")
    if not os.path.exists(path):
        raise Failed(f"there is no {path}")
    scope = {"__name__": "subject_" + name}
    with open(path) as f:
        exec(compile(f.read(), path, "exec"), scope)
    return scope["Subject"]


class Runner:
    def __init__(self, build, name, verbose=False, options=()):
        self.bin, self.occupy_tool = os.path.join(os.path.abspath(build), "bin"), os.path.join(os.path.abspath(build), "live", "occupy")
        subject = load_subject(name)
        for program in subject.needs:
            if not shutil.which(program):
                raise Skipped(f"{program} is not installed (scripts/setup-services)")
        self.dir = tempfile.mkdtemp(prefix=f"service.{name}.", dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        home = os.path.join(self.dir, "service")
        os.mkdir(home)
        self.owner = pwd.getpwnam(subject.user) if subject.user else None
        if self.owner:
            os.chown(home, self.owner.pw_uid, self.owner.pw_gid)
        self.service = subject(home)
        self.verbose, self.more = verbose, list(options)
        self.times, self.statuses = {}, {}
        self.root = self.init = 0
        self.dumps = 0
        self.verbosity = "-v4"
        self.occupier = None
        self.namespaces, self.shared_memory = [], []
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, it would be so in the service too
        for stop in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(stop, lambda number, frame: sys.exit(128 + number))

    # --- waiting -----------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def timed(self, name):
        begin = time.monotonic()
        yield
        self.note(name, time.monotonic() - begin)

    def note(self, name, seconds):
        self.times.setdefault(name, []).append(seconds)
        if self.verbose:
            print(f"  {name}: {seconds * 1000:.1f} ms", flush=True)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.statuses[pid] = status

    def until(self, condition, what, interval=0.001):
        end = time.monotonic() + self.service.timeout
        while True:
            self.reap()
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(f"no sign within {self.service.timeout:.0f} s: {what}")
            time.sleep(interval)

    def answer(self, what):
        """Waits for the first answer; the kernel has no event for it, hence the polling."""
        last = None

        def answered():
            nonlocal last
            if self.root in self.statuses or not os.path.exists(f"/proc/{self.root}"):
                raise Failed(f"{what}: the service has ended with wait status {self.statuses.get(self.root)}")
            try:
                self.service.ask()
                return True
            except OSError as e:
                last = e
                return False
            except AssertionError as e:
                raise Failed(f"{what}: a wrong answer: {e} {trace_of(e)}") from e
        try:
            self.until(answered, what)
        except Failed as e:
            raise Failed(f"{e}; last: {last}") from None

    # --- steps -------------------------------------------------------------------------------------------------------
    def start(self):
        s = self.service
        s.prepare()
        if self.owner:
            for base, directories, files in os.walk(s.directory):
                for name in directories + files:
                    os.chown(os.path.join(base, name), self.owner.pw_uid, self.owner.pw_gid, follow_symlinks=False)
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                       "HOME": s.directory, **s.environment}
        who = {}
        if self.owner:
            who = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": os.getgrouplist(s.user, self.owner.pw_gid)}
        begin = time.monotonic()
        with open(os.path.join(s.directory, "output"), "ab") as out:
            if self.owner:
                os.fchown(out.fileno(), self.owner.pw_uid, self.owner.pw_gid)
            child = subprocess.Popen(s.argv(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=s.directory, env=environment,
                                     start_new_session=True, **who)
        child.returncode = 0  # reap() does it
        self.root = s.root = child.pid
        self.answer("cold start to the first answer")
        self.note("cold", time.monotonic() - begin)
        s.load()

    def measure(self):
        """Processes, threads and resident memory (PSS, KiB) of the tree."""
        pids = snapshot.tree_of(self.root)
        pss = sum(int(line.split()[1]) for p in pids for line in snapshot.read(f"/proc/{p}/smaps_rollup").splitlines() if line.startswith("Pss:"))
        return {"processes": len(pids), "threads": sum(len(snapshot.threads_of(p)) for p in pids), "pss_kib": pss}

    def images(self, n):
        return os.path.join(self.dir, f"images.{n}")

    def image_size(self, n):
        return sum(os.stat(os.path.join(self.images(n), f)).st_blocks * 512 for f in os.listdir(self.images(n)))

    def engine(self, argv, what):
        output = os.path.join(self.dir, f"{what}.output")
        with open(output, "ab") as out:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir)
            ended = os.pidfd_open(child.pid)  # Popen.wait(timeout) polls, up to 50 ms too late
            in_time, _, _ = select.select([ended], [], [], self.service.timeout)
            os.close(ended)
            if not in_time:
                child.kill()
            code = child.wait()
            if not in_time:
                raise Failed(f"{what} took over {self.service.timeout:.0f} s")
        if code != 0:
            with open(output, errors="replace") as f:
                raise Failed(f"{what} ended with {code}: {(f.read().strip().splitlines() or ['no reason on stderr'])[-1]}")

    def dump(self, *more):
        n = self.dumps
        os.mkdir(self.images(n))
        self.service.before_dump()
        self.ids = snapshot.all_ids(self.root)
        self.inner = [n for n in (int(snapshot.inner_id(f"/proc/{i}")) for i in self.ids) if n]  # 0: ended meanwhile
        with self.timed("dump"):
            self.engine([os.path.join(self.bin, "ns-engine"), "dump", "-t", str(self.root), "-D", self.images(n), self.verbosity, "-o", "dump.log",
                         *self.service.options, *self.more, *more], "dump")
        self.dumps += 1
        if "-R" not in more:
            self.until(lambda: not any(os.path.exists(f"/proc/{i}") for i in self.ids), "the dumped tasks are gone")

    def occupy(self):
        if self.occupier:
            return
        self.occupier = subprocess.Popen([self.occupy_tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.occupier.stdin.write("".join(f"{i}\n" for i in self.inner) + "\n")
        self.occupier.stdin.flush()
        answer = self.occupier.stdout.readline().strip()
        if answer != f"occupied {len(self.inner)}":
            raise Failed("occupy: " + answer)

    def restore(self, flavour, prefix=(), name=""):
        n = self.dumps - 1
        pidfile = os.path.join(self.dir, f"pid.{n}{name}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(pidfile)
        program = [os.path.join(self.bin, "ns-restore")] if flavour == "ns" else [os.path.join(self.bin, "ns-engine"), "restore"]
        if flavour == "ns":
            self.occupy()
        self.service.mark()
        begin = time.monotonic()
        self.engine([*prefix, *program, "-D", self.images(n), "-d", self.verbosity, "-o", f"restore{name}.log", "--pidfile", pidfile,
                     *self.service.options, *self.more], "restore")
        done = time.monotonic()
        with open(pidfile) as f:
            self.root = self.service.root = int(f.read())
        self.statuses.pop(self.root, None)
        self.note(f"{flavour} restore command", done - begin)
        return begin

    def restore_to_answer(self, flavour):
        begin = self.restore(flavour)
        self.answer("restore to the first answer")
        self.note(f"{flavour} restore", time.monotonic() - begin)

    def stop(self):
        s = self.service
        parents = snapshot.tree_of(self.root)
        inner = snapshot.status_of(f"/proc/{self.root}").get("NSpid", "0").split()
        init = int(snapshot.status_of(f"/proc/{self.root}")["PPid"]) if len(inner) > 1 else 0
        with self.timed("stop"):
            s.stop(self.root)
            self.until(lambda: not any(os.path.exists(f"/proc/{p}") for p in parents), "the service stops gracefully")
        if self.root in self.statuses and s.exit_codes is not None:
            code = os.waitstatus_to_exitcode(self.statuses[self.root])
            if code not in s.exit_codes:
                raise Failed(f"a graceful stop ended with {code}")
        if init:
            self.until(lambda: not os.path.exists(f"/proc/{init}"), "the namespace's init ends with its tree")
        try:
            s.check_result()
        except (AssertionError, OSError, subprocess.CalledProcessError) as e:
            raise Failed(f"its result: {type(e).__name__} {e} {trace_of(e)}") from e

    def check(self, generation):
        try:
            self.service.check(generation)
        except (AssertionError, OSError) as e:
            raise Failed(f"generation {generation}: {type(e).__name__} {e} {trace_of(e)}") from e

    # --- flavours ----------------------------------------------------------------------------------------------------
    def generations(self, flavour, count=2):
        self.start()
        for generation in range(1, count + 1):
            self.dump()
            self.restore_to_answer(flavour)
            self.check(generation)
        self.stop()
        self.check_logs()

    def leave(self):
        """dump --leave-running: the service must not notice."""
        self.start()
        for generation in range(1, 3):
            self.service.mark()
            self.dump("-R")
            self.answer("the service goes on after the dump")
            self.check(generation)
        self.stop()
        self.check_logs()

    def killed(self, times=12):
        """The engine is killed in mid-dump, at instants spread over the time that a dump takes: the service must not notice."""
        self.start()
        begin = time.monotonic()
        self.dump("-R")
        length = time.monotonic() - begin
        self.check(1)
        for i in range(times):
            directory = os.path.join(self.dir, f"killed.{i}")
            os.mkdir(directory)
            self.service.before_dump()
            dump = subprocess.Popen([os.path.join(self.bin, "ns-engine"), "dump", "-t", str(self.root), "-D", directory, "-o", "dump.log",
                                     *self.service.options, *self.more, "-R"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            ended = os.pidfd_open(dump.pid)
            select.select([ended], [], [], length * (i + 0.5) / times)
            os.close(ended)
            dump.kill()
            dump.wait()
            self.answer(f"the service goes on after the engine was killed at {length * (i + 0.5) / times * 1000:.1f} ms")
            self.check(i + 2)
        self.dump("-R")  # nothing that the killed ones left is in the way
        self.check(times + 2)
        self.stop()
        self.check_logs()

    def side_by_side(self, count=3):
        """Copies of one image, each in a network and an IPC namespace of its own, on copies of the service's directory and of
        its files in /dev/shm that are mounted over the originals."""
        self.service.sessions = False  # a connection cannot lead to three copies
        self.start()
        self.shared_memory = self.files_in_shared_memory()
        self.dump()
        original, copies = self.service, []
        for i in range(count):
            namespace, directory = f"nsr{os.getpid()}-{i}", f"{original.directory}.{i}"
            subprocess.run(["ip", "netns", "add", namespace], check=True)
            self.namespaces.append(namespace)
            subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
            subprocess.run(["cp", "-a", original.directory, directory], check=True)
            self.service = copy.copy(original)
            self.service.directory = directory
            self.restore("ns", ["ip", "netns", "exec", namespace, "unshare", "--ipc", "sh", "-c", OWN_COPIES, " ".join(self.shared_memory),
                                directory, original.directory], f".{i}")
            copies.append((namespace, self.service))
        for each in (lambda: self.answer("the copy answers"), lambda: self.check(1), self.stop, self.check_logs):
            for namespace, self.service in copies:
                self.root = self.service.root
                with self.in_netns(namespace):
                    each()

    def files_in_shared_memory(self):
        maps = "".join(snapshot.read(f"/proc/{pid}/maps") for pid in snapshot.tree_of(self.root))
        return [p for p in sorted(set(re.findall(r" (/dev/shm/\S+)$", maps, re.M))) if os.path.exists(p)]

    @contextlib.contextmanager
    def in_netns(self, name):
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        other = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if libc.setns(other, CLONE_NEWNET):
                raise Failed(f"setns: {os.strerror(ctypes.get_errno())}")
            yield
        finally:
            libc.setns(own, CLONE_NEWNET)
            os.close(own)
            os.close(other)

    def check_logs(self):
        found = self.service.log_errors()
        if found:
            raise Failed(f"{len(found)} errors in its logs:\n    " + "\n    ".join(found[:10]))

    # --- end ---------------------------------------------------------------------------------------------------------
    def print_tails(self):
        paths = glob.glob(f"{self.dir}/*.output") + glob.glob(f"{self.dir}/images.*/*.log") + [self.service.path(p) for p in self.service.logs]
        for path in sorted(paths):
            if os.path.isfile(path) and os.path.getsize(path):
                print(f"--- end of {path}")
                with open(path, errors="replace") as f:
                    print("".join(f.readlines()[-12:]), end="")

    def clean(self, keep=False):
        """Ends everything that was started here: it is all below this process, which is the subreaper."""
        if self.occupier:
            self.occupier.stdin.close()
            self.occupier.wait()
        for _ in range(500):
            mine = snapshot.tree_of(os.getpid())[1:]
            self.reap()
            if not mine:
                break
            for pid in mine:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", name], check=False)
        for path in self.shared_memory:
            os.unlink(path)
        if keep:
            print("kept", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def trace_of(e):
    trace = e.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    with open(path) as f:
        return f"at {os.path.basename(path)}:{line}: {f.readlines()[line - 1].strip()}"
