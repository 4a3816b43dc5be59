import socket
import time

from service import Service

CONFIG = """module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{dir}/log.sock")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{dir}/messages")
"""


class Subject(Service):
    """System log: messages by a UNIX datagram socket and by UDP go to a file."""
    needs = ["rsyslogd"]
    errors = r"(?i)error|fatal"
    count = 0

    def prepare(self):
        self.write("rsyslog.conf", CONFIG.format(dir=self.directory, port=self.port))

    def argv(self):
        return ["rsyslogd", "-n", "-f", self.path("rsyslog.conf"), "-i", self.path("pid")]

    def shows(self, text):
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with open(self.path("messages")) as f:
                if text in f.read():
                    return
        raise BlockingIOError(f"{text} is not in the log yet")

    def ask(self):
        Subject.count += 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(self.path("log.sock"))
            s.send(b"<13>test: message %d." % self.count)
        self.shows(f"message {self.count}.")

    def check(self, generation):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"<13>test: over udp %d." % generation, ("127.0.0.1", self.port))
        self.shows(f"over udp {generation}.")
        self.ask()
