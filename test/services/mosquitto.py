import struct

from service import Service
from wire import connect, exactly


class Subject(Service):
    """An MQTT broker: a client that subscribed before the dump gets what is published after it; a retained message is kept."""
    user = "mosquitto"
    needs = ["mosquitto"]
    options = ["--tcp-established"]

    def prepare(self):
        self.write("mosquitto.conf", f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                                     f"persistence_location {self.directory}/\n")

    def argv(self):
        return ["mosquitto", "-c", self.path("mosquitto.conf")]

    @staticmethod
    def text(data):
        return struct.pack("!H", len(data)) + data

    def packet(self, s):
        kind, size = exactly(s, 2)
        return kind, exactly(s, size)

    def client(self, name):
        s = connect(self.port)
        body = self.text(b"MQTT") + b"\4\2\0\0" + self.text(name)
        s.sendall(bytes([0x10, len(body)]) + body)
        assert self.packet(s) == (0x20, b"\0\0")
        return s

    def subscribe(self, s):
        body = b"\0\1" + self.text(b"a/#") + b"\0"
        s.sendall(bytes([0x82, len(body)]) + body)
        kind, answer = self.packet(s)
        assert kind == 0x90, (kind, answer)

    def publish(self, s, topic, data, retain=0):
        body = self.text(topic) + data
        s.sendall(bytes([0x30 | retain, len(body)]) + body)

    def ask(self):
        with self.client(b"asker") as s:
            s.sendall(b"\xc0\0")
            assert self.packet(s) == (0xD0, b"")

    def load(self):
        with self.client(b"writer") as s:
            self.publish(s, b"a/kept", b"retained", 1)
            s.sendall(b"\xc0\0")
            assert self.packet(s)[0] == 0xD0
        if self.sessions:
            self.session = self.client(b"subscriber")
            self.subscribe(self.session)
            assert self.packet(self.session)[1].endswith(b"retained")

    def check(self, generation):
        with self.client(b"other") as s:
            self.subscribe(s)
            assert self.packet(s)[1].endswith(b"retained")
            self.publish(s, b"a/b", b"message %d" % generation)
            assert self.packet(s)[1].endswith(b"message %d" % generation)
        if self.sessions:
            assert self.packet(self.session)[1].endswith(b"message %d" % generation)
