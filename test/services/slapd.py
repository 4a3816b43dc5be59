import os
import subprocess

from service import Service
from wire import connect, exactly

CONFIG = """include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/pid
database mdb
maxsize 16777216
suffix "dc=example"
rootdn "cn=admin,dc=example"
rootpw secret
directory {dir}/db
"""


class Subject(Service):
    """OpenLDAP on LMDB: a memory-mapped database whose lock file holds mutexes for all processes."""
    user = "openldap"
    needs = ["slapd"]
    options = ["--tcp-established", "--file-locks"]
    errors = r"(?i)assert|panic|fail"

    def prepare(self):
        os.mkdir(self.path("db"))
        self.write("slapd.conf", CONFIG.format(dir=self.directory))
        self.write("base.ldif", "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n")
        subprocess.run(["slapadd", "-f", self.path("slapd.conf"), "-l", self.path("base.ldif")], check=True, stderr=subprocess.DEVNULL)

    def argv(self):
        return ["slapd", "-d", "0", "-h", f"ldap://127.0.0.1:{self.port}", "-f", self.path("slapd.conf")]

    @staticmethod
    def element(tag, body):
        assert len(body) < 128
        return bytes([tag, len(body)]) + body

    def answer(self, s):
        _, size = exactly(s, 2)
        if size & 0x80:
            size = int.from_bytes(exactly(s, size & 0x7F), "big")
        return exactly(s, size)

    def search(self, s):
        """Base object dc=example, filter (objectClass=*), all attributes."""
        e = self.element
        request = e(0x63, e(4, b"dc=example") + e(10, b"\0") + e(10, b"\0") + e(2, b"\0") + e(2, b"\0") + e(1, b"\0") + e(0x87, b"objectClass") + e(0x30, b""))
        s.sendall(e(0x30, e(2, b"\1") + request))
        found, done = self.answer(s), self.answer(s)
        assert b"dc=example" in found and done[3] == 0x65 and b"\x0a\1\0" in done, (found, done)

    def ask(self):
        with connect(self.port) as s:
            self.search(s)

    def load(self):
        if self.sessions:
            self.session = connect(self.port)
            self.search(self.session)

    def check(self, generation):
        self.ask()
        if self.sessions:
            self.search(self.session)
