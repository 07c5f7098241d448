"""Trackers: their run over time, what callers may set and what never leaves."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import changed, made, problem, refused, walk


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


@pytest.fixture
def make_run(admin: httpx.Client, tenant: dict) -> Callable[[str], dict]:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    return lambda name: made(admin.post("/production-runs", json={"brand_id": brand["id"], "name": name}))


@pytest.fixture
def tracker(admin: httpx.Client, tenant: dict) -> dict:
    return made(admin.post("/trackers", json={"client_id": tenant["id"], "name": "t", "mac_address": "aabbccddee01"}))


def test_a_new_tracker(tracker: dict) -> None:
    assert tracker["status"] == "CREATED"
    assert tracker["mac_address"] == "AA:BB:CC:DD:EE:01"
    assert tracker["last_position"] is None
    assert tracker["production_run_id"] is None


def test_its_history_of_runs(
    admin: httpx.Client, db: psycopg.Connection, tracker: dict, make_run: Callable[[str], dict]
) -> None:
    one, two = make_run("one"), make_run("two")
    path = f"/trackers/{tracker['id']}"
    row = changed(admin.patch(path, json={"production_run_id": one["id"]}))
    assert row["production_run_id"] == one["id"]
    assert row["next_fetch_at"] is not None
    changed(admin.patch(path, json={"production_run_id": two["id"]}))
    row = changed(admin.patch(path, json={"production_run_id": None}))
    assert row["next_fetch_at"] is None
    runs = db.execute(
        "SELECT production_run_id, upper(period) IS NOT NULL FROM tracker_runs WHERE tracker_id = %s ORDER BY period",
        (tracker["id"],),
    ).fetchall()
    assert runs == [(one["id"], True), (two["id"], True)]
    body = problem(admin.delete(f"/production-runs/{one['id']}"), 409, "in_use")
    assert "1 former trackers" in body["detail"]


def test_what_callers_may_not_set(admin: httpx.Client, tracker: dict) -> None:
    path = f"/trackers/{tracker['id']}"
    for field, value in [
        ("status", "DELIVERED"),
        ("last_position", {"latitude": 1, "longitude": 2}),
        ("next_fetch_at", "2025-01-01T00:00:00Z"),
        ("location_id", 1),
        ("client_id", 1),
        ("private_key", "secret"),
        ("brand_id", 1),
    ]:
        assert refused(admin.patch(path, json={field: value})).keys() == {field}


def test_the_run_must_be_of_the_client(admin: httpx.Client, make_client: Callable[..., dict], tracker: dict) -> None:
    other = made(admin.post("/brands", json={"client_id": make_client()["id"], "name": "b"}))
    run = made(admin.post("/production-runs", json={"brand_id": other["id"], "name": "r"}))
    path = f"/trackers/{tracker['id']}"
    assert refused(admin.patch(path, json={"production_run_id": run["id"]})) == {"production_run_id": "not_found"}


def test_addresses_are_unique_in_a_client(
    admin: httpx.Client, make_client: Callable[..., dict], tenant: dict, tracker: dict
) -> None:
    body = {"client_id": tenant["id"], "name": "u", "mac_address": tracker["mac_address"]}
    assert "mac_address" in {
        error["field"] for error in problem(admin.post("/trackers", json=body), 409, "already_exists")["errors"]
    }
    made(admin.post("/trackers", json=body | {"client_id": make_client()["id"]}))


def test_found_by_any_part_of_its_address(admin: httpx.Client, tenant: dict, tracker: dict) -> None:
    for q in ("AA:BB:CC", "bbccdd", "ee:01", "aabbccddee01"):
        assert [row["id"] for row in walk(admin, "/trackers", client_id=tenant["id"], q=q)] == [tracker["id"]], q
    assert [row["id"] for row in walk(admin, "/trackers", client_id=tenant["id"], mac_address="aa-bb-cc-dd-ee-01")] == [
        tracker["id"]
    ]


def test_keys_go_with_their_tracker_and_never_leave(admin: httpx.Client, db: psycopg.Connection, tracker: dict) -> None:
    key = db.execute(
        "INSERT INTO tracker_keys (client_id, tracker_id, advertisement_key) "
        "VALUES (%s, %s, decode(repeat('ab', 24) || lpad(to_hex(%s::bigint), 8, '0'), 'hex')) RETURNING id",
        (tracker["client_id"], tracker["id"], tracker["id"]),
    ).fetchone()
    assert key
    path = f"/trackers/{tracker['id']}"
    for secret in ("ab" * 24, "advertisement_key", "private"):
        assert secret not in admin.get(path).text
    assert admin.delete(path).status_code == 204
    assert db.execute("SELECT count(*) FROM tracker_keys WHERE tracker_id = %s", (tracker["id"],)).fetchone() == (0,)
