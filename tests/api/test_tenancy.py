"""Who may call what: every operation of the OpenAPI document, as every kind of caller.

An operation that OPERATIONS lacks fails the test, so that nobody adds a route without saying who may use it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from accounts import bearer, claims_of, segment, sign
from conftest import ADMIN_EMAIL, PASSWORD, ROOT, ApiClient
from pictures import png
from stack import Stack

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
POLYGON = [[[10, 50], [11, 50], [11, 51], [10, 50]]]
AREA = {"type": "Polygon", "coordinates": POLYGON}


def load_document() -> dict:
    printed = subprocess.run([BINARY, "openapi"], capture_output=True, check=True)
    return json.loads(printed.stdout)


DOCUMENT = load_document()
DOCUMENTED = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post", "put", "patch", "delete")
}

PUBLIC = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login/json",
    "POST /api/v1/auth/refresh",
    "GET /api/v1/auth/refresh-cookie",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "GET /health/live",
    "GET /health/ready",
    "GET /health/pipeline",
    "GET /api/v1/shared/{token}",
    "GET /api/v1/shared/{token}/history",
    "GET /api/v1/images/{id}/{size}",  # asks for a login or a token by itself; test_images.py
}


@dataclass(frozen=True)
class Tenant:
    """A client with its people and one row of what belongs to it."""

    id: int
    manager: ApiClient
    user: ApiClient


@dataclass(frozen=True)
class Example:
    """One call and the status for each caller. The stranger is a manager of another client."""

    admin: int
    manager: int
    user: int
    stranger: int
    target: str = ""  # the kind of row that {id} names
    body: Callable[[Tenant, int], dict] | None = None

    @property
    def strange_user(self) -> int:
        """A user of another client: the role is looked at first, then whose row it is."""
        return 403 if self.user == 403 else self.stranger


def rows(name: str, body: Callable[[Tenant, int], dict], read: str = "user", write: str = "manager") -> dict:
    """The seven operations of a resource that is described once."""

    def level(needed: str, granted: int, strange: int) -> dict:
        manager = granted if needed != "admin" else 403
        return {
            "admin": granted,
            "manager": manager,
            "user": granted if needed == "user" else 403,
            "stranger": strange if needed != "admin" else 403,
            "target": name,
        }

    path = f"/api/v1/{name}"
    rename = {"body": lambda tenant, row: {"name": uuid.uuid4().hex}}
    return {
        f"GET {path}": Example(**level(read, 200, 200)),
        f"POST {path}": Example(**level(write, 201, 422) | {"body": body}),
        f"GET {path}/{{id}}": Example(**level(read, 200, 404)),
        f"PATCH {path}/{{id}}": Example(**level(write, 200, 404) | rename),
        f"DELETE {path}/{{id}}": Example(**level(write, 204, 404)),
        f"POST {path}/{{id}}/archive": Example(**level(write, 200, 404)),
        f"POST {path}/{{id}}/restore": Example(**level(write, 200, 404)),
    }


def named(tenant: Tenant, row: int) -> dict:
    return {"client_id": tenant.id, "name": uuid.uuid4().hex}


def place(tenant: Tenant, row: int) -> dict:
    return named(tenant, row) | {"center": {"latitude": 50, "longitude": 10}, "radius_m": 500}


def person(tenant: Tenant, row: int) -> dict:
    name = uuid.uuid4().hex
    return {
        "email": f"{name}@example.com",
        "name": name,
        "password": PASSWORD,
        "role": "user",
        "client_ids": [tenant.id],
    }


def own(status: int, **more: object) -> Example:
    """What everybody may do with what is their own."""
    return Example(status, status, status, status, **more)


def managed(status: int, target: str, strange: int = 404, **more: object) -> Example:
    return Example(status, status, 403, strange, target=target, **more)


def read_by_all(target: str = "", strange: int = 404) -> Example:
    return Example(200, 200, 200, strange if target else 200, target)


def by_admin(status: int, target: str = "", body: Callable[[Tenant, int], dict] | None = None) -> Example:
    """What is the operator's own."""
    return Example(status, 403, 403, 403, target, body)


