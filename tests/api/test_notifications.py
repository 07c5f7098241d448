"""From a change of status to a notification, a mail and a live event; subscriptions; what a replay does to them."""

from __future__ import annotations

import email
import email.policy
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from conftest import ApiClient
from helpers import changed, eventually, fields, made, problem, refused
from live import Reader
from stack import Stack, stop_process

names = itertools.count(1)


@pytest.fixture(scope="module")
def worker(server) -> Iterator[None]:
    process = server.start_worker("notify")
    yield
    stop_process(process)
    assert process.returncode == 0


def hint(server, duty: str) -> None:
    """Wake the worker, as task_hint() does."""
    server.redis.command("XADD", "{tracker}:hints", "*", "name", duty)


class Place:
    """A client with a run, a tracker, its places, and a user of its own."""

    def __init__(self, server, admin: ApiClient, db: psycopg.Connection, client: int, user: ApiClient) -> None:
        self.server, self.admin, self.db, self.client, self.user = server, admin, db, client, user
        n = next(names)
        brand = made(admin.post("/brands", json={"client_id": client, "name": f"brand {n}"}))
        self.run = made(admin.post("/production-runs", json={"brand_id": brand["id"], "name": f"run {n}"}))["id"]
        point = {"client_id": client, "name": f"Depot {n}", "center": {"latitude": 50, "longitude": 10}}
        self.storage = made(admin.post("/storage-locations", json=point))["id"]
        self.shop_name = f"Shop {n}"
        self.shop = made(admin.post("/delivery-locations", json=point | {"name": self.shop_name}))["id"]
        self.tracker = self.add_tracker(f"Unit {n}")

    def add_tracker(self, name: str) -> int:
        body = {"production_run_id": self.run, "name": name}
        return made(self.admin.post("/trackers", json=body))["id"]

    def subscribe(self, *kinds: str, **more: object) -> dict:
        body = {"client_id": self.client, "kinds": list(kinds)} | more
        return made(self.user.post("/subscriptions", json=body))

    def judge(self, *changes: tuple[float, str | None], tracker: int | None = None, ago: float = 48) -> None:
        """Write the whole status history of a tracker, as hours after `ago` hours ago and kinds of place, and settle it."""
        tracker = tracker or self.tracker
        begin = datetime.now(UTC) - timedelta(hours=ago)
        with self.db.transaction():
            self.db.execute("DELETE FROM status_history WHERE tracker_id = %s", (tracker,))
            for hour, kind in changes:
                status, place = {"shop": ("DELIVERED", self.shop), "storage": ("IN_STORAGE", self.storage)}.get(
                    kind or "", ("IN_TRANSIT", None)
                )
                self.db.execute(
                    "INSERT INTO status_history (client_id, tracker_id, production_run_id, status, location_id, since,"
                    " previous_status, rule, reported_at, latitude, longitude, accuracy_m)"
                    " VALUES (%s, %s, %s, %s, %s, %s, 'CREATED', 'x', now(), 0, 0, 10)",
                    (self.client, tracker, self.run, status, place, begin + timedelta(hours=hour)),
                )
            self.db.execute("SELECT settle_facts(ARRAY[%s::bigint], ARRAY[NULL::timestamptz])", (tracker,))
        hint(self.server, "notify.facts")

    def notifications(self, **query: object) -> list[dict]:
        return self.user.get("/notifications", params=query).json()["items"]

    def told(self, n: int) -> list[dict]:
        """The newest n notifications, oldest first, once there are as many."""
        return list(reversed(eventually(lambda: len(items := self.notifications()) >= n and items)))[-n:]

    def settled(self) -> None:
        """Wait until everything that is to be told was told."""
        hint(self.server, "notify.facts")
        eventually(lambda: self.db.execute("SELECT FROM notification_facts WHERE pending").rowcount == 0)


