import os
import time

from service import Service
from wire import Redis

VALUES, SIZE = 256, 1 << 20


class Subject(Service):
    """redis-server with 256 MiB of data while BGSAVE runs: the child that writes shares its parent's memory."""
    user = "redis"
    needs = ["redis-server"]
    options = ["--tcp-established"]
    timeout = 120.0

    def argv(self):
        return ["redis-server", "--port", str(self.port), "--dir", self.directory, "--rdbcompression", "no", "--rdb-key-save-delay", "4000"]

    def ask(self):
        r = Redis(self.port)
        try:
            assert r("PING") == b"PONG"
        finally:
            r.close()

    def load(self):
        r = Redis(self.port)
        for i in range(VALUES):
            assert r("SET", f"key{i}", os.urandom(SIZE // 2).hex()) == b"OK"
        self.sample = r("GET", "key77")
        r.close()

    def before_dump(self):
        r = Redis(self.port)
        if b"rdb_bgsave_in_progress:0" in r("INFO", "persistence"):  # else the one of the last dump is still under way
            assert r("BGSAVE").startswith(b"Background saving started")
        assert b"rdb_bgsave_in_progress:1" in r("INFO", "persistence")
        r.close()

    def check(self, generation):
        r = Redis(self.port)
        assert r("GET", "key77") == self.sample and r("DBSIZE") == VALUES
        end = time.monotonic() + self.timeout
        while b"rdb_bgsave_in_progress:1" in (info := r("INFO", "persistence")):
            assert time.monotonic() < end, "BGSAVE does not end"
        assert b"rdb_last_bgsave_status:ok" in info, info
        size = os.stat(self.path("dump.rdb")).st_size
        assert size > VALUES * SIZE, size
        os.unlink(self.path("dump.rdb"))
        r.close()
