"""trackerd keys rotate-master: everything sealed opens with the new key alone afterwards, and nothing is lost."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stack import Stack

BINARY = os.environ.get("TRACKERD", str(Path(__file__).resolve().parents[2] / "build" / "trackerd"))
PASSWORD = "correct horse battery staple"
COUNT = 1203  # more than two batches


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A system whose trackers' keys are sealed with its first master key."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    try:
        with Stack(folder, binary=BINARY, redis=False) as stack:
            stack.create_user("admin@example.com", PASSWORD, admin=True)
            with httpx.Client(base_url=stack.url + "/api/v1", timeout=60) as client:
                login = client.post("/auth/login/json", json={"email": "admin@example.com", "password": PASSWORD})
                client.headers["Authorization"] = "Bearer " + login.json()["access_token"]
                tenant = client.post("/clients", json={"name": "c"}).json()["id"]
                order = {"client_id": tenant, "count": COUNT, "name_prefix": "t"}
                assert client.post("/trackers/generate", json=order).status_code == 201
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def db(stack: Stack) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.postgres.url(), autocommit=True) as connection:
        yield connection


def rotate(stack: Stack, key: str, *args: str, login: str = "worker_login", check: bool = True):
    stack.settings["MASTER_KEY"] = key
    return stack.run("keys", "rotate-master", *args, login=login, check=check)


def key_ids(db: psycopg.Connection) -> dict[str, int]:
    """master_key_id -> rows, which must be what the sealed values themselves say."""
    rows = db.execute(
        "SELECT master_key_id, encode(substr(private_key_sealed, 2, 4), 'hex'), count(*) FROM tracker_keys GROUP BY 1, 2"
    ).fetchall()
    assert all(stated == sealed for stated, sealed, _ in rows)
    return {stated: count for stated, _, count in rows}


def test_rotation(stack: Stack, db: psycopg.Connection) -> None:
    first, second = stack.master_key, new_key()
    before = key_ids(db)
    assert list(before.values()) == [COUNT]

    done = rotate(stack, f"{second},{first}", "--dry-run")
    assert f"tracker_keys.private_key_sealed: {COUNT} to seal anew" in done.stdout
    assert key_ids(db) == before

    done = rotate(stack, f"{second},{first}")
    assert f"tracker_keys.private_key_sealed: {COUNT} sealed anew" in done.stdout
    after = key_ids(db)
    assert list(after.values()) == [COUNT] and after.keys() != before.keys()
    for secret in (first, second):
        assert secret not in done.stdout + done.stderr

    # The old key may go, and there is nothing left to do.
    done = rotate(stack, second)
    assert "private_key_sealed: 0 sealed anew" in done.stdout
    third = new_key()
    assert f"{COUNT} sealed anew" in rotate(stack, f"{third},{second}").stdout
    stack.master_key = third


def test_it_goes_on_where_it_was(stack: Stack, db: psycopg.Connection) -> None:
    """A trigger stops the run in its second batch, as a lost connection would."""
    old, new = stack.master_key, new_key()
    db.execute(
        "CREATE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stopped'; END $$;"
        "CREATE TRIGGER stop_here BEFORE UPDATE ON tracker_keys FOR EACH ROW "
        "WHEN (NEW.id % 1203 = 700) EXECUTE FUNCTION stop_here()"
    )
    try:
        assert rotate(stack, f"{new},{old}", check=False).returncode == 1
    finally:
        db.execute("DROP FUNCTION stop_here CASCADE")
    counts = sorted(key_ids(db).values())
    assert len(counts) == 2 and sum(counts) == COUNT
    left = counts[1] if counts[0] == 500 else counts[0]
    assert f"private_key_sealed: {left} sealed anew" in rotate(stack, f"{new},{old}").stdout
    assert list(key_ids(db).values()) == [COUNT]
    stack.master_key = new


def test_a_key_that_is_missing(stack: Stack, db: psycopg.Connection) -> None:
    before = key_ids(db)
    done = rotate(stack, new_key(), check=False)
    assert done.returncode == 1
    assert f"{COUNT} values do not open" in done.stderr
    assert key_ids(db) == before


def test_a_value_of_another_row_does_not_open(stack: Stack, db: psycopg.Connection) -> None:
    """The context of a sealed key is its hash: a swapped one is found, and the others are rotated."""
    old, new = stack.master_key, new_key()
    (one, kept, other) = db.execute(
        "SELECT a.id, a.private_key_sealed, b.private_key_sealed FROM tracker_keys a, tracker_keys b "
        "WHERE a.id < b.id ORDER BY a.id, b.id LIMIT 1"
    ).fetchone()
    db.execute("UPDATE tracker_keys SET private_key_sealed = %s WHERE id = %s", (other, one))
    done = rotate(stack, f"{new},{old}", check=False)
    assert done.returncode == 1 and f"tracker_keys {one}, private_key_sealed" in done.stderr
    db.execute("UPDATE tracker_keys SET private_key_sealed = %s WHERE id = %s", (kept, one))
    assert "private_key_sealed: 1 sealed anew" in rotate(stack, f"{new},{old}").stdout
    stack.master_key = new


def test_logins(stack: Stack) -> None:
    done = rotate(stack, stack.master_key, login="api_login", check=False)
    assert done.returncode == 1 and "tracker_worker" in done.stderr
    assert rotate(stack, stack.master_key, login="postgres").returncode == 0
    assert rotate(stack, "", check=False).returncode == 1
    assert rotate(stack, stack.master_key, "--often", check=False).returncode == 2
