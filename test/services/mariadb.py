import subprocess

from service import Service
from wire import Mysql


class Subject(Service):
    """MariaDB with its default settings: InnoDB reads and writes by io_uring. A session with an open transaction stays."""
    user = "mysql"
    needs = ["mariadbd", "mariadb-install-db"]
    options = ["--tcp-established", "--file-locks"]
    errors = r"\[ERROR\]|signal \d+"
    timeout = 60.0

    def prepare(self):
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", "--datadir=" + self.path("data"),
                        "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, stdout=subprocess.DEVNULL)

    def argv(self):
        return ["mariadbd", "--no-defaults", "--datadir=" + self.path("data"), "--socket=" + self.path("sock"),
                "--pid-file=" + self.path("pid"), "--bind-address=127.0.0.1", f"--port={self.port}"]

    def ask(self):
        m = Mysql(self.port)
        assert m("select 1") == [["1"]]
        m.close()

    def load(self):
        m = Mysql(self.port)
        m("create database test")
        m("create table test.t(n int primary key, s text) engine=innodb")
        for i in range(100):
            m(f"insert into test.t values ({i}, 'x{i}')")
        m.close()
        self.session = Mysql(self.port) if self.sessions else None
        if self.session:
            self.session("begin")
            self.session("update test.t set s = 'changed' where n = 1")

    def check(self, generation):
        if self.session:
            assert self.session("select s from test.t where n = 1") == [["changed"]]
        m = Mysql(self.port)
        assert m("select s from test.t where n = 1") == [["x1"]]
        assert m("select count(*) from test.t where n < 100") == [["100"]]
        m(f"insert into test.t values ({100 + generation}, 'after')")
        assert m("select s from test.t where n = 42") == [["x42"]]
        m.close()