@pytest.fixture
def place(
    server, admin: ApiClient, db: psycopg.Connection, make_client: Callable, make_user: Callable, worker: None
) -> Place:
    client = make_client()["id"]
    return Place(server, admin, db, client, make_user("user", clients=[client]))


# ---- telling


def test_a_delivery_is_told(place: Place) -> None:
    place.subscribe("delivered", "left_delivery")
    with Reader(place.user, topics="notification") as reader:
        place.judge((0, "storage"), (5, None), (8, "shop"))
        item = place.told(1)[0]
        event = reader.next()
    assert (event.kind, event.data) == ("notification", item)
    assert item["kind"] == "delivered"
    assert (item["tracker_id"], item["location_id"], item["location_name"]) == (
        place.tracker,
        place.shop,
        place.shop_name,
    )
    assert (item["production_run_id"], item["read_at"], item["withdrawn"]) == (place.run, None, False)
    assert place.user.get(f"/notifications/{item['id']}").json() == item
    place.settled()
    assert len(place.notifications()) == 1, "what was not subscribed to is not told"


def test_every_kind_of_change_of_place(place: Place) -> None:
    place.subscribe("delivered", "left_delivery", "arrived_in_storage", "left_storage")
    place.judge((0, "storage"), (5, None), (8, "shop"), (20, None))
    assert {item["kind"] for item in place.told(4)} == {
        "arrived_in_storage",
        "left_storage",
        "delivered",
        "left_delivery",
    }


def test_a_replay_tells_nothing_twice(place: Place) -> None:
    place.subscribe("delivered")
    place.judge((8, "shop"), ago=40)
    first = place.told(1)[0]
    place.judge((6, "shop"), ago=40)
    eventually(lambda: place.notifications()[0]["happened_at"] != first["happened_at"])
    place.settled()
    (shifted,) = place.notifications()
    assert (shifted["id"], shifted["withdrawn"]) == (first["id"], False)
    assert shifted["happened_at"] < first["happened_at"]


def test_a_withdrawn_fact_is_marked_and_may_come_true_again(place: Place) -> None:
    place.subscribe("delivered")
    place.judge((8, "shop"))
    told = place.told(1)[0]
    with Reader(place.user, topics="notification") as reader:
        place.judge((8, None))
        event = reader.next()
    assert (event.data["id"], event.data["withdrawn"]) == (told["id"], True)
    assert place.notifications()[0]["withdrawn"] is True
    place.judge((8, "shop"))
    eventually(lambda: place.notifications()[0]["withdrawn"] is False)
    assert [item["id"] for item in place.notifications()] == [told["id"]]


def test_what_was_withdrawn_before_it_was_told_is_never_told(place: Place) -> None:
    place.subscribe("delivered")
    with place.db.transaction():
        place.judge((8, "shop"))
        place.judge((8, None))
    place.settled()
    assert place.notifications() == []


def test_one_fact_is_told_once_however_many_subscriptions_it_meets(place: Place) -> None:
    place.subscribe("delivered")
    place.subscribe("delivered", "left_storage", production_run_id=place.run)
    place.subscribe("delivered", tracker_id=place.tracker)
    place.judge((8, "shop"))
    place.told(1)
    place.settled()
    assert len(place.notifications()) == 1


def test_subscriptions_to_a_run_or_tracker_concern_no_other(place: Place) -> None:
    other = place.add_tracker("Other unit")
    place.subscribe("delivered", tracker_id=other)
    place.judge((8, "shop"))
    place.judge((9, "shop"), tracker=other)
    place.settled()
    assert [item["tracker_id"] for item in place.notifications()] == [other]


def test_who_subscribes_later_is_not_told_of_the_past(place: Place) -> None:
    place.judge((8, "shop"))
    place.settled()
    place.subscribe("delivered", "left_delivery")
    place.judge((8, "shop"), (20, None))
    assert [item["kind"] for item in place.told(1)] == ["left_delivery"]
    place.settled()
    assert len(place.notifications()) == 1


