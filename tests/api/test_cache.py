"""Answers from memory are never older than they may be, and never somebody else's."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from helpers import made, problem
from stack import die_with_parent, free_port

# A write through one process is seen by another within the lease of its generations (100 ms), and some.
LEASE_SECONDS = 0.5


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


@pytest.fixture
def second(server, tmp_path) -> Iterator[str]:
    """The address of another process of the same system."""
    port = free_port()
    with open(tmp_path / "second.log", "wb") as log:
        process = subprocess.Popen(
            [server.binary, "api"],
            env=server.env() | {"HTTP_PORT": str(port)},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health/ready").status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(20)


def test_the_writer_sees_every_write_at_once(admin: httpx.Client, tenant: dict) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path, query = f"/brands/{brand['id']}", {"client_id": tenant["id"]}
    for n in range(50):
        admin.patch(path, json={"description": str(n)})
        for _ in range(2):  # the second one may come from memory
            assert admin.get(path).json()["description"] == str(n)
            assert admin.get("/brands", params=query).json()["items"][0]["description"] == str(n)
    admin.delete(path)
    problem(admin.get(path), 404, "not_found")
    assert admin.get("/brands", params=query).json()["items"] == []


def test_a_write_with_a_key_is_seen_at_once(admin: httpx.Client, tenant: dict) -> None:
    query = {"client_id": tenant["id"]}
    for n in range(20):
        admin.get("/brands", params=query)
        body = {"client_id": tenant["id"], "name": f"b{n}"}
        made(admin.post("/brands", json=body, headers={"Idempotency-Key": f"cache-{tenant['id']}-{n}"}))
        assert len(admin.get("/brands", params=query).json()["items"]) == n + 1


def test_other_processes_see_it_soon(admin: httpx.Client, second: str, tenant: dict) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    with httpx.Client(base_url=f"{second}/api/v1", headers=admin.headers) as other:
        for n in range(5):
            other.get(path)
            admin.patch(path, json={"description": str(n)})
            deadline = time.monotonic() + LEASE_SECONDS
            while other.get(path).json()["description"] != str(n):
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_answers_are_not_shared_beyond_their_clients(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    mine, stranger = make_user("user", clients=[tenant["id"]]), make_user("user", clients=[make_client()["id"]])
    for _ in range(3):
        assert admin.get(path).status_code == 200
        assert mine.get(path).status_code == 200
        problem(stranger.get(path), 404, "not_found")
        assert stranger.get("/brands").json()["items"] == []
        assert len(mine.get("/brands").json()["items"]) == 1


def test_a_withdrawn_client_is_gone_at_the_next_request(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    reader = make_user("user", clients=[tenant["id"]])
    path = f"/brands/{brand['id']}"
    etag = reader.get(path).headers["etag"]
    assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    answer = admin.patch(f"/users/{reader.user['id']}", json={"client_ids": [make_client()["id"]]})
    assert answer.status_code == 200, answer.text
    problem(reader.get(path, headers={"If-None-Match": etag}), 404, "not_found")


def test_a_signed_out_session_gets_no_answer_from_memory(
    admin: httpx.Client, make_user: Callable[..., httpx.Client], tenant: dict
) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    reader = make_user("user", clients=[tenant["id"]])
    path = f"/brands/{brand['id']}"
    etag = reader.get(path).headers["etag"]
    for _ in range(10):
        assert reader.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert reader.post("/auth/logout-all").status_code in (200, 204)
    problem(reader.get(path, headers={"If-None-Match": etag}), 401, "token_invalid")


def test_no_cache_asks_the_database(admin: httpx.Client, tenant: dict, db) -> None:
    """Seen by a change that no generation tells of."""
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    path = f"/brands/{brand['id']}"
    assert admin.get(path).json()["description"] == ""
    db.execute("UPDATE brands SET description = 'changed' WHERE id = %s", (brand["id"],))
    assert admin.get(path, headers={"Cache-Control": "no-cache"}).json()["description"] == "changed"
