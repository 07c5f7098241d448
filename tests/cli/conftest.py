"""The program under test, run from outside. TRACKERD names another binary than build/trackerd."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def trackerd() -> Run:
    """trackerd("keys", "generate", input="") -> the finished process, with text streams."""

    def run(*args: str, input: str | bytes = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        data = input.encode() if isinstance(input, str) else input
        done = subprocess.run(
            [BINARY, *args], input=data, capture_output=True, timeout=60, env=os.environ | (env or {}), check=False
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