def test_old_facts_are_no_news(place: Place) -> None:
    place.subscribe("delivered")
    place.judge((0, "shop"), ago=24 * 40)
    place.settled()
    assert place.notifications() == []


def test_nobody_is_told_of_clients_they_do_not_see_any_more(
    place: Place, make_client: Callable, admin: ApiClient
) -> None:
    place.subscribe("delivered")
    body = {"client_ids": [make_client()["id"]]}
    assert admin.patch(f"/users/{place.user.user['id']}", json=body).status_code == 200
    place.judge((8, "shop"))
    place.settled()
    count = place.db.execute("SELECT count(*) FROM notifications WHERE user_id = %s", (place.user.user["id"],))
    assert count.fetchone() == (0,)
    assert place.user.get("/subscriptions").json()["items"] == []


# ---- silence and batteries


def report(place: Place, tracker: int, days_ago: float, battery: str = "full") -> None:
    place.db.execute(
        "UPDATE trackers SET last_report_at = now() - %s * interval '1 day', battery = %s,"
        " next_fetch_at = now() + interval '1 day' WHERE id = %s",
        (days_ago, battery, tracker),
    )


@pytest.fixture
def look(server, worker: None, admin: ApiClient, db: psycopg.Connection, make_client: Callable) -> Callable[[], None]:
    """Have the worker look for what lasts. It has when it found the low battery of a tracker that was made last."""
    client = make_client()["id"]
    made(admin.post("/subscriptions", json={"client_id": client, "kinds": ["battery_low"]}))

    def run() -> None:
        last = made(admin.post("/trackers", json={"client_id": client, "name": f"sentinel {next(names)}"}))["id"]
        db.execute("UPDATE trackers SET last_report_at = now(), battery = 'low' WHERE id = %s", (last,))

        def found() -> bool:
            hint(server, "notify.watch")
            return bool(db.execute("SELECT FROM notification_facts WHERE tracker_id = %s", (last,)).rowcount)

        eventually(found)

    return run


def test_silence_is_told_after_the_days_that_each_asked_for(place: Place, make_user: Callable, look: Callable) -> None:
    patient = make_user("user", clients=[place.client])
    made(patient.post("/subscriptions", json={"client_id": place.client, "kinds": ["silent"], "silent_days": 10}))
    place.subscribe("silent", silent_days=3)
    report(place, place.tracker, 2)
    look()
    place.settled()
    assert place.notifications() == []
    report(place, place.tracker, 4)
    look()
    assert [item["kind"] for item in place.told(1)] == ["silent"]
    assert patient.get("/notifications").json()["items"] == []
    with place.db.transaction():  # as if a week had passed
        earlier = "now() - interval '11 days'"
        place.db.execute(
            f"UPDATE notification_facts SET visit = tstzrange({earlier}, NULL) WHERE tracker_id = %s", (place.tracker,)
        )
        place.db.execute(f"UPDATE trackers SET last_report_at = {earlier} WHERE id = %s", (place.tracker,))
    look()
    eventually(lambda: len(patient.get("/notifications").json()["items"]) == 1)
    assert len(place.notifications()) == 1


def test_a_late_report_withdraws_silence_and_a_new_one_ends_it(place: Place, look: Callable) -> None:
    place.subscribe("silent", silent_days=3)
    report(place, place.tracker, 5)
    look()
    first = place.told(1)[0]
    report(place, place.tracker, 3.5)  # was seen between: it is silent since then only
    look()
    eventually(lambda: [item["withdrawn"] for item in place.notifications()] == [False, True])
    report(place, place.tracker, 0)
    look()
    place.settled()
    again = place.notifications()
    assert again[-1]["id"] == first["id"]
    assert [item["withdrawn"] for item in again] == [False, True], "that silence lasted long enough"


def test_a_low_battery_is_told_once_while_it_lasts(place: Place, look: Callable) -> None:
    place.subscribe("battery_low")
    report(place, place.tracker, 0.2, battery="low")
    look()
    assert place.told(1)[0]["kind"] == "battery_low"
    report(place, place.tracker, 0.1, battery="medium")
    look()
    report(place, place.tracker, 0, battery="very_low")
    look()
    place.settled()
    assert len(place.notifications()) == 1, "it goes up and down with the temperature"


