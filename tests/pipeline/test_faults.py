"""The short form of the fault suite: every fault once, then everything must be as if nothing had happened. Long form: faults.py."""

from __future__ import annotations

import os

from faults import FaultRun, fault_run


def test_every_fault_once() -> None:
    seed = int(os.environ.get("FAULT_SEED", "20261124"))
    with fault_run(seed, seconds=12) as run:
        run.run(settle_seconds=120)
        assert {name.split()[0] for name in run.told} == {fault.__name__ for fault in FaultRun.FAULTS}
