"""Users: who may see, make, change and end whom."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable

import httpx
import pytest
from accounts import bearer, link_token, wait_for_mail
from conftest import ADMIN_EMAIL, PASSWORD, ApiClient
from helpers import refused, walk


def address() -> str:
    return f"u-{uuid.uuid4().hex[:10]}@example.com"


def create(client: ApiClient, **fields) -> httpx.Response:
    return client.post("/users", json={"email": address(), "name": "Somebody", "password": PASSWORD} | fields)


@pytest.fixture(scope="module")
def tenants(make_client) -> tuple[int, int]:
    return make_client()["id"], make_client()["id"]


@pytest.fixture
def manager(make_user, tenants) -> ApiClient:
    return make_user("manager", clients=[tenants[0]])


# ---- creating


def test_admin_creates_users(admin, tenants):
    email = address()
    body = {"email": email, "name": "Ann", "role": "manager", "client_ids": [tenants[1], tenants[0], tenants[1]]}
    answer = admin.post("/users", json=body | {"password": PASSWORD, "language": "de", "time_zone": "Europe/Berlin"})
    assert answer.status_code == 201, answer.text
    user = answer.json()
    assert user["client_ids"] == sorted(tenants)
    assert (user["email"], user["name"], user["role"], user["language"]) == (email, "Ann", "manager", "de")
    assert user["has_password"] and user["archived_at"] is None and user["last_login_at"] is None
    assert "password" not in user and "password_hash" not in user and "argon2" not in answer.text
    assert answer.headers["location"] == f"/api/v1/users/{user['id']}"
    read = admin.get(f"/users/{user['id']}")
    assert read.json() == user and read.headers["etag"] == answer.headers["etag"]


def test_address_is_unique_in_any_case(admin):
    email = address()
    assert create(admin, email=email).status_code == 201
    answer = create(admin, email=email.upper())
    assert answer.status_code == 409 and answer.json()["code"] == "already_exists"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"role": "owner"}, "role"),
        ({"client_ids": [10**15]}, "client_ids"),
        ({"client_ids": ["1"]}, "client_ids"),
        ({"client_ids": [0]}, "client_ids"),
        ({"client_ids": {}}, "client_ids"),
        ({"client_ids": None}, "client_ids"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"language": "german"}, "language"),
        *(({"time_zone": zone}, "time_zone") for zone in ("Mars", "europe/berlin", "UTC+3", "", "../UTC", "Europe/")),
        ({"password_hash": "x"}, "password_hash"),
        ({"id": 1}, "id"),
        ({"nmae": "x"}, "nmae"),
    ],
)
def test_what_is_wrong_is_named(admin, fields, field):
    answer = create(admin, **fields)
    assert answer.status_code == 422, answer.text
    assert field in [e["field"] for e in answer.json()["errors"]]


def test_idempotency_key_makes_one_user(admin, db):
    body = {"email": address(), "name": "Once", "password": PASSWORD}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = admin.post("/users", json=body, headers=key)
    second = admin.post("/users", json=body, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    # what is kept to recognise the request must not be a quick way to guess the password
    kept = db.execute(
        "SELECT request_hash, body FROM idempotency_keys WHERE key = %s", [key["Idempotency-Key"]]
    ).fetchone()
    sent = first.request.read()
    for guess in (sent, b"/api/v1/users\0" + sent, b"POST/api/v1/users" + sent):
        assert hashlib.sha256(guess).digest() != bytes(kept[0])
    assert PASSWORD.encode() not in bytes(kept[1])


def test_invitation(server, admin, tenants):
    email = address()
    answer = admin.post("/users", json={"email": email, "name": "Guest", "client_ids": [tenants[0]]})
    assert answer.status_code == 201 and answer.json()["has_password"] is False
    mail = wait_for_mail(server, email)
    assert mail["Subject"] == "Your account in the Tracker System"
    body = {"token": link_token(mail), "password": PASSWORD}
    assert httpx.post(server.url + "/api/v1/auth/password/reset", json=body, timeout=30).status_code == 204
    with ApiClient(server.url) as guest:
        assert guest.sign_in(email, PASSWORD).get("/users/me").json()["has_password"] is True


def test_user_without_a_password_cannot_sign_in(server, admin, db):
    email = address()
    assert admin.post("/users", json={"email": email, "name": "Guest"}).status_code == 201
    for password in ("x", "null", PASSWORD):
        answer = httpx.post(
            server.url + "/api/v1/auth/login/json", json={"email": email, "password": password}, timeout=30
        )
        assert answer.status_code == 401
    db.execute("DELETE FROM login_attempts")


def test_link_can_be_sent_again(server, admin):
    email = address()
    user = create(admin, email=email).json()
    assert admin.post(f"/users/{user['id']}/password-link").status_code == 202
    assert wait_for_mail(server, email)["Subject"] == "Set a new password"
    admin.post(f"/users/{user['id']}/archive")
    assert admin.post(f"/users/{user['id']}/password-link").status_code == 409


# ---- changing


def test_patch_and_etag(admin, tenants):
    user = create(admin, client_ids=[tenants[0]])
    path = f"/users/{user.json()['id']}"
    answer = admin.patch(
        path, json={"name": "New", "client_ids": [tenants[1]]}, headers={"If-Match": user.headers["etag"]}
    )
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["client_ids"]) == ("New", [tenants[1]])
    assert answer.headers["etag"] != user.headers["etag"]
    stale = admin.patch(path, json={"name": "Old"}, headers={"If-Match": user.headers["etag"]})
    assert stale.status_code == 412 and stale.headers["etag"] == answer.headers["etag"]
    assert admin.get(path).json() == answer.json()
    assert admin.patch(path, json={"client_ids": []}).json()["client_ids"] == []
    assert admin.patch(path, json={"password": PASSWORD}).status_code == 422


def test_writes_are_in_the_audit_log(admin, db, tenants):
    user = create(admin, client_ids=[tenants[0]]).json()
    path = f"/users/{user['id']}"
    admin.patch(path, json={"role": "manager", "client_ids": list(tenants)})
    admin.post(path + "/archive")
    admin.delete(path)
    rows = db.execute(
        "SELECT action, user_id, before, after FROM audit_log WHERE resource = 'users' AND resource_id = %s ORDER BY id",
        [user["id"]],
    ).fetchall()
    assert [r[0] for r in rows] == ["create", "update", "archive", "delete"]
    assert {r[1] for r in rows} == {admin.user["id"]}
    assert rows[1][2]["role"] == "user" and rows[1][3]["role"] == "manager"
    assert rows[1][2]["client_ids"] == [tenants[0]] and rows[1][3]["client_ids"] == sorted(tenants)
    assert "argon2" not in str(rows) and PASSWORD not in str(rows)


def test_list_search_and_pages(admin):
    word = uuid.uuid4().hex[:8]
    made = [create(admin, name=f"{word} {i}").json()["id"] for i in range(5)]
    first = admin.get("/users", params={"q": word, "limit": 3, "sort": "id", "count": "true"}).json()
    assert [u["id"] for u in first["items"]] == made[:3] and first["total"] == 5
    rest = admin.get("/users", params={"q": word, "limit": 3, "sort": "id", "cursor": first["next_cursor"]}).json()
    assert [u["id"] for u in rest["items"]] == made[3:] and rest["next_cursor"] is None


# ---- the last admin, and oneself


def test_nobody_locks_himself_out(admin):
    path = f"/users/{admin.user['id']}"
    for answer in (admin.post(path + "/archive"), admin.delete(path), admin.patch(path, json={"role": "user"})):
        assert answer.status_code == 409 and answer.json()["code"] == "own_account"
    assert admin.get("/users/me").json()["role"] == "admin"


def test_last_admin_stays(server, admin, make_user, db):
    """Two admins demote each other at the same moment: one of them must fail."""
    others = db.execute(
        "SELECT id FROM users WHERE role = 'admin' AND archived_at IS NULL AND id <> %s", [admin.user["id"]]
    )
    for (other,) in others.fetchall():
        assert admin.post(f"/users/{other}/archive").status_code == 200
    second = make_user("admin")
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda a=a, b=b: codes.append(
                a.patch(f"/users/{b.user['id']}", json={"role": "manager"}).status_code
            )
        )
        for a, b in ((admin, second), (second, admin))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 in codes and codes != [200, 200], codes
    left = db.execute("SELECT count(*) FROM users WHERE role = 'admin' AND archived_at IS NULL").fetchone()[0]
    assert left == 1
    db.execute("UPDATE users SET role = 'admin' WHERE id = %s", [admin.user["id"]])
    # Whoever lost the race: from here on there is one admin, and the command line refuses to take that one.
    db.execute("UPDATE users SET role = 'manager' WHERE id = %s", [second.user["id"]])
    refused = server.run("user", "disable", ADMIN_EMAIL, login="api_login", check=False)
    assert refused.returncode == 1 and "last active admin" in refused.stderr
    admin.sign_in(ADMIN_EMAIL, PASSWORD)


# ---- managers


def test_manager_sees_his_clients_users_only(admin, manager, tenants):
    mine = create(admin, client_ids=[tenants[0]]).json()["id"]
    shared = create(admin, client_ids=list(tenants)).json()["id"]
    other = create(admin, client_ids=[tenants[1]]).json()["id"]
    seen = [u["id"] for u in manager.get("/users", params={"limit": 500}).json()["items"]]
    assert mine in seen and shared in seen and other not in seen and admin.user["id"] not in seen
    assert manager.get(f"/users/{other}").status_code == 404
    for method, path in (
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/archive"),
        ("GET", "/sessions"),
        ("DELETE", "/sessions"),
        ("POST", "/password-link"),
    ):
        arguments = {"json": {"name": "X"}} if method == "PATCH" else {}
        assert manager.request(method, f"/users/{other}{path}", **arguments).status_code == 404, (method, path)
        assert manager.request(method, f"/users/{shared}{path}", **arguments).status_code == 403, (method, path)
        assert manager.request(method, f"/users/{admin.user['id']}{path}", **arguments).status_code in (403, 404)
    # of a shared user, a manager learns only his own clients
    assert manager.get(f"/users/{shared}").json()["client_ids"] == [tenants[0]]


def test_manager_manages_his_own(manager, tenants):
    answer = create(manager, client_ids=[tenants[0]])
    assert answer.status_code == 201, answer.text
    path = f"/users/{answer.json()['id']}"
    assert manager.patch(path, json={"role": "manager", "name": "New"}).json()["role"] == "manager"
    assert manager.get(path + "/sessions").json() == {"items": [], "next_cursor": None}
    assert manager.post(path + "/archive").status_code == 200
    assert manager.post(path + "/restore").status_code == 200
    assert manager.delete(path).status_code == 204
    assert manager.get(path).status_code == 404


@pytest.mark.parametrize(
    "fields", [{"role": "admin"}, {"client_ids": []}, {"client_ids": "other"}, {"client_ids": "both"}]
)
def test_manager_raises_nobody(manager, tenants, fields):
    swap = {"other": [tenants[1]], "both": list(tenants)}
    fields = {k: swap.get(v, v) if isinstance(v, str) and v in swap else v for k, v in fields.items()}
    assert create(manager, **{"client_ids": [tenants[0]]} | fields).status_code == 422
    user = create(manager, client_ids=[tenants[0]]).json()
    assert manager.patch(f"/users/{user['id']}", json=fields).status_code == 422
    assert manager.get(f"/users/{user['id']}").json()["client_ids"] == [tenants[0]]


def test_manager_cannot_edit_himself(manager, tenants):
    path = f"/users/{manager.user['id']}"
    assert manager.patch(path, json={"client_ids": list(tenants)}).status_code in (403, 422)
    assert manager.patch(path, json={"role": "user"}).status_code == 403
    assert manager.delete(path).status_code == 403


def test_users_have_no_business_here(make_user, tenants):
    user = make_user("user", clients=[tenants[0]])
    assert user.get("/users").status_code == 403
    assert user.get(f"/users/{user.user['id']}").status_code == 403
    assert create(user).status_code == 403
    assert user.patch(f"/users/{user.user['id']}", json={"role": "admin"}).status_code == 403


# ---- ending


def test_sign_out_everywhere_by_an_admin(server, admin, make_user):
    user = make_user("user")
    second = ApiClient(server.url).sign_in(user.user["email"], PASSWORD)
    sessions = admin.get(f"/users/{user.user['id']}/sessions").json()["items"]
    assert len(sessions) == 2 and not any(s["current"] for s in sessions)
    assert admin.delete(f"/users/{user.user['id']}/sessions/{sessions[0]['id']}").status_code == 204
    assert sorted(c.get("/users/me").status_code for c in (user, second)) == [200, 401]
    assert admin.delete(f"/users/{user.user['id']}/sessions").status_code == 204
    assert [c.get("/users/me").status_code for c in (user, second)] == [401, 401]


def test_deleting_ends_at_once(admin, make_user):
    user = make_user("user")
    assert user.get("/users/me").status_code == 200
    assert admin.delete(f"/users/{user.user['id']}").status_code == 204
    assert user.get("/users/me").status_code == 401
    assert admin.get(f"/users/{user.user['id']}").status_code == 404


def test_user_with_keys_is_not_deleted(admin, make_user):
    user = make_user("user")
    key = user.post("/api-keys", json={"name": "K"}).json()
    answer = admin.delete(f"/users/{user.user['id']}")
    assert answer.status_code == 409 and answer.json()["code"] == "in_use" and "api-keys" in answer.text
    assert admin.post(f"/api-keys/{key['id']}/revoke").status_code == 200
    assert admin.delete(f"/users/{user.user['id']}").status_code == 204


def test_token_of_a_deleted_user_names_nobody(server, admin, make_user):
    user = make_user("user")
    token = user.headers["Authorization"].split()[1]
    admin.delete(f"/users/{user.user['id']}")
    assert httpx.get(server.url + "/api/v1/users/me", headers=bearer(token)).status_code == 401


# ---- command line


def test_command_line(server, db, tenants):
    email = address()
    server.run(
        "user",
        "create",
        "--email",
        email,
        "--role",
        "manager",
        "--client",
        str(tenants[0]),
        "--client",
        str(tenants[1]),
        stdin=PASSWORD + "\n",
        login="api_login",
    )
    with ApiClient(server.url) as client:
        client.sign_in(email, PASSWORD)
        assert client.get("/users/me").json()["client_ids"] == sorted(tenants)
        assert email in server.run("user", "list", login="api_login").stdout
        assert "127.0.0.1" in server.run("user", "sessions", email, login="api_login").stdout
        server.run("user", "set-role", email, "--role", "user", login="api_login")
        assert client.get("/users/me").json()["role"] == "user"
        server.run("user", "set-password", email, stdin="an even better one\n", login="api_login")
        assert client.get("/users/me").status_code == 401
        client.sign_in(email, "an even better one")
        server.run("user", "disable", email, login="api_login")
        assert client.get("/users/me").status_code == 401
        server.run("user", "enable", email, login="api_login")
        client.sign_in(email, "an even better one")
        server.run("user", "delete", email, "--yes", login="api_login")
        assert client.get("/users/me").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "message"),
    [
        (["create"], "", 2, "e-mail"),
        (["create", "--email", "x"], PASSWORD, 1, "e-mail"),
        (["create", "--email", "a@b.cd"], "short\n", 1, "at least 10"),
        (["create", "--email", "a@b.cd"], "", 1, "password"),
        (["create", "--email", "a@b.cd", "--role", "owner"], PASSWORD, 2, "--role"),
        (["create", "--email", "a@b.cd", "--client", "no such client"], PASSWORD, 1, "no such client"),
        (["create", "--email", ADMIN_EMAIL], PASSWORD, 1, "exists"),
        (["delete", "nobody@example.com"], "", 2, "--yes"),
        (["disable", "nobody@example.com"], "", 1, "no user"),
        (["frobnicate"], "", 2, "unknown action"),
        ([], "", 2, "action"),
    ],
)
def test_command_line_mistakes(server, arguments, stdin, status, message):
    result = server.run("user", *arguments, stdin=stdin, login="api_login", check=False)
    assert result.returncode == status, result.stderr
    assert message in result.stderr and "argon2" not in result.stderr


def test_users_of_a_client(
    admin: httpx.Client, make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    one, two = make_client()["id"], make_client()["id"]
    manager, user = make_user("manager", clients=[one]), make_user("user", clients=[one, two])

    def ids(caller: httpx.Client, clients: str) -> list[int]:
        return sorted(row["id"] for row in walk(caller, "/users", client_id=clients))

    assert ids(admin, str(one)) == sorted([manager.user["id"], user.user["id"]])
    assert ids(admin, str(two)) == [user.user["id"]]
    assert ids(admin, f"{one},{two}") == sorted([manager.user["id"], user.user["id"]])
    assert ids(manager, str(one)) == sorted([manager.user["id"], user.user["id"]])
    assert ids(manager, str(two)) == [], "whose else a user is, is none of the manager's business"
    assert "client_id" in refused(admin.get("/users", params={"client_id": "x"}))
