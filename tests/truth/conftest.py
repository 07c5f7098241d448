"""One PostgreSQL for the tests of this folder; each test makes its own world in a database of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import paths  # noqa: F401 - before what it makes importable
from services import own_folder
from system import System


@pytest.fixture
def system() -> Iterator[System]:
    with own_folder() as folder:
        made = System(folder)
        yield made
        made.close()
