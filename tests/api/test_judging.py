"""Statuses set by hand, judging anew and previews, through the API and a real worker."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest
from conftest import ApiClient
from helpers import made
from live import Reader
from stack import Stack, stop_process
from tracks import Report, at, rfc3339, store

HERE = (52.5, 13.4)
AWAY = (48.1, 11.6)
# 450 m north of HERE: outside a circle of 200 m, inside one of 500 m.
NEAR = (52.50405, 13.4)


@pytest.fixture(scope="module", autouse=True)
def worker(server: Stack) -> Iterator[None]:
    process = server.start_worker("judge")
    yield
    stop_process(process)


class Place:
    """A client's run with a warehouse HERE, a shop AWAY and a tracker."""

    def __init__(self, admin: ApiClient, client: int, db) -> None:
        self.admin, self.client, self.db = admin, client, db
        self.brand = self.make("brands")
        self.run = self.make("production-runs", brand_id=self.brand)
        self.store = self.make("storage-locations", center={"latitude": HERE[0], "longitude": HERE[1]}, radius_m=200)
        self.shop = self.make("delivery-locations", center={"latitude": AWAY[0], "longitude": AWAY[1]}, radius_m=200)
        put = admin.put(f"/production-runs/{self.run}/locations", json={"location_ids": [self.store, self.shop]})
        assert put.status_code == 200, put.text
        self.tracker = self.make("trackers", production_run_id=self.run)

    def make(self, kind: str, **body: object) -> int:
        named = {"client_id": self.client, "name": uuid.uuid4().hex}
        return made(self.admin.post(f"/{kind}", json=named | body))["id"]

    def report(self, *where: tuple[float, tuple[float, float]]) -> None:
        store(self.db, self.tracker, [Report(at(hours), *position) for hours, position in where])

    def history(self) -> list[tuple[str, int | None, str]]:
        rows = self.db.execute(
            "SELECT status::text, location_id, rule FROM status_history WHERE tracker_id = %s ORDER BY since, id",
            (self.tracker,),
        )
        return rows.fetchall()

    def eventually(self, *expected: tuple[str, int | None, str]) -> None:
        wait_for(lambda: self.history() == list(expected), lambda: f"the history is {self.history()}")

    def override(self, caller: ApiClient | None = None, **body: object):
        return (caller or self.admin).put(f"/trackers/{self.tracker}/status-override", json=body)


def wait_for(condition, what) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@pytest.fixture
def place(admin, make_client, db) -> Place:
    return Place(admin, make_client()["id"], db)


def finished(db, answer) -> dict:
    """The result of the task that a 202 has begun."""
    assert answer.status_code == 202, answer.text
    task = answer.json()["task_id"]

    def row():
        return db.execute("SELECT state::text, result, error FROM tasks WHERE id = %s", (task,)).fetchone()

    wait_for(lambda: row()[0] not in ("waiting", "queued", "running", "retrying"), lambda: f"the task is {row()}")
    assert row()[2] is None, row()
    return row()[1]


# ---- the duty ----


def test_a_stored_report_is_judged(place):
    place.report((0, HERE), (2, AWAY))
    place.eventually(("IN_STORAGE", place.store, "entered_storage"), ("DELIVERED", place.shop, "entered_delivery"))
    tracker = place.admin.get(f"/trackers/{place.tracker}").json()
    assert tracker["status"] == "DELIVERED"
    assert tracker["status_since"] == rfc3339(at(2))


def test_an_edited_place_judges_again(place):
    place.report((0, NEAR), (2, NEAR))
    place.eventually(("IN_TRANSIT", None, "first_report"))
    assert place.admin.patch(f"/storage-locations/{place.store}", json={"radius_m": 500}).status_code == 200
    place.eventually(("IN_STORAGE", place.store, "entered_storage"))


def test_open_streams_hear_of_it(place, make_user):
    manager = make_user("manager", clients=[place.client])
    with Reader(manager) as reader:
        place.report((0, HERE))
        told = [reader.next() for _ in range(2)]
    about = {"tracker_id": place.tracker, "production_run_id": place.run}
    assert {e.kind: e.data for e in told} == {
        "position": about
        | {
            "position": {"latitude": HERE[0], "longitude": HERE[1]},
            "accuracy_m": 20,
            "reported_at": rfc3339(at(0)),
            "battery": "full",
        },
        "status": about
        | {
            "status": "IN_STORAGE",
            "status_since": rfc3339(at(0)),
            "location_id": place.store,
            "previous_status": "CREATED",
        },
    }


