from service import Service
from wire import connect, exactly, line_call


class Subject(Service):
    user = "memcache"
    needs = ["memcached"]
    options = ["--tcp-established"]

    def argv(self):
        return ["memcached", "-m", "64", "-p", str(self.port), "-l", "127.0.0.1"]

    def ask(self):
        with connect(self.port) as s:
            assert line_call(s, b"version\r\n").startswith(b"VERSION")

    def load(self):
        with connect(self.port) as s:
            for i in range(100):
                assert line_call(s, b"set key%d 0 0 5\r\n%05d\r\n" % (i, i)) == b"STORED"
            assert line_call(s, b"set count 0 0 1\r\n0\r\n") == b"STORED"
        self.session = connect(self.port) if self.sessions else None

    def check(self, generation):
        if self.session:
            assert line_call(self.session, b"get key7\r\n") == b"VALUE key7 0 5"
            assert exactly(self.session, 12) == b"00007\r\nEND\r\n"
        with connect(self.port) as s:
            assert line_call(s, b"get key42\r\n") == b"VALUE key42 0 5"
            assert exactly(s, 12) == b"00042\r\nEND\r\n"
            assert line_call(s, b"incr count 1\r\n") == b"%d" % generation
