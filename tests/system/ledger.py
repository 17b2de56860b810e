"""Writes a ledger of gaps as agent/store/ledger.h tells, without the agent: ledger.py FILE <<'END', with one gap a line,
REASON FROM TO [FAMILY [INSTANCE [FIELD [WORDS …]]]]. REASON is its number in metric/gap.h, times are seconds, "-" is none."""

import struct
import sys
import zlib

MAGIC = 0x70646A31


def record(kind, payload):
    padded = payload + bytes(-len(payload) % 8)
    rest = struct.pack("=IIQ", len(payload), kind, 1) + padded
    return struct.pack("=II", MAGIC, zlib.crc32(rest)) + rest


def text(value):
    raw = value.encode()
    return struct.pack("=I", len(raw)) + raw + b"\0"


def gap(number, line):
    reason, begin, end, *rest = line.split(None, 6)
    texts = [("" if word == "-" else word) for word in rest] + [""] * (4 - len(rest))
    has = sum(bit for bit, word in zip((1, 2, 4), rest) if word != "-")
    payload = struct.pack("=qqIIqq", number, number, int(reason), has, int(float(begin) * 1e9), int(float(end) * 1e9))
    return record(2, payload + b"".join(text(word) for word in texts))


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        file.write(record(1, struct.pack("=I", 1)).ljust(64, b"\0"))
        for number, line in enumerate(sys.stdin, 1):
            file.write(gap(number, line.rstrip("\n")))