def apple_account(tenant: Tenant, row: int) -> dict:
    return {"name": uuid.uuid4().hex, "username": "tags@example.com", "password": PASSWORD}


def task_schedule(tenant: Tenant, row: int) -> dict:
    return {"name": uuid.uuid4().hex, "task_name": "maintenance.tidy", "cron": "0 0 1 1 *"}


OPERATIONS: dict[str, Example] = {
    **rows("clients", lambda tenant, row: {"name": uuid.uuid4().hex}, write="admin"),
    "PATCH /api/v1/clients/{id}": managed(200, "clients", body=lambda t, row: {"name": uuid.uuid4().hex}),
    **rows("brands", named),
    **rows("production-runs", named),
    **rows("storage-locations", place),
    **rows("delivery-locations", place),
    **rows("trackers", named),
    **rows("exclusion-areas", lambda t, row: named(t, row) | {"area": AREA}, read="admin", write="admin"),
    "GET /api/v1/audit-log": managed(200, "audit-log", strange=200),
    "GET /api/v1/audit-log/{id}": managed(200, "audit-log"),
    "GET /api/v1/production-runs/{id}/locations": Example(200, 200, 200, 404, "production-runs"),
    "PUT /api/v1/production-runs/{id}/locations": managed(
        200, "production-runs", body=lambda t, row: {"location_ids": []}
    ),
    "GET /api/v1/users": managed(200, "users", strange=200),
    "POST /api/v1/users": managed(201, "users", strange=422, body=person),
    "GET /api/v1/users/{id}": managed(200, "users"),
    "PATCH /api/v1/users/{id}": managed(200, "users", body=lambda t, row: {"name": uuid.uuid4().hex}),
    "DELETE /api/v1/users/{id}": managed(204, "users"),
    "POST /api/v1/users/{id}/archive": managed(200, "users"),
    "POST /api/v1/users/{id}/restore": managed(200, "users"),
    "GET /api/v1/users/{id}/sessions": managed(200, "users"),
    "DELETE /api/v1/users/{id}/sessions": managed(204, "users"),
    "DELETE /api/v1/users/{id}/sessions/{session_id}": managed(204, "users"),
    "POST /api/v1/users/{id}/password-link": managed(202, "users"),
    "GET /api/v1/api-keys": own(200),
    "POST /api/v1/api-keys": own(201, body=lambda t, row: {"name": uuid.uuid4().hex}),
    # The key is the tenant's user's: nobody else of the tenant sees it.
    "GET /api/v1/api-keys/{id}": Example(200, 404, 200, 404, "api-keys"),
    "PATCH /api/v1/api-keys/{id}": Example(200, 404, 200, 404, "api-keys", lambda t, row: {"name": uuid.uuid4().hex}),
    "DELETE /api/v1/api-keys/{id}": Example(204, 404, 204, 404, "api-keys"),
    "POST /api/v1/api-keys/{id}/revoke": Example(200, 404, 200, 404, "api-keys"),
    "GET /api/v1/users/me": own(200),
    "PATCH /api/v1/users/me": own(200, body=lambda t, row: {"name": "Myself"}),
    "GET /api/v1/users/me/sessions": own(200),
    # A session of the tenant's user: for everybody else it does not exist, below their own name.
    "DELETE /api/v1/users/me/sessions/{id}": Example(404, 404, 204, 404, "sessions"),
    "POST /api/v1/auth/logout-all": own(204),
    "POST /api/v1/auth/password/change": own(
        204, body=lambda t, row: {"current_password": PASSWORD, "new_password": PASSWORD + " two"}
    ),
    "GET /api/v1/search": own(200),
    "GET /api/v1/geocoding/search": own(200),
    "GET /api/v1/geocoding/reverse": own(200),
    "GET /api/v1/stream": own(200),
    # The subscription is the tenant's user's: nobody else of the tenant sees it.
    "GET /api/v1/subscriptions": own(200),
    "POST /api/v1/subscriptions": Example(
        201, 201, 201, 422, "trackers", lambda t, row: {"tracker_id": row, "kinds": ["silent"]}
    ),
    "GET /api/v1/subscriptions/{id}": Example(404, 404, 200, 404, "subscriptions"),
    "PATCH /api/v1/subscriptions/{id}": Example(
        404, 404, 200, 404, "subscriptions", lambda t, row: {"kinds": ["delivered"]}
    ),
    "DELETE /api/v1/subscriptions/{id}": Example(404, 404, 204, 404, "subscriptions"),
    "GET /api/v1/notifications": own(200),
    "GET /api/v1/notifications/{id}": Example(404, 404, 200, 404, "notifications"),
    "GET /api/v1/notifications/unread-count": own(200),
    "POST /api/v1/notifications/read": own(200, body=lambda t, row: {"all": True}),
    "GET /api/v1/admin/performance": Example(200, 403, 403, 403),
    "POST /api/v1/trackers/import": managed(200, "", strange=422),
    "GET /api/v1/trackers/import/template": Example(200, 200, 403, 200),
    "POST /api/v1/trackers/generate": managed(
        201, "", strange=422, body=lambda t, row: {"client_id": t.id, "count": 1, "name_prefix": uuid.uuid4().hex}
    ),
    "GET /api/v1/trackers/{id}/keys": managed(200, "keyed-trackers"),
    "GET /api/v1/trackers/positions/latest": read_by_all(),
    "GET /api/v1/events": read_by_all(),
    "GET /api/v1/status-history": read_by_all(),
    "GET /api/v1/exceptions": read_by_all(),
    "GET /api/v1/tasks": own(200),
    "GET /api/v1/tasks/{id}": Example(200, 200, 404, 404, "tasks waiting"),
    "POST /api/v1/tasks/{id}/cancel": managed(200, "tasks waiting"),
    "POST /api/v1/tasks/{id}/retry": by_admin(200, "tasks failed"),
    "GET /api/v1/admin/queues": by_admin(200),
    "GET /api/v1/admin/task-types": by_admin(200),
    **{
        label: example
        for label, example in rows("task-schedules", task_schedule, read="admin", write="admin").items()
        if not label.endswith(("/archive", "/restore"))
    },
    "POST /api/v1/task-schedules/{id}/run": by_admin(202, "task-schedules"),
    "POST /api/v1/clients/{id}/erase": by_admin(200, "clients", lambda t, row: {"preview": True}),
    "GET /api/v1/fetch-batches": Example(200, 403, 403, 403),
    "GET /api/v1/admin/pipeline": Example(200, 403, 403, 403),
    "GET /api/v1/dashboard": read_by_all(),
    "GET /api/v1/rejected-reports": Example(200, 403, 403, 403),
    "GET /api/v1/trackers/{id}/rejected-reports": Example(200, 403, 403, 403, "trackers"),
    # What is not the caller's is told row by row.
    "POST /api/v1/trackers/bulk": managed(
        200, "", strange=200, body=lambda t, row: {"ids": [row], "action": "archive"}
    ),
    "GET /api/v1/images": read_by_all("images", strange=200),
    "POST /api/v1/images": managed(201, "", strange=422),
    "GET /api/v1/images/{id}": read_by_all("images"),
    "PATCH /api/v1/images/{id}": managed(200, "images", body=lambda t, row: {"caption": "x"}),
    "DELETE /api/v1/images/{id}": managed(204, "images"),
    **{
        label: example
        for label, example in rows("share-links", lambda t, row: {"client_id": t.id, "tracker_id": row}).items()
        if not label.endswith(("/archive", "/restore"))
    },
    "GET /api/v1/map/trackers/{z}/{x}/{y}.mvt": own(204),  # no tracker of the tenant has a position
    **{
        f"GET /api/v1/statistics/{what}": read_by_all()
        for what in ("status", "durations", "on-time", "status-over-time")
    },
    **rows("apple-accounts", apple_account, read="admin", write="admin"),
    "PUT /api/v1/apple-accounts/{id}/credentials": by_admin(
        200, "apple-accounts", lambda t, row: {"username": "tags@example.com", "password": PASSWORD}
    ),
    "POST /api/v1/apple-accounts/{id}/sign-in": by_admin(202, "apple-accounts"),
    "POST /api/v1/apple-accounts/{id}/second-factor/request": by_admin(
        202, "apple-accounts second_factor", lambda t, row: {"method": "trusted_device"}
    ),
    "POST /api/v1/apple-accounts/{id}/second-factor": by_admin(
        202, "apple-accounts second_factor", lambda t, row: {"code": "012345"}
    ),
    "POST /api/v1/apple-accounts/{id}/sign-out": by_admin(200, "apple-accounts"),
    "POST /api/v1/apple-accounts/{id}/enable": by_admin(202, "apple-accounts disabled"),
    "POST /api/v1/apple-accounts/{id}/disable": by_admin(200, "apple-accounts"),
    "GET /api/v1/provider-profiles": by_admin(200),
    "POST /api/v1/provider-profiles": by_admin(201, "", lambda t, row: {"name": "profile", "document": {"format": 1}}),
    "GET /api/v1/provider-profiles/{id}": by_admin(200, "provider-profiles"),
    "PATCH /api/v1/provider-profiles/{id}": by_admin(200, "provider-profiles", lambda t, row: {"note": "why"}),
    "DELETE /api/v1/provider-profiles/{id}": by_admin(204, "provider-profiles"),
    "POST /api/v1/provider-profiles/{id}/activate": by_admin(200, "provider-profiles"),
    "POST /api/v1/provider-profiles/{id}/deactivate": by_admin(200, "provider-profiles"),
    "POST /api/v1/trackers/{id}/refresh": by_admin(202, "trackers"),
    "POST /api/v1/trackers/{id}/history-refresh": by_admin(
        202, "trackers", lambda t, row: {"from": "2026-01-31T12:00:00Z"}
    ),
    "PUT /api/v1/trackers/{id}/status-override": managed(
        200, "trackers", body=lambda t, row: {"status": "DELIVERED", "reason": "seen there"}
    ),
    "GET /api/v1/trackers/{id}/status-override": read_by_all("overridden-trackers"),
    "DELETE /api/v1/trackers/{id}/status-override": managed(204, "overridden-trackers"),
    **{
        f"POST /api/v1/{what}/{{id}}/replay": managed(202, what, body=lambda t, row: {"preview": True})
        for what in ("trackers", "production-runs", "clients")
    },
    **{
        f"POST /api/v1/{what}/{{id}}/preview": managed(202, what, body=lambda t, row: {"radius_m": 600})
        for what in ("storage-locations", "delivery-locations")
    },
    **{
        f"GET /api/v1/trackers/{{id}}/{what}": read_by_all("trackers")
        for what in ("reports", "history", "events", "status-history", "exceptions")
    },
    **{
        f"GET /api/v1/production-runs/{{id}}/{what}": read_by_all("production-runs")
        for what in ("reports", "history", "events", "status-history", "trackers/positions")
    },
}


