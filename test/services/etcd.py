import base64
import json

from service import Service
from wire import free_port, http


class Subject(Service):
    user = "etcd"
    needs = ["etcd"]
    options = ["--tcp-established", "--file-locks"]
    # its gateway may lose the connection to itself before it has ended, also without a dump
    harmless = r"E \| |error\":\"\"|no such file|ignored|flag|createTransport failed to connect"
    timeout = 40.0
    exit_codes = (-15,)  # it dies of the signal once it has shut down

    def argv(self):
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self.port}"
        return ["etcd", "--data-dir", self.path("data"), "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]

    def call(self, what, **fields):
        fields = {k: base64.b64encode(v.encode()).decode() for k, v in fields.items()}
        status, body = http(self.port, "/v3/kv/" + what, "POST", json.dumps(fields).encode())
        if status != 200:
            raise OSError(f"status {status}: {body}")
        return json.loads(body)

    def ask(self):
        self.call("range", key="nothing")

    def load(self):
        self.call("put", key="a", value="1")

    def check(self, generation):
        assert base64.b64decode(self.call("range", key="a")["kvs"][0]["value"]) == b"1"
        for i in range(10):
            self.call("put", key=f"{generation}.{i}", value="x")
        assert int(self.call("range", key=f"{generation}.9")["count"]) == 1
