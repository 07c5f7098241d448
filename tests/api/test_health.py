"""Health, metrics and the document itself."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
from helpers import problem


def test_health(server) -> None:
    assert httpx.get(f"{server.url}/health/live").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/health/ready").json() == {"status": "ok", "database": "ok", "redis": "ok"}


def test_performance_is_for_admins(admin: httpx.Client, make_user: Callable[..., httpx.Client]) -> None:
    admin.get("/brands")
    answer = admin.get("/admin/performance")
    assert answer.status_code == 200, answer.text
    routes = {(route["method"], route["route"]): route for route in answer.json()["routes"]}
    brands = routes["GET", "/api/v1/brands"]
    assert brands["count"] >= 1
    assert 0 < brands["p50_ms"] <= brands["p95_ms"] <= brands["p99_ms"]
    problem(make_user("manager").get("/admin/performance"), 403, "forbidden")


def test_metrics(server, admin: httpx.Client) -> None:
    admin.get("/brands")
    text = httpx.get(f"{server.url}/metrics").text
    assert "http_request" in text
    assert 'route="/api/v1/brands"' in text


def test_the_document(server) -> None:
    answer = httpx.get(f"{server.url}/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert {"Brand", "BrandCreate", "BrandPatch", "BrandPage", "Problem"} <= document["components"]["schemas"].keys()
    assert httpx.get(f"{server.url}/openapi.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_openapi_command_prints_the_same_document(server) -> None:
    printed = server.run("openapi").stdout
    assert json.loads(printed) == httpx.get(f"{server.url}/openapi.json").json()
