"""Small clients for the protocols of the services. They cost well under a millisecond, so that what is measured is the service."""
import socket
import struct


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(port, timeout=10):
    s = socket.create_connection(("127.0.0.1", port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise ConnectionResetError(f"the server closed after {len(data)} of {n} bytes")
        data += more
    return data


def line_call(s, request):
    """Sends a request, returns one line of answer without its CRLF."""
    s.sendall(request)
    data = b""
    while not data.endswith(b"\r\n"):
        data += exactly(s, 1)
    return data[:-2]


class Redis:
    def __init__(self, port):
        self.s = connect(port)
        self.f = self.s.makefile("rb")

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.f.readline()
        if not line:
            raise ConnectionResetError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.f.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise OSError(rest.decode())
        return rest

    def close(self):
        self.f.close()
        self.s.close()


def http(port, path="/", method="GET", body=b"", s=None, timeout=10):
    """Returns (status, body). With s, a connection, it is kept alive."""
    own = s is None
    if own:
        s = connect(port, timeout)
    try:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {len(body)}\r\n"
                  f"Connection: {'close' if own else 'keep-alive'}\r\n\r\n".encode() + body)
        f = s.makefile("rb")
        first = f.readline()
        if not first:
            raise ConnectionResetError("no status line")
        headers = {}
        while (line := f.readline().strip()):
            key, _, value = line.partition(b":")
            headers[key.lower()] = value.strip()
        if b"content-length" in headers:
            data = f.read(int(headers[b"content-length"]))
        elif headers.get(b"transfer-encoding") == b"chunked":
            data = b""
            while (size := int(f.readline(), 16)):
                data += f.read(size)
                f.readline()
            f.readline()
        else:
            data = f.read()
        return int(first.split()[1]), data
    finally:
        if own:
            s.close()


class Postgres:
    """Simple queries over protocol 3.0 with trust authentication."""

    def __init__(self, port, user="postgres", database="postgres"):
        self.s = connect(port)
        text = b"user\0" + user.encode() + b"\0database\0" + database.encode() + b"\0\0"
        self.s.sendall(struct.pack("!II", len(text) + 8, 196608) + text)
        self.until_ready()

    def until_ready(self):
        rows, error = [], None
        while True:
            kind, size = struct.unpack("!cI", exactly(self.s, 5))
            body = exactly(self.s, size - 4)
            if kind == b"D":
                rows.append(self.row(body))
            elif kind == b"E":
                error = body.replace(b"\0", b" ").decode(errors="replace")
                if b"57P03" in body or b"FATAL" in body:
                    raise ConnectionRefusedError(error)
            elif kind == b"Z":
                if error:
                    raise AssertionError(error)
                return rows

    @staticmethod
    def row(body):
        values, at = [], 2
        for _ in range(struct.unpack_from("!H", body)[0]):
            size = struct.unpack_from("!i", body, at)[0]
            at += 4
            values.append(None if size < 0 else body[at:at + size].decode())
            at += max(size, 0)
        return values

    def __call__(self, query):
        self.s.sendall(b"Q" + struct.pack("!I", len(query) + 5) + query.encode() + b"\0")
        return self.until_ready()

    def close(self):
        self.s.sendall(b"X\0\0\0\4")
        self.s.close()


class Mysql:
    """Text protocol of MariaDB, a user without password."""

    def __init__(self, port, user="root"):
        self.s = connect(port)
        greeting = self.packet()
        if greeting[:1] == b"\xff":
            raise ConnectionRefusedError(greeting[3:].decode(errors="replace"))
        flags = 0x0200 | 0x8000 | 0x80000 | 0x2  # protocol 4.1, secure connection, plugin auth, found rows
        self.send(struct.pack("<IIB23x", flags, 1 << 24, 33) + user.encode() + b"\0" + b"\0" + b"mysql_native_password\0", 1)
        answer = self.packet()
        if answer[:1] == b"\xfe":  # switch to another method: an empty password is an empty answer
            self.send(b"", 3)
            answer = self.packet()
        if answer[:1] != b"\0":
            raise AssertionError(answer[3:].decode(errors="replace"))

    def packet(self):
        head = exactly(self.s, 4)
        return exactly(self.s, head[0] | head[1] << 8 | head[2] << 16)

    def send(self, body, number=0):
        self.s.sendall(struct.pack("<I", len(body) | number << 24) + body)

    @staticmethod
    def number(body, at):
        first = body[at]
        if first < 251:
            return first, at + 1
        size = {252: 2, 253: 3, 254: 8}[first]
        return int.from_bytes(body[at + 1:at + 1 + size], "little"), at + 1 + size

    def __call__(self, query):
        self.send(b"\3" + query.encode())
        first = self.packet()
        if first[:1] == b"\xff":
            raise AssertionError(first[3:].decode(errors="replace"))
        if first[:1] == b"\0":
            return []
        for _ in range(first[0] + 1):  # column definitions and the end mark
            self.packet()
        rows = []
        while True:
            body = self.packet()
            if body[:1] == b"\xfe" and len(body) < 9:
                return rows
            row, at = [], 0
            while at < len(body):
                if body[at] == 251:
                    row.append(None)
                    at += 1
                    continue
                size, at = self.number(body, at)
                row.append(body[at:at + size].decode())
                at += size
            rows.append(row)

    def close(self):
        self.send(b"\1")
        self.s.close()
