#!/usr/bin/python3
"""Tests of ns-restore with a stand-in for the engine:  launcher_tests.py NAME NS-RESTORE FAKE-ENGINE

Each function test_NAME is the ctest live.launcher.NAME. Exit status 0 passed, 1 failed."""
import os
import select
import signal
import subprocess
import sys
import time

from harness import LIMIT, Run, Terminal, alive, ns_pids, parent, pstree_record, read, wait_gone

LOOP = "while read -r line < fifo; do :; done"


def eventually(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def fifo(r, name="fifo"):
    os.mkfifo(r.path(name))
    return r.path(name)


def dump_of(path):
    lines = [line.split(" ", 1) for line in read(path).splitlines()]
    return {kind: [value for k, value in lines if k == kind] for kind in ("pid", "arg", "fd")}


# ---- options and the engine's start

def test_options(r):
    code, out, err = r.restore("restore", "-dvvj", "--pidf", "a.pid", "-o", "-d", "--ns-pidfile=b.pid", "--ext", "x y",
                               options="setsid null", fake={"dump": r.path("argv")})
    assert code == 0, err
    args = dump_of(r.path("argv"))["arg"]
    assert args[:2] == ["restore", "--launcher-fd"], args
    assert args[3:] == ["-D", r.dir, "-vvj", "-o", "-d", "--ext", "x y"], args


def test_usage(r):
    assert r.restore("--help")[0] == 0 and "ns-restore" in r.restore("-h")[1]
    assert r.restore("--version")[1].startswith("ns-restore ")
    for words, code in ((["dump"], 1), (["--propagation", "odd"], 1), (["--pidfile"], 1), (["-D", "/nonexistent"], 4)):
        status, out, err = r.restore(*words)
        assert status == code and len(err.splitlines()) == 1 and err.startswith("ns-restore: "), (words, status, err)
    with open(r.path("pstree.img"), "ab") as f:
        f.write(b"xx")
    status, out, err = r.restore()
    assert status == 4 and "damaged" in err, (status, err)


def test_plan(r):
    code, out, err = r.restore("--plan", "-d", fake={"dump": r.path("argv"), "exit": 3})
    assert code == 3
    args = dump_of(r.path("argv"))["arg"]
    assert "--launcher-fd" not in args and "--plan" in args and args[0] == "restore", args


def test_engine_gets_a_free_pid(r):
    top = 4194303 if os.path.exists("/proc/sys/kernel/pid_max") else 0
    code, out, err = r.restore(fake={"dump": r.path("one")})
    assert code == 0, err
    first = int(dump_of(r.path("one"))["pid"][0])
    r.images(first, range(first + 1, first + 60))
    r.images(2, [first])
    code, out, err = r.restore(fake={"dump": r.path("two")})
    second = int(dump_of(r.path("two"))["pid"][0])
    assert code == 0 and 2 < second < first <= top, (first, second, err)


def test_low_ids_are_free(r):
    for pid in (2, 3, 299):
        root, init = r.detach("exec sleep 1000", "--ns-pidfile", f"ns{pid}", pid=pid)
        assert ns_pids(root)[-1] == pid == int(read(r.path(f"ns{pid}")))
        assert ns_pids(init)[-1] == 1
        os.unlink(r.path(f"ns{pid}"))


def test_new_children_get_low_ids(r):
    up = fifo(r)
    root, init = r.detach(f"sleep 1000 & echo $! > {up}; wait", pid=100)
    with open(up) as f:
        assert f.read() == "103\n", "the shell's first child comes behind the highest id of the images"


def test_descriptors_of_the_engine(r):
    extra = os.open("/dev/null", os.O_RDONLY)
    code, out, err = r.restore(fake={"dump": r.path("fds")}, pass_fds=[extra])
    state = dump_of(r.path("fds"))
    channel = state["arg"][state["arg"].index("--launcher-fd") + 1]
    assert code == 0 and sorted(map(int, state["fd"])) == sorted({0, 1, 2, extra, int(channel)}), (state, err)


def test_closed_stdio(r):
    quoted = " ".join(r.command("-d", "--pidfile", "p"))
    code, out, err = r.restore(command=["/bin/sh", "-c", f"exec {quoted} <&- >&- 2>&-"], root="exec sleep 1000",
                               options="setsid", fake={"dump": r.path("fds")})
    assert code == 0
    assert len(dump_of(r.path("fds"))["fd"]) == 1
    assert os.listdir(f"/proc/{parent(int(read(r.path('p'))))}/fd") == []


def test_stdio(r):
    process = r.start(root="cat; echo oops >&2; exit 7", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE)
    out, err = process.communicate("some text\n", timeout=LIMIT)
    assert (process.returncode, out, err) == (7, "some text\n", "oops\n")


# ---- end of the root, failures

def test_exit_code(r):
    for code in (0, 1, 42, 255):
        assert r.restore(root=f"exit {code}")[0] == code
    r.nothing_left()


def test_exit_by_signal(r):
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 3):
        code, out, err = r.restore(root=f"kill -{int(number)} $$", cwd=r.dir)
        assert code == -number, (number, code, err)
    assert not [name for name in os.listdir(r.dir) if name.startswith("core.") or name == "core"]
    r.nothing_left()


