"""Photographs as phones make them, and files that only seem to be some: made without what is to decode them."""

from __future__ import annotations

import struct
import zlib

import pymupdf

PLACE = b"GPS 30.27N 120.15E"  # stands in the EXIF of every photo
COMMENT = b"taken by Zhang San"


def photo(width: int = 60, height: int = 40, *, turned: bool = False, kind: str = "jpeg") -> bytes:
    """A picture, its left half red and the rest blue; a JPEG with EXIF and a comment.

    ``turned``: it says in its EXIF that it lies on its side (orientation 6).
    """
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, width, height), False)
    picture.set_rect(picture.irect, (0, 0, 255))
    picture.set_rect(pymupdf.IRect(0, 0, width // 2, height), (255, 0, 0))
    content: bytes = picture.tobytes(kind)
    if kind != "jpeg":
        return content
    return content[:2] + _exif(6 if turned else 1) + _segment(0xfe, COMMENT) + content[2:]


def _exif(orientation: int) -> bytes:
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack("<HHII", 0x010e, 2, len(PLACE), 38)
    return _segment(0xe1, b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 2) + entries + b"\0" * 4 + PLACE)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xff, marker)) + struct.pack(">H", len(content) + 2) + content


def bomb(side: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that says to be ``side`` by ``side`` pixels."""
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of a picture."""
    picture = pymupdf.Pixmap(content)
    return picture.width, picture.height


def colour_at(content: bytes, x: int, y: int) -> str:
    """Whether a point is red or blue."""
    red, _, blue = pymupdf.Pixmap(content).pixel(x, y)[:3]
    return "red" if red > blue else "blue"
