"""Tasks, queues, schedules and the erasing of a client, with a real worker."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from conftest import ApiClient
from helpers import eventually, made
from pictures import png
from stack import Stack
from tracks import Report, add_event, add_status, at, make_goods, make_tracker, store

PATIENCE = 60


@pytest.fixture
def worker(server: Stack) -> Iterator[subprocess.Popen]:
    process = server.start_worker("default")
    yield process
    process.terminate()
    assert process.wait(PATIENCE) == 0


def add_task(db: psycopg.Connection, state: str = "waiting", user: int | None = None, queue: str = "nobodys") -> str:
    task = uuid.uuid4().hex
    db.execute(
        "INSERT INTO tasks (id, name, queue, state, user_id, finished_at, lease_until) VALUES (%s, 'demo', %s, %s, %s,"
        " CASE WHEN %s IN ('failed', 'dead', 'succeeded', 'cancelled') THEN now() END, CASE WHEN %s = 'running' THEN now() + interval '1 hour' END)",
        (task, queue, state, user, state, state),
    )
    return task


def ended(admin: ApiClient, task: str) -> dict:
    return eventually(lambda: (row := admin.get(f"/tasks/{task}").json())["finished_at"] and row, f"the end of {task}")


# ---- tasks ----


def test_the_list_in_pages_newest_first(admin: ApiClient, db: psycopg.Connection) -> None:
    queue = uuid.uuid4().hex
    odd = f'a "b" \\ c {queue}'  # a Python client may choose an id
    db.execute("INSERT INTO tasks (id, name, queue) VALUES (%s, 'demo', %s)", (odd, queue))
    tasks = [odd] + [add_task(db, queue=queue) for _ in range(4)] + [add_task(db, "failed", queue=queue)]
    got, cursor = [], None
    while True:
        page = admin.get("/tasks", params={"queue": queue, "limit": 1} | ({"cursor": cursor} if cursor else {})).json()
        got += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert got == tasks[::-1]
    failed = admin.get("/tasks", params={"queue": queue, "state": "failed"}).json()["items"]
    assert [item["id"] for item in failed] == tasks[-1:]
    assert admin.get("/tasks", params={"queue": queue, "name": "other"}).json()["items"] == []
    assert admin.post(f"/tasks/{quote(odd)}/cancel").json()["id"] == odd
    assert admin.get("/tasks", params={"state": "odd"}).status_code == 422
    assert admin.get("/tasks", params={"cursor": "odd"}).status_code == 422
    assert admin.get("/tasks", params={"user": "1"}).status_code == 422


def test_everybody_sees_his_own_only(
    admin: ApiClient, db: psycopg.Connection, make_client: Callable[..., dict], make_user: Callable[..., ApiClient]
) -> None:
    client = make_client()["id"]
    mine, other = make_user("user", [client]), make_user("user", [client])
    task = add_task(db, user=mine.user["id"])
    assert [item["id"] for item in mine.get("/tasks").json()["items"]] == [task]
    assert other.get("/tasks").json()["items"] == []
    assert mine.get(f"/tasks/{task}").status_code == 200
    assert other.get(f"/tasks/{task}").status_code == 404
    assert task in [item["id"] for item in admin.get("/tasks").json()["items"]]


def test_what_waits_is_cancelled_at_once_and_what_runs_is_asked(admin: ApiClient, db: psycopg.Connection) -> None:
    waiting, running, over = add_task(db), add_task(db, "running"), add_task(db, "succeeded")
    tag = admin.get(f"/tasks/{waiting}").headers["ETag"]
    answer = admin.post(f"/tasks/{waiting}/cancel")
    assert answer.status_code == 200 and answer.json()["state"] == "cancelled" and answer.json()["finished_at"]
    assert answer.headers["ETag"] != tag
    answer = admin.post(f"/tasks/{running}/cancel")
    assert answer.json()["state"] == "running" and answer.json()["cancel_requested_at"]
    answer = admin.post(f"/tasks/{over}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_finished")
    log = admin.get("/audit-log", params={"resource": "tasks", "action": "cancel"}).json()["items"]
    assert [entry["after"]["id"] for entry in log][:2] == [running, waiting], "what was refused is not logged"


def test_what_is_over_can_begin_anew(admin: ApiClient, db: psycopg.Connection) -> None:
    dead, waiting = add_task(db, "dead"), add_task(db)
    db.execute("UPDATE tasks SET attempts = 3, error = '{}', result = '1' WHERE id = %s", (dead,))
    answer = admin.post(f"/tasks/{dead}/retry").json()
    assert (answer["state"], answer["attempts"], answer["error"], answer["result"], answer["finished_at"]) == (
        "waiting", 0, None, None, None,
    )  # fmt: skip
    answer = admin.post(f"/tasks/{waiting}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_not_finished")
    assert admin.post(f"/tasks/{uuid.uuid4().hex}/retry").status_code == 404


def test_queues_and_types(admin: ApiClient, db: psycopg.Connection) -> None:
    queue = uuid.uuid4().hex
    for state in ("waiting", "waiting", "running", "dead"):
        add_task(db, state, queue=queue)
    db.execute("UPDATE tasks SET run_at = now() + interval '1 hour' WHERE id = %s", (add_task(db, queue=queue),))
    queues = {item["queue"]: item for item in admin.get("/admin/queues").json()["items"]}
    assert {"fetch", "judge", "geocode", "history", "notify", "default"} <= set(queues)
    ours = queues[queue]
    assert (ours["waiting"], ours["scheduled"], ours["running"], ours["failed_last_day"]) == (2, 1, 1, 1)
    assert ours["oldest_waiting_at"]
    types = admin.get("/admin/task-types").json()
    assert {"client.erase", "maintenance.tidy", "tracker.fetch_now"} <= {item["name"] for item in types["items"]}
    assert {"judge.inbox", "fetch.due"} <= {item["name"] for item in types["duties"]}


# ---- schedules ----


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "* * * * 7"}, "cron"),
        ({"cron": "0 0 * * fri-sun"}, "cron"),
        ({"cron": "@daily @daily"}, "cron"),
        ({}, "cron"),
        ({"cron": "0 0 * * *", "every_s": 5}, "cron"),
        ({"every_s": 0}, "every_s"),
        ({"every_s": 366 * 86400 + 1}, "every_s"),
        ({"cron": "0 0 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"cron": "0 0 * * *", "kwargs": []}, "kwargs"),
        ({"cron": "0 0 * * *", "kwargs": {"x": "y" * 17000}}, "kwargs"),
    ],
)
def test_schedules_that_are_refused(admin: ApiClient, body: dict, field: str) -> None:
    answer = admin.post("/task-schedules", json={"name": uuid.uuid4().hex, "task_name": "demo"} | body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


def test_a_schedule_is_kept_changed_and_run(admin: ApiClient, db: psycopg.Connection, worker: subprocess.Popen) -> None:
    body = {
        "name": uuid.uuid4().hex,
        "task_name": "maintenance.tidy",
        "cron": "5 4 * * sun",
        "time_zone": "Europe/Berlin",
    }
    schedule = made(admin.post("/task-schedules", json=body | {"kwargs": {"a": [1, None]}}))
    assert (schedule["kwargs"], schedule["every_s"], schedule["enabled"]) == ({"a": [1, None]}, None, True)
    db.execute("UPDATE task_schedules SET next_run_at = now() + interval '1 day' WHERE id = %s", (schedule["id"],))
    path = f"/task-schedules/{schedule['id']}"
    changed = admin.patch(path, json={"cron": None, "every_s": 90}).json()
    assert (changed["cron"], changed["every_s"], changed["next_run_at"]) == (None, 90, None)
    db.execute("INSERT INTO idempotency_keys (user_id, key, request_hash, created_at, expires_at) SELECT id, 'old',"
               " sha256('x'), now() - interval '2 days', now() - interval '1 day' FROM users LIMIT 1")  # fmt: skip
    started = admin.post(f"{path}/run")
    assert started.status_code == 202
    row = ended(admin, started.json()["task_id"])
    assert row["state"] == "succeeded", row
    assert row["result"]["idempotency_keys"] >= 1
    assert db.execute("SELECT count(*) FROM idempotency_keys WHERE key = 'old'").fetchone() == (0,)
    assert admin.delete(path).status_code == 204


# ---- erasing a client ----


def furnish(admin: ApiClient, db: psycopg.Connection, client: int, trackers: int) -> None:
    """A bit of everything that a client has."""
    goods = make_goods(admin, client)
    path = f"/production-runs/{goods.run}/locations"
    assert admin.put(path, json={"location_ids": [goods.storage, goods.delivery]}).status_code == 200
    square = {"type": "Polygon", "coordinates": [[[10, 50], [11, 50], [11, 51], [10, 50]]]}
    made(admin.post("/exclusion-areas", json={"client_id": client, "name": "x", "area": square}))
    for tracker in [goods.tracker, *(make_tracker(admin, goods.run) for _ in range(trackers - 1))]:
        assert store(db, tracker, [Report(at(h), 52.5 + h / 100, 13.4) for h in range(10)]) == 10
    db.execute("UPDATE trackers SET last_latitude = 52.5, last_longitude = 13.4 WHERE client_id = %s", (client,))
    db.execute("SELECT fold_map_cells()")
    add_event(db, goods, "entry", goods.delivery, at(1))
    add_status(db, goods, "DELIVERED", at(1), goods.delivery)
    made(admin.post("/share-links", json={"client_id": client, "production_run_id": goods.run}))
    db.execute(
        "INSERT INTO images (client_id, owner_kind, owner_id, content_type, width, height, bytes, checksum, storage_key)"
        " VALUES (%s, 'brand', %s, 'image/png', 1, 1, 1, sha256('x'), %s)",
        (client, goods.brand, uuid.uuid4().hex),
    )


def rows_of(db: psycopg.Connection, client: int) -> dict[str, int]:
    """How many rows each table has of the client."""
    tables = db.execute(
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attname = 'client_id'"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    counts = {
        t: db.execute(f'SELECT count(*) FROM "{t}" WHERE client_id = %s', (client,)).fetchone()[0] for (t,) in tables
    }
    return {table: n for table, n in counts.items() if n}


def image_keys(db: psycopg.Connection, client: int) -> list[tuple[str]]:
    return db.execute("SELECT storage_key FROM images WHERE client_id = %s", (client,)).fetchall()


def files_of(server: Stack, key: str) -> list[Path]:
    return list((server.folder / "media").glob(f"{key}-*.webp"))


def test_files_without_a_row_are_deleted_when_their_time_has_come(
    server: Stack, db: psycopg.Connection, worker: subprocess.Popen
) -> None:
    """Of an upload that broke off, and of one that may still be under way."""
    folder = server.folder / "media" / "zz"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("late", "early"):
        (folder / f"{name}-320.webp").write_bytes(b"x")
    db.execute(
        "INSERT INTO image_waste VALUES ('zz/early', now() + interval '1 hour'), ('zz/late', now() - interval '1 s')"
    )
    eventually(lambda: not (folder / "late-320.webp").exists(), "the end of a file without a row")
    assert (folder / "early-320.webp").exists()
    eventually(
        lambda: (
            db.execute("SELECT storage_key FROM image_waste WHERE storage_key LIKE 'zz/%'").fetchall()
            == [("zz/early",)]
        ),
        "the end of its entry",
    )
    db.execute("DELETE FROM image_waste")


def test_a_client_is_erased_with_all_that_is_its_and_nothing_else(
    server: Stack,
    admin: ApiClient,
    db: psycopg.Connection,
    worker: subprocess.Popen,
    make_client: Callable[..., dict],
    make_user: Callable[..., ApiClient],
) -> None:
    gone, stays = make_client(), make_client()
    furnish(admin, db, gone["id"], 23)
    furnish(admin, db, stays["id"], 2)
    for client in (gone, stays):
        made(admin.post("/images", params={"owner_kind": "client", "owner_id": client["id"]}, content=png(4, 4)))
    files = {path: key for (key,) in image_keys(db, gone["id"]) for path in files_of(server, key)}
    kept = [path for (key,) in image_keys(db, stays["id"]) for path in files_of(server, key)]
    assert (len(files), len(kept)) == (3, 3)
    only, both = make_user("manager", [gone["id"]]), make_user("user", [gone["id"], stays["id"]])
    before = rows_of(db, stays["id"])

    preview = admin.post(f"/clients/{gone['id']}/erase", json={"preview": True}).json()
    counts = preview["client"]["counts"]
    assert (counts["trackers"], counts["users"], counts["images"], counts["brands"]) == (23, 1, 2, 1)
    assert preview["reports"] == 230
    assert admin.get(f"/clients/{gone['id']}").json()["archived_at"] is None, "a preview changes nothing"
    wrong = admin.post(f"/clients/{gone['id']}/erase", json={"confirm": stays["name"]})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "confirm"

    started = admin.post(f"/clients/{gone['id']}/erase", json={"confirm": gone["name"]})
    assert started.status_code == 202, started.text
    row = ended(admin, started.json()["task_id"])
    assert row["state"] == "succeeded", row
    assert (row["result"]["trackers"], row["result"]["reports"], row["result"]["users"]) == (23, 230, 1)
    assert row["progress"]["done"] > 0

    assert admin.get(f"/clients/{gone['id']}").status_code == 404
    assert rows_of(db, gone["id"]) == {}
    assert db.execute(
        "SELECT count(*) FROM location_reports WHERE tracker_id NOT IN (SELECT id FROM trackers)"
    ).fetchone() == (0,)
    assert rows_of(db, stays["id"]) == before
    assert only.get("/users/me").status_code == 401, "who saw nothing else is gone"
    assert both.get("/users/me").status_code == 200
    eventually(lambda: not any(path.exists() for path in files), "the end of the files of its images")
    assert all(path.exists() for path in kept)
    last = admin.get("/audit-log", params={"resource": "clients", "action": "erased"}).json()["items"][0]
    assert (last["resource_id"], last["client_id"], last["before"]["name"]) == (gone["id"], None, gone["name"])


# ---- the command line ----


def test_tasks_from_the_command_line(server: Stack, admin: ApiClient, worker: subprocess.Popen) -> None:
    def tasks(*args: str, check: bool = True) -> subprocess.CompletedProcess:
        return server.run("tasks", *args, login="worker_login", check=check)

    shown = json.loads(tasks("run", "maintenance.tidy", "--wait").stdout)
    assert shown["state"] == "succeeded"
    listed = [line.split("\t") for line in tasks("list", "--state", "succeeded", "--limit", "5").stdout.splitlines()]
    assert listed[0][:4] == [shown["id"], "succeeded", "default", "maintenance.tidy"]
    head, *queues = [line.split("\t") for line in tasks("queues").stdout.splitlines()]
    figures = {row[0]: dict(zip(head, row, strict=True)) for row in queues}
    assert set(figures) >= {"fetch", "judge", "geocode", "history", "notify", "default"}
    shown_by_api = {q["queue"]: q for q in admin.get("/admin/queues").json()["items"]}
    assert int(figures["default"]["succeeded"]) >= 1 and figures["default"]["oldest"] == "-"
    assert figures["default"]["failed"] == str(shown_by_api["default"]["failed_last_day"])
    repeated = [line.split("\t") for line in tasks("schedules").stdout.splitlines()]
    assert len({len(row) for row in repeated}) == 1 and repeated[0][0] == "schedule"
    assert len(repeated) - 1 == len(admin.get("/task-schedules").json()["items"])
    assert tasks("run", "nobody.knows", check=False).returncode == 1
    task = tasks("run", "nobody.knows", "--queue", "python", "--kwargs", '{"a": 1}').stdout.strip()
    assert json.loads(tasks("show", task).stdout)["kwargs"] == {"a": 1}
    assert json.loads(tasks("cancel", task).stdout)["state"] == "cancelled"
    assert tasks("cancel", task, check=False).returncode == 1
    assert json.loads(tasks("retry", task).stdout)["state"] == "waiting"
    tasks("cancel", task)
    failed = tasks("run", "client.erase", "--wait", check=False)
    assert failed.returncode == 1 and "argument_invalid" in failed.stdout
    assert tasks("run", "maintenance.tidy", "--kwargs", "[]", check=False).returncode == 1
    assert tasks(check=False).returncode == 2
    assert tasks("show", check=False).returncode == 2
