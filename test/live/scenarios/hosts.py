"""Hosts joined by wires, each a network namespace, and what is watched on the wires."""
import os
import re
import subprocess
import threading
import time

from common import until

SERVER, CLIENT = "198.18.77.2", "198.18.77.3"   # of the network for such tests, RFC 2544


def make_namespaces(s, names):
    """An empty network namespace of each name; returns the command words that lead inside, and ip(8) in each."""
    pids = {}
    for name in names:
        child = s.spawn(["/usr/bin/unshare", "-n", "/bin/sleep", "1000"])
        pids[name] = child.pid
        until(lambda: os.readlink(f"/proc/{child.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "a network namespace")
    inside = {name: ["nsenter", f"--net=/proc/{pid}/ns/net"] for name, pid in pids.items()}

    def ip(name, *words):
        s.command([*inside[name], "ip", *words])
    return pids, inside, ip


class Link:
    """A host "server" and a host "client" with a wire between them that carries so many megabits a second."""

    def __init__(self, s, rate):
        self.s = s
        pids, self.inside, ip = make_namespaces(s, ("server", "client"))
        ip("server", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(pids["client"]))
        for host, address in (("server", SERVER), ("client", CLIENT)):
            ip(host, "addr", "add", address + "/24", "dev", "eth0")
            ip(host, "link", "set", "lo", "up")
            ip(host, "link", "set", "eth0", "up")
            s.command([*self.inside[host], "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{rate}mbit", "burst", "256k", "limit", "1m"])
            self.nft(host, "add table inet watch; add counter inet watch resets; add chain inet watch in { type filter hook input priority -500; }; "
                     "add rule inet watch in tcp flags rst counter name resets")

    def nft(self, host, words):
        return self.s.command([*self.inside[host], "nft", words]).stdout

    def resets(self):
        """TCP segments with RST that have arrived at either host."""
        return sum(int(re.search(r"packets (\d+)", self.nft(host, "list counter inet watch resets")).group(1)) for host in self.inside)

    def locks(self):
        """Tables of ours in the firewall of either host."""
        return sum((re.findall(r"nsr-\S+", self.nft(host, "list tables")) for host in self.inside), [])

    def sockets(self, host, port):
        return subprocess.run([*self.inside[host], "ss", "-Htino", f"( sport = :{port} or dport = :{port} )"], stdout=subprocess.PIPE, text=True).stdout


class Watch:
    """Looks from the host that stays up how long a connection makes no progress at all; longest is in seconds."""

    def __init__(self, look):
        self.look, self.longest, self.seen, self.over = look, 0.0, "", False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        last, since = None, time.monotonic()
        while not self.over:
            text = self.look()
            now, state = time.monotonic(), re.findall(r"(?:bytes_\w+:\d+|ESTAB +\d+ +\d+)", text)
            if now - since > self.longest:
                self.longest, self.seen = now - since, text
            if state != last:
                last, since = state, now
            time.sleep(0.1)

    def end(self):
        self.over = True
        self.thread.join()
        return self.longest