def test_protocol_without_answer(r):
    assert r.restore(root="exit 9", options="noack")[0] == 9
    r.detach("exec sleep 1000", options="noack setsid null")


def test_failing_engine(r):
    before = read("/proc/self/mountinfo")
    for detached in ([], ["-d"]):
        for options in ("", "orphan", "late", "late orphan"):
            code, out, err = r.restore(*detached, "--pidfile", "a.pid", root="exec sleep 1000",
                                       options="setsid " + options, fake={"exit": 4})
            assert code == 4 and err == "fake-engine: the images do not please me\n", (code, err)
            r.nothing_left()
    assert read("/proc/self/mountinfo") == before


def test_dying_engine(r):
    for detached in ([], ["-d"]):
        for options in ("", "late orphan"):
            code, out, err = r.restore(*detached, root="exec sleep 1000", options=options, fake={"signal": 9})
            assert code == 10 and "SIGKILL" in err and len(err.splitlines()) == 1, (code, err)
            r.nothing_left()
    code, out, err = r.restore(fake={"signal": 15})
    assert code == -15, (code, err)
    code, out, err = r.restore(options="noroot")
    assert code == 10 and "without naming a root" in err, (code, err)
    r.nothing_left()


def test_missing_engine(r):
    r.engine = "/nonexistent/engine"
    code, out, err = r.restore("-d")
    assert code == 5 and "/nonexistent/engine" in err and len(err.splitlines()) == 1, (code, err)
    r.engine = "no-such-engine"
    code, out, err = r.restore()
    assert code == 5 and "PATH" in err, (code, err)
    r.engine = r.dir
    assert r.restore()[0] == 5
    r.nothing_left()


def test_orphans_keep_the_namespace(r):
    out = r.path("left")
    code, _, err = r.restore(root=f"(exec sleep 1000) >/dev/null 2>&1 </dev/null & echo x > {out}; exit 5",
                             options="setsid")
    assert code == 5, (code, err)
    left = r.left()
    init = [p for p in left if ns_pids(p)[-1] == 1]
    child = [p for p in left if ns_pids(p)[-1] != 1]
    assert len(init) == 1 and len(child) == 1, left
    eventually(lambda: os.listdir(f"/proc/{init[0]}/fd") == [], "init closes what the launcher, which is gone, talked over")
    watch = os.pidfd_open(init[0])
    os.kill(child[0], signal.SIGKILL)
    wait_gone(watch, "init")
    r.nothing_left()


# ---- detached

def test_detached_returns_when_restored(r):
    gate = fifo(r)
    process = r.start("-d", "--pidfile", "p", root="exec sleep 1000", options="setsid null", fake={"wait": gate})
    end = os.open(gate, os.O_WRONLY)  # the engine is there and has opened its side
    assert process.poll() is None and not os.path.exists(r.path("p"))
    os.close(end)
    assert process.wait(LIMIT) == 0
    root = int(read(r.path("p")))
    assert alive(root) and alive(parent(root)) and ns_pids(parent(root))[-1] == 1
    assert read(r.path("p")) == str(root)


def test_detached_init_is_small(r):
    for many in (0, 3000):
        r.images(100, range(101, 101 + many))
        root, init = r.detach("exec sleep 1000", pid=100)
        assert os.listdir(f"/proc/{init}/fd") == []
        assert os.readlink(f"/proc/{init}/cwd") == "/"
        private = sum(int(line.split()[1]) for line in read(f"/proc/{init}/smaps_rollup").splitlines()
                      if line.startswith("Private_"))
        print(f"init with {many} threads in the images: {private} KiB of private memory")
        assert private < 1024
        sid = int(read(f"/proc/{init}/stat").rsplit(")", 1)[1].split()[3])
        assert sid == init, "init is in a session of its own"


