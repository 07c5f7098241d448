"""Rate limits, with and without Redis; on a server of their own, since the shared one has none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from accounts import bearer, second_api
from conftest import ADMIN_EMAIL, PASSWORD, ROOT
from stack import Stack


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    binary = os.environ.get("TRACKERD", str(Path(ROOT) / "build" / "trackerd"))
    settings = {"RATE_LIMIT": "20", "RATE_LIMIT_ANONYMOUS": "30", "RATE_LIMIT_WINDOW": "1h"}
    with Stack(tmp_path_factory.mktemp("limited"), binary=binary, settings=settings) as stack:
        stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
        yield stack


def token_of(server: Stack) -> str:
    body = {"email": ADMIN_EMAIL, "password": PASSWORD}
    answer = httpx.post(server.url + "/api/v1/auth/login/json", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def ask(url: str, token: str) -> httpx.Response:
    return httpx.get(url + "/api/v1/users/me", headers=bearer(token), timeout=30)


def test_session_is_limited_and_told_so(limited):
    token = token_of(limited)
    answers = [ask(limited.url, token) for _ in range(22)]
    assert [a.status_code for a in answers] == [200] * 20 + [429] * 2
    assert [int(a.headers["ratelimit-remaining"]) for a in answers[:20]] == list(range(19, -1, -1))
    assert answers[0].headers["ratelimit-limit"] == "20"
    last = answers[-1]
    assert last.json()["code"] == "rate_limited"
    assert 0 < int(last.headers["retry-after"]) <= 3600
    assert last.headers["retry-after"] == last.headers["ratelimit-reset"]
    assert ask(limited.url, token_of(limited)).status_code == 200  # another session is another count
    assert httpx.get(limited.url + "/health/ready").status_code == 200  # and health has none


def test_processes_share_the_count(limited):
    token = token_of(limited)
    with second_api(limited) as other:
        codes = [ask(url, token).status_code for _ in range(15) for url in (limited.url, other)]
    assert 18 <= codes.count(200) <= 22


def test_without_redis_each_process_counts(limited):
    token = token_of(limited)
    limited.redis.stop()
    try:
        codes = [ask(limited.url, token).status_code for _ in range(22)]
        assert codes == [200] * 20 + [429] * 2
        assert ask(limited.url, token_of(limited)).status_code == 200  # signing in needs no Redis
    finally:
        limited.redis.start()


def test_guessing_tokens_counts_as_the_address(limited):
    codes = [ask(limited.url, "a.b.c").status_code for _ in range(40)]
    assert codes[-1] == 429 and set(codes) == {401, 429}
