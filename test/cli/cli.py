"""Drives the real ns-engine and looks at exit status, stdout, stderr and files. Run by ctest as `cli.py NAME`."""
import ctypes
import os
import re
import subprocess
import sys
import tempfile

ENGINE = os.environ["NS_ENGINE"]

FEATURES = """mnt_id mem_dirty_track aio_remap timerfd tun tun_ns userns fdinfo_lock seccomp_suspend seccomp_filters
    loginuid cgroupns autofs tcp_half_closed compat_cr uffd uffd-noncoop can_map_vdso sk_ns sk_unix_file net_diag_raw
    nsid link_nsid kcmp_epoll timens external_net_ns clone3_set_tid newifindex nftables has_ipt_legacy pidfd_store
    ns_pid apparmor_stacking network_lock_nftables sockopt_buf_lock memfd_hugetlb move_mount_set_group openat2
    get_rseq_conf ipv6_freebind pagemap_scan timer_cr_ids overlayfs_maps breakpoints pagemap_scan_guard_pages"""


def run(*args, **kwargs):
    env = dict(os.environ, HOME="/nonexistent")
    env.update(kwargs.pop("env", {}))
    return subprocess.run([ENGINE, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, **kwargs)


def expect(wanted, got, what):
    if wanted != got:
        sys.exit(f"{what}: wanted {wanted!r}, got {got!r}")


def last_line(text):
    return text.strip().splitlines()[-1] if text.strip() else ""


def unused_pid():
    """A pid that no process has: above pid_max there never is one."""
    return str(int(open("/proc/sys/kernel/pid_max").read()) + 1)


def exit_codes(tmp):
    """What scripts written for the peer rely on: these slips give 1, every other failure gives something but 0."""
    for args in ([], ["foo"], ["dump"], ["dump", "-t", "0"], ["dump", "-t", "abc"], ["check", "--feature", "unknown"],
                 ["check", "--ms"], ["dump", "-t", "1", "more"], ["--nonsense", "check"], ["check", "-t"]):
        expect(1, run(*args).returncode, args)
    for args in (["dump", "-t", unused_pid(), "-D", tmp], ["dump", "-t", "1", "-D", tmp + "/no"],
                 ["dump", "-t", "1", "-D", tmp, "-W", tmp + "/no"], ["restore", "-D", tmp]):
        done = run(*args)
        if done.returncode <= 0:
            sys.exit(f"{args}: exit status {done.returncode}")
    expect(6, run("restore", "-D", tmp + "/no").returncode, "missing images directory")


def help(tmp):
    done = run("--nonsense", "dump", "-h")
    expect(0, done.returncode, "-h")
    for word in ("--images-dir DIR", "-t, --tree PID", "--[no-]tcp-established", "--manage-cgroups[=MODE]"):
        if word not in done.stdout:
            sys.exit(f"help lacks {word}")
    if max(len(line) for line in done.stdout.splitlines()) > 132:
        sys.exit("help has overlong lines")


def version(tmp):
    for spelling in ("-V", "--version", "--versio"):
        done = run(spelling)
        expect(0, done.returncode, spelling)
        lines = done.stdout.splitlines()
        expect("Version: 4.2", lines[0], spelling)
        if not re.fullmatch(r"ns-restore \d+\.\d+\.\d+", lines[1]):
            sys.exit(f"second line {lines[1]!r}")


def usage_on_stdout(tmp):
    for args in ([], ["foo"], ["--nonsense"], ["check", "--manage-cgroups=wrong"]):
        if not run(*args).stdout.startswith("Usage: "):
            sys.exit(f"{args}: no usage text")
    for args in (["dump", "-t", "abc"], ["dump"]):
        expect("", run(*args).stdout, args)


def sentence_on_stderr(tmp):
    for args, word in ((["--nonsense"], "--nonsense"), (["foo"], "foo"), (["dump", "-t", "abc"], "abc"),
                       (["dump", "-t", "1", "more"], "more"), (["check", "--feature", "unknown"], "unknown"),
                       (["restore", "-D", tmp + "/no"], tmp + "/no")):
        line = last_line(run(*args).stderr)
        if word not in line:
            sys.exit(f"{args}: {line!r} does not name {word}")


def check(tmp):
    done = run("check")
    expect(0, done.returncode, done.stderr)
    expect("Looks good.\n", done.stdout, "check")
    done = run("check", "--all")
    if done.returncode not in (0, 1) or not done.stdout.startswith("Looks good"):
        sys.exit(f"check --all: {done.returncode} {done.stdout!r}")
    expect(done.returncode == 0, "missing" not in done.stdout, "status and text")
    expect(done.returncode == 1, "is not supported; " in done.stderr, "status and log")
    answers = {}
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"([a-z0-9_-]+): (yes|no; \S.*)", line):
            answers[match[1]] = match[2]
    for name in FEATURES.split():
        if name not in answers:
            sys.exit(f"check --all has no line for {name}: {done.stdout!r}")
        expect(answers[name] == "yes", run("check", "--feature", name).returncode == 0, name)
    expect(done.returncode == 0, all(answer == "yes" for answer in answers.values()), "status and lines")


