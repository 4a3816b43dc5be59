#!/usr/bin/python3
"""Live TCP connections with a peer outside the tree:  network.py NAME BUILD

Each function test_NAME is the ctest live.network.NAME."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from common import Failed, Scenario, alive, read, until
from hosts import CLIENT, SERVER, make_namespaces

HERE = os.path.dirname(os.path.abspath(__file__))
STREAM = ["/usr/bin/python3", os.path.join(HERE, "stream.py")]
ESTABLISHED = "--tcp-established"


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def listening(port, where=()):
    return lambda: subprocess.run([*where, "ss", "-Htln", f"sport = :{port}"], stdout=subprocess.PIPE).stdout != b""


def connected(port, where=()):
    return lambda: subprocess.run([*where, "ss", "-Htn", "state", "established", f"sport = :{port}"], stdout=subprocess.PIPE).stdout != b""


def start(s, total, address="127.0.0.1", server=(), client=()):
    """A receiver and a sender with a connection between them; returns their pids, results and the receiver's port."""
    port, results = free_port(), {"recv": s.path("recv.result"), "send": s.path("send.result")}
    pids = {"recv": s.spawn([*server, *STREAM, "recv", address, port, str(total), results["recv"]]).pid}
    until(listening(port, server), "the receiver listens")
    pids["send"] = s.spawn([*client, *STREAM, "send", address, port, str(total), results["send"]]).pid
    until(connected(port, server), "the two are connected")
    return pids, results, port


def finish(results, total, limit=60):
    until(lambda: all(os.path.exists(r) for r in results.values()), "both ends have seen all of the stream", limit)
    sent, received = read(results["send"]), read(results["recv"])
    if sent != received or int(sent.split()[0]) != total:
        raise Failed(f"sent {sent}, received {received}")


def locks_of(port):
    """Tables of ours in the firewall that name this port."""
    if not shutil.which("nft"):
        return []
    text = subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, text=True).stdout
    # behind the brace is the owner's name, if there is one
    tables = re.findall(r"^table inet (nsr-\S+) \{(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    return [name for name, body in tables if re.search(rf"\. {port}\b", body)]


def no_lock_left(port):
    if left := locks_of(port):
        raise Failed(f"firewall tables left behind: {left}")


def test_transfer(s):
    """Receiver and sender in turns are dumped, killed and ns-restored in mid-transfer; every byte arrives once."""
    total, rounds = 1 << 30, 50
    pids, results, port = start(s, total)
    for n in range(rounds):
        if any(os.path.exists(r) for r in results.values()):
            raise Failed(f"the transfer was over after {n} rounds")
        role, images = ("recv", "send")[n % 2], f"images.{n}"
        s.dump(pids[role], images, ESTABLISHED)
        s.gone([pids[role]])
        pids[role] = s.ns_restore(images, ESTABLISHED)
        shutil.rmtree(s.path(images))
        time.sleep(random.uniform(0, 0.1))   # the moment of the next dump is no one's to choose
    finish(results, total)
    no_lock_left(port)


def test_engine_killed(s):
    """The engine is killed at random instants of a dump: connection and firewall are as if nothing had been."""
    total = 512 << 20
    pids, results, port = start(s, total)
    engine = os.path.join(s.bin, "ns-engine")
    for n in range(40):
        role, images = ("recv", "send")[n % 2], s.path(f"images.{n}")
        os.mkdir(images)
        dump = subprocess.Popen([engine, "dump", "-t", str(pids[role]), "-D", images, "-R", ESTABLISHED, "-o", "dump.log"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.02))
        dump.send_signal(signal.SIGKILL)
        dump.wait()
        shutil.rmtree(images, ignore_errors=True)
        if not alive(pids[role]):
            raise Failed(f"round {n}: {role} died with the engine, status {[c.poll() for c in s.processes]}")
    finish(results, total)
    no_lock_left(port)


def test_failed_dump(s):
    """A dump that fails after the network was held lets it go."""
    total = 64 << 20
    pids, results, port = start(s, total)
    os.makedirs(s.path("images"))
    # The directory is full from the first image on.
    s.command(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", s.path("images")])
    try:
        done = s.command([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pids["recv"]), "-D", s.path("images"), ESTABLISHED], ok=False)
    finally:
        s.command(["umount", s.path("images")])
    if done.returncode == 0:
        raise Failed("the dump found room where there is none")
    finish(results, total)
    no_lock_left(port)


def helper_killer(s):
    """An action script that kills what holds the engine's lock."""
    script = s.path("kill-helper")
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncase $CRTOOLS_SCRIPT_ACTION in post-dump|post-restore) pkill -KILL -P $PPID -x ns-netlock;; esac\n")
    os.chmod(script, 0o755)
    return ["--action-script", script]


