import json

from web import WebService
from wire import http


class Subject(WebService):
    """It scrapes itself, so it keeps a connection to itself."""
    user = "prometheus"
    needs = ["prometheus"]
    options = ["--tcp-established", "--file-locks"]
    kept_path = "/-/ready"
    errors = r"level=error|panic"
    timeout = 40.0

    def prepare(self):
        self.write("prometheus.yml", "scrape_configs:\n- job_name: self\n  scrape_interval: 1s\n  static_configs:\n"
                   f"  - targets: ['127.0.0.1:{self.port}']\n")

    def argv(self):
        return ["prometheus", "--config.file=" + self.path("prometheus.yml"), "--storage.tsdb.path=" + self.path("data"),
                f"--web.listen-address=127.0.0.1:{self.port}"]

    def ask(self):
        status, body = http(self.port, "/-/ready")
        if status != 200:
            raise OSError(f"not ready: {status}")

    def query(self, text):
        status, body = http(self.port, "/api/v1/query?query=" + text)
        assert status == 200, body
        return json.loads(body)["data"]["result"]

    def check(self, generation):
        super().check(generation)
        assert self.query("vector(1)")[0]["value"][1] == "1"
        assert http(self.port, "/metrics")[0] == 200