def created(answer: httpx.Response) -> dict:
    assert answer.status_code == 201, answer.text
    return answer.json()


class World:
    """Makes rows on demand: each case gets a fresh one, because some cases delete it."""

    def __init__(self, server: Stack, admin: ApiClient, tenant: Tenant) -> None:
        self.server, self.admin, self.tenant = server, admin, tenant
        self.known: dict[str, int] = {}

    def post(self, kind: str, **body: object) -> int:
        named = {"client_id": self.tenant.id, "name": uuid.uuid4().hex}
        return created(self.admin.post(f"/{kind}", json=named | body))["id"]

    def once(self, kind: str, make: Callable[[], int]) -> int:
        if kind not in self.known:
            self.known[kind] = make()
        return self.known[kind]

    def brand(self) -> int:
        return self.once("brands", lambda: self.post("brands"))

    def upload(self, caller: httpx.Client) -> httpx.Response:
        owner = {"owner_kind": "client", "owner_id": self.tenant.id}
        return caller.post("/images", params=owner, content=png(2, 2), headers={"Content-Type": "image/png"})

    def tracker(self) -> int:
        return self.once("trackers", lambda: self.post("trackers"))

    def target(self, kind: str, harmless: bool) -> int:
        if kind == "clients":
            # The tenant of all other cases must neither go nor stay archived.
            return (
                self.tenant.id
                if harmless
                else created(self.admin.post("/clients", json={"name": uuid.uuid4().hex}))["id"]
            )
        if kind == "production-runs":
            return self.post(kind, brand_id=self.brand())
        if kind in ("storage-locations", "delivery-locations"):
            return self.post(kind, center={"latitude": 50, "longitude": 10}, radius_m=500)
        if kind == "exclusion-areas":
            return self.post(kind, area=AREA)
        if kind == "users":
            return created(self.admin.post("/users", json=person(self.tenant, 0)))["id"]
        if kind == "api-keys":
            return created(self.tenant.user.post("/api-keys", json={"name": uuid.uuid4().hex}))["id"]
        if kind == "subscriptions":
            body = {"tracker_id": self.post("trackers"), "kinds": ["delivered"]}
            return created(self.tenant.user.post("/subscriptions", json=body))["id"]
        if kind == "notifications":
            return self.notification()
        if kind == "audit-log":
            brand = self.brand()
            entries = self.admin.get("/audit-log", params={"client_id": self.tenant.id}).json()["items"]
            assert entries, f"nothing was written down of brand {brand}"
            return entries[0]["id"]
        if kind.startswith("apple-accounts"):
            account = created(self.admin.post("/apple-accounts", json=apple_account(self.tenant, 0)))["id"]
            if " " in kind:
                state = kind.split()[1]
                self.server.postgres.psql(
                    f"UPDATE apple_accounts SET state = '{state}' WHERE id = {account}", "tracker"
                )
            return account
        if kind == "overridden-trackers":
            tracker = self.post("trackers")
            status = {"status": "DELIVERED", "reason": "seen there"}
            assert self.admin.put(f"/trackers/{tracker}/status-override", json=status).status_code == 200
            return tracker
        if kind == "provider-profiles":
            body = {"name": uuid.uuid4().hex, "document": {"format": 1}}
            return created(self.admin.post("/provider-profiles", json=body))["id"]
        if kind == "images":
            return created(self.upload(self.admin))["id"]
        if kind == "share-links":
            return self.post(kind, tracker_id=self.tracker())
        if kind.startswith("tasks"):
            state, name = kind.split()[1], uuid.uuid4().hex
            over = "NULL" if state == "waiting" else "now()"
            self.server.postgres.psql(
                "INSERT INTO tasks (id, name, queue, state, finished_at, user_id)"
                f" VALUES ('{name}', 'demo', 'default', '{state}', {over}, {self.tenant.manager.user['id']})",
                "tracker",
            )
            return name
        if kind == "task-schedules":
            return created(self.admin.post("/task-schedules", json=task_schedule(self.tenant, 0)))["id"]
        if kind == "keyed-trackers":
            order = {"client_id": self.tenant.id, "count": 1, "name_prefix": uuid.uuid4().hex}
            created(self.admin.post("/trackers/generate", json=order))
            newest = {"client_id": self.tenant.id, "sort": "-created_at", "limit": 1}
            return self.admin.get("/trackers", params=newest).json()["items"][0]["id"]
        return self.post(kind)

    def notification(self) -> int:
        """Told to the tenant's user; only workers tell."""
        fact = (
            "INSERT INTO notification_facts (client_id, tracker_id, kind, visit, happened_at, pending)"
            f" VALUES ({self.tenant.id}, {self.post('trackers')}, 'delivered', tstzrange(now(), NULL), now(), false)"
            " RETURNING *"
        )
        data = """'{"tracker": "t", "happened_at": "2026-01-01T00:00:00Z"}'"""
        told = (
            f"WITH f AS ({fact}) INSERT INTO notifications (client_id, user_id, fact_id, tracker_id, kind, data)"
            f" SELECT client_id, {self.tenant.user.user['id']}, id, tracker_id, kind, {data} FROM f RETURNING id"
        )
        return int(self.server.postgres.psql(told, "tracker").split()[0])

    def session(self, user: ApiClient) -> int:
        with ApiClient(self.server.url) as other:
            other.sign_in(user.user["email"], user.user["password"])
            sessions = other.get("/users/me/sessions").json()["items"]
        return next(item["id"] for item in sessions if item["current"])