def test_detached_init_ends_with_the_tree(r):
    up = fifo(r)
    root, init = r.detach(f"sleep 1000 & echo up > {up}; exec sleep 1000")
    assert open(up).read() == "up\n"
    child = int(read(f"/proc/{root}/task/{root}/children").split()[0])
    watch = os.pidfd_open(init)
    gone = os.pidfd_open(root)
    os.kill(root, signal.SIGKILL)
    wait_gone(gone, "root")
    assert alive(init) and alive(child)
    os.kill(child, signal.SIGTERM)
    wait_gone(watch, "init")
    r.nothing_left()


def test_detached_output_closes(r):
    process = r.start("-d", root="exec sleep 1000", options="setsid null", stdout=subprocess.PIPE)
    ready, _, _ = select.select([process.stdout], [], [], LIMIT)
    assert ready and process.stdout.read() == "", "nobody holds our pipe open"
    assert process.wait(LIMIT) == 0
    # the launcher's own process may still be seen for a moment
    eventually(lambda: len(r.left()) == 2, "the root and its init live, nothing else")


def test_init_reaps(r):
    root, init = r.detach("(sleep 0.01 & exit 0); (true & exit 0); exec sleep 1000")
    # an orphan's end is seen by init: it becomes its child, and no zombie stays
    children = f"/proc/{init}/task/{init}/children"
    for _ in range(1000):
        if read(children).split() == [str(root)]:
            return
        select.select([], [], [], 0.005)
    raise AssertionError(f"children of init: {read(children)}, root {root}")


def test_side_by_side(r):
    roots = [r.detach("exec sleep 1000", pid=77) for _ in range(5)]
    assert len(set(roots)) == 5 and all(ns_pids(root)[-1] == 77 for root, _ in roots)


# ---- pid files

def test_pidfiles(r):
    os.mkdir(r.path("work"))
    for args, where in (([], r.dir), (["-W", r.path("work")], r.path("work"))):
        code, out, err = r.restore("-d", "--pidfile", "outer", "--ns-pidfile", "inner", *args, root="exec sleep 1000",
                                   options="setsid null", fake={"pid": 50})
        assert code == 0, err
        pid = int(read(where + "/outer"))
        assert ns_pids(pid) == [pid, 50] and read(where + "/inner") == "50"
        assert os.stat(where + "/outer").st_mode & 0o777 == 0o600
        assert not [name for name in os.listdir(where) if ".new" in name]
    code, out, err = r.restore("--pidfile", r.path("absolute"), "-W", "/tmp", root="exit 3")
    assert code == 3 and int(read(r.path("absolute"))) > 0


def test_pidfile_errors(r):
    ran = r.path("ran")
    open(r.path("exists"), "w").close()
    for name, text in (("exists", "exists already"), ("missing/x", "cannot be created")):
        for option in ("--pidfile", "--ns-pidfile"):
            for detached in ([], ["-d"]):
                code, out, err = r.restore(option, name, *detached, root=f"echo > {ran}; exec sleep 1000",
                                           options="setsid")
                assert code == 6 and text in err and len(err.splitlines()) == 1, (code, err)
                r.nothing_left()
                assert not os.path.exists(ran), "the tree ran although the restore failed"
    assert read(r.path("exists")) == ""


# ---- namespaces

NESTED = """
import os, subprocess, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from harness import *
r = Run(sys.argv[2], sys.argv[3])
try:
    root, init = r.detach("exec sleep 1000", "--ns-pidfile", "inner", pid=9)
    assert ns_pids(root)[0] == root and ns_pids(root)[-1] == 9 and len(ns_pids(root)) == 2, ns_pids(root)
    assert read(r.path("inner")) == "9"
    assert r.restore(root="kill -9 $$")[0] == -9
    print(os.readlink("/proc/self/ns/pid"), len(ns_pids("self")))
finally:
    r.end()
"""


