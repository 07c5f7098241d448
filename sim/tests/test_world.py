"""The world without HTTP: repeatability, motion, who sees what and when."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

import pytest

from findmy_sim import crypto
from findmy_sim.geo import Path, Position, distance, offset
from findmy_sim.places import Place, make_company
from findmy_sim.rolling import StaticKeys
from findmy_sim.sightings import Battery, Habits, Sighting, battery_bits
from findmy_sim.trips import DAY, HOUR, Itinerary, RoutePlan, Stop, WanderPlan, travel
from findmy_sim.world import World

NOW = 1_778_307_200
A = Place("a", "A", "warehouse", Position(52.5, 13.4), 200)
B = Place("b", "B", "shop", Position(48.1, 11.6), 100)
C = Place("c", "C", "shop", Position(50.9, 6.9), 100)


def world_of(seed: str, tags: int = 20) -> World:
    world = World(seed)
    world.populate(tags, NOW - 20 * DAY)
    return world


def everything(world: World, until: float = NOW) -> dict[str, list[Sighting]]:
    return {tag.id: tag.seen.between(0, until) for tag in world.tags.values()}


def payloads(world: World) -> list[bytes]:
    digests = [crypto.hash_key(tag.source.key_at(0)) for tag in world.tags.values()]
    return [world.payload(f) for digest in digests for f in world.reports(digest, NOW, 5)]


def test_same_seed_same_truth_and_same_bytes() -> None:
    one, two, other = world_of("s"), world_of("s"), world_of("t")
    assert everything(one) == everything(two) != everything(other)
    assert payloads(one) == payloads(two)


def test_looking_does_not_change_the_future() -> None:
    """Reports are made lazily: small steps, one leap, and looks far ahead give the same."""
    steps, leap, ahead = (world_of("lazy", 5) for _ in range(3))
    for hours in range(0, 20 * 24, 7):
        everything(steps, NOW - 20 * DAY + hours * HOUR)
    everything(ahead, NOW + 90 * DAY)
    assert everything(steps) == everything(leap) == everything(ahead)


def test_moving_by_hand_is_repeatable_whoever_looked_before() -> None:
    results = []
    for looked in (False, True):
        world = world_of("moved", 4)
        if looked:
            everything(world, NOW + 60 * DAY)
        for n, tag in enumerate(world.tags.values()):
            before = tag.itinerary.position(NOW - 1)
            tag.seen.detour(NOW, B, 3600 * n, 5 * DAY if n % 2 else None)
            after = tag.itinerary.position(NOW + 3600 * n + 10)
            assert before and after and distance(after, B.center) < 1
        results.append(everything(world, NOW + 30 * DAY))
    assert results[0] == results[1]


def test_history_before_a_move_stays() -> None:
    world = world_of("past", 4)
    before = everything(world)
    for tag in world.tags.values():
        tag.seen.detour(NOW - HOUR, C, 0, None)
    after = everything(world)
    for name, rows in before.items():
        kept = [r for r in rows if r.seen < NOW - HOUR]
        assert after[name][: len(kept)] == kept
        assert all(distance(_where(r), C.center) < 5000 for r in after[name][len(kept) :])


def _where(row: Sighting) -> Position:
    return Position(row.true_lat_e7 / 1e7, row.true_lon_e7 / 1e7)


def test_motion_is_continuous_and_not_too_fast() -> None:
    world = world_of("motion", 30)
    for tag in world.tags.values():
        last = None
        for time in range(NOW - 20 * DAY, NOW, 600):
            here = tag.itinerary.position(time)
            assert here is not None
            if last is not None:
                # 1,200 km/h is where the product calls a report a jump.
                assert distance(last, here) / 600 * 3.6 < 1000
            last = here


def test_segments_have_no_gaps() -> None:
    for tag in world_of("gaps", 30).tags.values():
        tag.itinerary.extend(NOW)
        segments = tag.itinerary.segments
        assert all(a.end == b.start and a.end > a.start for a, b in pairwise(segments))


def test_trips_are_curved_timed_and_pause() -> None:
    way = travel(random.Random(1), NOW, A.center, C.center)
    kinds = [s.kind for s in way]
    assert "rest" in kinds and kinds[0] == "move"
    hours = (way[-1].end - way[0].start) / HOUR
    assert 6 < hours < 30
    assert distance(way[-1].position(way[-1].end), C.center) < 1
    middle = way[len(way) // 2].position(way[len(way) // 2].start)
    straight = distance(A.center, middle) + distance(middle, C.center)
    assert straight > distance(A.center, C.center) * 1.0001
    exact = travel(random.Random(1), NOW, A.center, C.center, NOW + 5 * HOUR)
    assert (exact[0].start, exact[-1].end) == (NOW, NOW + 5 * HOUR)
    assert all(a.end == b.start for a, b in pairwise(exact))


def test_far_goods_fly_unseen() -> None:
    way = travel(random.Random(1), NOW, A.center, Position(40.7, -74))
    assert [s.kind for s in way] == ["rest", "air", "rest"]


def test_routes_keep_their_times() -> None:
    stops = (Stop(A, NOW, NOW + DAY), Stop(B, NOW + 2 * DAY, NOW + 3 * DAY), Stop(C, NOW + 4 * DAY, None))
    itinerary = Itinerary(NOW, A.center, A, RoutePlan("r", stops))
    visits = itinerary.visits(NOW, NOW + 30 * DAY)
    assert [(v.place.id, v.arrive, v.leave) for v in visits] == [
        ("a", NOW, NOW + DAY),
        ("b", NOW + 2 * DAY, NOW + 3 * DAY),
        ("c", NOW + 4 * DAY, None),
    ]
    assert distance(itinerary.position(NOW + 2 * DAY + 1) or A.center, B.center) <= B.radius / 2
    assert itinerary.position(NOW - 1) is None


def test_routes_can_go_on_wandering() -> None:
    wander = WanderPlan("w", (A,), (B, C), 0.1)
    itinerary = Itinerary(NOW, A.center, A, RoutePlan("r", (Stop(A, NOW, NOW + DAY),), wander))
    seen = {v.place.id for v in itinerary.visits(NOW, NOW + 60 * DAY)}
    assert seen == {"a", "b", "c"}


def test_wandering_visits_all_places() -> None:
    itinerary = Itinerary(NOW, A.center, A, WanderPlan("w", (A,), (B, C)))
    visits = itinerary.visits(NOW, NOW + 365 * DAY)
    assert {v.place.id for v in visits} == {"a", "b", "c"} and len(visits) > 20


def test_finders_are_realistic() -> None:
    rows = [r for rows in everything(world_of("finders", 60)).values() for r in rows]
    assert len(rows) > 5000
    delays = [r.published - r.seen for r in rows]
    assert 15 * 60 < statistics.median(delays) < 45 * 60
    assert 2 * DAY < max(delays) <= 6 * DAY and min(delays) >= 0
    assert {r.confidence for r in rows} == {0, 1, 2, 3, 5}
    assert 0.5 < sum(r.flags & 1 for r in rows) / len(rows) < 0.7
    assert all(4 <= r.accuracy <= 255 for r in rows)
    within = [
        distance(_where(r), Position(r.lat_e7 / 1e7, r.lon_e7 / 1e7)) <= r.accuracy for r in rows if r.accuracy < 255
    ]
    assert 0.8 < sum(within) / len(within) < 0.97
    assert len({(r.seen, r.lat_e7) for r in rows}) > 0.95 * len(rows)


def test_nights_are_quiet() -> None:
    world = World("night")
    source = StaticKeys([crypto.advertisement_key(crypto.private_from(b"night"))])
    tag = world.add_tag(source, None, NOW - 200 * DAY, Position(50, 0))
    hours = [r.seen // HOUR % 24 for r in tag.seen.between(0, NOW)]
    night, day = (sum(lo <= h < lo + 4 for h in hours) for lo in (1, 12))
    assert night < day / 4


def test_density_scales() -> None:
    counts = []
    for density in (0.0, 0.5, 2.0):
        world = World("d", Habits(density=density))
        world.populate(20, NOW - 10 * DAY)
        counts.append(sum(map(len, everything(world).values())))
    assert counts[0] == 0 and 2.5 < counts[2] / counts[1] < 6


def test_battery_declines() -> None:
    battery = Battery(1.0, 0.01)
    bits = [battery.status_at(days) >> 6 for days in range(0, 120, 5)]
    assert bits == sorted(bits) and set(bits) == {0, 1, 2, 3}
    assert Battery(0.1, 0.1, gauge=False).status_at(50) == 0
    assert [battery_bits(level) for level in (0.81, 0.8, 0.5, 0.3, 0)] == [0, 1, 2, 3, 3]


def test_companies_are_plausible() -> None:
    names = set()
    for n in range(30):
        company = make_company("c", n)
        names.add(company.name)
        assert 1 <= len(company.warehouses) <= 3 and 4 <= len(company.shops) <= 12
        assert all(p.radius >= 50 and p.city and p.country for p in company.places)
        assert company == make_company("c", n)
    assert len(names) > 20


def test_geometry() -> None:
    assert distance(Position(0, 0), Position(0, 1)) == pytest.approx(111_195, rel=1e-3)
    north = offset(Position(50, 8), 1000, 500)
    assert distance(Position(50, 8), north) == pytest.approx(1118, rel=1e-3)
    assert offset(Position(0, 179.999), 0, 1000).lon < -179
    path = Path(A.center, B.center, 0.1, 0.02)
    assert distance(path.at(0), A.center) < 1 and distance(path.at(1), B.center) < 1


def test_keys_are_not_registered_twice() -> None:
    world = World("k")
    source = StaticKeys([crypto.advertisement_key(crypto.private_from(b"k"))])
    tag = world.add_tag(source, None, NOW, Position(1, 1), tag_id="x")
    with pytest.raises(ValueError, match="already"):
        world.add_tag(source, None, NOW, Position(1, 1), tag_id="y")
    assert world.remove_tag("x") and not world.remove_tag("x")
    world.add_tag(source, None, NOW, Position(1, 1), tag_id=tag.id)


def test_one_of_several_keys_is_shown_at_a_time() -> None:
    world = World("turns")
    advs = [crypto.advertisement_key(crypto.private_from(b"turns", bytes([n]))) for n in range(3)]
    tag = world.add_tag(StaticKeys(advs, 1800), None, NOW - 7 * DAY, Position(50, 8))
    found = [world.reports(crypto.hash_key(a), NOW) for a in advs]
    assert sum(map(len, found)) == len(tag.seen.visible(NOW, 7 * DAY))
    for adv, reports in zip(advs, found, strict=True):
        assert reports and all(advs[f.row.seen // 1800 % 3] == adv for f in reports)
