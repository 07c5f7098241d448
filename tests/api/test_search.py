"""Search over all resources, through the caller's eyes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest
from helpers import made, refused


def found(client: httpx.Client, q: str, **query: object) -> dict[str, list[str]]:
    """resource -> names."""
    answer = client.get("/search", params={"q": q} | query)
    assert answer.status_code == 200, answer.text
    return {group["resource"]: [item["name"] for item in group["items"]] for group in answer.json()["groups"]}


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


def test_groups_and_order(admin: httpx.Client, tenant: dict) -> None:
    word = "w" + uuid.uuid4().hex[:8]
    for name in (f"not {word} first", word, f"{word} second"):
        made(admin.post("/brands", json={"client_id": tenant["id"], "name": name}))
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b", "description": f"about {word}"}))
    made(admin.post("/production-runs", json={"brand_id": brand["id"], "name": f"run {word}"}))
    made(admin.post("/trackers", json={"client_id": tenant["id"], "name": f"tag-{word}-1"}))
    center = {"latitude": 1, "longitude": 2}
    for kind in ("storage", "delivery"):
        body = {"client_id": tenant["id"], "name": f"{kind} {word}", "center": center}
        made(admin.post(f"/{kind}-locations", json=body))

    groups = found(admin, word)
    assert groups["brands"][:2] == [word, f"{word} second"]
    assert set(groups["brands"]) == {f"not {word} first", word, f"{word} second", "b"}
    assert groups["trackers"] == [f"tag-{word}-1"]
    assert groups["production-runs"] == [f"run {word}"]
    assert groups["storage-locations"] == [f"storage {word}"]
    assert groups["delivery-locations"] == [f"delivery {word}"]
    assert next(iter(groups)) == "brands"
    assert found(admin, word.upper()).keys() == groups.keys()
    assert found(admin, word, limit=1)["brands"] == [word]
    assert found(admin, f"{word} nothing") == {}


def test_tenants_and_archive(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    word = "w" + uuid.uuid4().hex[:8]
    mine = made(admin.post("/brands", json={"client_id": tenant["id"], "name": f"{word} mine"}))
    made(admin.post("/brands", json={"client_id": make_client()["id"], "name": f"{word} other"}))
    reader = make_user("user", clients=[tenant["id"]])
    assert found(reader, word) == {"brands": [f"{word} mine"]}
    assert found(make_user("user", clients=[]), word) == {}
    admin.post(f"/brands/{mine['id']}/archive")
    assert found(reader, word) == {}


@pytest.mark.parametrize(("query", "field"), [({}, "q"), ({"q": ""}, "q"), ({"q": "x" * 201}, "q")])
def test_questions_out_of_bounds(admin: httpx.Client, query: dict, field: str) -> None:
    assert field in refused(admin.get("/search", params=query))


@pytest.mark.parametrize("q", ["'", '"', "\\", "%", "_", "a & | !", "((", ":*", "-", "x" * 200, "日本"])
def test_odd_questions(admin: httpx.Client, q: str) -> None:
    assert admin.get("/search", params={"q": q}).status_code == 200
    assert admin.get("/brands", params={"q": q}).status_code == 200
