from dns import NameServer

CONFIG = """server:
  directory: "{dir}"
  chroot: ""
  username: "unbound"
  pidfile: "{dir}/pid"
  interface: 127.0.0.1
  port: {port}
  num-threads: 2
  use-syslog: no
  logfile: ""
  do-daemonize: no
  local-data: "host.example. A {address}"
remote-control:
  control-enable: no
"""


class Subject(NameServer):
    needs = ["unbound"]
    errors = r"(error|fatal):"

    def prepare(self):
        self.write("unbound.conf", CONFIG.format(dir=self.directory, port=self.port, address=self.address))

    def argv(self):
        return ["unbound", "-d", "-c", self.path("unbound.conf")]
