"""One simulator for a module's tests, one operator for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apple import Operator, Simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator("--limits", "generous", "--seed", "tests", "--density", "0") as sim:
        yield sim


@pytest.fixture
def sim(simulator: Simulator) -> Iterator[Simulator]:
    yield simulator
    simulator.clear_faults()


@pytest.fixture
def operator(tmp_path: Path, sim: Simulator) -> Operator:
    return Operator(tmp_path, sim)
