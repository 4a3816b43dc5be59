import os

from service import Service
from wire import connect, exactly, line_call


class Subject(Service):
    """A work queue with its log on disk; a worker's reservation goes through the dump."""
    user = "beanstalkd"
    needs = ["beanstalkd"]
    options = ["--tcp-established", "--file-locks"]
    exit_codes = (0, -15)

    def prepare(self):
        os.mkdir(self.path("binlog"))

    def argv(self):
        return ["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b", self.path("binlog")]

    def ask(self):
        with connect(self.port) as s:
            assert line_call(s, b"use default\r\n") == b"USING default"

    def load(self):
        self.session = connect(self.port)
        for i in range(20):
            assert line_call(self.session, b"put 0 0 60 5\r\n%05d\r\n" % i).startswith(b"INSERTED")
        self.reserve(0)
        if not self.sessions:
            self.session.close()

    def reserve(self, n):
        answer = line_call(self.session, b"reserve\r\n").split()
        assert answer[0] == b"RESERVED" and answer[2] == b"5", answer
        assert exactly(self.session, 7) == b"%05d\r\n" % n
        self.job = answer[1]

    def check(self, generation):
        if not self.sessions:  # the reservation went with its connection
            self.session = connect(self.port)
            self.reserve(0)
            return
        assert line_call(self.session, b"delete " + self.job + b"\r\n") == b"DELETED"
        self.reserve(generation)
