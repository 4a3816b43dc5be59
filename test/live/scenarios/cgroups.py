#!/usr/bin/python3
"""The cgroups of a restored tree, by the options that concern them:  cgroups.py NAME BUILD

Each function test_NAME is the ctest live.cgroups.NAME. The tree is a Python process with a second thread and a child, all asleep."""
import contextlib
import os
import shutil
import sys

from common import Failed, Scenario, alive, read, threads_of, until
from control_group import Group, mount_of, place_of

PROGRAM = """
import os, threading, time
if os.fork():
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
time.sleep(1000)
"""


class Tree:
    """The tree, placed from outside."""

    def __init__(self, s):
        self.s = s
        self.pid = s.spawn(["/usr/bin/python3", "-S", "-c", PROGRAM]).pid
        until(lambda: len(threads_of(self.pid)) == 2 and self.children(), "the tree is complete")
        self.child = self.children()[0]
        self.thread = threads_of(self.pid)[1]
        for pid, tid in (self.pid, self.pid), (self.pid, self.thread), (self.child, self.child):
            until(lambda: read(f"/proc/{pid}/task/{tid}/syscall").split(" ")[0] == "230", "all sleep")  # clock_nanosleep

    def children(self):
        return list(map(int, read(f"/proc/{self.pid}/task/{self.pid}/children").split()))

    def dump(self, *options):
        self.s.dump(self.pid, "images", "-v4", *options)
        self.s.gone([self.pid, self.child])
        self.s.processes.clear()  # the restored root has its id, and is reaped as an orphan

    def restore(self, *options, **more):
        return self.s.restore("images", *options, **more)

    def end(self):
        """Ends a restored tree, for another restore of the same images."""
        for pid in self.child, self.pid:
            os.kill(pid, 9)
        self.s.gone([self.pid, self.child])
        self.s.roots.remove(self.pid)

    def in_group(self, controller, path, who=None):
        for pid, tid in who or ((self.pid, self.pid), (self.pid, self.thread), (self.child, self.child)):
            expect(f"cgroup {controller or 'v2'} of task {tid}", place_of(pid, controller, tid), path)


def expect(what, value, wanted):
    if value != wanted:
        raise Failed(f"{what} is {value!r}, not {wanted!r}")


def refused(tree, reason, *options):
    done = tree.restore(*options, ok=False)
    if done.returncode == 0 or reason not in done.stderr:
        raise Failed(f"{options}: status {done.returncode}, {done.stderr!r} instead of {reason!r}")
    if alive(tree.pid) or alive(tree.child):
        raise Failed("a failed restore left a process")


# A property that every version has, with a value of ours and the one of a new cgroup
PROPERTIES = {"pids": ("pids.max", "77", "max"), "": ("cgroup.max.depth", "5", "max")}


def for_each_version(test):
    """Once for v1 and once for v2, where they are; skipped when there is neither."""
    def run(s):
        ran = 0
        for controller in PROPERTIES:
            try:
                mount_of(controller)
            except SystemExit:
                continue
            with contextlib.ExitStack() as stack:
                shutil.rmtree(s.path("images"), ignore_errors=True)
                group = Group(stack, controller, "/of/tree")
                name, value, default = PROPERTIES[controller]
                if not group.has(name):
                    continue
                test(s, group, name, value, default)
                ran += 1
        if not ran:
            sys.exit(77)
    return run


def dumped(s, group, name, value, *options):
    """A tree of which all are in the group, which has a property of its own."""
    tree = Tree(s)
    group.put(name, value)
    for pid in tree.pid, tree.child:
        group.add(pid)
    tree.dump(*options)
    return tree


