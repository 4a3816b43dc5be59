"""A DNS server: answers for host.example over UDP and TCP, keeps counting."""
import socket
import struct

from service import Service
from wire import connect, exactly


class NameServer(Service):
    address = "192.0.2.7"

    def query(self, name="host.example", kind=1):
        labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
        return struct.pack("!HHHHHH", 77, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", kind, 1)

    def check_answer(self, data):
        number, flags, _, answers = struct.unpack_from("!HHHH", data)
        assert number == 77 and flags & 0x800F == 0x8000 and answers >= 1, data
        assert socket.inet_aton(self.address) in data, data

    def ask(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect(("127.0.0.1", self.port))
            if s.getsockname()[1] == self.port:
                raise ConnectionRefusedError("no server, and the kernel gave us its port")
            s.send(self.query())
            data = s.recv(4096)
        if data[3] & 0xF == 2:
            raise BlockingIOError("the zone is not loaded yet")
        self.check_answer(data)

    def check(self, generation):
        for _ in range(20):
            self.ask()
        with connect(self.port) as s:
            s.sendall(struct.pack("!H", len(self.query())) + self.query())
            self.check_answer(exactly(s, struct.unpack("!H", exactly(s, 2))[0]))