def test_helper_killed(s):
    """Without what holds the lock a dump fails and so does a restore; the connection goes on, nothing stays locked."""
    total = 256 << 20
    pids, results, port = start(s, total)
    engine = os.path.join(s.bin, "ns-engine")

    def fails(*argv):
        done = s.command([engine, *argv, ESTABLISHED, *helper_killer(s)], ok=False)
        if done.returncode != 5 or "ns-netlock was killed" not in done.stderr:
            raise Failed(f"{argv[0]} ended with {done.returncode}: {done.stderr}")
    os.mkdir(s.path("failed"))
    fails("dump", "-t", str(pids["recv"]), "-D", s.path("failed"))
    no_lock_left(port)
    s.dump(pids["recv"], "images", ESTABLISHED)
    s.gone([pids["recv"]])
    fails("restore", "-d", "-D", s.path("images"))
    s.ns_restore("images", ESTABLISHED)
    finish(results, total)
    no_lock_left(port)


def test_engine_and_helper_killed(s):
    """Both are killed while the lock is on: it goes with them, the tree and its connection go on."""
    total = 256 << 20
    pids, results, port = start(s, total)
    script = s.path("stay")
    with open(script, "w") as f:
        f.write(f"#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != post-dump ] || {{ echo $PPID > {s.path('here')}; exec sleep 60; }}\n")
    os.chmod(script, 0o755)
    for n, both in enumerate((False, True)):
        images = s.path(f"images.{n}")
        os.mkdir(images)
        dump = s.spawn([os.path.join(s.bin, "ns-engine"), "dump", "-t", str(pids["recv"]), "-D", images, ESTABLISHED, "--action-script", script])
        until(lambda: read(s.path("here")).strip() == str(dump.pid), "the dump holds the network")
        if shutil.which("nft") and not locks_of(port):
            raise Failed("there is no lock while the tree stands")
        children = read(f"/proc/{dump.pid}/task/{dump.pid}/children").split()
        for pid in children if both else [c for c in children if read(f"/proc/{c}/comm").strip() != "ns-netlock"]:
            os.kill(int(pid), signal.SIGKILL)
        dump.send_signal(signal.SIGKILL)
        dump.wait()
        until(lambda: not locks_of(port), "the lock has gone")
        if not alive(pids["recv"]):
            raise Failed("the receiver died with the engine")
    finish(results, total)


def test_no_helper(s):
    """An engine without its helper says in one sentence what is missing, and still works with --network-lock skip."""
    total = 64 << 20
    pids, results, port = start(s, total)
    engine = shutil.copy(os.path.join(s.bin, "ns-engine"), s.path("ns-engine"))
    for n, (lock, wanted) in enumerate((([], 5), (["--network-lock", "skip"], 0))):
        os.mkdir(s.path(f"images.{n}"))
        done = s.command([engine, "dump", "-R", "-t", str(pids["recv"]), "-D", s.path(f"images.{n}"), ESTABLISHED, *lock], ok=False)
        if done.returncode != wanted:
            raise Failed(f"a dump with {lock} ended with {done.returncode}: {done.stderr}")
        if wanted and not re.search(r"network lock: .*ns-netlock.*libnftables1.*--network-lock", done.stderr):
            raise Failed(f"the message is: {done.stderr}")
    finish(results, total)


def test_unlock(s):
    """What a dump leaves to its restore can be taken away by hand, once."""
    if not shutil.which("nft"):
        sys.exit(77)
    pids, _, port = start(s, 1 << 30)
    s.dump(pids["recv"], "images", ESTABLISHED)
    if not locks_of(port):
        raise Failed("the dump has left no lock for the restore")
    for _ in range(2):
        s.command([os.path.join(s.bin, "ns-engine"), "unlock", "-D", s.path("images")])
        no_lock_left(port)