def test_nested_three_deep(r):
    nest = ["unshare", "-pf", "--mount-proc"]
    out = subprocess.run(nest * 3 + [sys.executable, "-c", NESTED, os.path.abspath(__file__), r.launcher, r.engine],
                         capture_output=True, text=True, timeout=LIMIT)
    assert out.returncode == 0, out.stderr
    assert out.stdout.split()[0] != os.readlink("/proc/self/ns/pid")


def test_private_proc(r):
    code, out, err = r.restore(root="cd /proc && echo [0-9]*; echo; cat /proc/self/mountinfo", fake={"pid": 5})
    pids = out.split("\n\n")[0].split()
    assert code == 0 and pids[0] == "1" and "5" in pids and len(pids) < 5, out
    assert sum(" /proc " in line for line in out.splitlines()) == 1 + sum(
        line.split()[4] == "/proc" for line in read("/proc/self/mountinfo").splitlines())


PROPAGATION = """
import os, subprocess, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from harness import *
r = Run(sys.argv[2], sys.argv[3])
try:
    for kind, seen in ((None, True), ("slave", True), ("private", False)):
        root, init = r.detach("exec sleep 1000", *(["--propagation", kind] if kind else []))
        place = r.path("late-" + str(kind))
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "late", place], check=True)
        found = place in read(f"/proc/{root}/mountinfo")
        assert found == seen, (kind, found)
        subprocess.run(["nsenter", "-t", str(root), "-m", "mount", "-t", "tmpfs", "inside", "/mnt"], check=True)
        assert " /mnt " not in read("/proc/self/mountinfo").replace("/mnt/", "")
        assert "- tmpfs inside " not in read("/proc/self/mountinfo")
        subprocess.run(["umount", place], check=True)
        assert place not in read(f"/proc/{root}/mountinfo")
finally:
    r.end()
"""


def test_propagation(r):
    out = subprocess.run(["unshare", "-m", "--propagation", "shared", sys.executable, "-c", PROPAGATION,
                          os.path.abspath(__file__), r.launcher, r.engine], capture_output=True, text=True, timeout=LIMIT)
    assert out.returncode == 0, out.stderr


def test_images_with_their_own_init(r):
    os.unlink(r.path("core-100.img"))
    r.images(1, [2, 3])
    code, out, err = r.restore(root="echo $$; exit 6", fake={"dump": r.path("argv")})
    assert code == 6 and out == "1\n", (code, out, err)
    assert "--root-is-init" in dump_of(r.path("argv"))["arg"]
    assert r.restore(root="exit 9", fake={"exit": 4}, options="late")[0] == 4
    r.nothing_left()
    root, above = r.detach("trap 'exit 0' TERM; sleep 1000 & wait")
    assert ns_pids(root) == [root, 1] and r.left().count(above) == 0, "no process of ours stays around it"
    os.kill(root, signal.SIGKILL)


