"""Facts follow the status history: told once for each visit, shifted and withdrawn when a replay says so."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import world as world_rows

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hour: float | None) -> datetime | None:
    return None if hour is None else START + timedelta(hours=hour)


class Story:
    """The status history of tenant A's tracker, written as a judge would, and the facts that follow from it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.rows = world_rows.read(connection, 1)
        connection.execute("DELETE FROM notification_facts")
        connection.execute("DELETE FROM status_history")
        connection.execute("SET LOCAL ROLE tracker_worker")
        self.places = {"D": ("DELIVERED", self.rows.delivery), "S": ("IN_STORAGE", self.rows.storage)}

    def judge(self, *changes: tuple[float, str], since: float | None = None) -> int:
        """Replace the history from `since` on by changes like (3, "D"); "-" is in transit. Answers what settle_facts does."""
        self.connection.execute(
            "DELETE FROM status_history WHERE tracker_id = %s AND since >= coalesce(%s::timestamptz, '-infinity')",
            (self.rows.tracker, at(since)),
        )
        for hour, place in changes:
            status, location = self.places.get(place, ("IN_TRANSIT", None))
            self.connection.execute(
                "INSERT INTO status_history (client_id, tracker_id, status, location_id, since, previous_status, rule,"
                " reported_at, latitude, longitude, accuracy_m) VALUES (%s, %s, %s, %s, %s, 'CREATED', 'x', now(), 0, 0, 10)",
                (self.rows.client, self.rows.tracker, status, location, at(hour)),
            )
        return self.settle(since)

    def settle(self, since: float | None = None) -> int:
        return self.connection.execute(
            "SELECT settle_facts(ARRAY[%s::bigint], ARRAY[%s::timestamptz])", (self.rows.tracker, at(since))
        ).fetchone()[0]

    def tell(self) -> None:
        self.connection.execute("UPDATE notification_facts SET pending = false")

    def facts(self, where: str = "withdrawn_at IS NULL") -> list[tuple]:
        """(kind, from hour, to hour or None) in the order of time."""
        rows = self.connection.execute(
            f"SELECT kind, extract(epoch FROM lower(visit) - %s) / 3600, extract(epoch FROM upper(visit) - %s) / 3600"
            f" FROM notification_facts WHERE {where} ORDER BY lower(visit), kind",
            (START, START),
        )
        return [(kind, float(low), None if high is None else float(high)) for kind, low, high in rows.fetchall()]

    def ids(self, where: str = "withdrawn_at IS NULL") -> list[int]:
        rows = self.connection.execute(f"SELECT id FROM notification_facts WHERE {where} ORDER BY lower(visit), kind")
        return [row[0] for row in rows.fetchall()]


@pytest.fixture
def story(tx: psycopg.Connection) -> Story:
    return Story(tx)


def test_stays_and_absences_are_told(story: Story) -> None:
    assert story.judge((0, "S"), (5, "-"), (8, "D"), (20, "-"), (30, "D")) == 5
    assert story.facts() == [
        ("arrived_in_storage", 0, 5),
        ("left_storage", 5, None),
        ("delivered", 8, 20),
        ("left_delivery", 20, 30),
        ("delivered", 30, None),
    ]
    assert story.facts("pending") == story.facts()
    assert story.connection.execute(
        "SELECT DISTINCT happened_at = lower(visit) FROM notification_facts"
    ).fetchall() == [(True,)]


def test_settling_again_changes_nothing(story: Story) -> None:
    story.judge((0, "S"), (5, "-"), (8, "D"))
    story.tell()
    assert story.settle() == 0
    assert story.settle(6) == 0
    assert story.facts("pending") == []


def test_nothing_is_told_of_a_tracker_that_was_nowhere(story: Story) -> None:
    assert story.judge((0, "-")) == 0
    assert story.connection.execute("SELECT settle_facts('{}', '{}')").fetchone() == (0,)


def test_from_storage_to_the_shop_next_door(story: Story) -> None:
    story.judge((0, "S"), (5, "D"))
    assert story.facts() == [("arrived_in_storage", 0, 5), ("delivered", 5, None), ("left_storage", 5, None)]


def test_the_end_of_a_visit_is_no_news_of_its_beginning(story: Story) -> None:
    story.judge((8, "D"))
    story.tell()
    story.judge((20, "-"), since=20)
    assert story.facts("pending") == [("left_delivery", 20, None)]
    assert story.facts() == [("delivered", 8, 20), ("left_delivery", 20, None)]


def test_a_shifted_visit_keeps_its_fact(story: Story) -> None:
    story.judge((8, "D"))
    before = story.ids()
    story.tell()
    assert story.judge((0, "-"), (6, "D")) == 1  # a late report shows it there earlier
    assert (story.facts(), story.ids()) == ([("delivered", 6, None)], before)
    assert story.facts("pending") == [("delivered", 6, None)]


