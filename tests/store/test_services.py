"""The private PostgreSQL starts wherever the checkout lies."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from services import Postgres  # noqa: E402


@pytest.mark.skipif(os.getuid() != 0, reason="only root starts PostgreSQL as another user")
def test_checkout_that_the_database_user_cannot_enter():
    """As below /root: the data go elsewhere, and a second start finds them again."""
    home = Path(tempfile.mkdtemp(prefix="tracker-closed-"))  # mode 0700
    folder = home / "checkout" / "var" / "postgres"
    try:
        with Postgres(folder, durable=False) as postgres:
            postgres.psql("CREATE DATABASE kept")
        with Postgres(folder, durable=False) as postgres:
            assert postgres.psql("SELECT 1", "kept") == "1"
        assert folder.is_symlink(), "`make reset` follows the link"
    finally:
        if folder.is_symlink():
            shutil.rmtree(folder.resolve())
        shutil.rmtree(home)
