import signal
import subprocess

from service import Service
from wire import Postgres

BIN = "/usr/lib/postgresql/15/bin/"


class Subject(Service):
    """PostgreSQL 15 with its default settings: a SysV segment for the interlock, POSIX shared memory, six helpers. A session
    with an open transaction lives through the dump."""
    user = "postgres"
    needs = [BIN + "postgres"]
    options = ["--tcp-established"]
    timeout = 60.0
    stop_signal = signal.SIGINT  # fast shutdown: does not wait for sessions
    harmless = "the database system is starting up|due to administrator command"

    def prepare(self):
        subprocess.run(["runuser", "-u", "postgres", "--", BIN + "initdb", "-D", self.path("data"), "-A", "trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.directory)

    def argv(self):
        return [BIN + "postgres", "-D", self.path("data"), "-p", str(self.port), "-k", self.directory]

    def ask(self):
        p = Postgres(self.port)
        assert p("select 1") == [["1"]]
        p.close()

    def load(self):
        p = Postgres(self.port)
        p("create table t(n int primary key, s text)")
        p("insert into t select i, repeat('x', i) from generate_series(1, 1000) i")
        p.close()
        self.open = None
        if not self.sessions:
            return
        self.open = Postgres(self.port)
        self.open("begin")
        self.open("insert into t values (100001, 'uncommitted')")

    def check(self, generation):
        p = Postgres(self.port)
        expected = 1000 + (1 if self.sessions and not self.open else 0)
        assert p("select count(*) from t where n < 1000000 and n <> 2000") == [[str(expected)]]
        p(f"insert into t values ({1000000 + generation}, 'after')")
        p("checkpoint")
        if self.open:
            assert self.open("select s from t where n = 100001") == [["uncommitted"]]
            self.open("commit")
            self.open.close()
            self.open = None
        p.close()