def check_features(tmp):
    expect("clone3_set_tid is supported\n", run("check", "--feature", "clone3_set_tid").stdout, "one")
    done = run("check", "--feature", "apparmor_stacking", "--feature", "mnt_id")
    expect("mnt_id is supported\n", done.stdout, "the last one is told")
    if not os.path.exists("/sys/kernel/security/apparmor"):
        expect(1, done.returncode, "any one that is missing counts")


def leave_shared_namespaces():
    """Mounts and devices that other tests make meanwhile are not ours to see."""
    libc = ctypes.CDLL(None, use_errno=True)
    CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE = 0x20000, 0x40000000, 0x4000, 1 << 18
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None):
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")


def check_names(tmp):
    leave_shared_namespaces()
    mounts = open("/proc/self/mountinfo").read()
    links = os.listdir("/sys/class/net")
    for name in FEATURES.split():
        done = run("check", "--feature", name)
        wanted = f"{name} is {'' if done.returncode == 0 else 'not '}supported\n"
        expect(wanted, done.stdout, name)
    expect(mounts, open("/proc/self/mountinfo").read(), "mounts before and after")
    expect(links, os.listdir("/sys/class/net"), "links before and after")


def log_file(tmp):
    old = os.path.join(tmp, "log")
    open(old, "w").write("old text\n")
    done = run("restore", "-D", tmp, "-o", "log", "-v4")
    if done.returncode == 0:
        sys.exit("an empty directory was restored")
    text = open(old).read()
    if "old text" in text or "Restoring FAILED." not in text or not re.search(r"^\(\d\d\.\d{6}\) Error \(", text, re.M):
        sys.exit(f"log: {text!r}")
    if not done.stderr.startswith("ns-engine: ") or done.stderr.count("\n") != 1:
        sys.exit(f"stderr: {done.stderr!r}")
    done = run("check", "-D", tmp, "-o", "fresh")
    expect(0o600, os.stat(os.path.join(tmp, "fresh")).st_mode & 0o777, "mode of the log")
    done = run("restore", "-D", tmp, "-o", "-")
    if "Error (" not in done.stdout:
        sys.exit("-o - does not log on stdout")
    done = run("restore", "-D", tmp, "-verbosity=0")
    expect(1, done.stderr.count("\n"), "level 0 leaves the one sentence")


def work_dir(tmp):
    os.mkdir(os.path.join(tmp, "work"))
    run("check", "-D", tmp, "-W", os.path.join(tmp, "work"), "-o", "log")
    expect(["work"], os.listdir(tmp), "images directory")
    expect(["log"], os.listdir(os.path.join(tmp, "work")), "work directory")


