"""Apple accounts, provider profiles and refreshes: what is accepted, and that secrets go in and never come out."""

from __future__ import annotations

import json
import uuid

import pytest
from helpers import changed, made, problem, refused

SECRET = "a password that nobody else has"


def new(**fields: object) -> dict:
    return {"name": uuid.uuid4().hex, "username": "tags@example.com", "password": SECRET} | fields


@pytest.fixture
def account(admin) -> dict:
    return made(admin.post("/apple-accounts", json=new()))


def set_state(db, account: dict, state: str) -> None:
    db.execute("UPDATE apple_accounts SET state = %s WHERE id = %s", (state, account["id"]))


def path_of(account: dict, *parts: str) -> str:
    return "/".join(["/apple-accounts", str(account["id"]), *parts])


# ---- secrets ----


def test_credentials_are_sealed_and_never_shown(admin, db, account, server):
    assert account["state"] == "signed_out" and "password" not in account and "username" not in account
    sealed, key = db.execute(
        "SELECT credentials_sealed, master_key_id FROM apple_accounts WHERE id = %s", (account["id"],)
    ).fetchone()
    assert SECRET.encode() not in bytes(sealed) and len(key) == 8
    audit = admin.get("/audit-log", params={"resource": "apple-accounts", "limit": 100}).text
    assert SECRET not in audit and "tags@example.com" not in audit
    assert SECRET not in server.api_log.read_text(errors="replace")


def test_new_credentials_sign_out_and_stop_whoever_uses_the_account(admin, db, account):
    db.execute(
        "UPDATE apple_accounts SET state = 'ready', lease_owner = 'somebody', lease_until = now() + interval '1 hour' WHERE id = %s",
        (account["id"],),
    )
    body = {"username": "+491510000017", "password": "another"}
    assert changed(admin.put(path_of(account, "credentials"), json=body))["state"] == "signed_out"
    lease = db.execute("SELECT lease_owner FROM apple_accounts WHERE id = %s", (account["id"],)).fetchone()[0]
    assert lease is None


def test_a_code_stands_in_its_task_sealed(admin, db, account):
    set_state(db, account, "second_factor")
    answer = admin.post(path_of(account, "second-factor"), json={"code": "483920"})
    assert answer.status_code == 202
    args = db.execute("SELECT args FROM tasks WHERE id = %s", (answer.json()["task_id"],)).fetchone()[0]
    assert args[0] == account["id"] and len(args) == 2 and "483920" not in json.dumps(args)


# ---- bodies ----


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"username": ""}, "username"),
        ({"username": "x" * 255}, "username"),
        ({"username": "tab\there"}, "username"),
        ({"password": ""}, "password"),
        ({"password": "x" * 513}, "password"),
        ({"password": "line\nbreak"}, "password"),
        ({"password": None}, "password"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"state": "ready"}, "state"),
    ],
)
def test_refused_accounts(admin, fields, wrong):
    assert set(refused(admin.post("/apple-accounts", json=new(**fields)))) == {wrong}


def test_the_longest_credentials_are_accepted(admin):
    made(admin.post("/apple-accounts", json=new(username="u" * 254, password="\\" * 512)))


def test_names_are_unique_among_accounts_in_use(admin, account):
    again = new(name=account["name"].upper())
    problem(admin.post("/apple-accounts", json=again), 409, "already_exists")
    changed(admin.post(path_of(account, "archive")))
    made(admin.post("/apple-accounts", json=again))


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "", "１２３４５６", 123456])
def test_a_code_has_six_digits(admin, db, account, code):
    set_state(db, account, "second_factor")
    assert set(refused(admin.post(path_of(account, "second-factor"), json={"code": code}))) == {"code"}


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"method"}),
        ({"method": "letter"}, {"method"}),
        ({"method": "sms", "phone_id": 0}, {"phone_id"}),
        ({"method": "sms", "phone_id": "1"}, {"phone_id"}),
        ({"method": "sms", "number": "1"}, {"number"}),
    ],
)
def test_refused_requests_for_a_code(admin, db, account, body, wrong):
    set_state(db, account, "second_factor")
    assert set(refused(admin.post(path_of(account, "second-factor", "request"), json=body))) == wrong


