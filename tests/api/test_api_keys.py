"""API keys: shown once, narrowed by scopes, role and clients, revoked at the next request."""

from __future__ import annotations

import time
import uuid

import httpx
import pytest
from accounts import second_api
from conftest import ApiClient


@pytest.fixture(scope="module")
def tenants(make_client) -> tuple[int, int]:
    return make_client()["id"], make_client()["id"]


@pytest.fixture
def manager(make_user, tenants) -> ApiClient:
    return make_user("manager", clients=list(tenants))


def make_key(client: ApiClient, **fields) -> dict:
    answer = client.post("/api-keys", json={"name": uuid.uuid4().hex} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def ask(server, key: str | dict, method: str = "GET", path: str = "/users/me", **kwargs) -> httpx.Response:
    secret = key if isinstance(key, str) else key["key"]
    return httpx.request(method, server.url + "/api/v1" + path, headers={"X-API-Key": secret}, timeout=30, **kwargs)


def test_shown_once_and_stored_as_hash(server, manager, db):
    key = make_key(manager)
    assert key["key"].startswith(key["prefix"] + "_") and len(key["key"]) == 55
    assert key["scopes"] == ["read"] and key["role"] == "manager" and key["client_ids"] is None
    path = f"/api-keys/{key['id']}"
    assert "key" not in manager.get(path).json()
    assert key["key"] not in manager.get("/api-keys").text
    stored = db.execute("SELECT k::text FROM api_keys k WHERE id = %s", [key["id"]]).fetchone()[0]
    log = db.execute("SELECT string_agg(a::text, '') FROM audit_log a WHERE resource = 'api-keys'").fetchone()[0]
    secret = key["key"].rsplit("_", 1)[-1]
    assert secret not in stored and secret not in log
    assert secret not in server.api_log.read_text()


def test_both_headers_work(server, manager):
    key = make_key(manager, scopes=["*"])["key"]
    url = server.url + "/api/v1/users/me"
    for headers in ({"X-API-Key": key}, {"Authorization": f"ApiKey {key}"}, {"authorization": f"apikey {key}"}):
        answer = httpx.get(url, headers=headers)
        assert answer.status_code == 200 and answer.json()["id"] == manager.user["id"]


def test_wrong_keys(server, manager):
    key = make_key(manager, scopes=["*"])["key"]
    changed = key[:-1] + ("A" if key[-1] != "A" else "B")
    for wrong in ("", "x", key[:-1], key + "A", changed, key.upper(), "tk_" + "0" * 52, "' OR 1=1"):
        assert ask(server, wrong).status_code == 401, wrong
    assert httpx.get(server.url + "/api/v1/users/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_scopes(server, manager, tenants):
    body = {"client_id": tenants[0], "name": uuid.uuid4().hex}
    reader = make_key(manager, scopes=["brands:read"])
    assert ask(server, reader, path="/brands").status_code == 200
    answer = ask(server, reader, "POST", "/brands", json=body)
    assert answer.status_code == 403 and answer.json()["code"] == "insufficient_scope"
    assert ask(server, reader, path="/trackers").status_code == 403
    assert ask(server, reader).status_code == 403  # /users/me is of users
    writer = make_key(manager, scopes=["brands:write"])
    assert ask(server, writer, "POST", "/brands", json=body).status_code == 201
    assert ask(server, writer, path="/brands").status_code == 200
    assert ask(server, writer, path="/clients").status_code == 403
    everything = make_key(manager, scopes=["read"])
    assert ask(server, everything, path="/clients").status_code == 200
    assert ask(server, everything, "POST", "/brands", json=body).status_code == 403


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["admin"],
        ["brands"],
        ["brands:delete"],
        ["nothing:read"],
        [1],
        [""],
        "read",
        None,
        ["read"] * 65,
        ["read "],
        ["brands:read,x"],
    ],
)
def test_unknown_scopes_are_refused(manager, scopes):
    answer = manager.post("/api-keys", json={"name": uuid.uuid4().hex, "scopes": scopes})
    assert answer.status_code == 422, answer.text


def test_role_narrows(server, manager, tenants):
    key = make_key(manager, role="user", scopes=["*"])
    assert ask(server, key, path="/brands").status_code == 200
    assert ask(server, key, "POST", "/brands", json={"client_id": tenants[0], "name": "X"}).status_code == 403
    assert manager.post("/api-keys", json={"name": "up", "role": "admin"}).status_code == 422


def test_key_is_never_more_than_its_user(server, admin, make_user, tenants):
    user = make_user("manager", clients=list(tenants))
    key = make_key(user, scopes=["*"])
    body = {"client_id": tenants[0], "name": uuid.uuid4().hex}
    assert ask(server, key, "POST", "/brands", json=body).status_code == 201
    admin.patch(f"/users/{user.user['id']}", json={"role": "user", "client_ids": [tenants[1]]})
    assert ask(server, key, "POST", "/brands", json=body).status_code == 403
    assert ask(server, key, path=f"/clients/{tenants[0]}").status_code == 404
    assert ask(server, key, path=f"/clients/{tenants[1]}").status_code == 200
    admin.post(f"/users/{user.user['id']}/archive")
    assert ask(server, key).status_code == 401


