"""What `trackerd api` refuses to start with: one clear line, before it looks at any database."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

BINARY = os.environ.get("TRACKERD", str(Path(__file__).resolve().parents[2] / "build" / "trackerd"))
# Nothing listens there: a start that gets past the secrets fails for this reason.
NO_DATABASE = "postgresql://nobody@/none?host=/nonexistent"
GOOD_JWT = "9f3c" + "0123456789abcdef" * 4
GOOD_MASTER = base64.b64encode(bytes(range(32))).decode()
WRITTEN_MASTER = base64.b64encode(b"development-master-key-32-bytes!").decode()
NULL_MASTER = base64.b64encode(bytes(32)).decode()


def start(**settings: str) -> str:
    """The one line on stderr, log lines (JSON) left out."""
    environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": NO_DATABASE} | settings
    ended = subprocess.run([BINARY, "api"], env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, ended.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"JWT_SECRET": GOOD_JWT}, "MASTER_KEY is not set"),
        ({"MASTER_KEY": GOOD_MASTER}, "JWT_SECRET is not set"),
        ({"MASTER_KEY": GOOD_MASTER, "JWT_SECRET": "short but 8 kinds"}, "JWT_SECRET"),
        ({"MASTER_KEY": GOOD_MASTER, "JWT_SECRET": "a" * 64}, "JWT_SECRET can be guessed"),
        ({"MASTER_KEY": GOOD_MASTER, "JWT_SECRET": GOOD_JWT + "," + "a" * 64}, "JWT_SECRET can be guessed"),
        ({"MASTER_KEY": WRITTEN_MASTER, "JWT_SECRET": GOOD_JWT}, "MASTER_KEY can be guessed"),
        (
            {"MASTER_KEY": GOOD_MASTER, "JWT_SECRET": "please-ChangeMe-0123456789abcdef0123"},
            "JWT_SECRET can be guessed",
        ),
        ({"MASTER_KEY": NULL_MASTER, "JWT_SECRET": GOOD_JWT}, "MASTER_KEY can be guessed"),
        ({"MASTER_KEY": "not thirty-two bytes", "JWT_SECRET": GOOD_JWT}, "MASTER_KEY must be 32 random bytes"),
    ],
)
def test_production_refuses_bad_secrets(settings: dict[str, str], name: str) -> None:
    line = start(ENVIRONMENT="production", **settings)
    assert name in line
    for secret in settings.values():
        assert secret not in line


def test_good_secrets_get_as_far_as_the_database() -> None:
    line = start(ENVIRONMENT="production", MASTER_KEY=GOOD_MASTER, JWT_SECRET=GOOD_JWT)
    assert "the database at DATABASE_URL is not reached" in line


def test_development_says_how_to_make_a_master_key() -> None:
    assert "openssl rand -base64 32" in start(ENVIRONMENT="development")
