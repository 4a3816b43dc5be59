from service import Service
from wire import connect, line_call


class Subject(Service):
    """nats-server (Go): a subscriber's connection goes through the dump."""
    user = "nobody"
    needs = ["nats-server"]
    options = ["--tcp-established", "--file-locks"]
    exit_codes = (0, 1)

    def argv(self):
        return ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", self.path("store")]

    def client(self):
        s = connect(self.port)
        assert line_call(s, b"").startswith(b"INFO")
        assert line_call(s, b'CONNECT {"verbose":false}\r\nPING\r\n') == b"PONG"
        return s

    def ask(self):
        self.client().close()

    def load(self):
        if self.sessions:
            self.session = self.client()
            assert line_call(self.session, b"SUB a.* 1\r\nPING\r\n") == b"PONG"

    def check(self, generation):
        with self.client() as s:
            assert line_call(s, b"PUB a.b 3\r\n%03d\r\nPING\r\n" % generation) == b"PONG"
        if self.sessions:
            assert line_call(self.session, b"") == b"MSG a.b 1 3"
            assert line_call(self.session, b"") == b"%03d" % generation
