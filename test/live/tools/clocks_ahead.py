#!/usr/bin/python3
"""Action script of victims/clocks.c: before the restore, the images say that both clocks were a day further."""
import glob
import os
import struct
import sys

DAY = 86400


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at


def encoded(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def moved(data):
    """timens_entry: fields 1 and 2 are timespecs whose field 1 is seconds."""
    out, at = b"", 0
    while at < len(data):
        key, size = data[at], data[at + 1]
        inner, at = data[at + 2:at + 2 + size], at + 2 + size
        assert inner[0] == 8
        seconds, rest = varint(inner, 1)
        inner = b"\x08" + encoded(seconds + DAY) + inner[rest:]
        out += bytes([key, len(inner)]) + inner
    return out


if os.environ.get("CRTOOLS_SCRIPT_ACTION") == "pre-restore":
    names = glob.glob(os.environ["CRTOOLS_IMAGE_DIR"] + "/timens-*.img")
    if len(names) != 1:
        sys.exit("%d timens images" % len(names))
    with open(names[0], "rb") as f:
        image = f.read()
    record = moved(image[12:])
    with open(names[0], "wb") as f:
        f.write(image[:8] + struct.pack("<I", len(record)) + record)
