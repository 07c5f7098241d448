"""Small pictures, and what is in a WebP file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "images"


def png(width: int, height: int, colour: bytes = b"\x40\x80\xc0") -> bytes:
    """One colour, 8 bits RGB."""
    row = b"\0" + colour * width
    return png_file(width, height, zlib.compress(row * height))


def png_file(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def turned_jpeg() -> bytes:
    """640x400 pixels with an Exif block: to be turned by 90 degrees, made by SecretMaker, with a GPS position."""
    return (VECTORS / "turned.jpg").read_bytes()


def heic() -> bytes:
    """640x400 pixels."""
    return (VECTORS / "small.heic").read_bytes()


def webp_chunks(data: bytes) -> dict[bytes, bytes]:
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    assert struct.unpack("<I", data[4:8])[0] + 8 == len(data)
    chunks, at = {}, 12
    while at < len(data):
        (size,) = struct.unpack("<I", data[at + 4 : at + 8])
        chunks[data[at : at + 4]] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a lossy WebP (RFC 6386, 9.1)."""
    frame = webp_chunks(data)[b"VP8 "]
    width, height = struct.unpack("<HH", frame[6:10])
    return width & 0x3FFF, height & 0x3FFF
