#!/usr/bin/python3
"""Open files whose other side is outside of the tree:  outside.py NAME BUILD

Each function test_NAME is the ctest live.outside.NAME. The tree is a Python program that says on its standard output what
it reads on its standard input."""
import os
import pty
import subprocess
import sys
import termios

from common import Failed, Scenario, alive, read, until

ECHO = ["/usr/bin/python3", "-S", "-c", "import os\nwhile data := os.read(0, 100): os.write(1, data)"]


def start(s, stdin, stdout):
    """The echo between two descriptors, waiting in its read."""
    child = subprocess.Popen(ECHO, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True)
    s.processes.append(child)
    until(lambda: read(f"/proc/{child.pid}/syscall").startswith("0 0x0 "), "the program reads")
    return child.pid


def restore(s, images, *options, pass_fds=()):
    pidfile = s.path(images + ".pid")
    argv = [os.path.join(s.bin, "ns-engine"), "restore", "-d", "-D", s.path(images), "-o", "restore.log", "--pidfile", pidfile, *options]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds, timeout=30)
    if done.returncode == 0:
        s.roots.append(int(read(pidfile)))
    return done


def expect(text, fd):
    seen = os.read(fd, 100)
    if seen != text:
        raise Failed(f"{seen!r} came instead of {text!r}")


def key_of(pid, fd):
    return os.readlink(f"/proc/{pid}/fd/{fd}")


def test_pipes_given(s):
    """Both pipes are given again: what was inside and what comes later passes through."""
    to_r, to_w = os.pipe()
    from_r, from_w = os.pipe()
    pid = start(s, to_r, from_w)
    keys = key_of(pid, 0), key_of(pid, 1)
    os.close(to_r), os.close(from_w)
    s.dump(pid, "images")
    s.gone([pid])
    new_to_r, new_to_w = os.pipe()
    new_from_r, new_from_w = os.pipe()
    done = restore(s, "images", "--inherit-fd", f"fd[{new_to_r}]:{keys[0]}", "--inherit-fd", f"fd[{new_from_w}]:{keys[1]}",
                   pass_fds=(new_to_r, new_from_w))
    if done.returncode:
        raise Failed(done.stderr)
    os.close(new_to_r), os.close(new_from_w)
    os.write(new_to_w, b"hello")
    expect(b"hello", new_from_r)
    os.close(new_to_w)
    expect(b"", new_from_r)


def test_pipes_gone(s):
    """Not given, the outside ends are closed: the reader sees the end and the tree ends by itself."""
    to_r, to_w = os.pipe()
    from_r, from_w = os.pipe()
    pid = start(s, to_r, from_w)
    os.close(to_r), os.close(from_w)
    s.dump(pid, "images", "-v4")
    if "is outside of the tree" not in read(s.path("images", "dump.log")):
        raise Failed("the dump does not warn")
    s.gone([pid])
    done = restore(s, "images")
    if done.returncode:
        raise Failed(done.stderr)
    until(lambda: s.reap() or not alive(s.roots[-1]), "the program reads end of file and ends")


def test_pipe_wanted(s):
    """Named with --external at the dump, the restore asks for it."""
    to_r, to_w = os.pipe()
    pid = start(s, to_r, subprocess.DEVNULL)
    key = key_of(pid, 0)
    s.dump(pid, "images", "--external", key)
    s.gone([pid])
    done = restore(s, "images")
    if done.returncode == 0 or f"--inherit-fd 'fd[N]:{key}'" not in done.stderr:
        raise Failed(f"ended with {done.returncode}: {done.stderr}")


def test_terminal_given(s):
    """A terminal from outside: refused without a word about it, external then, given back by number."""
    master, slave = pty.openpty()
    mode = termios.tcgetattr(slave)
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, mode)
    pid = start(s, slave, slave)
    st = os.fstat(slave)
    key = f"tty[{st.st_rdev:x}:{st.st_dev:x}]"
    os.makedirs(s.path("refused"))
    refused = s.command([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pid), "-D", s.path("refused")], ok=False)
    if refused.returncode == 0 or key not in refused.stderr:
        raise Failed(f"ended with {refused.returncode}: {refused.stderr}")
    s.dump(pid, "images", "--external", key)
    s.gone([pid])
    done = restore(s, "images")
    if done.returncode == 0 or key not in done.stderr:
        raise Failed(f"without the terminal: {done.returncode} {done.stderr}")
    other, end = pty.openpty()
    termios.tcsetattr(end, termios.TCSANOW, mode)
    done = restore(s, "images", "--inherit-fd", f"fd[{end}]:{key}", pass_fds=(end,))
    if done.returncode:
        raise Failed(done.stderr)
    os.write(other, b"line\n")
    expect(b"line\r\n", other)


