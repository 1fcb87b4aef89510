"""Make a PNG small: a page has few colours, and 256 of them cannot be told from all."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTH, RGB, PALETTE = 8, 2, 3
COLOURS = 256
Colour = tuple[int, int, int]


def smaller(png: bytes) -> bytes:
    """The same picture by a palette. The format: https://www.w3.org/TR/png-3/."""
    chunks = list(_chunks(png))
    width, height, depth, kind = struct.unpack(">IIBB", dict(chunks)[b"IHDR"][:10])
    assert (depth, kind) == (DEPTH, RGB), "a screenshot is in plain RGB"
    packed = b"".join(body for name, body in chunks if name == b"IDAT")
    rows = list(_rows(zlib.decompress(packed), width))
    counts = Counter(pixel for row in rows for pixel in zip(*[iter(row)] * 3, strict=True))
    palette = [colour for colour, _ in counts.most_common(COLOURS)]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour in counts:
        if colour not in places:
            places[colour] = min(range(len(palette)), key=lambda at: _distance(palette[at], colour))
    indexed = [bytes(places[pixel] for pixel in zip(*[iter(row)] * 3, strict=True)) for row in rows]
    head = struct.pack(">IIBBBBB", width, height, DEPTH, PALETTE, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in indexed), 9)
    written = ((b"IHDR", head), (b"PLTE", bytes(part for it in palette for part in it)), (b"IDAT", body))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in (*written, (b"IEND", b"")))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _rows(data: bytes, width: int) -> Iterator[bytearray]:
    """Undo the filters, row by row."""
    step, length = 3, width * 3
    above = bytearray(length)
    for at in range(0, len(data), length + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + length])
        for x in range(length if kind else 0):
            left = row[x - step] if x >= step else 0
            corner = above[x - step] if x >= step else 0
            row[x] = (row[x] + _guess(kind, left, above[x], corner)) & 255
        yield row
        above = row


def _guess(kind: int, left: int, up: int, corner: int) -> int:
    """What a filter takes the next byte for: none, the left, the upper, their mean, or Paeth's choice."""
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    near = left + up - corner
    return min((left, up, corner), key=lambda it: abs(near - it))


def _distance(one: Colour, other: Colour) -> int:
    return sum((first - second) ** 2 for first, second in zip(one, other, strict=True))