def config_file(tmp):
    conf = os.path.join(tmp, "conf")
    open(conf, "w").write(f'images-dir "{tmp}"\nlog-file from-config # why\n')
    expect(0, run("check", "--config", conf).returncode, "--config")
    expect(0, run("check", env={"CRIU_CONFIG_FILE": conf}).returncode, "CRIU_CONFIG_FILE")
    if not os.path.exists(os.path.join(tmp, "from-config")):
        sys.exit("the setting had no effect")
    open(conf, "w").write("\nnonsense 1\n")
    done = run("check", "--config", conf)
    expect(1, done.returncode, "unknown option in a file")
    if f"{conf} line 2" not in done.stderr:
        sys.exit(f"place is not told: {done.stderr!r}")


def pidfile_dump(tmp):
    run("dump", "-t", unused_pid(), "-D", tmp, "--pidfile", "pid")
    if os.path.exists(os.path.join(tmp, "pid")):
        sys.exit("dump wrote a pidfile")


def not_built(tmp):
    done = run("service", "-D", tmp)
    expect(9, done.returncode, "service")
    expect("ns-engine: command service: is not built yet\n", done.stderr, "service")


def check_tree(tmp):
    """Each refusal has its line, the options count, and the tree runs on."""
    if os.geteuid() != 0:
        sys.exit(77)
    body = """import fcntl, os, socket, time
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname()); far = listener.accept()[0]
lock = open("lock", "w"); fcntl.flock(lock, fcntl.LOCK_EX)
while True: print("x", flush=True); time.sleep(0.01)"""
    child = subprocess.Popen(["/usr/bin/python3", "-c", body], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=tmp,
                             start_new_session=True)
    try:
        child.stdout.read(2)
        done = run("check", "--tree", str(child.pid))
        expect(2, done.returncode, done.stderr)
        lines = done.stdout.splitlines()
        expect(2, sum("TCP connection" in line for line in lines), done.stdout)
        expect(1, sum("lock" in line for line in lines), done.stdout)
        done = run("check", "-t", str(child.pid), "--tcp-established", "--file-locks")
        expect((0, True), (done.returncode, "can be dumped" in done.stdout), done.stdout + done.stderr)
        os.read(child.stdout.fileno(), 65536)
        child.stdout.read(2)
        expect(None, child.poll(), "the tree")
    finally:
        child.kill()
        child.wait()
    expect(3, run("check", "--tree", unused_pid()).returncode, "no such process")


def inherit_fd(tmp):
    expect(1, run("restore", "-D", tmp, "--inherit-fd", "fd[77]:pipe:[1]").returncode, "a closed descriptor")
    expect(1, run("dump", "-t", "1", "-D", tmp, "--inherit-fd", "fd[1]:pipe:[1]").returncode, "not for dump")


def privilege(tmp):
    if os.geteuid() != 0:
        sys.exit(77)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ENGINE, "check"],
                          capture_output=True, text=True, cwd="/")
    if done.returncode in (126, 127):
        sys.exit(77)
    expect(5, done.returncode, done.stderr)
    if "root" not in last_line(done.stderr):
        sys.exit(f"stderr: {done.stderr!r}")
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ENGINE, "check", "--all"],
                          capture_output=True, text=True, cwd="/")
    expect(5, done.returncode, done.stderr)
    for line in ("mnt_id: yes", "clone3_set_tid: no; needs Linux 5.5 and CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE"):
        if line not in done.stdout.splitlines():
            sys.exit(f"check --all without privileges does not say {line!r}: {done.stdout!r}")


def manual(tmp):
    """The manual page has every option and every feature name that the program knows."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/man/ns-engine.8")
    text = re.sub(r"\\f.", "", open(page).read()).replace("\\-", "-")
    options = re.findall(r"^  (?:-., |    )--(?:\[no-\])?([a-z-]+)", run("--help").stdout, re.M)
    if len(options) < 80:
        sys.exit(f"only {len(options)} options in the help text")
    for option in options:
        if not re.search(rf"--(\[no-\])?{option}\b", text):
            sys.exit(f"the manual page lacks --{option}")
    for name in FEATURES.split():
        if not re.search(rf"\b{name}[,.]", text):
            sys.exit(f"the manual page lacks feature {name}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="nsr-cli-") as directory:
        globals()[sys.argv[1]](directory)
