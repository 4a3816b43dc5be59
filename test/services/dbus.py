import subprocess

from service import Service

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={dir}/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


class Subject(Service):
    """A message bus on a UNIX socket."""
    needs = ["dbus-daemon", "dbus-send"]
    harmless = "Failed to set fd limit"  # needs CAP_SYS_RESOURCE
    exit_codes = (0, -15)

    def prepare(self):
        self.write("bus.conf", CONFIG.format(dir=self.directory))

    def argv(self):
        return ["dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", "--config-file=" + self.path("bus.conf")]

    def ask(self):
        seen = subprocess.run(["dbus-send", f"--bus=unix:path={self.path('bus')}", "--print-reply", "--dest=org.freedesktop.DBus", "/",
                               "org.freedesktop.DBus.ListNames"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if seen.returncode:
            raise ConnectionRefusedError(seen.stderr)
        assert '"org.freedesktop.DBus"' in seen.stdout