# ---- mails


def mails(place: Place, to: str) -> list[email.message.EmailMessage]:
    return mails_of(place.server, to)


def mails_of(server: Stack, to: str) -> list[email.message.EmailMessage]:
    folder = server.folder / "mail"
    read = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in sorted(folder.glob("*"))
        if file.suffix != ".tmp"
    ]
    return [mail for mail in read if to in mail["To"]]


def test_a_mail_is_sent_when_it_was_asked_for(place: Place) -> None:
    place.subscribe("delivered", by_mail=True)
    place.judge((8, "shop"))
    address = place.user.user["email"]
    (mail,) = eventually(lambda: mails(place, address))
    assert mail["Subject"].endswith(f": delivered, {place.shop_name}")
    text = mail.get_content()
    assert "UTC" in text
    assert "/notifications" in text
    state = "SELECT state, attempts FROM deliveries WHERE recipient = %s"
    eventually(lambda: place.db.execute(state, (address,)).fetchall() == [("sent", 1)])


def test_many_at_once_are_one_mail_in_the_readers_language(place: Place, db: psycopg.Connection) -> None:
    trackers = [place.add_tracker(f"Unit with line\tbreak {n}") for n in range(3)]
    assert place.user.patch("/users/me", json={"language": "de"}).status_code == 200
    place.subscribe("delivered", by_mail=True)
    with db.transaction():
        for tracker in trackers:
            place.judge((8, "shop"), tracker=tracker)
    (mail,) = eventually(lambda: mails(place, place.user.user["email"]))
    assert mail["Subject"] == "3 Benachrichtigungen"
    assert mail.get_content().count("ausgeliefert") == 3


def test_no_mail_without_asking_for_one(place: Place, make_user: Callable) -> None:
    other = make_user("user", clients=[place.client])
    made(other.post("/subscriptions", json={"client_id": place.client, "kinds": ["delivered"], "by_mail": True}))
    off = make_user("user", clients=[place.client])
    preferences = {"notification_preferences": {"email": False}}
    assert off.patch("/users/me", json=preferences).status_code == 200
    made(off.post("/subscriptions", json={"client_id": place.client, "kinds": ["delivered"], "by_mail": True}))
    place.subscribe("delivered")
    place.judge((8, "shop"))
    eventually(lambda: mails(place, other.user["email"]))
    assert len(off.get("/notifications").json()["items"]) == 1
    assert mails(place, place.user.user["email"]) == []
    assert mails(place, off.user["email"]) == []


def delivery(db: psycopg.Connection, **columns: object) -> int:
    values = {"channel": "mail", "recipient": "outbox@example.com", "subject": "s", "body": "b"} | columns
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO deliveries ({names}) VALUES ({marks}) RETURNING id"
    return db.execute(sql, list(values.values())).fetchone()[0]


@pytest.mark.parametrize(("attempts", "state"), [(0, "waiting"), (12, "waiting"), (13, "failed")])
def test_a_mail_that_cannot_be_sent_is_tried_again_and_given_up_at_last(
    server, worker: None, db: psycopg.Connection, attempts: int, state: str
) -> None:
    row = delivery(db, recipient="no address", attempts=attempts)
    hint(server, "notify.outbox")
    sql = "SELECT state, attempts, last_error, next_attempt_at - now() FROM deliveries WHERE id = %s"
    eventually(lambda: db.execute(sql, (row,)).fetchone()[2])
    found, tries, reason, pause = db.execute(sql, (row,)).fetchone()
    assert (found, tries) == (state, attempts + 1)
    assert reason
    expected = min(60 * 2**attempts, 12 * 3600)
    assert expected - 30 <= pause.total_seconds() <= expected