def test_clients_narrow(server, manager, admin, tenants):
    key = make_key(manager, scopes=["*"], client_ids=[tenants[0]])
    assert ask(server, key, path=f"/clients/{tenants[0]}").status_code == 200
    assert ask(server, key, path=f"/clients/{tenants[1]}").status_code == 404
    other = manager.post("/api-keys", json={"name": "x", "client_ids": [tenants[0], 10**12]})
    assert other.status_code == 422
    # an admin's key with clients is no admin's any more
    narrowed = make_key(admin, scopes=["*"], client_ids=[tenants[0]])
    assert [c["id"] for c in ask(server, narrowed, path="/clients").json()["items"]] == [tenants[0]]
    assert ask(server, narrowed, path="/exclusion-areas").status_code == 403
    assert admin.post("/api-keys", json={"name": uuid.uuid4().hex, "role": "user"}).status_code == 422


def test_expiry(server, manager, db):
    key = make_key(manager, scopes=["*"], expires_at="2999-01-01T00:00:00Z")
    assert ask(server, key).status_code == 200
    db.execute("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = %s", [key["id"]])
    time.sleep(0.15)
    answer = ask(server, key)
    assert answer.status_code == 401 and answer.json()["code"] == "token_expired"
    past = manager.post("/api-keys", json={"name": "past", "expires_at": "2001-01-01T00:00:00Z"})
    assert past.status_code == 422


def test_revoked_at_the_next_request_everywhere(server, manager):
    with second_api(server) as other:
        for how in ("revoke", "delete", "narrow"):
            key = make_key(manager, scopes=["users:read"])
            headers = {"X-API-Key": key["key"]}
            assert ask(server, key).status_code == 200
            assert httpx.get(other + "/api/v1/users/me", headers=headers).status_code == 200
            path = f"/api-keys/{key['id']}"
            if how == "revoke":
                assert manager.post(path + "/revoke").json()["revoked_at"]
            elif how == "delete":
                assert manager.delete(path).status_code == 204
            else:
                assert manager.patch(path, json={"scopes": ["brands:read"]}).status_code == 200
            expected = 403 if how == "narrow" else 401
            assert ask(server, key).status_code == expected
            assert httpx.get(other + "/api/v1/users/me", headers=headers).status_code == expected


def test_last_use_is_noted(server, manager):
    key = make_key(manager, scopes=["*"])
    assert manager.get(f"/api-keys/{key['id']}").json()["last_used_at"] is None
    assert ask(server, key).status_code == 200
    after = manager.get(f"/api-keys/{key['id']}")
    assert after.json()["last_used_at"] is not None
    etag = after.headers["etag"]
    assert manager.patch(f"/api-keys/{key['id']}", json={"name": "n"}, headers={"If-Match": etag}).status_code == 200


def test_keys_are_private(server, manager, admin, make_user, tenants):
    key = make_key(manager)
    other = make_user("manager", clients=list(tenants))
    path = f"/api-keys/{key['id']}"
    assert other.get(path).status_code == 404
    assert key["id"] not in [k["id"] for k in other.get("/api-keys").json()["items"]]
    assert other.patch(path, json={"name": "mine"}).status_code == 404
    assert other.post(path + "/revoke").status_code == 404
    assert other.delete(path).status_code == 404
    assert admin.get(path).json()["user_id"] == manager.user["id"]
    assert admin.post(path + "/revoke").status_code == 200


def test_keys_do_not_make_keys_nor_touch_passwords(server, manager):
    key = make_key(manager, scopes=["*"])
    for method, path, body in (
        ("POST", "/api-keys", {"name": "child"}),
        ("DELETE", f"/api-keys/{key['id']}", None),
        ("PATCH", f"/api-keys/{key['id']}", {"scopes": ["*"]}),
        ("POST", "/auth/password/change", {"current_password": "x", "new_password": "y"}),
        ("POST", "/auth/logout-all", None),
        ("GET", "/users/me/sessions", None),
    ):
        answer = ask(server, key, method, path, json=body)
        assert answer.status_code == 403 and answer.json()["code"] == "session_required", path


def test_names_are_unique_among_keys_in_use(manager):
    name = uuid.uuid4().hex
    key = make_key(manager, name=name)
    assert manager.post("/api-keys", json={"name": name.upper()}).status_code == 409
    manager.post(f"/api-keys/{key['id']}/revoke")
    make_key(manager, name=name)


def test_patch_and_etag(manager, tenants):
    key = make_key(manager)
    path = f"/api-keys/{key['id']}"
    etag = manager.get(path).headers["etag"]
    change = {"name": uuid.uuid4().hex, "client_ids": [tenants[1]], "expires_at": "2999-01-01T00:00:00Z"}
    answer = manager.patch(path, json=change, headers={"If-Match": etag})
    assert answer.status_code == 200
    assert answer.json()["client_ids"] == [tenants[1]] and answer.json()["expires_at"] == "2999-01-01T00:00:00Z"
    assert manager.patch(path, json={"name": "x"}, headers={"If-Match": etag}).status_code == 412
    back = manager.patch(path, json={"client_ids": None, "expires_at": None}).json()
    assert back["client_ids"] is None and back["expires_at"] is None and back["name"] == change["name"]
    assert manager.patch(path, json={"user_id": 1}).status_code == 422
