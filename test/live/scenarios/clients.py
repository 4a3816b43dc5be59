#!/usr/bin/python3
"""Clients that people use stay connected while their server is dumped, killed and ns-restored, and never see an error:
clients.py NAME BUILD

Each function test_NAME is the ctest live.clients.NAME."""
import http.client
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from common import Failed, Scenario, read, say, until

ROUNDS, LIMIT, ESTABLISHED = 5, 20.0, "--tcp-established"
HERE = os.path.dirname(os.path.abspath(__file__))
POSTGRES = "/usr/lib/postgresql/15/bin/"


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            say(f"{program} is not installed")
            sys.exit(77)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Server:
    """A server of a package, in a directory of its own."""

    def __init__(self, s, user, argv, port):
        self.s, self.port, self.moved = s, port, 0
        self.child = s.spawn(["/usr/sbin/runuser", "-u", user, "--", "setsid", *argv] if user else argv)
        until(lambda: answers(port), f"{argv[0]} listens on port {port}")
        self.pid = self.child.pid
        if user:   # runuser(1) waits for the program
            self.pid = int(read(f"/proc/{self.pid}/task/{self.pid}/children").split()[0])

    def move(self):
        images = f"images.{self.moved}"
        self.moved += 1
        self.s.dump(self.pid, images, ESTABLISHED)
        self.s.gone([self.pid])
        self.pid = self.s.ns_restore(images, ESTABLISHED)
        shutil.rmtree(self.s.path(images))


class Terminal:
    """A client that takes commands on its standard input."""

    def __init__(self, *argv):
        self.child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(line.rstrip("\n")) for line in self.child.stdout], daemon=True).start()

    def ask(self, text, lines=1):
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()
        return self.answer(lines)

    def answer(self, lines=1):
        try:
            return [self.lines.get(timeout=LIMIT) for _ in range(lines)]
        except queue.Empty:
            raise Failed(f"{self.child.args[0]} gives no answer")

    def end(self):
        self.child.stdin.close()
        if status := self.child.wait(LIMIT):
            raise Failed(f"{self.child.args[0]} ended with {status}")
        if not self.lines.empty():
            raise Failed(f"{self.child.args[0]} said: {self.lines.get()}")


def expect(got, wanted):
    if got != wanted:
        raise Failed(f"got {got}, wanted {wanted}")


def test_redis_cli(s):
    """redis-cli in the middle of a transaction; another one that is subscribed."""
    needs("redis-server", "redis-cli")
    port = free_port()
    server = Server(s, None, ["redis-server", "--port", str(port), "--dir", s.dir, "--save", ""], port)
    client, subscriber = Terminal("redis-cli", "-p", str(port)), Terminal("redis-cli", "-p", str(port), "subscribe", "news")
    expect(subscriber.answer(3), ["subscribe", "news", "1"])
    identity = client.ask("client id")
    for n in range(ROUNDS):
        expect(client.ask("multi"), ["OK"])
        expect(client.ask("incr count"), ["QUEUED"])
        server.move()
        expect(client.ask("exec"), [str(n + 1)])
        expect(client.ask(f"publish news {n}"), ["1"])
        expect(subscriber.answer(3), ["message", "news", str(n)])
    expect(client.ask("client id"), identity)   # the same connection all the time
    client.end()
    subscriber.child.kill()


