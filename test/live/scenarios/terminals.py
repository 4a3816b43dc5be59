#!/usr/bin/python3
"""A login shell on a terminal from outside of the tree (--shell-job) comes back on the terminal of whoever restores it, and its
user types on: terminals.py TEST BUILD

The shell leads its session, so it gets a terminal that ns-restore (or the engine, in the foreground) relays to the caller's.
All that is waited for is seen on a terminal or in /proc."""
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from common import LIMIT, Failed, Scenario, read, until

RESTORES = {"ns": "ns-restore -j", "host": "ns-engine restore -j"}


class Terminal:
    """The side of a pseudo-terminal on which the user sits."""

    def __init__(self, master, pid):
        self.seen, self.master, self.pid = "", master, pid

    def expect(self, text):
        end = time.monotonic() + LIMIT
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            try:
                data = os.read(self.master, 4096).decode(errors="replace") if ready else ""
            except OSError:
                data = ""
            if not data:
                raise Failed(f"waiting for {text!r}, the terminal shows {self.seen!r}")
            self.seen += data
        before, self.seen = self.seen.split(text, 1)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def ask(self, name, command):
        """What a command prints in shell `name`, one line."""
        self.type(command + " | sed 's/^/=/;s/$/=/'\n")
        self.expect("\n=")
        answer = self.expect("=\r\n")
        self.expect(name + "> ")
        return answer

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.master)

    def relayed(self):
        until(lambda: not self.modes()[3] & termios.ISIG, "every key is handed on")

    def front(self):
        return os.tcgetpgrp(self.master)

    def close(self):
        os.close(self.master)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # dumped, and reaped by the scenario
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def shell(s, name):
    """An interactive bash whose prompt is NAME> , as leader of a session on a new terminal."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(s.dir)
        os.closerange(3, 1024)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"],
                  {"PATH": s.bin + ":" + os.environ["PATH"], "PS1": name + "> ", "HISTFILE": "/dev/null", "TERM": "dumb", "LANG": "C",
                   "INPUTRC": "/dev/null"})
    terminal = Terminal(master, pid)
    terminal.expect(name + "> ")
    return terminal


def comm(pid):
    return read(f"/proc/{pid}/comm").strip()


def start(s):
    """A shell with a job in the background and one in front."""
    old = shell(s, "old")
    old.size(30, 90)
    old.type("variable=kept; sleep 1001 &\n")
    old.expect("old> ")
    old.type("sleep 1002\n")
    until(lambda: comm(old.front()) == "sleep", "the job is in front")
    return old


def dump(s, pid, images):
    s.dump(pid, images, "-j")
    until(lambda: s.reap() or not os.path.exists(f"/proc/{pid}") or "State:\tZ" in read(f"/proc/{pid}/status"), "the shell is gone")


def restore(s, user, command, images):
    pidfile = s.path("pid." + images)
    user.type(f"{command} -D {images} -o restore.log --pidfile {pidfile}\n")
    user.relayed()


def use(user, generation):
    """Jobs are interrupted, stopped and brought to the front by keys, and the shell has its state."""
    user.type("\x03")
    user.expect("old> ")
    user.type("echo status $? $variable\n")
    user.expect("status 130 kept\r\n")
    user.expect("old> ")
    user.type("echo go; cat\n")
    user.expect("\ngo\r\n")  # the terminal is in the modes for commands now
    user.type("hello\n")
    user.expect("hello\r\nhello\r\n")
    user.type("\x1a")
    user.expect("Stopped")
    user.expect("old> ")
    user.type("jobs\n")
    user.expect("sleep 1001")
    user.expect("old> ")
    user.type("fg\n")
    user.expect("cat\r\n")
    user.type("again\n")
    user.expect("again\r\nagain\r\n")
    user.type("\x04")
    user.expect("old> ")
    user.size(20 + generation, 70)
    until(lambda: user.ask("old", "stty size") == f"{20 + generation} 70", "the size of the window")
    name = user.ask("old", "tty")
    if not name.startswith("/dev/pts/"):
        raise Failed(f"the name of the terminal is {name}")


def two_generations(s, command, leave):
    old, users = start(s), []
    dump(s, old.pid, "first")
    old.close()
    for generation, images in enumerate(("first", "second"), 1):
        user = shell(s, "new")
        users.append(user)
        modes = user.modes()
        restore(s, user, command, images)
        use(user, generation)
        if generation == 1:
            user.type("sleep 1002\n")
            root = int(read(s.path("pid.first")))
            until(lambda: any(comm(p) == "sleep" and "1002" in read(f"/proc/{p}/cmdline") for p in children(root)), "the job runs")
            dump(s, root, "second")
        else:
            user.type("exit 7\n")
        user.expect("new> ")
        if user.modes() != modes:
            raise Failed("the caller's terminal has other modes than before")
        if generation == 2:
            user.type("echo status $?\n")
            user.expect(f"status {leave}\r\n")
    for user in users:
        user.close()


def children(pid):
    return [int(p) for p in read(f"/proc/{pid}/task/{pid}/children").split()]


def test_ns(s):
    two_generations(s, RESTORES["ns"], 7)


def test_host(s):
    two_generations(s, RESTORES["host"], 0)


def in_the_background(s, command):
    """Started with &, it stops like any job that wants the terminal; fg brings the restored shell to the user."""
    old = start(s)
    dump(s, old.pid, "images")
    old.close()
    user = shell(s, "new")
    modes = user.modes()
    user.type(f"set -b; {command} -D images -o restore.log &\n")
    user.expect("Stopped")
    if user.modes() != modes:
        raise Failed("a relay in the background has changed the modes of the terminal")
    user.type("fg\n")
    user.relayed()
    use(user, 1)
    user.type("exit\n")
    user.expect("new> ")
    user.close()


def test_background_ns(s):
    in_the_background(s, RESTORES["ns"])


def test_background_host(s):
    in_the_background(s, RESTORES["host"])


def test_given_by_number(s):
    """As a container's console: a free terminal is given to a restore that does not stay, and becomes the session's own."""
    old = start(s)
    slave = os.stat(f"/proc/{old.pid}/fd/0")
    key = f"tty[{slave.st_rdev:x}:{slave.st_dev:x}]"
    s.dump(old.pid, "images", "--external", key)
    until(lambda: s.reap() or not os.path.exists(f"/proc/{old.pid}"), "the shell is gone")
    old.close()
    for program in (["ns-restore"], ["ns-engine", "restore"]):
        master, end = pty.openpty()
        pidfile = s.path("pid." + program[0])
        subprocess.run([os.path.join(s.bin, program[0]), *program[1:], "-d", "-D", s.path("images"), "-o", "restore.log", "--pidfile", pidfile,
                        "--inherit-fd", f"fd[{end}]:{key}"], pass_fds=(end,), stdin=subprocess.DEVNULL, check=True, timeout=LIMIT)
        os.close(end)
        user = Terminal(master, int(read(pidfile)))
        use(user, 1)
        user.close()


def test_stopped_and_continued(s):
    """ns-restore itself is stopped from outside: the caller has the terminal back in order, until fg."""
    old = start(s)
    dump(s, old.pid, "images")
    old.close()
    user = shell(s, "new")
    modes = user.modes()
    restore(s, user, RESTORES["ns"], "images")
    use(user, 1)
    os.kill(user.front(), signal.SIGTSTP)
    user.expect("Stopped")
    user.expect("new> ")
    if user.modes() != modes:
        raise Failed("the stopped restore has left the terminal in other modes")
    user.type("fg\n")
    user.relayed()
    user.type("echo still $variable\n")
    user.expect("still kept\r\n")
    user.type("exit\n")
    user.expect("new> ")
    user.close()


def test_killed_by_a_signal(s):
    """A signal that ends the relaying engine gives the terminal back in order."""
    old = start(s)
    dump(s, old.pid, "images")
    old.close()
    for command in RESTORES.values():
        user = shell(s, "new")
        modes = user.modes()
        restore(s, user, command, "images")
        use(user, 1)
        os.kill(user.front(), signal.SIGTERM)
        if command == RESTORES["ns"]:  # it hands the signal on, and an interactive shell ignores it
            user.type("exit\n")
        user.expect("new> ")
        if user.modes() != modes:
            raise Failed("the ended restore has left the terminal in other modes")
        user.close()
        os.unlink(s.path("pid.images"))


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
