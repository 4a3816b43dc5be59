"""What the tests of ns-restore share: image directories, runs, what is left of them, a terminal with a job-control shell."""
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import uuid

LIMIT = float(os.environ.get("NSR_LIMIT", 15))  # seconds that anything may take before the test fails; nothing waits that long when all is well


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def pstree_record(pid, ppid, pgid, sid, threads):
    fields = [(1, pid), (2, ppid), (3, pgid), (4, sid)] + [(5, t) for t in threads]
    message = b"".join(varint(number << 3) + varint(value) for number, value in fields)
    return struct.pack("<I", len(message)) + message


def read(path):
    with open(path) as f:
        return f.read()


def alive(pid):
    """Neither gone nor a zombie."""
    try:
        return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def ns_pids(pid):
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]


def parent(pid):
    return int(read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[1])


def wait_gone(pidfd, what):
    ready, _, _ = select.select([pidfd], [], [], LIMIT)
    assert ready, f"{what} did not end"
    os.close(pidfd)


class Run:
    """One directory of images, and runs of ns-restore that carry a mark by which everything they leave is found."""

    def __init__(self, launcher, engine):
        self.launcher, self.engine = launcher, engine
        self.dir = tempfile.mkdtemp(prefix="nsr-launcher-")
        self.mark = "NSR_TEST_MARK=" + uuid.uuid4().hex
        self.images(100, [101, 102])

    def images(self, pid, threads=(), pgid=None, sid=None, more=b""):
        with open(self.dir + "/pstree.img", "wb") as f:
            f.write(struct.pack("<II", 0x54564319, 0x50273030))
            f.write(pstree_record(pid, 0, pgid or pid, sid or pid, [pid, *threads]) + more)
        for each in (pid, *threads):
            open(f"{self.dir}/core-{each}.img", "wb").close()

    def path(self, name):
        return f"{self.dir}/{name}"

    def command(self, *args):
        return [self.launcher, "--engine", self.engine, "-D", self.dir, *args]

    def environment(self, root=None, options="", **fake):
        env = dict(os.environ, FAKE_OPTIONS=options)
        name, value = self.mark.split("=")
        env[name] = value
        if root is not None:
            env["FAKE_ROOT"] = root
        for key, value in fake.items():
            env["FAKE_" + key.upper()] = str(value)
        return env

    def start(self, *args, root=None, options="", fake=None, command=None, **popen):
        return subprocess.Popen(command or self.command(*args), env=self.environment(root, options, **(fake or {})),
                                text=True, **popen)

    def restore(self, *args, **kwargs):
        """Runs to its end. Returns (exit status, stdout, stderr)."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = self.start(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        out, err = process.communicate(timeout=LIMIT)
        return process.returncode, out, err

    def left(self):
        """Processes of our runs that live."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and int(name) != os.getpid():
                    with open(f"/proc/{name}/environ", "rb") as f:
                        if self.mark.encode() in f.read().split(b"\0") and alive(name):
                            found.append(int(name))
            except OSError:
                pass
        return found

    def states(self):
        """pid, command, state, parent, group, session, foreground group of the terminal, of all that lives."""
        lines = []
        for pid in self.left():
            fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
            lines.append(f"{pid} {ns_pids(pid)} {read(f'/proc/{pid}/cmdline')[:60]!r} state {fields[0]} ppid {fields[1]} "
                         f"pgrp {fields[2]} sid {fields[3]} tpgid {fields[5]} wchan {read(f'/proc/{pid}/wchan')}")
        return "\n".join(lines)

    def nothing_left(self):
        assert not self.left(), f"left behind: {[(p, read(f'/proc/{p}/cmdline')) for p in self.left()]}"
        for name in os.listdir(self.dir):
            assert not name.endswith(".new") and not name.endswith("pid"), f"left behind: {name}"

    def detach(self, root, *args, options="setsid null", **fake):
        """A detached restore. Returns (root, init) as we see them."""
        name = "p" + uuid.uuid4().hex
        code, out, err = self.restore("-d", "--pidfile", name, *args, root=root, options=options, fake=fake)
        assert code == 0, (code, out, err)
        pid = int(read(self.path(name)))
        os.unlink(self.path(name))
        return pid, parent(pid)

    def end(self):
        for pid in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.dir)


class Terminal:
    """A pseudo-terminal whose session leader is a program of ours, by default an interactive job-control shell."""

    def __init__(self, run, argv=("/bin/bash", "--norc", "--noprofile", "-i"), **env):
        self.owner, self.seen = run, ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            environment = run.environment(**env)
            environment.update(PS1="<$?>ready\\$ ", HISTFILE="/dev/null", TERM="dumb",
                               RESTORE=" ".join(run.command()))
            environment.pop("PROMPT_COMMAND", None)
            os.execve(argv[0], list(argv), environment)
        if argv[0].endswith("bash"):
            self.expect("ready# ")

    def send(self, text):
        os.write(self.master, text.encode())

    def expect(self, text):
        """Reads until text is seen; returns what stood before it."""
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waiting for {text!r}, the terminal shows {self.seen!r}; {self.owner.states()}"
            try:
                data = os.read(self.master, 4096).decode(errors="replace")
            except OSError:
                data = ""
            assert data, f"terminal closed while waiting for {text!r}, it shows {self.seen!r}"
            self.seen += data
        before, self.seen = self.seen.split(text, 1)
        return before

    def run(self, command, until="ready# "):
        """Types a line; returns what is printed up to `until` (without the echoed line)."""
        self.send(command + "\n")
        return self.expect(until).split("\n", 1)[-1]

    def status(self):
        """Exit status of the last command."""
        text = self.run('echo "st=$?="', until="ready# ")
        return int(text.split("st=")[-1].split("=")[0])

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)