@pytest.fixture(scope="module")
def tenant(make_client: Callable[..., dict], make_user: Callable[..., ApiClient]) -> Tenant:
    client = make_client()["id"]
    return Tenant(client, make_user("manager", clients=[client]), make_user("user", clients=[client]))


@pytest.fixture(scope="module")
def stranger(make_client: Callable[..., dict], make_user: Callable[..., ApiClient]) -> ApiClient:
    return make_user("manager", clients=[make_client()["id"]])


@pytest.fixture(scope="module")
def strange_user(make_client: Callable[..., dict], make_user: Callable[..., ApiClient]) -> ApiClient:
    return make_user("user", clients=[make_client()["id"]])


@pytest.fixture(scope="module")
def world(server: Stack, admin: ApiClient, tenant: Tenant) -> World:
    return World(server, admin, tenant)


def call(caller: httpx.Client, label: str, world: World, target: int, session: int = 1) -> httpx.Response:
    method, path = label.split(" ")
    example = OPERATIONS[label]
    path = path.replace("{id}", str(target)).replace("{session_id}", str(session)).removeprefix("/api/v1")
    path = path.replace("{z}/{x}/{y}", "0/0/0")
    query = {"q": "anything"} if path.endswith("/search") else {}
    if path.startswith("/map/"):
        query = {"client_id": world.tenant.id}
    if path == "/geocoding/reverse":
        query = {"latitude": 52.5, "longitude": 13.4}
    if label == "POST /api/v1/images":
        return world.upload(caller)
    if path == "/trackers/import":
        rows = "ID/Name,Advertisement Key,Private Key,Hashed Adv Key,MAC Address\r\n"
        query = {"client_id": world.tenant.id, "dry_run": "true", "format": "csv"}
        return caller.post(path, params=query, content=rows, headers={"Content-Type": "text/csv"})
    if path == "/stream":  # has no end: its head must do
        with caller.stream(method, path) as answer:
            return answer if answer.status_code == 200 else httpx.Response(answer.status_code, content=answer.read())
    body = example.body(world.tenant, target) if example.body else None
    if label == "POST /api/v1/production-runs":
        body["brand_id"] = world.brand()
    if label == "POST /api/v1/share-links":
        body["tracker_id"] = world.tracker()
    return caller.request(method, path, params=query, json=body)


