"""One PostgreSQL for the tests of this folder; each test makes its own world in a database of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from system import System


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory):
    made = System(tmp_path_factory.mktemp("truth"))
    yield made
    made.close()
