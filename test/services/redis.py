from service import Service
from wire import Redis


class Subject(Service):
    user = "redis"
    needs = ["redis-server"]
    options = ["--tcp-established"]

    def argv(self):
        return ["redis-server", "--port", str(self.port), "--dir", self.directory]

    def ask(self):
        r = Redis(self.port)
        try:
            assert r("PING") == b"PONG"
        finally:
            r.close()

    def load(self):
        r = Redis(self.port)
        for i in range(100):
            assert r("SET", f"key{i}", "v" * i) == b"OK"
        assert r("INCR", "count") == 1
        r.close()
        if not self.sessions:
            return
        self.session = Redis(self.port)  # a client stays connected through all dumps
        assert self.session("CLIENT", "SETNAME", "kept") == b"OK"
        assert self.session("MULTI") == b"OK"
        assert self.session("INCR", "queued") == b"QUEUED"

    def check(self, generation):
        if self.sessions:
            if generation == 1:
                assert self.session("EXEC") == [1]
            assert self.session("CLIENT", "GETNAME") == b"kept"
        r = Redis(self.port)
        assert r("DBSIZE") == (102 if self.sessions else 101)
        assert r("GET", "key42") == b"v" * 42
        assert r("INCR", "count") == generation + 1
        assert r("SAVE") == b"OK"
        r.close()
