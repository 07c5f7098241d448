"""One simulator, one system and its fetch worker for all tests of a run; test_fairness.py and test_faults.py have their own.

sim         the simulator; faults are cleared after each test
system      the system (system.py), with .account, an Apple account that is signed in; FETCH_INTERVAL is a second
client_run  (client, run in progress) of this test's own
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from system import Simulator, System

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator("--limits", "generous", "--seed", "pipeline", "--density", "0") as sim:
        yield sim


@pytest.fixture(scope="session")
def running(simulator: Simulator) -> Iterator[System]:
    # Not pytest's own folder: another pytest that starts takes the database user's right to enter it away.
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with System(folder, simulator) as system:
            system.start_worker("fetch,history")
            system.account = system.add_account("main@example.com")
            yield system
            system.stop_workers()  # each must end well: leaks found by a sanitizer make it fail
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def sim(simulator: Simulator) -> Iterator[Simulator]:
    simulator.clear_faults()
    yield simulator
    simulator.clear_faults()


@pytest.fixture
def system(running: System, sim: Simulator) -> System:
    return running


@pytest.fixture
def client_run(system: System) -> tuple[int, int]:
    return system.add_run(f"run {next(_numbers)}")