def restored_with(s, group, name, value, default, mode, there, wanted):
    """With the cgroup there (its property changed back while the tree was away) or gone. wanted: the property after it, a reason why
    the restore fails, or None where the tree stays with the engine."""
    tree = dumped(s, group, name, value)
    group.put(name, default)
    if not there:
        group.remove()
    options = [f"--manage-cgroups={mode}"] if mode else []
    if wanted not in (value, default, None):
        refused(tree, wanted, *options)
        expect("whether the cgroup is there", os.path.isdir(group.path), there)
        expect("whether its parents are there", os.path.isdir(group.mount + group.top), there)
        return
    tree.restore(*options)
    if wanted is None:
        tree.in_group(group.controller, place_of(os.getpid(), group.controller))
        expect("whether the cgroup is there", os.path.isdir(group.path), there)
    else:
        tree.in_group(group.controller, group.name)
        expect(name, group.get(name), wanted)
    tree.end()


OURS, DEFAULT, STAYS, ABSENT, PRESENT = "ours", "default", "stays", "it does not exist", "it exists already"
MODES = {
    "none": (DEFAULT, ABSENT), "props": (OURS, ABSENT), "soft": (DEFAULT, OURS), "full": (OURS, OURS), "strict": (PRESENT, OURS),
    "ignore": (STAYS, STAYS), "": (DEFAULT, OURS),
}


def mode_test(mode):
    @for_each_version
    def run(s, group, name, value, default):
        for there, wanted in zip((True, False), MODES[mode]):
            os.makedirs(group.path, exist_ok=True)
            shutil.rmtree(s.path("images"), ignore_errors=True)
            wanted = {OURS: value, DEFAULT: default, STAYS: None}.get(wanted, wanted)
            restored_with(s, group, name, value, default, mode, there, wanted)
    return run


def test_mode_none(s):
    mode_test("none")(s)


def test_mode_props(s):
    mode_test("props")(s)


def test_mode_soft(s):
    mode_test("soft")(s)


def test_mode_full(s):
    mode_test("full")(s)


def test_mode_strict(s):
    mode_test("strict")(s)


def test_mode_ignore(s):
    mode_test("ignore")(s)


def test_mode_default(s):
    mode_test("")(s)


def test_dump_ignore(s):
    """A dump that ignores cgroups has none to restore."""
    @for_each_version
    def run(s, group, name, value, _):
        tree = dumped(s, group, name, value, "--manage-cgroups=ignore")
        group.remove()
        tree.restore("--manage-cgroups=strict")
        tree.in_group(group.controller, place_of(os.getpid(), group.controller))
        tree.end()
    run(s)


def test_root_at_restore(s):
    """The topmost cgroup of the tree becomes the one that --cgroup-root names, as container runtimes ask for."""
    @for_each_version
    def run(s, group, name, value, _):
        with contextlib.ExitStack() as stack:
            other = Group(stack, group.controller, prefix="nsr-live-other")
            tree = Tree(s)
            group.put(name, value)
            group.add(tree.pid)
            os.mkdir(group.path + "/below")
            with open(group.path + "/below/cgroup.procs", "w") as f:
                f.write(str(tree.child))
            tree.dump()
            group.remove()
            moved = other.name + "/moved"
            roots = [f"{group.controller}:{moved}"] if group.controller else [moved]
            tree.restore(*[word for root in roots for word in ("--cgroup-root", root)])
            tree.in_group(group.controller, moved, ((tree.pid, tree.pid), (tree.pid, tree.thread)))
            tree.in_group(group.controller, moved + "/below", ((tree.child, tree.child),))
            expect(name, read(f"{other.path}/moved/{name}").strip(), value)
            expect("whether the old cgroup is there", os.path.isdir(group.mount + group.top), False)
            tree.end()
    run(s)


def test_root_at_dump(s):
    """What lies between --cgroup-root and the tree is saved too; without the option at the restore it is all where it was."""
    @for_each_version
    def run(s, group, name, value, _):
        top = group.mount + group.top
        with open(f"{top}/{name}", "w") as f:
            f.write("66")
        tree = dumped(s, group, name, value, "--cgroup-root", f"{group.controller}:{group.top}" if group.controller else group.top)
        for options, root in ((), group.top), (("--cgroup-root", group.top + "/elsewhere"), group.top + "/elsewhere"):
            group.remove()
            tree.restore(*options)
            tree.in_group(group.controller, root + "/of/tree")
            expect(f"{name} of {root}", read(f"{group.mount}{root}/{name}").strip(), "66")
            expect(name, read(f"{group.mount}{root}/of/tree/{name}").strip(), value)
            tree.end()
    run(s)