def disposable(kind: str, admin: ApiClient, tenant: Tenant, make_user: Callable[..., ApiClient]) -> ApiClient:
    """A caller of this role whose session may end; these operations look at nothing but the caller."""
    if kind == "admin":
        return make_user("admin")
    return make_user("user" if kind.endswith("user") else "manager", clients=[tenant.id])


ENDS_SESSIONS = ("POST /api/v1/auth/logout-all", "POST /api/v1/auth/password/change")


def test_every_operation_has_an_example() -> None:
    assert set(DOCUMENTED) - PUBLIC - set(OPERATIONS) == set()
    assert set(OPERATIONS) - set(DOCUMENTED) == set()


def test_only_these_need_no_login() -> None:
    assert {label for label, operation in DOCUMENTED.items() if operation["security"] == []} == PUBLIC


@pytest.mark.parametrize("kind", ["admin", "manager", "user", "stranger", "strange_user"])
@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_status(
    label: str,
    kind: str,
    world: World,
    admin: ApiClient,
    tenant: Tenant,
    stranger: ApiClient,
    strange_user: ApiClient,
    make_user: Callable[..., ApiClient],
) -> None:
    tenants = {"admin": admin, "manager": tenant.manager, "user": tenant.user}
    caller = (tenants | {"stranger": stranger, "strange_user": strange_user})[kind]
    if label in ENDS_SESSIONS or label == "PATCH /api/v1/users/me":
        caller = disposable(kind, admin, tenant, make_user)
    example = OPERATIONS[label]
    target, session = 1, 1
    if example.target == "sessions":
        target = world.session(tenant.user)
    elif "{session_id}" in label:
        member = make_user("user", clients=[tenant.id])
        target, session = member.user["id"], world.session(member)
    elif example.target:
        target = world.target(example.target, harmless=label.startswith(("GET", "PATCH")) or "/replay" in label)
    if label.endswith("/restore"):
        archived = admin.post(
            label.split(" ")[1].replace("{id}", str(target)).replace("/restore", "/archive").removeprefix("/api/v1")
        )
        assert archived.status_code == 200, archived.text

    answer = call(caller, label, world, target, session)

    assert answer.status_code == getattr(example, kind), answer.text
    if answer.status_code == 200 and kind.startswith("strange") and example.target and "{id}" not in label:
        assert target not in [item["id"] for item in answer.json()["items"]]


