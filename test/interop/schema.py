"""Our message schema in Python, compiled by protoc into a pool of its own (names collide with those of pycriu)."""
import os
import subprocess
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine", "images", "proto")
PACKAGE = "nsr.pb."


class Schema:
    """schema.NAME is the class of message NAME."""

    def __init__(self):
        protos = sorted(name for name in os.listdir(PROTO_DIR) if name.endswith(".proto"))
        with tempfile.TemporaryDirectory() as tmp:
            out = os.path.join(tmp, "all.desc")
            subprocess.run(["protoc", "-I", PROTO_DIR, "--include_imports", "--descriptor_set_out", out] + protos, check=True)
            with open(out, "rb") as f:
                files = descriptor_pb2.FileDescriptorSet.FromString(f.read())
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)
        self._factory = message_factory.MessageFactory(self._pool)

    def __getattr__(self, name):
        try:
            return self._factory.GetPrototype(self._pool.FindMessageTypeByName(PACKAGE + name))
        except KeyError:
            raise AttributeError(name) from None
