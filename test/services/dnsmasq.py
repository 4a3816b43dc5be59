from dns import NameServer


class Subject(NameServer):
    """Starts as root, goes on as nobody with some capabilities; watches interfaces by netlink and files by inotify."""
    needs = ["dnsmasq"]
    errors = r"(?i)failed|error"

    def argv(self):
        return ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-dynamic",
                "--conf-file=/dev/null", "--no-hosts", f"--pid-file={self.path('pid')}", "--user=nobody", f"--address=/host.example/{self.address}"]