def test_a_mail_whose_worker_died_is_sent_once_more_and_no_oftener(
    server, worker: None, db: psycopg.Connection
) -> None:
    """One death: sent again, as the same message. Two deaths: given up, since each of them may have sent it."""
    once, twice = delivery(db, recipient="once@example.com", unsettled=1), delivery(db, unsettled=2)
    hint(server, "notify.outbox")
    eventually(lambda: db.execute("SELECT state FROM deliveries WHERE id = %s", (once,)).fetchone() == ("sent",))
    sql = "SELECT state, attempts, unsettled, last_error FROM deliveries WHERE id = %s"
    assert db.execute(sql, (once,)).fetchone() == ("sent", 1, 0, None)
    state, attempts, _, reason = db.execute(sql, (twice,)).fetchone()
    assert (state, attempts) == ("failed", 0) and "died" in reason
    (mail,) = mails_of(server, "once@example.com")
    assert mail["Message-ID"].startswith(f"<delivery-{once}.")


def test_a_claimed_or_cancelled_mail_is_left_alone(server, worker: None, db: psycopg.Connection) -> None:
    later = datetime.now(UTC) + timedelta(minutes=5)
    claimed, cancelled = delivery(db, next_attempt_at=later), delivery(db, state="cancelled")
    last = delivery(db)
    hint(server, "notify.outbox")
    eventually(lambda: db.execute("SELECT state FROM deliveries WHERE id = %s", (last,)).fetchone() == ("sent",))
    rows = db.execute("SELECT attempts FROM deliveries WHERE id = ANY (%s)", ([claimed, cancelled],)).fetchall()
    assert rows == [(0,), (0,)]


def test_a_mail_about_what_was_withdrawn_is_not_sent(place: Place, db: psycopg.Connection) -> None:
    place.subscribe("delivered")
    place.judge((8, "shop"))
    told = place.told(1)[0]
    later = datetime.now(UTC) + timedelta(minutes=5)
    row = delivery(db, client_id=place.client, notification_id=told["id"], next_attempt_at=later)
    place.judge((8, None))
    eventually(lambda: db.execute("SELECT state FROM deliveries WHERE id = %s", (row,)).fetchone() == ("cancelled",))


def test_old_notifications_and_mails_go(place: Place, db: psycopg.Connection) -> None:
    place.subscribe("delivered", "left_delivery")
    place.judge((8, "shop"), (9, None))
    old, new = (item["id"] for item in place.told(2))
    db.execute("UPDATE notifications SET created_at = now() - interval '181 days' WHERE id = %s", (old,))
    month = datetime.now(UTC) - timedelta(days=31)
    sent = delivery(db, state="sent", created_at=month)
    waiting = delivery(db, created_at=month, next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
    fresh = delivery(db, state="failed")
    hint(place.server, "notify.clean")
    eventually(lambda: [item["id"] for item in place.notifications()] == [new])
    kept = "SELECT id FROM deliveries WHERE id = ANY (%s) ORDER BY id"
    eventually(lambda: db.execute(kept, ([sent, waiting, fresh],)).fetchall() == [(waiting,), (fresh,)])


# ---- reading


def test_unread_and_read(place: Place, admin: ApiClient) -> None:
    place.subscribe("delivered", "left_delivery", "arrived_in_storage", "left_storage")
    place.judge((0, "storage"), (5, None), (8, "shop"), (20, None))
    items = place.told(4)

    def unread() -> int:
        return place.user.get("/notifications/unread-count").json()["unread"]

    assert unread() == 4
    ids = [items[0]["id"], items[1]["id"]]
    assert changed(place.user.post("/notifications/read", json={"ids": [*ids, 10**12]})) == {"marked": 2}
    assert unread() == 2
    assert {item["id"] for item in place.notifications(read="false")} == {items[2]["id"], items[3]["id"]}
    assert changed(place.user.post("/notifications/read", json={"ids": ids})) == {"marked": 0}
    assert changed(admin.post("/notifications/read", json={"ids": [items[2]["id"]]})) == {"marked": 0}
    assert changed(place.user.post("/notifications/read", json={"all": True})) == {"marked": 2}
    assert unread() == 0
    assert place.notifications(read="false") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"all": True, "ids": [1]},
        {"ids": []},
        {"ids": ["1"]},
        {"ids": [0]},
        {"ids": list(range(1, 502))},
        {"ids": 1},
        {"some": True},
    ],
)
def test_what_to_mark_is_said_clearly(admin: ApiClient, body: dict) -> None:
    assert refused(admin.post("/notifications/read", json=body))