# ---- states ----


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [
        ("sign-in", "signed_out", 202),
        ("sign-in", "parked", 202),
        ("sign-in", "disabled", 409),
        ("sign-out", "ready", 200),
        ("sign-out", "disabled", 409),
        ("enable", "disabled", 202),
        ("enable", "ready", 409),
        ("disable", "ready", 200),
        ("disable", "disabled", 200),
    ],
)
def test_what_may_be_done_when(admin, db, account, action, state, status):
    set_state(db, account, state)
    answer = admin.post(path_of(account, action))
    assert answer.status_code == status, answer.text
    if status == 409:
        problem(answer, 409, "wrong_state")


def test_no_code_is_asked_for_or_taken_unless_one_is_due(admin, account):
    problem(admin.post(path_of(account, "second-factor"), json={"code": "012345"}), 409, "wrong_state")
    problem(admin.post(path_of(account, "second-factor", "request"), json={"method": "sms"}), 409, "wrong_state")


def test_an_archived_account_is_not_used(admin, account):
    changed(admin.post(path_of(account, "archive")))
    problem(admin.post(path_of(account, "sign-in")), 404, "not_found")


def test_signing_in_shows_at_once(admin, account):
    admin.post(path_of(account, "sign-in"))
    assert admin.get(path_of(account)).json()["state"] == "signing_in"


# ---- provider profiles ----


def profile(admin, **document: object) -> dict:
    return made(admin.post("/provider-profiles", json={"name": "p", "document": {"format": 1} | document}))


def test_one_profile_is_in_force(admin):
    first, second = profile(admin), profile(admin, name="second")
    for row in (first, second):
        assert changed(admin.post(f"/provider-profiles/{row['id']}/activate"))["active"]
    assert not admin.get(f"/provider-profiles/{first['id']}").json()["active"]
    assert not changed(admin.post(f"/provider-profiles/{second['id']}/deactivate"))["active"]
    active = admin.get("/provider-profiles", params={"active": "true"}).json()["items"]
    assert active == []


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"format": 2}, "format"),
        ({"format": 1, "fetch": {"ids_per_request": 0}}, "fetch.ids_per_request"),
        ({"format": 1, "endpoints": {"gsa": "ftp://x"}}, "endpoints.gsa"),
        ({"format": 1, "unknown": {}}, "unknown"),
    ],
)
def test_a_document_is_checked_whole(admin, document, says):
    answer = admin.post("/provider-profiles", json={"name": "p", "document": document})
    assert set(refused(answer)) == {"document"} and says in answer.text


def test_a_document_is_an_object_and_does_not_change(admin):
    assert set(refused(admin.post("/provider-profiles", json={"name": "p", "document": []}))) == {"document"}
    row = profile(admin)
    answer = admin.patch(f"/provider-profiles/{row['id']}", json={"document": {"format": 1}})
    assert set(refused(answer)) == {"document"}


# ---- refreshes ----


@pytest.fixture
def tracker(admin, make_client) -> int:
    return made(admin.post("/trackers", json={"client_id": make_client()["id"], "name": "t"}))["id"]


def test_one_refresh_of_a_tracker_waits_at_a_time(admin, tracker):
    first, second = (admin.post(f"/trackers/{tracker}/refresh") for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()


def test_an_archived_tracker_is_not_refreshed(admin, tracker):
    changed(admin.post(f"/trackers/{tracker}/archive"))
    problem(admin.post(f"/trackers/{tracker}/refresh"), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, "to"),
        ({"from": "2026-01-02T00:00:00Z", "until": "2026-01-03T00:00:00Z"}, "until"),
    ],
)
def test_refused_history_refreshes(admin, tracker, body, wrong):
    assert set(refused(admin.post(f"/trackers/{tracker}/history-refresh", json=body))) == {wrong}