def refused_tokens(server: Stack, user: ApiClient, revoked: str) -> dict[str, str]:
    """Tokens that must open nothing, by what is wrong with them."""
    token = user.headers["Authorization"].removeprefix("Bearer ")
    claims = claims_of(token)
    now = int(time.time())
    secret = server.settings["JWT_SECRET"]
    body = segment({"alg": "none", "typ": "JWT"}) + "." + segment(claims)
    return {
        "alg none": body + ".",
        "alg none, signed": body + "." + token.split(".")[2],
        "another key": sign(claims, "0" * 64),
        "another algorithm": sign(claims, secret, "HS512"),
        "expired": sign(claims | {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}, secret),
        "another audience": sign(claims | {"aud": "elsewhere"}, secret),
        "revoked session": revoked,
        "no token at all": "",
    }


@pytest.fixture(scope="module")
def refused(server: Stack, admin: ApiClient, make_user: Callable[..., ApiClient]) -> dict[str, str]:
    gone = make_user("admin")
    revoked = gone.headers["Authorization"].removeprefix("Bearer ")
    assert gone.post("/auth/logout-all").status_code == 204
    return refused_tokens(server, admin, revoked)


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_nobody_gets_in_with_a_bad_token(label: str, server: Stack, world: World, refused: dict[str, str]) -> None:
    let_in = {}
    for wrong, token in refused.items():
        headers = bearer(token) if token else {}
        with httpx.Client(base_url=server.url + "/api/v1", headers=headers, timeout=30) as caller:
            answer = call(caller, label, world, target=1)
        if answer.status_code != 401:
            let_in[wrong] = answer.status_code
    assert let_in == {}


def test_the_forger_can_also_make_a_good_token(server: Stack, admin: ApiClient) -> None:
    """Otherwise the test above would pass for any reason."""
    claims = claims_of(admin.headers["Authorization"])
    good = sign(claims, server.settings["JWT_SECRET"])
    answer = httpx.get(server.url + "/api/v1/users/me", headers=bearer(good))
    assert answer.status_code == 200, answer.text
    assert answer.json()["email"] == ADMIN_EMAIL