def test_own_init_dies_with_the_launcher(r):
    r.images(1)
    process = r.start(root="echo up; exec sleep 1000", options="setsid", stdout=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    root = [p for p in r.left() if ns_pids(p)[-1] == 1 and len(ns_pids(p)) == 2][0]
    watch = os.pidfd_open(root)
    process.kill()
    process.wait()
    wait_gone(watch, "root")


# ---- signals

GROUP = """
import os, signal
signals = [getattr(signal, "SIG" + name) for name in "TERM INT HUP QUIT USR1 USR2 WINCH".split()]
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
who = "root"
if os.fork() == 0:
    who = "child"
    os.write(1, b"up\\n")
while True:
    os.write(1, (who + " " + signal.Signals(signal.sigwait(signals)).name[3:] + "\\n").encode())
"""


def test_signals_are_forwarded(r):
    """All members of the root's group hear each signal once."""
    with open(r.path("group.py"), "w") as f:
        f.write(GROUP)
    for options in ("setpgid", "setsid"):
        process = r.start(root=f"exec {sys.executable} {r.path('group.py')}", options=options, stdout=subprocess.PIPE)
        assert process.stdout.readline() == "up\n"
        for name in "TERM INT HUP QUIT USR1 USR2 WINCH".split():
            process.send_signal(getattr(signal, "SIG" + name))
            heard = {process.stdout.readline() for _ in range(2)}
            assert heard == {f"root {name}\n", f"child {name}\n"}, heard
        process.kill()
        process.wait()


def test_signal_ends_the_tree(r):
    for number in (signal.SIGTERM, signal.SIGHUP):
        process = r.start(root="echo up; exec sleep 1000", options="setsid", stdout=subprocess.PIPE)
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(LIMIT) == -number
        r.nothing_left()


def test_signal_to_detached_init(r):
    root, init = r.detach("exec sleep 1000")
    watch = os.pidfd_open(init)
    os.kill(init, signal.SIGTERM)
    wait_gone(watch, "init")
    r.nothing_left()


def test_tree_cannot_steer_init(r):
    code, out, err = r.restore(root="kill -TERM 1; kill -KILL 1; kill -TSTP 1; kill -CHLD 1; kill -IO 1; echo fine; exit 3",
                               options="setsid")
    assert (code, out) == (3, "fine\n"), (code, out, err)


def test_ignored_signal_is_not_forwarded(r):
    process = r.start(root="trap 'echo got HUP' HUP; trap 'echo got USR1; exit 0' USR1; echo up; "
                           "while :; do sleep 1000 & wait; kill $!; done",
                      options="setsid", stdout=subprocess.PIPE,
                      preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    # The shell keeps HUP ignored, so what counts is that the launcher does not die and hands on the next signal.
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == "got USR1\n"
    assert process.wait(LIMIT) == 0


def test_interrupt_during_restore(r):
    for number in (signal.SIGINT, signal.SIGTERM):
        process = r.start(options="stay", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout.readline() == "engine ready\n"
        process.send_signal(number)
        assert process.wait(LIMIT) == -number
        assert "ended by SIG" in process.stderr.read()
        r.nothing_left()


def test_kill_launcher(r):
    process = r.start(root="sleep 1000 & echo up; exec sleep 1000", options="setsid", stdout=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    watches = [os.pidfd_open(p) for p in r.left() if p != process.pid]
    assert len(watches) == 3
    process.kill()
    process.wait()
    for watch in watches:
        wait_gone(watch, "a process of the tree")
    r.nothing_left()


def test_kill_launcher_during_restore(r):
    for detached in ([], ["-d"]):
        process = r.start(*detached, options="stay", stdout=subprocess.PIPE)
        assert process.stdout.readline() == "engine ready\n"
        watches = [os.pidfd_open(p) for p in r.left() if p != process.pid]
        assert len(watches) == 2
        process.kill()
        process.wait()
        for watch in watches:
            wait_gone(watch, "a process of the restore")
        r.nothing_left()


def test_kill_init(r):
    process = r.start(root="echo up; exec sleep 1000", options="setsid", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    init = [p for p in r.left() if p != process.pid and ns_pids(p)[-1] == 1]
    os.kill(init[0], signal.SIGKILL)
    assert process.wait(LIMIT) == -9
    assert "killed" in process.stderr.read()
    r.nothing_left()


# ---- terminal

def stat_of(pid):
    return read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()


def test_terminal_belongs_to_the_tree_from_the_start(r):
    t = Terminal(r, root="read -r a b c d e f g h rest < /proc/$$/stat; echo group $e tty $h; exit 4", options="setpgid",
                 pid=100)
    out = t.run("$RESTORE -j")
    words = out.split()
    assert words[:4] == ["group", "100", "tty", "100"], out
    assert t.status() == 4
    t.close()


def test_terminal_ctrl_c(r):
    for options, arguments in (("setpgid", "-j"), ("setsid", ""), ("", "-j")):
        t = Terminal(r, root="echo up; exec sleep 1000", options=options)
        t.run(f"$RESTORE {arguments}", until="up\r\n")
        t.send("\x03")
        t.expect("ready# ")
        assert t.status() == 130, options
        r_left = [p for p in r.left() if p != t.pid]
        assert not r_left, r_left
        t.close()


def test_terminal_ctrl_z_and_fg(r):
    for options, arguments in (("setpgid", "-j"), ("setsid", ""), ("", "-j")):
        root = "echo up; read x; echo line $x; exit 11" if arguments else \
               "trap 'kill $!; echo continued; exit 11' CONT; echo up; while :; do sleep 1000 & wait; done"
        t = Terminal(r, root=root, options=options)
        before = t.run("stty -a")
        t.run(f"$RESTORE {arguments} --pidfile p", until="up\r\n")
        t.send("\x1a")
        out = t.expect("ready# ")
        assert "Stopped" in out, out
        assert t.status() == 148, options
        assert t.run("stty -a") == before
        root = int(read(r.path("p")))
        os.unlink(r.path("p"))
        assert stat_of(root)[0] == "T" and ns_pids(root)[-1] > 1, r.states()
        if arguments:
            t.run("fg", until="\r\n")
            t.send("hello\n")
            t.expect("line hello\r\n")
        else:
            t.run("fg", until="continued\r\n")
        t.expect("ready# ")
        assert t.status() == 11, options
        t.close()


def test_terminal_bg_reads_then_fg(r):
    t = Terminal(r, root="echo up; read x; echo line $x; exit 12", options="setpgid")
    t.run("set -b; $RESTORE -j &", until="up\r\n")
    t.expect("Stopped")  # it wanted to read
    t.run("")
    t.run("fg", until="\r\n")
    t.send("hello\n")
    t.expect("line hello\r\n")
    t.expect("ready# ")
    assert t.status() == 12
    t.close()


def test_terminal_fg_of_a_running_job(r):
    gate = fifo(r)
    t = Terminal(r, root=f"echo up; read x < {gate}; echo asking; read y; echo line $y; exit 13", options="setpgid")
    t.run("$RESTORE -j &", until="up\r\n")
    t.send("fg\n")
    t.expect("$RESTORE -j\r\n")
    with open(gate, "w") as f:
        f.write("go\n")
    t.expect("asking\r\n")
    t.send("hello\n")
    t.expect("line hello\r\n")
    t.expect("ready# ")
    assert t.status() == 13
    t.close()


def test_terminal_modes_come_back(r):
    t = Terminal(r, root="stty raw -echo; echo raw; read x; stty -a | grep -o -- -icanon; exit 14", options="setpgid")
    before = t.run("stty -a")
    assert " icanon" in before
    t.run("$RESTORE -j --pidfile p", until="raw\n")
    # raw: Ctrl-Z is a character there, so the stop comes from outside
    root = int(read(r.path("p")))
    os.kill(root, signal.SIGTSTP)
    assert "Stopped" in t.expect("ready# ")
    assert t.run("stty -a") == before
    t.run("fg", until="\r\n")
    t.send("x\n")
    t.expect("-icanon")
    t.expect("ready# ")
    assert t.status() == 14
    assert t.run("stty -a") == before
    t.close()


def test_terminal_modes_come_back_after_a_kill(r):
    t = Terminal(r, root="stty raw -echo; echo raw; exec sleep 1000", options="setpgid")
    before = t.run("stty -a")
    t.run("$RESTORE -j --pidfile p", until="raw\n")
    root = int(read(r.path("p")))
    os.kill(root, signal.SIGKILL)
    t.expect("ready# ")
    assert t.status() == 137
    assert t.run("stty -a") == before
    t.close()


def test_terminal_under_a_script(r):
    t = Terminal(r, root="echo up; read x; echo line $x; exit 15", options="setpgid")
    t.run("sh -c '$RESTORE -j; echo script $?'", until="up\r\n")
    t.send("\x1a")
    assert "Stopped" in t.expect("ready# ")
    t.run("fg", until="\r\n")
    t.send("hello\n")
    t.expect("line hello\r\n")
    t.expect("script 15")
    t.close()


def test_terminal_orphaned_group(r):
    """ns-restore as the session leader (ssh -t): nobody could continue it, so Ctrl-Z must not hang it."""
    for options in ("setpgid", ""):
        t = Terminal(r, argv=r.command("-j"), root="echo up; read x; echo line $x; exit 16", options=options)
        t.expect("up\r\n")
        t.send("\x1a")
        t.send("hello\n")
        t.expect("line hello\r\n")
        assert os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1]) == 16
        os.close(t.master)
    # a tree with a session of its own is stopped by init and must be continued
    gate = fifo(r)
    t = Terminal(r, argv=r.command(), root=f"echo up; read x < {gate}; exit 17", options="setsid")
    t.expect("up\r\n")
    t.send("\x1a")
    t.expect("^Z")
    with open(gate, "w") as f:
        f.write("x\n")
    assert os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1]) == 17
    os.close(t.master)


def main():
    name, launcher, engine = sys.argv[1:4]
    run = Run(launcher, engine)
    try:
        globals()["test_" + name](run)
    finally:
        run.end()


if __name__ == "__main__":
    main()
