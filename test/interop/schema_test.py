#!/usr/bin/python3
"""Our messages hold what those of crit hold: each message and field that crit knows is here under the same number, name,
wire type and label. Ours may have more; crit 3.17 is older than the format that we write. usage: schema_test.py
"""
import sys

from google.protobuf.descriptor import FieldDescriptor as FD
from google.protobuf.message import Message
from pycriu.images import images, pb  # noqa: F401  (images puts pb's modules on the path)

from schema import Schema

WIRE = {FD.TYPE_ENUM: "varint", FD.TYPE_BOOL: "varint", FD.TYPE_UINT32: "varint", FD.TYPE_UINT64: "varint",
        FD.TYPE_INT32: "varint", FD.TYPE_INT64: "varint", FD.TYPE_SINT32: "zigzag", FD.TYPE_SINT64: "zigzag",
        FD.TYPE_FIXED32: "32", FD.TYPE_SFIXED32: "32", FD.TYPE_FIXED64: "64", FD.TYPE_SFIXED64: "64",
        FD.TYPE_STRING: "bytes", FD.TYPE_BYTES: "bytes", FD.TYPE_MESSAGE: "message"}

RENAMED = {("pagemap_entry", 2),     # nr_pages became compat_nr_pages when field 5 took its name
           ("signalfd_entry", 4)}    # sigmask is a macro of <signal.h>


def differences(theirs, ours):
    mine = {field.number: field for field in ours.fields}
    for field in theirs.fields:
        own = mine.get(field.number)
        if own is None:
            yield f"{theirs.name}.{field.name} = {field.number} is missing"
        elif WIRE[own.type] != WIRE[field.type] or own.name != field.name and (theirs.name, field.number) not in RENAMED:
            yield f"{theirs.name}.{field.name} = {field.number} is {own.name} here, or of another type"
        elif (own.label == FD.LABEL_REPEATED) != (field.label == FD.LABEL_REPEATED):
            yield f"{theirs.name}.{field.name}: list here or there"
        elif own.label == FD.LABEL_REQUIRED and field.label != FD.LABEL_REQUIRED:
            yield f"{theirs.name}.{field.name} is required only here"
        elif own.label == FD.LABEL_REPEATED and own.GetOptions().packed != field.GetOptions().packed:
            yield f"{theirs.name}.{field.name}: packed here or there"


def main():
    schema = Schema()
    wrong, seen = [], 0
    for name, theirs in sorted(vars(pb).items()):
        if not (isinstance(theirs, type) and issubclass(theirs, Message)):
            continue
        ours = getattr(schema, name, None)
        if ours is None:
            wrong.append(f"{name} is missing")
            continue
        seen += 1
        wrong += differences(theirs.DESCRIPTOR, ours.DESCRIPTOR)
    print(f"{seen} messages compared")
    print("\n".join(wrong))
    return 1 if wrong or seen < 100 else 0


sys.exit(main())
