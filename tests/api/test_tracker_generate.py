"""Trackers with fresh keys: names, limits, repetition, and that no private key is answered."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from helpers import made, problem, refused, walk


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


def generate(client: httpx.Client, tenant: dict, count: int = 1, prefix: str = "Tag ", **more) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"client_id": tenant["id"], "count": count, "name_prefix": prefix, **more}
    return client.post("/trackers/generate", json=body, headers=headers)


def items(answer: httpx.Response) -> list[dict]:
    assert answer.status_code == 201, answer.text
    return answer.json()["items"]


def test_names_go_on(admin: httpx.Client, tenant: dict) -> None:
    first = items(generate(admin, tenant, 2))
    assert [row["name"] for row in first] == ["Tag 00001", "Tag 00002"]
    made(admin.post("/trackers", json={"client_id": tenant["id"], "name": "tag 7"}))
    assert [row["name"] for row in items(generate(admin, tenant))] == ["Tag 00008"]
    assert [row["name"] for row in items(generate(admin, tenant, prefix="Tag_%"))] == ["Tag_%00001"]
    assert len(walk(admin, "/trackers", client_id=tenant["id"])) == 5


def test_what_is_answered_and_stored(admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    (row,) = items(generate(admin, tenant))
    assert row.keys() == {"id", "name", "advertisement_key", "hashed_advertisement_key", "mac_address"}
    advertisement = base64.b64decode(row["advertisement_key"])
    assert base64.b64decode(row["hashed_advertisement_key"]) == hashlib.sha256(advertisement).digest()
    first = "%02X" % (advertisement[0] | 0xC0)
    assert row["mac_address"] == ":".join([first, *(f"{b:02X}" for b in advertisement[1:6])])
    stored = db.execute(
        "SELECT advertisement_key, private_key_sealed IS NOT NULL, master_key_id FROM tracker_keys WHERE tracker_id = %s",
        (row["id"],),
    ).fetchone()
    assert stored and bytes(stored[0]) == advertisement and stored[1] and len(stored[2]) == 8
    assert admin.get(f"/trackers/{row['id']}").json()["mac_address"] == row["mac_address"]


def test_the_largest_order(admin: httpx.Client, tenant: dict) -> None:
    rows = items(generate(admin, tenant, 10_000))
    assert len({row["advertisement_key"] for row in rows}) == 10_000
    assert [row["name"] for row in rows] == [f"Tag {i:05}" for i in range(1, 10_001)]


def test_a_repeated_order_is_one(admin: httpx.Client, tenant: dict) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = generate(admin, tenant, 3, headers=headers)
    again = generate(admin, tenant, 3, headers=headers)
    assert items(first) == items(again)
    assert len(walk(admin, "/trackers", client_id=tenant["id"])) == 3


def test_orders_at_the_same_time(admin: httpx.Client, tenant: dict) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: generate(admin, tenant, 50), range(4)))
    names = sorted(row["name"] for answer in answers for row in items(answer))
    assert names == [f"Tag {i:05}" for i in range(1, 201)]


def test_refused_orders(admin: httpx.Client, tenant: dict) -> None:
    assert refused(admin.post("/trackers/generate", json={})) == {
        "client_id": "required",
        "count": "required",
        "name_prefix": "required",
    }
    assert refused(generate(admin, tenant, 10_001)) == {"count": "out_of_range"}
    assert refused(generate(admin, tenant, 0)) == {"count": "out_of_range"}
    assert refused(generate(admin, tenant, prefix="x" * 151)) == {"name_prefix": "invalid_length"}
    assert refused(generate(admin, tenant, private_key="x")) == {"private_key": "unknown_field"}
    assert refused(generate(admin, tenant, production_run_id=10**12)) == {"production_run_id": "not_found"}


def test_who_may(make_user: Callable[..., httpx.Client], make_client: Callable[..., dict], tenant: dict) -> None:
    assert len(items(generate(make_user("manager", [tenant["id"]]), tenant))) == 1
    assert refused(generate(make_user("manager", [make_client()["id"]]), tenant)) == {"client_id": "not_found"}
    problem(generate(make_user("user", [tenant["id"]]), tenant), 403, "forbidden")