def test_file_given(s):
    """A regular file that is external: another one takes its place."""
    with open(s.path("old"), "w") as f:
        f.write("old")
    old = os.open(s.path("old"), os.O_RDWR)
    to_r, to_w = os.pipe()
    pid = start(s, to_r, old)
    pipe = key_of(pid, 0)
    os.close(to_r)
    info = dict(line.split(":", 1) for line in read(f"/proc/{pid}/fdinfo/1").splitlines())
    key = f"file[{int(info['mnt_id']):x}:{os.fstat(old).st_ino:x}]"
    s.dump(pid, "images", "--external", key)
    s.gone([pid])
    os.unlink(s.path("old"))
    new, (in_r, in_w) = os.open(s.path("new"), os.O_RDWR | os.O_CREAT, 0o600), os.pipe()
    done = restore(s, "images", "--inherit-fd", f"fd[{new}]:{key}", "--inherit-fd", f"fd[{in_r}]:{pipe}", pass_fds=(new, in_r))
    if done.returncode:
        raise Failed(done.stderr)
    os.write(in_w, b"words")
    until(lambda: read(s.path("new")) == "words", "the words are in the new file")


def changed_file(s, change, *options):
    """Dumps a tree with an open file, lets it be changed, and restores."""
    path = s.path("data")
    with open(path, "w") as f:
        f.write("0123456789")
    fd, (to_r, to_w) = os.open(path, os.O_RDWR), os.pipe()
    pid = start(s, to_r, fd)
    s.dump(pid, "images")
    s.gone([pid])
    change(path)
    return restore(s, "images", *options)


def test_file_shorter(s):
    """A file that got shorter is refused with both sizes and the option, and taken as it is with that."""
    done = changed_file(s, lambda path: os.truncate(path, 4))
    if done.returncode == 0 or not all(w in done.stderr for w in ("4 bytes", "10", "--file-validation none")):
        raise Failed(f"ended with {done.returncode}: {done.stderr}")
    done = restore(s, "images", "--file-validation", "none")
    if done.returncode:
        raise Failed(done.stderr)


def test_file_mode(s):
    """A file whose mode changed is refused, and taken with --skip-file-rwx-check."""
    done = changed_file(s, lambda path: os.chmod(path, 0o400))
    if done.returncode == 0 or "--skip-file-rwx-check" not in done.stderr:
        raise Failed(f"ended with {done.returncode}: {done.stderr}")
    done = restore(s, "images", "--skip-file-rwx-check")
    if done.returncode:
        raise Failed(done.stderr)


def add_register_state(path):
    """nsr-cpu as from another boot of a host whose CPU has one register state more. Nothing changes its length."""
    with open(path, "r+b") as f:
        image = bytearray(f.read())
        boot_id = read("/proc/sys/kernel/random/boot_id").strip().encode()
        at = image.index(boot_id)
        image[at:at + len(boot_id)] = boot_id[::-1]
        name = b"".join(line.split(b": ")[1] for line in open("/proc/cpuinfo", "rb") if line.startswith(b"model name")).split(b"\n")[0]
        at = image.index(name) + len(name)  # field 7 of the CPU's entry; field 8 is the mask of register states
        while image[at] != 8 << 3:
            at += 1
        last = at + 1
        while image[last] & 128:
            last += 1
        image[last] |= 64
        f.seek(0)
        f.write(image)


def test_lesser_cpu(s):
    """Images of a better CPU are refused before anything is made, naming what lacks, and taken with --cpu-cap=none."""
    to_r, to_w = os.pipe()
    pid = start(s, to_r, os.open("/dev/null", os.O_RDWR))
    s.dump(pid, "images")
    s.gone([pid])
    add_register_state(s.path("images", "nsr-cpu"))
    done = restore(s, "images")
    if done.returncode == 0 or not all(w in done.stderr for w in ("CPU", "register state", "--cpu-cap=none")):
        raise Failed(f"ended with {done.returncode}: {done.stderr}")
    done = restore(s, "images", "--cpu-cap=none")
    if done.returncode:
        raise Failed(done.stderr)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
