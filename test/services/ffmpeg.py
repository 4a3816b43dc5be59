import json
import subprocess

from progress import Progress


class Subject(Progress):
    """ffmpeg encodes a generated film of 60 seconds in mid-stream."""
    needs = ["ffmpeg", "ffprobe"]
    user = "nobody"
    errors = r"(?i)error|invalid"

    def argv(self):
        return ["ffmpeg", "-hide_banner", "-nostats", "-f", "lavfi", "-i", "testsrc=duration=60:size=640x360:rate=25", "-f", "lavfi", "-i",
                "sine=duration=60", "-c:v", "mpeg4", "-q:v", "5", "-c:a", "mp2", "-flush_packets", "1", "-y", "film.mkv"]

    def amount(self):
        return self.size("film.mkv")

    def check(self, generation):
        assert self.amount() >= 0

    def check_result(self):
        seen = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames",
                               "-of", "json", "film.mkv"], cwd=self.directory, check=True, stdout=subprocess.PIPE)
        assert json.loads(seen.stdout)["streams"][0]["nb_read_frames"] == "1500"