def test_iptables(s):
    """The same with the other firewall: the lock is there between dump and restore, and gone afterwards."""
    if not shutil.which("iptables"):
        sys.exit(77)
    total = 64 << 20
    pids, results, _ = start(s, total)

    def chains():
        return re.findall(r"^-N (nsr-\S+)", s.command(["iptables", "--wait=5", "-S"]).stdout, re.MULTILINE)
    before = chains()
    for n, role in enumerate(("recv", "send")):
        images = f"images.{n}"
        s.dump(pids[role], images, ESTABLISHED, "--network-lock", "iptables")
        s.gone([pids[role]])
        if len(chains()) != len(before) + 1:
            raise Failed(f"chains after the dump: {chains()}, before: {before}")
        pids[role] = s.ns_restore(images, ESTABLISHED)
        if chains() != before:
            raise Failed(f"chains left behind: {chains()}")
    finish(results, total)


def test_own_rules(s):
    """A network namespace of the tree's own: its rules are saved and come back, those of the lock in it are not."""
    total, port, results = 1 << 30, free_port(), {"recv": s.path("recv.result"), "send": s.path("send.result")}
    ends = [" ".join([*STREAM, role, "127.0.0.1", port, str(total), results[role]]) for role in ("recv", "send")]
    listens = f"until ss -Htln 'sport = :{port}' | grep -q .; do :; done"
    root = s.spawn(["unshare", "-n", "sh", "-c", f"ip link set lo up; nft add table inet mine; {ends[0]} & {listens}; {ends[1]} & wait; exit"]).pid
    until(connected(port, ["nsenter", "-t", str(root), "-n"]), "the two are connected")
    s.dump(root, "images", ESTABLISHED)
    s.gone([root])
    rules = "".join(read(s.path("images", f)) for f in os.listdir(s.path("images")) if f.startswith("nftables-"))
    if "table inet mine" not in rules or "nsr-" in rules:
        raise Failed(f"the rules that were saved: {rules}")
    root = s.ns_restore("images", ESTABLISHED)
    tables = s.command(["nsenter", "-t", str(root), "-n", "nft", "list", "tables"]).stdout
    if tables.split("\n") != ["table inet mine", ""]:
        raise Failed(f"tables after the restore: {tables}")
    finish(results, total)


def make_hosts(s):
    """Three hosts on one switch: two servers, one of which has the server's address, and a client."""
    pids, inside, ip = make_namespaces(s, ("switch", "one", "two", "client"))
    ip("switch", "link", "add", "br0", "type", "bridge")
    ip("switch", "link", "set", "br0", "up")
    for host in ("one", "two", "client"):
        ip("switch", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", str(pids[host]))
        ip("switch", "link", "set", host, "master", "br0", "up")
        ip(host, "link", "set", "lo", "up")
        ip(host, "link", "set", "eth0", "up")
    ip("one", "addr", "add", SERVER + "/24", "dev", "eth0")
    ip("client", "addr", "add", CLIENT + "/24", "dev", "eth0")
    return inside, ip


def test_migration(s):
    """A server moves from one host to another with its address and its images; the client outside goes on."""
    total = 256 << 20
    inside, ip = make_hosts(s)
    pids, results, _ = start(s, total, SERVER, inside["one"], inside["client"])
    s.dump(pids["recv"], "images", ESTABLISHED, enter=inside["one"])
    s.gone([pids["recv"]])
    s.command(["rsync", "-a", s.path("images") + "/", s.path("copied")])
    ip("one", "addr", "del", SERVER + "/24", "dev", "eth0")
    ip("two", "addr", "add", SERVER + "/24", "dev", "eth0")
    ip("client", "neigh", "flush", "all")
    s.ns_restore("copied", ESTABLISHED, enter=inside["two"])
    s.command([*inside["one"], os.path.join(s.bin, "ns-engine"), "unlock", "-D", s.path("images")])
    finish(results, total)


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
