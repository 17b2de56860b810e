"""Looks at a picture: picture.py FILE prints its size, "800x240"; picture.py FILE 14171A how many pixels have that colour.
A picture that is damaged is an error."""

import struct
import sys
import xml.etree.ElementTree
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data):
    at = len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + body), "a chunk of the PNG is damaged"
        yield kind, body
        at += 12 + length
    assert kind == b"IEND", "the PNG has no end"


def paeth(a, b, c):
    near = [(abs(b - c), a), (abs(a - c), b), (abs(a + b - 2 * c), c)]
    return min(near, key=lambda pair: pair[0])[1]


# The rows of a PNG of 8 bits a colour, as bytes.
def rows(data, width, height, size):
    before = bytearray(width * size)
    for y in range(height):
        begin = y * (width * size + 1)
        kind, row = data[begin], bytearray(data[begin + 1 : begin + 1 + width * size])
        for x in range(len(row)):
            left = row[x - size] if x >= size else 0
            corner = before[x - size] if x >= size else 0
            guess = [0, left, before[x], (left + before[x]) // 2, paeth(left, before[x], corner)][kind]
            row[x] = (row[x] + guess) & 255
        yield row
        before = row


def main():
    data = open(sys.argv[1], "rb").read()
    if not data.startswith(SIGNATURE):
        root = xml.etree.ElementTree.fromstring(data)
        assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
        print("x".join(root.get(name).removesuffix("pt").removesuffix("px") for name in ("width", "height")))
        return
    parts = list(chunks(data))
    width, height, depth, kind = struct.unpack(">IIBB", parts[0][1][:10])
    pixels = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    size = {2: 3, 6: 4}[kind]
    assert depth == 8 and len(pixels) == height * (width * size + 1), "the PNG is cut short"
    if len(sys.argv) == 2:
        print(f"{width}x{height}")
        return
    wanted = bytes.fromhex(sys.argv[2])
    print(sum(bytes(row[x : x + 3]) == wanted for row in rows(pixels, width, height, size) for x in range(0, len(row), size)))


main()
