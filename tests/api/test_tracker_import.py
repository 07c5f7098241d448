"""Import of trackers: every form of file, every fault of a row, all or nothing, and nothing secret in answers."""

from __future__ import annotations

import hashlib
import json
import plistlib
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from helpers import made, problem, refused, walk
from stack import Stack
from tracker_files import HEADER, as_csv, fresh_keys, row_of


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> dict:
    return make_client()


def send(client: httpx.Client, tenant: dict, text: str | bytes, kind: str = "text/csv", **query: object):
    return client.post(
        "/trackers/import",
        content=text,
        headers={"Content-Type": kind},
        params={"client_id": tenant["id"], **query},
        timeout=300,
    )


def taken(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["errors"] == [] and body["error_count"] == 0 and body["failed"] == 0
    return body


def errors(answer: httpx.Response) -> set[tuple[int, str, str]]:
    """(row, field, code) of a refused file."""
    return {(e["row"], e["field"], e["code"]) for e in problem(answer, 422, "import_refused")["errors"]}


def count(db: psycopg.Connection, tenant: dict) -> tuple[int, int]:
    row = db.execute(
        "SELECT (SELECT count(*) FROM trackers WHERE client_id = %s), (SELECT count(*) FROM tracker_keys "
        "WHERE client_id = %s)",
        (tenant["id"], tenant["id"]),
    ).fetchone()
    assert row
    return row


def test_csv(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    keys = fresh_keys(server, 3)
    text = as_csv([row_of(f"Box, {i}", key) for i, key in enumerate(keys)])
    assert taken(send(admin, tenant, text)) == {
        "dry_run": False,
        "format": "csv",
        "rows": 3,
        "trackers": 3,
        "keys": 3,
        "failed": 0,
        "error_count": 0,
        "errors": [],
    }
    rows = walk(admin, "/trackers", client_id=tenant["id"], sort="name")
    assert [row["name"] for row in rows] == ["Box, 0", "Box, 1", "Box, 2"]
    for row, key in zip(rows, keys, strict=True):
        assert row["mac_address"] == key["mac_address"]
        (public,) = admin.get(f"/trackers/{row['id']}/keys").json()["items"]
        assert public["has_private_key"] and public["kind"] == "static" and public["valid_until"] is None
        for name in ("advertisement_key", "hashed_advertisement_key", "mac_address"):
            assert public[name] == key[name]
    entry = walk(admin, "/audit-log", client_id=tenant["id"], action="import")[0]
    assert entry["after"]["trackers"] == 3


def test_the_private_key_is_sealed(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    import base64

    (key,) = fresh_keys(server, 1)
    answer = send(admin, tenant, as_csv([row_of("secret", key)]))
    taken(answer)
    (sealed,) = db.execute(
        "SELECT private_key_sealed FROM tracker_keys WHERE client_id = %s", (tenant["id"],)
    ).fetchone()
    assert len(sealed) == 1 + 4 + 24 + 28 + 16
    assert base64.b64decode(key["private_key"]) not in bytes(sealed)
    row = walk(admin, "/trackers", client_id=tenant["id"])[0]
    for text in (answer.text, admin.get(f"/trackers/{row['id']}/keys").text, server.api_log.read_text()):
        assert key["private_key"] not in text


def test_faults_of_rows(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    a, b, c, d, e = fresh_keys(server, 5)
    rows = [
        row_of("good", a),  # line 2
        row_of("", b),  # 3
        row_of("wrong key", {**b, "advertisement_key": c["advertisement_key"]}),  # 4
        row_of("wrong hash", {**b, "hashed_advertisement_key": c["hashed_advertisement_key"]}),  # 5
        row_of("wrong address", {**b, "mac_address": c["mac_address"]}),  # 6
        row_of("no key", {**b, "private_key": ""}),  # 7
        row_of("half a key", {**b, "private_key": b["private_key"][:20]}),  # 8
        row_of("zero", {**b, "private_key": "A" * 38 + "=="}),  # 9
        row_of("GOOD", c),  # 10
        row_of("the same key", a),  # 11
        row_of("x" * 201, d),  # 12
        row_of("few", e)[:3],  # 13
        row_of("no base64", {**e, "advertisement_key": "!"}),  # 14
    ]
    answer = send(admin, tenant, as_csv(rows))
    assert errors(answer) == {
        (3, "name", "required"),
        (4, "advertisement_key", "mismatch"),
        (5, "hashed_advertisement_key", "mismatch"),
        (6, "mac_address", "mismatch"),
        (7, "private_key", "required"),
        (8, "private_key", "invalid"),
        (9, "private_key", "invalid"),
        (10, "name", "duplicate"),
        (11, "private_key", "duplicate"),
        (12, "name", "too_long"),
        (13, "", "columns"),
        (14, "advertisement_key", "invalid"),
    }
    body = answer.json()
    assert (body["rows"], body["failed"], body["error_count"]) == (13, 12, 12)
    assert [e["row"] for e in body["errors"]] == sorted(e["row"] for e in body["errors"])
    for key in (a, b, c, d, e):
        assert key["private_key"] not in answer.text
    assert count(db, tenant) == (0, 0)


def test_faults_against_the_database(
    server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict, make_client: Callable[..., dict]
) -> None:
    a, b, c, d, e = fresh_keys(server, 5)
    other = make_client()
    taken(send(admin, other, as_csv([row_of("theirs", d)])))
    made(admin.post("/trackers", json={"client_id": tenant["id"], "name": "NÄME", "mac_address": b["mac_address"]}))
    rows = [row_of("näme", a), row_of("address", b), row_of("fine", c), row_of("their key", d), row_of("also fine", e)]
    for dry_run in (True, False):
        answer = send(admin, tenant, as_csv(rows), dry_run=dry_run)
        found = answer.json()["errors"]
        assert {(f["row"], f["field"], f["code"]) for f in found} == {
            (2, "name", "already_exists"),
            (3, "mac_address", "already_exists"),
            (5, "advertisement_key", "already_exists"),
        }
        assert answer.status_code == (200 if dry_run else 422)
        assert count(db, tenant) == (1, 0)


def test_a_dry_run_keeps_nothing(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    text = as_csv([row_of(f"t{i}", key) for i, key in enumerate(fresh_keys(server, 2))])
    assert taken(send(admin, tenant, text, dry_run="true"))["trackers"] == 2
    assert count(db, tenant) == (0, 0)
    assert taken(send(admin, tenant, text))["trackers"] == 2
    assert count(db, tenant) == (2, 2)
    assert {code for _, _, code in errors(send(admin, tenant, text))} == {"already_exists"}


def test_forms_of_csv(server: Stack, admin: httpx.Client, tenant: dict) -> None:
    a, b, c, d = fresh_keys(server, 4)
    taken(send(admin, tenant, "\ufeff" + as_csv([row_of("mark and semicolons", a)], delimiter=";")))
    taken(send(admin, tenant, as_csv([["few columns", b["private_key"]], ["", ""]], ["name", "PRIVATE_KEY"])))
    spaced = [f" {cell} " for cell in row_of("spaces", c)]
    spaced[4] = c["mac_address"].lower().replace(":", "-")
    taken(send(admin, tenant, as_csv([spaced])))
    padded = row_of("unpadded", {**d, "private_key": d["private_key"].rstrip("=")})
    taken(send(admin, tenant, as_csv([padded], lineterminator="\n")))
    names = {row["name"] for row in walk(admin, "/trackers", client_id=tenant["id"])}
    assert names == {"mark and semicolons", "few columns", "spaces", "unpadded"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("\r\n", "missing_column"),
        ("ID/Name,Colour,Private Key\r\n", "unknown_column"),
        ("ID/Name,name,Private Key\r\n", "duplicate_column"),
        ("ID/Name,MAC Address\r\n", "missing_column"),
        (",".join(HEADER) + '\r\n"open', "csv_syntax"),
        (",".join(HEADER) + "\r\n" + "x" * 5000, "csv_size"),
    ],
)
def test_files_that_are_no_csv(admin: httpx.Client, tenant: dict, text: str, code: str) -> None:
    assert errors(send(admin, tenant, text)) == {(0, "", code)}


def test_a_file_without_header_shows_no_key(server: Stack, admin: httpx.Client, tenant: dict) -> None:
    (key,) = fresh_keys(server, 1)
    answer = send(admin, tenant, ",".join(row_of("t", key)))
    assert errors(answer) == {(0, "", "unknown_column")}
    assert key["private_key"] not in answer.text


def accessory(name: str | None = "Key ring", **fields: object) -> dict:
    """A paired accessory as FindMy.py writes it."""
    secrets_of = {
        "master_key": "01" + secrets.token_hex(27),
        "skn": secrets.token_hex(32),
        "sks": secrets.token_hex(32),
    }
    paired = {"paired_at": "2026-01-02T03:04:05+00:00", "name": name, "identifier": "ID-7"}
    return {"type": "accessory"} | secrets_of | paired | fields


def test_rolling_accessory(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    made_of = accessory(alignment_date="2026-02-03T04:05:06+00:00", alignment_index=3000)
    result = taken(send(admin, tenant, json.dumps(made_of), "application/json"))
    assert (result["rows"], result["trackers"], result["keys"], result["format"]) == (1, 1, 1, "json")
    (tracker,) = walk(admin, "/trackers", client_id=tenant["id"])
    assert tracker["name"] == "Key ring" and tracker["mac_address"] is None
    (key,) = admin.get(f"/trackers/{tracker['id']}/keys").json()["items"]
    assert key["kind"] == "rolling" and key["advertisement_key"] is None
    row = db.execute(
        "SELECT fingerprint, octet_length(private_key_sealed), paired_at::text, alignment_index, alignment_at::text"
        " FROM tracker_keys WHERE tracker_id = %s",
        (tracker["id"],),
    ).fetchone()
    fingerprint = hashlib.sha256(bytes.fromhex(made_of["master_key"])).digest()
    assert row[0] == fingerprint and row[1] == 28 + 64 + 45 and row[3] == 3000
    assert row[2].startswith("2026-01-02 03:04:05") and row[4].startswith("2026-02-03 04:05:06")
    for text in (json.dumps(result), server.api_log.read_text()):
        assert made_of["master_key"] not in text and made_of["skn"] not in text

    # Owned once, whoever's it is; named by what it is called.
    again = send(admin, tenant, json.dumps(made_of | {"name": "other"}), "application/json")
    assert errors(again) == {(1, "master_key", "already_exists")}
    taken(send(admin, tenant, json.dumps(accessory(None)), "application/json"))
    assert [t["name"] for t in walk(admin, "/trackers", client_id=tenant["id"])] == ["Key ring", "ID-7"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"paired_at": "2999-01-01T00:00:00Z"}, (1, "paired_at", "invalid")),
        ({"paired_at": "1970-01-01T00:00:00Z"}, (1, "paired_at", "invalid")),
        ({"alignment_date": "2999-01-01T00:00:00Z", "alignment_index": 5}, (1, "alignment_date", "invalid")),
        ({"paired_at": None}, (0, "", "syntax")),
        ({"name": None, "identifier": None}, (1, "name", "required")),
        ({"master_key": "00" * 28}, (0, "", "key")),
        ({"skn": "ab"}, (0, "", "key")),
    ],
)
def test_broken_accessories(admin: httpx.Client, tenant: dict, fields: dict, error: tuple) -> None:
    assert errors(send(admin, tenant, json.dumps(accessory(**fields)), "application/json")) == {error}


def test_accessory_of_macos(admin: httpx.Client, tenant: dict) -> None:
    """A decrypted record of searchpartyd, in both forms of property lists."""
    for number, form in enumerate((plistlib.FMT_XML, plistlib.FMT_BINARY)):
        record = {
            "privateKey": {"key": {"data": b"\x04" + bytes(56) + b"\x01" + secrets.token_bytes(27)}},
            "sharedSecret": {"key": {"data": secrets.token_bytes(32)}},
            "secondarySharedSecret": {"key": {"data": secrets.token_bytes(32)}},
            "pairingDate": datetime(2026, 1, 2, 3, 4, 5),
            "identifier": f"UUID-{number}",
            "model": "Tag",
        }
        result = taken(send(admin, tenant, plistlib.dumps(record, fmt=form), "application/octet-stream"))
        assert (result["keys"], result["format"]) == (1, "plist")
    assert {t["name"] for t in walk(admin, "/trackers", client_id=tenant["id"])} == {"UUID-0", "UUID-1"}


def test_json_and_keys(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    a, b, c, d = fresh_keys(server, 4)
    device = {
        "id": 1,
        "name": "Tag",
        "privateKey": a["private_key"],
        "additionalKeys": [b["private_key"]],
    }
    result = taken(send(admin, tenant, json.dumps([device]), "application/json"))
    assert (result["trackers"], result["keys"], result["format"]) == (1, 2, "json")
    (tracker,) = walk(admin, "/trackers", client_id=tenant["id"])
    assert tracker["name"] == "Tag"
    assert {k["advertisement_key"] for k in admin.get(f"/trackers/{tracker['id']}/keys").json()["items"]} == {
        a["advertisement_key"],
        b["advertisement_key"],
    }
    text = f"Private key: {c['private_key']}\nAdvertisement key: {c['advertisement_key']}\n"
    result = taken(send(admin, tenant, text, "text/plain"))
    assert (result["trackers"], result["keys"], result["format"]) == (1, 1, "keys")
    wrong = f"Private key: {d['private_key']}\nAdvertisement key: {c['advertisement_key']}\n"
    answer = send(admin, tenant, wrong, "text/plain", format="keys")
    assert errors(answer) == {(0, "", "mismatch")}
    assert d["private_key"] not in answer.text
    assert errors(send(admin, tenant, "[]", "application/json")) == {(0, "", "syntax")}
    assert count(db, tenant) == (2, 3)


def test_a_form(server: Stack, admin: httpx.Client, tenant: dict) -> None:
    text = as_csv([row_of("from a form", key) for key in fresh_keys(server, 1)])
    files = {"file": ("trackers.csv", text, "text/csv")}
    answer = admin.post("/trackers/import", files=files, data={"client_id": str(tenant["id"]), "dry_run": "true"})
    assert taken(answer)["dry_run"] is True
    assert taken(admin.post("/trackers/import", files=files, params={"client_id": tenant["id"]}))["trackers"] == 1
    answer = admin.post("/trackers/import", data={"client_id": str(tenant["id"])}, files={"other": ("x", "y")})
    assert refused(answer) == {"file": "required"}
    for body in ("", "--b", "--b\r\n", "--b\r\nx", "--b\r\n\r\n", "--b\r\nA: b\r\n\r\nx", "--b--", "-"):
        answer = send(admin, tenant, body, "multipart/form-data; boundary=b")
        assert answer.status_code in (400, 422), body
    problem(send(admin, tenant, "x", "multipart/form-data"), 400, "invalid_form")


def test_options(server: Stack, admin: httpx.Client, make_client: Callable[..., dict], tenant: dict) -> None:
    text = as_csv([])
    other = made(admin.post("/brands", json={"client_id": make_client()["id"], "name": "b"}))
    run = made(admin.post("/production-runs", json={"brand_id": other["id"], "name": "r"}))
    assert refused(admin.post("/trackers/import", content=text, headers={"Content-Type": "text/csv"})) == {
        "client_id": "required"
    }
    assert refused(send(admin, {"id": 10**12}, text)) == {"client_id": "not_found"}
    assert refused(send(admin, tenant, text, production_run_id=run["id"])) == {"production_run_id": "not_found"}
    assert refused(send(admin, tenant, text, dry_run="maybe", format="xml")) == {
        "dry_run": "invalid",
        "format": "invalid",
    }
    problem(send(admin, tenant, ""), 400, "empty_body")


def test_into_a_run(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    brand = made(admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}))
    run = made(admin.post("/production-runs", json={"brand_id": brand["id"], "name": "r"}))
    text = as_csv([row_of(f"t{i}", key) for i, key in enumerate(fresh_keys(server, 2))])
    taken(send(admin, tenant, text, production_run_id=run["id"]))
    rows = walk(admin, "/trackers", client_id=tenant["id"], production_run_id=run["id"])
    assert len(rows) == 2 and all(row["next_fetch_at"] for row in rows)


def test_who_may(
    server: Stack, anonymous: httpx.Client, make_user: Callable[..., httpx.Client], make_client: Callable, tenant: dict
) -> None:
    keys = fresh_keys(server, 1)
    text = as_csv([row_of("mine", keys[0])])
    manager = make_user("manager", [tenant["id"]])
    assert refused(send(manager, make_client(), text)) == {"client_id": "not_found"}
    problem(send(make_user("user", [tenant["id"]]), tenant, text), 403, "forbidden")
    problem(send(anonymous, tenant, text), 401, "unauthenticated")
    taken(send(manager, tenant, text))
    (tracker,) = walk(manager, "/trackers", client_id=tenant["id"])
    assert manager.get(f"/trackers/{tracker['id']}/keys").status_code == 200
    stranger = make_user("manager", [make_client()["id"]])
    problem(stranger.get(f"/trackers/{tracker['id']}/keys"), 404, "not_found")
    problem(make_user("user", [tenant["id"]]).get(f"/trackers/{tracker['id']}/keys"), 403, "forbidden")


def test_the_template(server: Stack, admin: httpx.Client, tenant: dict) -> None:
    answer = admin.get("/trackers/import/template")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.text == ",".join(HEADER) + "\r\n"
    (key,) = fresh_keys(server, 1)
    taken(send(admin, tenant, answer.text + ",".join(row_of("by the template", key))))


def test_many_errors_are_counted(server: Stack, admin: httpx.Client, tenant: dict) -> None:
    body = problem(send(admin, tenant, as_csv([[f"t{i}", "", "", "", ""] for i in range(1500)])), 422, "import_refused")
    assert (len(body["errors"]), body["error_count"], body["rows"]) == (1000, 1500, 1500)


def resident(server: Stack) -> int:
    assert server.api
    status = Path(f"/proc/{server.api.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])  # type: ignore[index]


def test_a_hundred_thousand_rows(server: Stack, admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    text = as_csv([row_of(f"Pallet {i}", key) for i, key in enumerate(fresh_keys(server, 100_000))])
    before, started = resident(server), time.monotonic()
    assert taken(send(admin, tenant, text))["keys"] == 100_000
    print(f"100,000 rows in {time.monotonic() - started:.1f} s, {resident(server) - before} KiB more memory")
    assert count(db, tenant) == (100_000, 100_000)
    # AddressSanitizer keeps what was freed, up to 256 MiB: the bound says nothing there.
    if b"__asan_init" not in Path(server.binary).read_bytes():
        assert resident(server) - before < 64 * 1024