def test_props(s):
    """--cgroup-props and --cgroup-props-file: replaced lists save no more than they name."""
    @for_each_version
    def run(s, group, name, value, default):
        key, other = (group.controller, "notify_on_release") if group.controller else ("cgroup2", "cgroup.max.descendants")
        text = f"{key}:\n- strategy: replace\n- properties: [{other}]\n"
        with open(s.path("props"), "w") as f:
            f.write(text)
        for option in ("--cgroup-props", text), ("--cgroup-props-file", s.path("props")):
            os.makedirs(group.path, exist_ok=True)
            group.put(other, "1")
            tree = dumped(s, group, name, value, *option)
            group.remove()
            tree.restore()
            tree.in_group(group.controller, group.name)
            expect(other, group.get(other), "1")
            expect(name, group.get(name), default)
            tree.end()
            shutil.rmtree(s.path("images"))
    run(s)


def test_dump_controller(s):
    """Only the hierarchies of --cgroup-dump-controller are kept; in the others the tree is where the engine is."""
    with contextlib.ExitStack() as stack:
        kept, left = Group(stack, "pids", "/a"), Group(stack, "cpu", "/a")
        tree = Tree(s)
        for group in kept, left:
            for pid in tree.pid, tree.child:
                group.add(pid)
        tree.dump("--cgroup-dump-controller", "pids")
        kept.remove()
        left.remove()
        tree.restore()
        tree.in_group("pids", kept.name)
        tree.in_group("cpu", place_of(os.getpid(), "cpu"))
        expect("whether the other cgroup is there", os.path.isdir(left.path), False)


def test_yard(s):
    """The hierarchies are found in --cgroup-yard: a restore by way of a yard without one of them says so."""
    @for_each_version
    def run(s, group, name, value, _):
        yard = s.path("yard" + group.controller)
        os.mkdir(yard)
        for line in read("/proc/self/cgroup").splitlines():
            controllers = line.split(":")[1]
            with contextlib.suppress(SystemExit):
                os.symlink(mount_of(controllers.split(",")[0]), os.path.join(yard, controllers.removeprefix("name=") or "unified"))
        tree = dumped(s, group, name, value, "--cgroup-yard", yard)
        group.remove()
        tree.restore("--cgroup-yard", yard)
        tree.in_group(group.controller, group.name)
        expect(name, group.get(name), value)
        tree.end()
        os.unlink(os.path.join(yard, group.controller or "unified"))
        refused(tree, "it cannot be reached", "--cgroup-yard", yard)
    run(s)


def test_engine_elsewhere(s):
    """The engine that restores is in another cgroup than the one that dumped: the tree comes to where it was."""
    @for_each_version
    def run(s, group, name, value, _):
        with contextlib.ExitStack() as stack:
            other = Group(stack, group.controller, prefix="nsr-live-engine")
            tree = dumped(s, group, name, value)
            tree.restore(enter=["/bin/sh", "-c", f'echo 0 >{other.path}/cgroup.procs; exec "$@"', "sh"])
            tree.in_group(group.controller, group.name)
            tree.end()
    run(s)


def test_threads_v1(s):
    """A thread and a child in cgroups other than their process's."""
    with contextlib.ExitStack() as stack:
        a, b = Group(stack, "pids", "/a"), Group(stack, "cpu", "/b")
        tree = Tree(s)
        a.add_thread(tree.thread)
        b.add(tree.child)
        here = {c: place_of(os.getpid(), c) for c in ("pids", "cpu")}
        tree.dump()
        a.remove()
        b.remove()
        tree.restore()
        tree.in_group("pids", here["pids"], ((tree.pid, tree.pid), (tree.child, tree.child)))
        tree.in_group("cpu", here["cpu"], ((tree.pid, tree.pid), (tree.pid, tree.thread)))
        tree.in_group("pids", a.name, ((tree.pid, tree.thread),))
        tree.in_group("cpu", b.name, ((tree.child, tree.child),))


