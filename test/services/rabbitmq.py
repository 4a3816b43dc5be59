import os
import subprocess

from service import Service
from wire import connect, exactly


class Subject(Service):
    """An Erlang node with RabbitMQ on it, as its start script runs it: shell, virtual machine, erl_child_setup, inet_gethost."""
    user = "rabbitmq"
    needs = ["rabbitmq-server"]
    options = ["--tcp-established"]
    logs = ["output"]
    errors = r"\[error\]|CRASH|\[critical\]"
    timeout = 90.0

    def prepare(self):
        os.mkdir(self.path("log"))
        os.mkdir(self.path("data"))
        self.write("enabled", "[].\n")
        port = self.port
        self.environment = {
            "RABBITMQ_NODENAME": f"nsr{port}@localhost", "RABBITMQ_NODE_PORT": str(port), "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(20000 + port % 10000), "RABBITMQ_MNESIA_BASE": self.path("data"), "RABBITMQ_LOG_BASE": self.path("log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.path("enabled"), "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_EPMD_PORT": str(30000 + port % 2000)}

    def argv(self):
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def ask(self):
        with connect(self.port) as s:
            s.sendall(b"AMQP\0\0\x09\x01")
            head = exactly(s, 7)
            assert head[:1] == b"\x01", head  # a method frame: connection.start
            assert exactly(s, int.from_bytes(head[3:7], "big") + 1)[:4] == b"\0\x0a\0\x0a"

    def check(self, generation):
        for _ in range(10):
            self.ask()
