"""Small questions that several test files ask of answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx


def problem(answer: httpx.Response, status: int, code: str) -> dict:
    """The problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    body = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    return body


def fields(body: dict) -> dict[str, str]:
    """field -> code of a problem's errors."""
    return {error["field"]: error["code"] for error in body["errors"]}


def refused(answer: httpx.Response) -> dict[str, str]:
    """field -> code of an answer that must be a refused body or parameter."""
    return fields(problem(answer, 422, "validation_failed"))


def made(answer: httpx.Response) -> dict:
    """The row that an answer must have created."""
    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert answer.headers["location"].endswith(f"/{row['id']}")
    assert answer.headers["etag"]
    return row


def changed(answer: httpx.Response) -> dict:
    """The row that an answer must have changed."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def walk(client: httpx.Client, path: str, **parameters: object) -> list[dict]:
    """All rows of a list, page by page."""
    rows: list[dict] = []
    cursor = None
    for _ in range(1000):
        query = parameters | ({"cursor": cursor} if cursor else {})
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        rows += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
    raise AssertionError("the list does not end")


def eventually(check: Callable[[], object], what: str = "it", seconds: float = 60) -> object:
    """The first true answer; for what other processes do."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return value