def test_threads_v2(s):
    """Both threads of a process in threaded cgroups of their own, below the one where its child is."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "")
        for name in "one", "two":
            os.mkdir(f"{group.path}/{name}")
        tree = Tree(s)
        group.add(tree.pid)
        for name, tid in ("one", tree.pid), ("two", tree.thread):
            for file, text in ("cgroup.type", "threaded"), ("cgroup.threads", tid):
                with open(f"{group.path}/{name}/{file}", "w") as f:
                    f.write(str(text))
        group.add(tree.child)
        tree.dump()
        group.remove()
        tree.restore()
        tree.in_group("", group.name + "/one", ((tree.pid, tree.pid),))
        tree.in_group("", group.name + "/two", ((tree.pid, tree.thread),))
        tree.in_group("", group.name, ((tree.child, tree.child),))
        expect("the type", read(group.path + "/two/cgroup.type").strip(), "threaded")


def test_few_tasks(s):
    """A cgroup that has fewer tasks allowed than are in it: the limit was set after they were born."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "pids")
        tree = dumped(s, group, "pids.max", "2")
        group.remove()
        tree.restore()
        tree.in_group("pids", group.name)
        expect("pids.max", group.get("pids.max"), "2")


def test_cpuset(s):
    """CPUs and nodes of a cgroup whose parent is gone too: both come back, and so does an affinity inside of it."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "cpuset", "/of/tree")
        levels = [os.path.dirname(os.path.dirname(group.path)), os.path.dirname(group.path), group.path]
        for level in levels:
            for name in "cpuset.cpus", "cpuset.mems":
                with open(f"{level}/{name}", "w") as f:
                    f.write("0")
        tree = Tree(s)
        group.add(tree.child)
        tree.dump()
        group.remove()
        tree.restore()
        tree.in_group("cpuset", group.name, ((tree.child, tree.child),))
        expect("cpuset.cpus", group.get("cpuset.cpus"), "0")
        expect("affinity of the child", os.sched_getaffinity(tree.child), {0})
        expect("affinity of the root", os.sched_getaffinity(tree.pid), os.sched_getaffinity(0))


def test_affinity_inside(s):
    """Being moved into a cpuset takes an affinity away: it is set after that."""
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit(77)
    with contextlib.ExitStack() as stack:
        group = Group(stack, "cpuset")
        group.put("cpuset.cpus", "0-1")
        group.put("cpuset.mems", "0")
        tree = Tree(s)
        group.add(tree.child)
        group.add_thread(tree.thread)
        for tid in tree.child, tree.thread:
            os.sched_setaffinity(tid, {1})
        tree.dump()
        tree.restore()
        tree.in_group("cpuset", group.name, ((tree.child, tree.child), (tree.pid, tree.thread)))
        for tid in tree.child, tree.thread:
            expect(f"affinity of {tid}", os.sched_getaffinity(tid), {1})


def test_real_time(s):
    """A real-time task in a cgroup with a budget for such tasks (CONFIG_RT_GROUP_SCHED)."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "cpu")
        if not group.has("cpu.rt_runtime_us"):
            print("SKIP this kernel has no budgets for real-time tasks")
            sys.exit(77)
        group.put("cpu.rt_runtime_us", 20000)
        tree = Tree(s)
        group.add(tree.child)
        os.sched_setscheduler(tree.child, os.SCHED_FIFO, os.sched_param(7))
        tree.dump()
        group.remove()
        tree.restore()
        tree.in_group("cpu", group.name, ((tree.child, tree.child),))
        expect("rt_runtime_us", group.get("cpu.rt_runtime_us"), "20000")
        expect("policy", os.sched_getscheduler(tree.child), os.SCHED_FIFO)