def test_a_visit_that_never_was_is_withdrawn_and_may_come_back(story: Story) -> None:
    story.judge((8, "D"))
    before = story.ids()
    story.tell()
    assert story.judge((8, "-")) == 1
    assert (story.facts(), story.ids("withdrawn_at IS NOT NULL AND pending")) == ([], before)
    assert story.judge((9, "D")) == 1
    assert (story.facts(), story.ids()) == ([("delivered", 9, None)], before)


def test_visits_that_become_one_leave_one_fact(story: Story) -> None:
    story.judge((1, "D"), (3, "-"), (5, "D"))
    first = story.ids()[0]
    story.judge((1, "D"))
    assert (story.facts(), story.ids()) == ([("delivered", 1, None)], [first])
    assert len(story.ids("withdrawn_at IS NOT NULL")) == 2


def test_a_visit_that_falls_in_two_keeps_its_fact_for_the_first(story: Story) -> None:
    story.judge((1, "D"))
    first = story.ids()[0]
    story.tell()
    story.judge((3, "-"), (5, "D"), since=3)
    assert story.facts() == [("delivered", 1, 3), ("left_delivery", 3, 5), ("delivered", 5, None)]
    assert story.ids()[0] == first
    assert story.facts("pending") == [("left_delivery", 3, 5), ("delivered", 5, None)]


def test_facts_may_shift_over_one_another(story: Story) -> None:
    """Half way, the first visit overlaps the old second one."""
    story.judge((0, "D"), (5, "-"), (7, "D"), (9, "-"), (11, "D"))
    before = story.ids("kind = 'delivered'")
    story.judge((0, "D"), (8, "-"), (8.5, "D"), (11.5, "-"), (12, "D"))
    assert [fact for fact in story.facts() if fact[0] == "delivered"] == [
        ("delivered", 0, 8),
        ("delivered", 8.5, 11.5),
        ("delivered", 12, None),
    ]
    assert story.ids("kind = 'delivered' AND withdrawn_at IS NULL") == before


def test_overrides_at_the_same_moment_and_repetitions_make_no_visit(story: Story) -> None:
    story.judge((1, "D"), (1, "S"), (2, "S"), (4, "S"), (6, "-"))
    assert story.facts() == [("arrived_in_storage", 1, 6), ("left_storage", 6, None)]


def test_a_visit_that_begins_before_the_replayed_time_is_seen_whole(story: Story) -> None:
    story.judge((1, "D"), (4, "-"), (6, "D"))
    story.tell()
    story.judge((5, "S"), since=4)  # the departure at 4 is gone: it stayed until 5
    assert story.facts() == [("delivered", 1, 5), ("arrived_in_storage", 5, None), ("left_delivery", 5, None)]


def test_facts_before_the_replayed_time_stay_even_without_their_history(story: Story) -> None:
    story.judge((1, "D"), (4, "-"))
    story.connection.execute("DELETE FROM status_history")
    story.judge((10, "S"), since=10)
    assert ("delivered", 1, 4) in story.facts()


def test_any_order_of_replays_ends_at_the_same_facts(story: Story) -> None:
    """The facts that stand are a function of the final history; ids tell how it was reached, and nothing else."""
    choose = random.Random(7)
    final = [(0, "S"), (3, "-"), (5, "D"), (9, "-"), (12, "D"), (15, "S")]
    expected = None
    for _ in range(25):
        story.connection.execute("DELETE FROM notification_facts")
        story.connection.execute("DELETE FROM status_history")
        for _ in range(choose.randint(1, 5)):
            since = choose.randint(0, 14)
            hours = sorted(choose.sample(range(since, 20), choose.randint(1, 4)))
            story.judge(*((hour, choose.choice("DS-")) for hour in hours), since=since)
        story.judge(*final)
        expected = expected or story.facts()
        assert story.facts() == expected
    assert expected is not None and len(expected) == 7


def test_lists_of_different_lengths_are_refused(story: Story) -> None:
    with pytest.raises(psycopg.errors.RaiseException):
        story.connection.execute("SELECT settle_facts('{1,2}', '{2026-01-01}')")


def test_several_trackers_at_once_and_one_twice(tx: psycopg.Connection, story: Story) -> None:
    story.judge((1, "D"))
    tx.execute("RESET ROLE")
    other = world_rows.read(tx, 2)
    tx.execute("DELETE FROM status_history WHERE tracker_id = %s", (story.rows.tracker,))
    trackers = [story.rows.tracker, other.tracker, story.rows.tracker]
    times = [at(1000), None, None]
    tx.execute("SELECT settle_facts(%s::bigint[], %s::timestamptz[])", (trackers, times))
    assert story.ids("withdrawn_at IS NOT NULL") != []


def test_no_two_standing_facts_of_one_kind_and_place_overlap(tx: psycopg.Connection, story: Story) -> None:
    story.judge((1, "D"))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        tx.execute(
            "INSERT INTO notification_facts (client_id, tracker_id, kind, location_id, visit, happened_at)"
            " SELECT client_id, tracker_id, kind, location_id, tstzrange(%s, %s), now() FROM notification_facts",
            (at(0), at(2)),
        )
