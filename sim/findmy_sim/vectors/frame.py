"""The frame of a vector file, and where values come from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from findmy_sim import crypto

FORMAT = "tracker-vectors/1"
VERIFIED = (
    "Made by findmy-sim, whose Python code shares nothing with src/findmy, and opened again by it where there is "
    "something to open."
)
SOURCE = "findmy-sim"

Case = dict[str, Any]


def draw(label: str, length: int) -> bytes:
    """Bytes that depend on a label only."""
    return hashlib.shake_256(f"tracker vectors/{label}".encode()).digest(length)


def draw_private(label: str) -> bytes:
    """A private key that depends on a label only."""
    return crypto.private_from(b"tracker vectors", label.encode())


def search_private(label: str, wanted: Callable[[bytes], bool]) -> bytes:
    """The first private key of a numbered row whose advertisement key is as wanted."""
    number = 0
    while True:
        private = draw_private(f"{label}/{number}")
        if wanted(crypto.advertisement_key(private)):
            return private
        number += 1


def case(name: str, **fields: Any) -> Case:
    """A generated case."""
    return {"id": name, "source": SOURCE, "origin": "generated", **fields}


def b64(raw: bytes) -> str:
    """Standard base64 as text."""
    return base64.b64encode(raw).decode()


def file_of(name: str, title: str, notes: list[str], cases: list[Case]) -> dict[str, Any]:
    """A whole file; ids must be unique."""
    assert len({c["id"] for c in cases}) == len(cases), name
    return {
        "format": FORMAT,
        "file": name,
        "title": title,
        "notes": notes,
        "verified": VERIFIED,
        "count": len(cases),
        "cases": cases,
    }