def test_a_late_report_is_no_new_position(place, make_user):
    place.report((5, AWAY))
    place.eventually(("DELIVERED", place.shop, "entered_delivery"))
    with Reader(make_user("manager", clients=[place.client])) as reader:
        place.report((1, HERE))
        place.eventually(("IN_STORAGE", place.store, "entered_storage"), ("DELIVERED", place.shop, "entered_delivery"))
        assert reader.nothing()


# ---- statuses set by hand ----


def test_override_holds_until_the_next_change(place, make_user):
    manager = make_user("manager", clients=[place.client])
    place.report((0, HERE))
    place.eventually(("IN_STORAGE", place.store, "entered_storage"))
    answer = place.override(manager, status="DELIVERED", location_id=place.shop, reason="signed for", at=rfc3339(at(1)))
    assert answer.status_code == 200, answer.text
    override = answer.json()
    assert override["user_id"] == manager.user["id"]
    assert manager.get(f"/trackers/{place.tracker}/status-override").json() == override
    by_hand = ("DELIVERED", place.shop, "override")
    place.eventually(("IN_STORAGE", place.store, "entered_storage"), by_hand)

    # The status history says who and why.
    row = manager.get(f"/trackers/{place.tracker}/status-history", params={"sort": "since"}).json()["items"][-1]
    assert "signed for" in str(row["why"])

    place.report((2, HERE))  # no change
    place.report((3, NEAR))
    left = ("IN_TRANSIT", None, "left_storage")
    place.eventually(("IN_STORAGE", place.store, "entered_storage"), by_hand, left)
    assert manager.get(f"/trackers/{place.tracker}/status-override").status_code == 204
    assert manager.delete(f"/trackers/{place.tracker}/status-override").status_code == 404


def test_a_withdrawn_override_was_never_set(place):
    place.report((0, HERE))
    place.eventually(("IN_STORAGE", place.store, "entered_storage"))
    assert place.override(status="IN_TRANSIT", reason="on the truck").status_code == 200
    place.eventually(("IN_STORAGE", place.store, "entered_storage"), ("IN_TRANSIT", None, "override"))
    assert place.admin.delete(f"/trackers/{place.tracker}/status-override").status_code == 204
    place.eventually(("IN_STORAGE", place.store, "entered_storage"))
    assert place.admin.get(f"/trackers/{place.tracker}/status-override").status_code == 204
    actions = place.admin.get("/audit-log", params={"client_id": place.client, "limit": 200}).json()["items"]
    assert {"override-status", "withdraw-override"} <= {entry["action"] for entry in actions}


def test_an_override_needs_no_report(place):
    assert place.override(status="DELIVERED", reason="carried there").status_code == 200
    place.eventually(("DELIVERED", None, "override"))
    assert place.admin.get(f"/trackers/{place.tracker}").json()["status"] == "DELIVERED"


