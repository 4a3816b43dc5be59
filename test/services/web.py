"""An HTTP server with a client whose connection is kept alive through every dump."""
from service import Service
from wire import connect, http


class WebService(Service):
    options = ["--tcp-established"]
    kept_path = "/"    # what the kept connection asks for
    session = None

    def before_dump(self):
        if self.sessions:
            self.session = connect(self.port)
            assert http(self.port, self.kept_path, s=self.session)[0] == 200

    def check(self, generation):
        if self.session:
            assert http(self.port, self.kept_path, s=self.session)[0] == 200
            self.session.close()
            self.session = None
