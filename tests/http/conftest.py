"""Servers for the tests of src/http."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from peer import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One with small limits, shared by the tests of a module."""
    with Server(body=100_000, upload=400_000, header=12_288, proxies="10.0.0.0/8") as server:
        yield server
