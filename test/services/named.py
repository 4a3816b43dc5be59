from dns import NameServer

CONFIG = """options {{
  directory "{dir}";
  pid-file "{dir}/pid";
  session-keyfile "{dir}/session.key";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  dnssec-validation no;
}};
controls {{ }};
zone "example" {{ type master; file "{dir}/zone"; }};
"""


class Subject(NameServer):
    """BIND 9: threads with libuv, a routing socket."""
    user = "bind"
    needs = ["named"]
    errors = r": (error|critical):"
    harmless = "managed-keys"
    timeout = 30.0

    def prepare(self):
        self.write("named.conf", CONFIG.format(dir=self.directory, port=self.port))
        self.write("zone", f"$TTL 60\n@ SOA ns.example. root.example. 1 60 60 60 60\n@ NS ns.example.\nns A 127.0.0.1\nhost A {self.address}\n")

    def argv(self):
        return ["named", "-g", "-c", self.path("named.conf")]
