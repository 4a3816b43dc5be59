#!/usr/bin/python3
"""Every image type through ImageReader and ImageWriter: written here with all fields set, copied by the program
copy-images, compared byte by byte, and recoded as crit does.

usage: every_type.py COPY-IMAGES
"""
import os
import subprocess
import sys
import tempfile

from google.protobuf.descriptor import FieldDescriptor as FD

import wire
from schema import Schema

HERE = os.path.dirname(os.path.abspath(__file__))
DEPTH = 4


def scalar(field, salt):
    if field.type == FD.TYPE_ENUM:
        values = field.enum_type.values
        return values[salt % len(values)].number
    if field.type == FD.TYPE_BOOL:
        return True
    if field.type == FD.TYPE_STRING:
        return f"{field.name} {salt}"
    if field.type == FD.TYPE_BYTES:
        return bytes([salt, 0, 255, 10])
    small = salt + field.number
    return -small if field.type in (FD.TYPE_SINT32, FD.TYPE_SINT64) else small


def fill(message, salt, depth=DEPTH):
    """Sets every field, two elements in every list; recursive messages end after DEPTH levels."""
    for field in message.DESCRIPTOR.fields:
        many = field.label == FD.LABEL_REPEATED
        if field.type == FD.TYPE_MESSAGE:
            if depth == 0 and field.label != FD.LABEL_REQUIRED:
                continue
            for i in range(2 if many else 1):
                part = getattr(message, field.name)
                fill(part.add() if many else part, salt + i, depth - 1 if depth else 0)
                if not many:
                    part.SetInParent()
        elif many:
            # addresses are shown by crit only when they have one or four words
            getattr(message, field.name).extend(scalar(field, salt + i) for i in range(4))
        else:
            setattr(message, field.name, scalar(field, salt))


def image(schema, magic):
    _, first, rest = wire.TYPES[magic]
    data = wire.header(magic)
    kinds = (first,) if magic == wire.INVENTORY else (first, rest, rest)
    for i, kind in enumerate(kinds):
        message = getattr(schema, kind)()
        fill(message, i + 1)
        if kind == "ipc_shm_entry":
            message.in_pagemaps = i != 1
        data += wire.record(message.SerializeToString())
        size = wire.payload_size(message)
        used, room = size if size is not None else (1000, 1000)
        data += bytes(range(1, used + 1)) + bytes(room - used) if used < 250 else b"x" * used + bytes(room - used)
        for k in range(message.qnum if kind == "ipc_msg_entry" else 0):
            queued = schema.ipc_msg(mtype=k, msize=k + 13)
            data += wire.record(queued.SerializeToString()) + b"m" * (k + 13) + bytes(wire.padded(k + 13, 8) - k - 13)
    return data


def main():
    schema = Schema()
    with tempfile.TemporaryDirectory() as tmp:
        source, copy = os.path.join(tmp, "in"), os.path.join(tmp, "out")
        os.mkdir(source)
        os.mkdir(copy)
        for magic, (name, _, _) in wire.TYPES.items():
            suffix = "" if name.startswith(("stats-", "nsr-task-")) else ".img"
            with open(os.path.join(source, name + suffix), "wb") as f:
                f.write(image(schema, magic))
        subprocess.run([sys.argv[1], source, copy], check=True)
        names = sorted(os.listdir(source))
        if sorted(os.listdir(copy)) != names or len(names) != len(wire.TYPES):
            print(f"not copied: {sorted(set(names) ^ set(os.listdir(copy)))}")
            return 1
        status = subprocess.run([sys.executable, "-B", os.path.join(HERE, "recode.py"), copy]).returncode
        for name in names:
            with open(os.path.join(source, name), "rb") as a, open(os.path.join(copy, name), "rb") as b:
                if a.read() != b.read():
                    print(f"{name}: the copy differs")
                    status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