def test_what_an_override_may_not_say(place):
    tomorrow = rfc3339(dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    for field, body in (
        ("status", {"status": "CREATED", "reason": "x"}),
        ("status", {"reason": "x"}),
        ("reason", {"status": "DELIVERED"}),
        ("reason", {"status": "DELIVERED", "reason": ""}),
        ("reason", {"status": "DELIVERED", "reason": "x" * 1001}),
        ("location_id", {"status": "IN_TRANSIT", "location_id": place.shop, "reason": "x"}),
        ("location_id", {"status": "DELIVERED", "location_id": place.store, "reason": "x"}),
        ("location_id", {"status": "DELIVERED", "location_id": 2**62, "reason": "x"}),
        ("location_id", {"status": "DELIVERED", "location_id": "1", "reason": "x"}),
        ("at", {"status": "DELIVERED", "at": tomorrow, "reason": "x"}),
        ("at", {"status": "DELIVERED", "at": "yesterday", "reason": "x"}),
        ("until", {"status": "DELIVERED", "until": tomorrow, "reason": "x"}),
    ):
        answer = place.override(**body)
        assert answer.status_code == 422, (body, answer.text)
        assert [e["field"] for e in answer.json()["errors"]] == [field], body
    assert place.override(status="DELIVERED", reason="ä" * 1000).status_code == 200


# ---- judging anew, previews ----


def test_replay_finds_nothing_new(place):
    place.report((0, HERE), (30, HERE), (31, AWAY))
    expected = [("IN_STORAGE", place.store, "entered_storage"), ("DELIVERED", place.shop, "entered_delivery")]
    place.eventually(*expected)
    ids = place.db.execute(
        "SELECT array_agg(id) FROM status_history WHERE tracker_id = %s", (place.tracker,)
    ).fetchone()
    for path in (f"/trackers/{place.tracker}", f"/production-runs/{place.run}", f"/clients/{place.client}"):
        preview = finished(place.db, place.admin.post(f"{path}/replay", json={"preview": True}))
        assert preview == {"changes": [], "trackers": 1, "trackers_changed": 0, "rows": 0, "complete": True}
        assert finished(place.db, place.admin.post(f"{path}/replay", json={})) == {"trackers": 1}
    assert place.history() == expected
    assert (
        ids
        == place.db.execute(
            "SELECT array_agg(id) FROM status_history WHERE tracker_id = %s", (place.tracker,)
        ).fetchone()
    )


def test_replay_repairs_and_the_preview_says_so(place):
    place.report((0, HERE), (2, AWAY))
    right = [("IN_STORAGE", place.store, "entered_storage"), ("DELIVERED", place.shop, "entered_delivery")]
    place.eventually(*right)
    place.db.execute("UPDATE status_history SET rule = 'wrong' WHERE tracker_id = %s", (place.tracker,))
    since = rfc3339(at(1))
    preview = finished(
        place.db, place.admin.post(f"/trackers/{place.tracker}/replay", json={"preview": True, "from": since})
    )
    # from a time on: the first row is out of it, since judging begins with the last report before
    assert (preview["trackers"], preview["trackers_changed"], preview["rows"]) == (1, 1, 4)
    assert {(c["change"], c["table"]) for c in preview["changes"]} == {
        ("remove", "status_history"),
        ("add", "status_history"),
    }
    assert {c["row"]["rule"] for c in preview["changes"] if c["change"] == "add"} == {r[2] for r in right}
    assert [r[2] for r in place.history()] == ["wrong", "wrong"]
    finished(place.db, place.admin.post(f"/trackers/{place.tracker}/replay", json={}))
    assert place.history() == right


def test_preview_of_a_place(place):
    place.report((0, NEAR), (2, AWAY))
    history = [("IN_TRANSIT", None, "first_report"), ("DELIVERED", place.shop, "entered_delivery")]
    place.eventually(*history)
    path = f"/storage-locations/{place.store}"
    before = place.admin.get(path).json()

    wider = finished(place.db, place.admin.post(f"{path}/preview", json={"radius_m": 500}))
    added = [c["row"] for c in wider["changes"] if c["change"] == "add" and c["table"] == "status_history"]
    assert ("IN_STORAGE", place.store) in [(row["status"], row["location_id"]) for row in added]
    assert (wider["trackers"], wider["trackers_changed"], wider["complete"]) == (1, 1, True)
    from_then = {"radius_m": 500, "effective": "from", "effective_from": rfc3339(at(1))}
    for nothing in ({"radius_m": 210}, {"radius_m": 200}, {}, from_then):
        found = finished(place.db, place.admin.post(f"{path}/preview", json=nothing))
        assert found["rows"] == 0, nothing
    moved = finished(
        place.db,
        place.admin.post(f"{path}/preview", json={"center": {"latitude": NEAR[0], "longitude": NEAR[1]}}),
    )
    assert moved["trackers_changed"] == 1

    assert place.admin.get(path).json() == before
    assert place.history() == history


def test_previews_refuse_what_a_patch_would(place):
    path = f"/delivery-locations/{place.shop}/preview"
    for field, body in (
        ("radius_m", {"radius_m": 49}),
        ("name", {"name": "no shape"}),
        ("effective_from", {"effective": "from"}),
        ("from", {"from": 5}),
    ):
        answer = place.admin.post(path, json=body)
        assert answer.status_code == 422, (body, answer.text)
        assert [e["field"] for e in answer.json()["errors"]] == [field]
    for field, body in (("from", {"from": "monday"}), ("preview", {"preview": 1}), ("to", {"to": rfc3339(at(1))})):
        answer = place.admin.post(f"/trackers/{place.tracker}/replay", json=body)
        assert answer.status_code == 422, (body, answer.text)
        assert [e["field"] for e in answer.json()["errors"]] == [field]
    # a storage location under the other name is none
    assert place.admin.post(f"/delivery-locations/{place.store}/preview", json={"radius_m": 60}).status_code == 404


# ---- exceptions ----


def exceptions(place: Place) -> list[tuple]:
    rows = place.db.execute(
        "SELECT kind, location_id, since, ended_at FROM tracker_exceptions WHERE tracker_id = %s ORDER BY since, kind",
        (place.tracker,),
    )
    return rows.fetchall()


def expect_exceptions(place: Place, *expected: tuple) -> None:
    wait_for(lambda: exceptions(place) == list(expected), lambda: f"the exceptions are {exceptions(place)}")


def test_goods_in_the_place_of_another_run(place):
    other = place.make("production-runs", brand_id=place.brand)
    foreign = place.make("delivery-locations", center={"latitude": NEAR[0], "longitude": NEAR[1]}, radius_m=200)
    put = place.admin.put(f"/production-runs/{other}/locations", json={"location_ids": [foreign]})
    assert put.status_code == 200
    place.report((0, AWAY), (1, NEAR), (2, NEAR))
    expect_exceptions(place, ("wrong_place", foreign, at(1), None))
    place.report((3, AWAY))
    expect_exceptions(place, ("wrong_place", foreign, at(1), at(3)))
    # a report that comes late
    place.report((1.5, AWAY))
    expect_exceptions(place, ("wrong_place", foreign, at(1), at(1.5)), ("wrong_place", foreign, at(2), at(3)))


def test_goods_that_left_before_their_release(place):
    place.admin.patch(f"/production-runs/{place.run}", json={"release_at": rfc3339(at(10))})
    place.report((0, HERE), (2, AWAY))
    expect_exceptions(place, ("left_early", place.store, at(2), None))
    place.report((11, AWAY))
    expect_exceptions(place, ("left_early", place.store, at(2), at(10)))
    place.admin.patch(f"/production-runs/{place.run}", json={"release_at": rfc3339(at(1))})
    expect_exceptions(place)


def sweep(server: Stack) -> subprocess.Popen:
    """A worker that has just started looks for silent and stuck trackers at once; here after hours instead of days."""
    return server.start_worker("judge", SILENT_AFTER="72h", STUCK_AFTER="2d")


def test_silent_and_stuck(server, place):
    """Found by the clock, and gone with a report, or a place, or the end of the run."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)

    def hours_ago(hours: float) -> dt.datetime:
        return now - dt.timedelta(hours=hours)

    stuck, moving, quiet, never = (place.make("trackers", production_run_id=place.run) for _ in range(4))
    started = "UPDATE production_runs SET starts_at = now() - interval '30 days' WHERE id = %s"
    place.db.execute(started, (place.run,))
    place.db.execute("UPDATE trackers SET created_at = now() - interval '20 days' WHERE id = %s", (never,))
    for hours in (100, 80, 60, 40, 20, 1):
        store(place.db, stuck, [Report(hours_ago(hours), NEAR[0] + hours * 1e-6, NEAR[1])])
        store(place.db, moving, [Report(hours_ago(hours), NEAR[0] + hours * 1e-3, NEAR[1])])
    store(place.db, quiet, [Report(hours_ago(73), *HERE)])
    store(place.db, place.tracker, [Report(hours_ago(71), *HERE)])

    def found() -> list[tuple]:
        rows = place.db.execute(
            "SELECT tracker_id, kind, ended_at IS NOT NULL FROM tracker_exceptions WHERE client_id = %s ORDER BY 1, 2, 3",
            (place.client,),
        )
        return rows.fetchall()

    wait_for(
        lambda: place.db.execute(
            "SELECT count(*) = 4 FROM trackers WHERE client_id = %s AND status <> 'CREATED'", (place.client,)
        ).fetchone()[0],
        lambda: "the reports are not judged",
    )
    process = sweep(server)
    expected = [(stuck, "stuck", False), (quiet, "silent", False), (never, "silent", False)]
    wait_for(lambda: found() == expected, lambda: f"found {found()}, not {expected}")
    stop_process(process)
    since = place.db.execute("SELECT since FROM tracker_exceptions WHERE tracker_id = %s", (quiet,)).fetchone()
    assert since == (hours_ago(73),)

    store(place.db, stuck, [Report(now, NEAR[0] + 0.05, NEAR[1])])
    store(place.db, quiet, [Report(now, *HERE)])
    place.db.execute("UPDATE trackers SET archived_at = now() WHERE id = %s", (never,))
    wait_for(
        lambda: place.db.execute(
            "SELECT count(*) = 2 FROM trackers WHERE client_id = %s AND last_report_at = %s", (place.client, now)
        ).fetchone()[0],
        lambda: "the new reports are not judged",
    )
    process = sweep(server)
    expected = [(stuck, "stuck", True), (quiet, "silent", True), (never, "silent", True)]
    wait_for(lambda: found() == expected, lambda: f"found {found()}, not {expected}")
    stop_process(process)