def test_devices(s):
    """Which devices may be used (v1): a container's cgroup that is gone does not come back with all of them allowed."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "devices", "/c")
        group.put("devices.deny", "a")
        for line in "c 1:3 rwm", "c 136:* rw", "b *:* m":
            group.put("devices.allow", line)
        wanted = sorted(group.get("devices.list").splitlines())
        tree = Tree(s)
        group.add(tree.child)
        tree.dump()
        group.remove()
        tree.restore()
        expect("devices.list", sorted(group.get("devices.list").splitlines()), wanted)


def test_memory(s):
    """Limits of memory, which have an order: memory and swap together are never less than memory."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "memory", "/c")
        values = {"memory.limit_in_bytes": str(64 << 20), "memory.memsw.limit_in_bytes": str(96 << 20), "memory.swappiness": "7",
                  "memory.soft_limit_in_bytes": str(32 << 20)}
        for name, value in values.items():
            group.put(name, value)
        group.put("memory.oom_control", "1")
        tree = Tree(s)
        group.add(tree.child)
        tree.dump()
        for there in True, False:
            if there:
                for name in "memory.limit_in_bytes", "memory.memsw.limit_in_bytes":
                    group.put(name, str(16 << 20))
            else:
                group.remove()
            tree.restore("--manage-cgroups=full")
            tree.in_group("memory", group.name, ((tree.child, tree.child),))
            for name, value in values.items():
                expect(name, group.get(name), value)
            expect("oom_control", group.get("memory.oom_control").splitlines()[0], "oom_kill_disable 1")
            tree.end()


def test_controllers_v2(s):
    """Controllers of v2 for a cgroup whose parents are gone too: its limits come back."""
    with contextlib.ExitStack() as stack:
        group = Group(stack, "", "/of/tree")
        if "pids" not in read(group.mount + "/cgroup.controllers").split():
            print("SKIP v2 has no controllers here")
            sys.exit(77)
        for level in group.mount, group.mount + group.top, os.path.dirname(group.path):
            with open(level + "/cgroup.subtree_control", "w") as f:
                f.write("+pids +memory +cpu")
        values = {"pids.max": "55", "memory.high": str(128 << 20), "cpu.max": "50000 100000", "cpu.weight": "33"}
        for name, value in values.items():
            group.put(name, value)
        tree = Tree(s)
        for pid in tree.pid, tree.child:
            group.add(pid)
        tree.dump()
        group.remove()
        tree.restore()
        tree.in_group("", group.name)
        for name, value in values.items():
            expect(name, group.get(name), value)


def test_owner(s):
    """Owner and mode of a cgroup and of its files, as those that are given to a user have."""
    @for_each_version
    def run(s, group, name, value, _):
        os.chown(group.path, 1234, 1235)
        os.chmod(group.path, 0o750)
        os.chown(f"{group.path}/cgroup.procs", 1234, 1235)
        tree = dumped(s, group, name, value)
        group.remove()
        tree.restore()
        for path in group.path, f"{group.path}/cgroup.procs":
            st = os.stat(path)
            expect("owner of " + path, (st.st_uid, st.st_gid), (1234, 1235))
        expect("mode", os.stat(group.path).st_mode & 0o7777, 0o750)
        tree.end()
    run(s)


def test_zombie(s):
    """A zombie whose cgroup has been removed meanwhile."""
    @for_each_version
    def run(s, group, *_):
        tree = Tree(s)
        group.add(tree.child)
        os.kill(tree.child, 9)
        until(lambda: not alive(tree.child), "the child is a zombie")
        group.remove()
        s.dump(tree.pid, "images", "-v4")
        s.gone([tree.pid])
        s.processes.clear()
        tree.restore()
        expect("state", read(f"/proc/{tree.child}/stat").rsplit(")", 1)[1].split()[0], "Z")
        os.kill(tree.pid, 9)
        s.gone([tree.pid, tree.child])
        s.roots.clear()
    run(s)


def test_failure(s):
    """A restore that fails when the tree is complete takes the cgroups with it that it has made."""
    @for_each_version
    def run(s, group, name, value, _):
        script = s.path("fail.sh")
        with open(script, "w") as f:
            f.write("#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != post-restore ]\n")
        os.chmod(script, 0o700)
        tree = dumped(s, group, name, value)
        group.remove()
        refused(tree, "post-restore", "--action-script", script)
        until(lambda: not os.path.exists(group.mount + group.top), "the cgroups are gone", 5)
    run(s)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
