"""A stand-in for the user's shell: a session leader with a pseudo-terminal that runs commands on it, each in a foreground
process group of its own, as an interactive shell does. It runs in a process of its own, below the test's runner."""
import fcntl
import json
import os
import pty
import signal
import termios


class Shell:
    def __init__(self):
        self.master, slave = pty.openpty()
        requests, self.requests = os.pipe()
        self.answers, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.requests), os.close(self.answers), os.close(self.master)
                serve(slave, requests, answers)
            finally:
                os._exit(0)
        for fd in (slave, requests, answers):
            os.close(fd)
        self.lines = os.fdopen(self.answers, "r")

    def spawn(self, argv, cwd, env, wait):
        """Runs argv; its pid, or with wait its exit status (negative: signal)."""
        os.write(self.requests, (json.dumps([argv, cwd, env, wait]) + "\n").encode())
        return int(self.lines.readline() or "-1")

    def close(self):
        os.close(self.requests)
        self.lines.close()
        os.close(self.master)


def serve(slave, requests, answers):
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    statuses = {}

    def reap(*_):
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                statuses[ended[0]] = ended[1]
        except ChildProcessError:
            pass

    signal.signal(signal.SIGCHLD, reap)
    with os.fdopen(requests, "r") as lines:
        for line in lines:
            argv, cwd, env, wait = json.loads(line)
            before = os.tcgetpgrp(slave)
            value = pid = start(slave, argv, cwd, env)
            if wait:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
                while reap() or pid not in statuses:
                    signal.sigwait([signal.SIGCHLD])
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
                value = os.waitstatus_to_exitcode(statuses[pid])
                foreground(slave, before)
            os.write(answers, f"{value}\n".encode())


def foreground(slave, group):
    """What the user's fg does for a job that is still there when a command has ended."""
    try:
        os.killpg(group, 0)
        os.tcsetpgrp(slave, group)
    except (ProcessLookupError, PermissionError, OverflowError):
        pass


def start(slave, argv, cwd, env):
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.tcsetpgrp(slave, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            for fd in range(3):
                os.dup2(slave, fd)
            os.closerange(3, 1024)
            os.chdir(cwd)
            os.execve(argv[0], argv, env)
        finally:
            os._exit(127)
    return pid