def test_psql(s):
    """psql with an open transaction, a temporary table and a prepared statement."""
    needs(POSTGRES + "postgres", "psql")
    port, data = free_port(), s.path("data")
    os.chmod(s.dir, 0o777)
    s.command(["/usr/sbin/runuser", "-u", "postgres", "--", POSTGRES + "initdb", "-D", data, "-A", "trust", "--no-sync"])
    server = Server(s, "postgres", [POSTGRES + "postgres", "-D", data, "-p", str(port), "-k", s.dir], port)
    client = Terminal("psql", "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "postgres")
    until(lambda: client.ask("select 1;") == ["1"], "psql is connected")
    backend = client.ask("select pg_backend_pid();")
    client.child.stdin.write("create temporary table t(n int); prepare more as insert into t values ($1);\n")
    for n in range(ROUNDS):
        client.child.stdin.write(f"begin; execute more({n});\n")
        expect(client.ask("select count(*) from t;"), [str(n + 1)])
        server.move()
        client.child.stdin.write("commit;\n")
        expect(client.ask("select count(*), max(n) from t;"), [f"{n + 1}|{n}"])
    expect(client.ask("select pg_backend_pid();"), backend)
    client.end()
    os.kill(server.pid, signal.SIGINT)   # fast shutdown, so that its segment goes with it
    s.gone([server.pid])


def test_keep_alive(s):
    """One HTTP connection for many requests, before, during and after; nginx answers them."""
    needs("nginx")
    port = free_port()
    os.mkdir(s.path("www"))
    os.chmod(s.dir, 0o755)
    with open(s.path("www", "page"), "w") as f:
        f.write("hello")
    with open(s.path("nginx.conf"), "w") as f:
        f.write(f"user www-data; worker_processes 1; pid {s.dir}/pid; error_log {s.dir}/error.log; events {{ worker_connections 64; }}\n"
                f"http {{ access_log off; keepalive_requests 100000; server {{ listen 127.0.0.1:{port}; root {s.dir}/www; }} }}")
    server = Server(s, None, ["nginx", "-c", s.path("nginx.conf"), "-g", "daemon off;"], port)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    client.connect()
    ours, count, failure, over = client.sock.getsockname(), 0, [], False

    def ask():
        nonlocal count
        try:
            while not over:
                client.request("GET", "/page")
                answer = client.getresponse()
                if answer.status != 200 or answer.read() != b"hello" or client.sock.getsockname() != ours:
                    raise Failed(f"status {answer.status} on {client.sock}")
                count += 1
        except Exception as e:   # told by the thread that waits
            failure.append(repr(e))
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(ROUNDS):
            before = count
            server.move()
            until(lambda: failure or count > before + 5, "the client goes on")
    finally:
        over = True
        asking.join()
    if failure:
        raise Failed(failure[0])
    say(f"{count} requests on one connection")


def test_byte_stream(s):
    """Small pieces to and fro without a pause, as a terminal session has them: what is sent comes back, in order."""
    port = free_port()
    server = Server(s, None, ["/usr/bin/python3", os.path.join(HERE, "echo.py"), str(port)], port)
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(LIMIT)
    over, sent, received, failure, longest = False, bytearray(), 0, [], 0.0

    def type_keys():
        while not over:
            piece = os.urandom(random.randint(1, 50))
            sent.extend(piece)
            client.sendall(piece)
            time.sleep(0.001)
        client.shutdown(socket.SHUT_WR)

    def look():
        nonlocal received, longest
        try:
            last = time.monotonic()
            while data := client.recv(1000):
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
                if data != sent[received:received + len(data)]:
                    raise Failed(f"other bytes came back after {received}")
                received += len(data)
        except Exception as e:   # told by the thread that waits
            failure.append(repr(e))
    threads = [threading.Thread(target=f) for f in (type_keys, look)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4 * ROUNDS):
            server.move()
            before = received
            until(lambda: failure or received > before, "bytes come back")
    finally:
        over = True
        for thread in threads:
            thread.join()
    if failure or received != len(sent):
        raise Failed(failure[0] if failure else f"{len(sent)} bytes sent, {received} came back")
    say(f"{received} bytes in {4 * ROUNDS} rounds, longest silence {longest:.2f} s")


def test_ssh(s):
    """A session of ssh(1) with a shell behind it: sshd, its session and the shell are dumped, killed and ns-restored in turns with
    nothing lost between."""
    needs("/usr/sbin/sshd", "ssh", "ssh-keygen")
    port, key = free_port(), s.path("key")
    s.command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    shutil.copy(key + ".pub", s.path("allowed"))
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    server = Server(s, None, ["/usr/sbin/sshd", "-D", "-e", "-p", str(port), "-h", key, "-o", f"AuthorizedKeysFile={s.path('allowed')}",
                              "-o", "ListenAddress=127.0.0.1", "-o", "StrictModes=no", "-o", "UsePAM=no", "-o", "PidFile=none"], port)
    client = Terminal("ssh", "-q", "-p", str(port), "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                      "root@127.0.0.1", "/bin/sh")
    expect(client.ask("n=1; echo ready"), ["ready"])
    for n in range(ROUNDS):
        client.child.stdin.write(f"n=$((n + 1)); echo round {n}\n")
        client.child.stdin.flush()
        server.move()
        expect(client.answer(), [f"round {n}"])
    expect(client.ask("echo $n"), [str(ROUNDS + 1)])
    client.end()


if __name__ == "__main__":
    Scenario(sys.argv[2]).main(globals()["test_" + sys.argv[1]])
