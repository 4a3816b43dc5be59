import random
import subprocess

from progress import Progress


class Subject(Progress):
    """xz with two threads compresses a file in mid-stream."""
    needs = ["xz"]
    user = "nobody"

    def prepare(self):
        words = random.Random(1)
        text = "\n".join(str(words.getrandbits(40)) for _ in range(1000000))
        self.write("numbers", text)

    def argv(self):
        return ["xz", "-T2", "--block-size=1MiB", "-2", "-k", "-f", "-v", "numbers"]

    def amount(self):
        return self.size("numbers.xz")

    def check(self, generation):
        assert self.amount() >= 0

    def check_result(self):
        subprocess.run("xz -dc numbers.xz | cmp - numbers", shell=True, check=True, cwd=self.directory)