def test_notifications_are_the_readers_own(place: Place, admin: ApiClient, make_user: Callable) -> None:
    place.subscribe("delivered")
    place.judge((8, "shop"))
    item = place.told(1)[0]
    colleague = make_user("user", clients=[place.client])
    for other in (admin, colleague):
        problem(other.get(f"/notifications/{item['id']}"), 404, "not_found")
        assert item["id"] not in [each["id"] for each in other.get("/notifications").json()["items"]]
        assert other.get("/subscriptions", params={"client_id": place.client}).json()["items"] == []


# ---- subscriptions


def test_a_subscription_is_made_changed_and_deleted(place: Place) -> None:
    row = place.subscribe("silent", "delivered")
    assert (row["kinds"], row["silent_days"], row["by_mail"]) == (["delivered", "silent"], 7, False)
    path = f"/subscriptions/{row['id']}"
    row = changed(place.user.patch(path, json={"kinds": ["left_storage"], "by_mail": True, "silent_days": 365}))
    assert (row["kinds"], row["silent_days"], row["by_mail"]) == (["left_storage"], 365, True)
    assert place.user.get("/subscriptions").json()["items"] == [row]
    assert place.user.delete(path).status_code == 204
    assert place.user.get("/subscriptions").json()["items"] == []


def test_the_client_of_a_tracker_need_not_be_named(place: Place, admin: ApiClient) -> None:
    row = made(admin.post("/subscriptions", json={"tracker_id": place.tracker, "kinds": ["delivered"]}))
    assert row["client_id"] == place.client
    assert admin.delete(f"/subscriptions/{row['id']}").status_code == 204


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["born"]}, "kinds"),
        ({"kinds": ["silent", "silent"]}, "kinds"),
        ({"kinds": "silent"}, "kinds"),
        ({"kinds": None}, "kinds"),
        ({"silent_days": 0}, "silent_days"),
        ({"silent_days": 366}, "silent_days"),
        ({"tracker_id": 10**9}, "tracker_id"),
        ({"user_id": 1}, "user_id"),
    ],
)
def test_bad_subscriptions_are_refused(place: Place, more: dict, field: str) -> None:
    body = {"client_id": place.client, "kinds": ["silent"]} | more
    assert field in refused(place.user.post("/subscriptions", json=body))


def test_one_subject_one_subscription(place: Place) -> None:
    place.subscribe("silent")
    body = {"client_id": place.client, "kinds": ["delivered"]}
    answer = place.user.post("/subscriptions", json=body)
    assert answer.status_code == 409, answer.text
    place.subscribe("silent", tracker_id=place.tracker)
    both = body | {"tracker_id": place.tracker, "production_run_id": place.run}
    assert "tracker_id" in fields(problem(place.user.post("/subscriptions", json=both), 422, "validation_failed"))


def test_subscriptions_name_rows_of_their_client_only(place: Place, admin: ApiClient, make_client: Callable) -> None:
    other = make_client()["id"]
    foreign = made(admin.post("/trackers", json={"client_id": other, "name": "foreign"}))["id"]
    body = {"client_id": place.client, "kinds": ["delivered"], "tracker_id": foreign}
    assert "tracker_id" in refused(place.user.post("/subscriptions", json=body))
    answer = place.user.post("/subscriptions", json={"client_id": other, "kinds": ["delivered"]})
    assert answer.status_code == 422, answer.text
