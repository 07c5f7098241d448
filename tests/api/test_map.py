"""Map tiles of trackers: what is in them, clustered, filtered, tenant-safe, up to date."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from helpers import problem, refused
from tracks import START, Goods, Report, make_goods, make_tracker, show_position

TYPE = "application/vnd.mapbox-vector-tile"


# ---- reading a tile (protocol buffers; the Mapbox Vector Tile specification 2.1)


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def parts(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, number or bytes)"""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            assert key & 7 == 2, "no other wire type is used here"
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        yield key >> 3, value


def varints(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = varint(data, at)
        numbers.append(number)
    return numbers


def value_of(data: bytes) -> int | str:
    ((number, value),) = parts(data)
    return {1: lambda v: v.decode(), 4: int, 5: int, 6: lambda v: (v >> 1) ^ -(v & 1)}[number](value)


def features(tile: bytes) -> list[dict]:
    """The properties of each feature, and its `place` within the tile (0 to 4096)."""
    if not tile:
        return []
    ((_, layer),) = parts(tile)
    fields = list(parts(layer))
    assert (1, b"trackers") in fields
    keys = [value.decode() for number, value in fields if number == 3]
    values = [value_of(value) for number, value in fields if number == 4]
    found = []
    for number, feature in fields:
        if number != 2:
            continue
        inside = dict(parts(feature))
        tags = varints(inside[2])
        row = {keys[tags[i]]: values[tags[i + 1]] for i in range(0, len(tags), 2)}
        command, x, y = varints(inside[4])
        assert command == 9, "one point"
        row["place"] = ((x >> 1) ^ -(x & 1), (y >> 1) ^ -(y & 1))
        found.append(row)
    return found


def tile_of(latitude: float, longitude: float, z: int) -> tuple[int, int, float, float]:
    """Column, row, and where in it."""
    x = (longitude + 180) / 360 * 2**z
    y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**z
    return int(x), int(y), x % 1, y % 1


def fetch(client: httpx.Client, z: int, x: int, y: int, **query: object) -> list[dict]:
    answer = client.get(f"/map/trackers/{z}/{x}/{y}.mvt", params=query)
    assert answer.status_code in (200, 204), answer.text
    assert answer.status_code == 204 or answer.headers["content-type"] == TYPE
    return features(answer.content)


@pytest.fixture
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


@pytest.mark.parametrize("z", [0, 1, 8, 13, 14, 18, 22])
def test_one_tracker_at_every_zoom(admin: httpx.Client, db: psycopg.Connection, goods: Goods, z: int) -> None:
    show_position(db, goods.tracker, Report(START, 50.1234, 10.4321), status="IN_STORAGE")
    x, y, right, down = tile_of(50.1234, 10.4321, z)
    (feature,) = fetch(admin, z, x, y, client_id=goods.client)
    assert feature.pop("place") == pytest.approx((right * 4096, down * 4096), abs=1)
    assert feature == {
        "trackers": 1,
        "id": goods.tracker,
        "name": admin.get(f"/trackers/{goods.tracker}").json()["name"],
        "status": "IN_STORAGE",
        "reported": int(START.timestamp()),
        "created": 0,
        "in_transit": 0,
        "in_storage": 1,
        "delivered": 0,
    }
    for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        if 0 <= x + dx < 2**z and 0 <= y + dy < 2**z:
            assert fetch(admin, z, x + dx, y + dy, client_id=goods.client) == []


def test_neighbours_are_clustered_far_out(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    trackers = [goods.tracker] + [make_tracker(admin, goods.run) for _ in range(5)]
    for n, tracker in enumerate(trackers):
        status = "DELIVERED" if n < 2 else "IN_TRANSIT"
        show_position(db, tracker, Report(START, 50.1 + n / 5000, 10.1), status=status)
    (cluster,) = fetch(admin, 4, 8, 5, client_id=goods.client)
    assert (cluster["trackers"], cluster["delivered"], cluster["in_transit"]) == (6, 2, 4)
    assert not {"id", "name", "status"} & cluster.keys()
    x, y, *_ = tile_of(50.1005, 10.1, 14)
    near = [f for dy in (-1, 0, 1) for f in fetch(admin, 14, x, y + dy, client_id=goods.client)]
    assert sorted(f["id"] for f in near) == sorted(trackers)


def test_a_tile_is_filtered_like_the_list(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    other = make_goods(admin, goods.client)
    show_position(db, goods.tracker, Report(START, 50, 10), status="DELIVERED", battery="low")
    show_position(db, other.tracker, Report(START, 20, 10), status="IN_TRANSIT")
    name = admin.get(f"/trackers/{other.tracker}").json()["name"]
    for query in (
        {"status": "IN_TRANSIT"},
        {"production_run_id": other.run},
        {"brand_id": other.brand},
        {"q": name},
        {"battery": "null"},
        {"bbox": "9,19,11,21"},
    ):
        assert [f["id"] for f in fetch(admin, 0, 0, 0, client_id=goods.client, **query)] == [other.tracker], query
    for unknown in ("limit", "cursor", "sort", "count", "colour"):
        assert unknown in refused(admin.get("/map/trackers/0/0/0.mvt", params={unknown: 1}))


def test_tiles_are_tenant_safe(
    admin: httpx.Client,
    db: psycopg.Connection,
    goods: Goods,
    make_client: Callable[..., dict],
    make_user: Callable[..., httpx.Client],
) -> None:
    own = make_goods(admin, make_client()["id"])
    for owner in (goods, own):
        show_position(db, owner.tracker, Report(START, 50, 10))
    stranger = make_user("user", clients=[own.client])
    assert [f["id"] for f in fetch(stranger, 0, 0, 0)] == [own.tracker]
    assert fetch(stranger, 0, 0, 0, client_id=goods.client) == []
    both = make_user("user", clients=[own.client, goods.client])
    assert [f["trackers"] for f in fetch(both, 0, 0, 0)] == [2]
    assert fetch(make_user("user", clients=[]), 0, 0, 0) == []


def test_archived_trackers_and_poles(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    gone = make_tracker(admin, goods.run)
    show_position(db, goods.tracker, Report(START, 89.9, 0))
    show_position(db, gone, Report(START, 0, 0))
    admin.post(f"/trackers/{gone}/archive")
    (feature,) = fetch(admin, 0, 0, 0, client_id=goods.client)
    assert feature["id"] == goods.tracker
    assert feature["place"][1] == 0
    assert len(fetch(admin, 0, 0, 0, client_id=goods.client, archived="true")) == 1


def test_a_tile_is_kept_until_somebody_writes(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    path = "/map/trackers/0/0/0.mvt"
    query = {"client_id": goods.client}
    show_position(db, goods.tracker, Report(START, 50, 10))
    db.execute("SELECT bump_generations(ARRAY[%s::bigint])", (goods.client,))
    first = admin.get(path, params=query)
    kept = admin.get(path, params=query)
    assert (kept.content, kept.headers["etag"]) == (first.content, first.headers["etag"])
    assert kept.headers["content-type"] == TYPE
    assert admin.get(path, params=query, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert admin.post(f"/trackers/{goods.tracker}/archive").status_code == 200
    assert admin.get(path, params=query).status_code == 204


@pytest.mark.parametrize("tile", ["23/0/0", "1/2/0", "1/0/2", "-1/0/0", "0/0/-1", "a/0/0", "0/0/00", "4/1/x"])
def test_tiles_beside_the_map(admin: httpx.Client, tile: str) -> None:
    problem(admin.get(f"/map/trackers/{tile}.mvt"), 404, "not_found")
    problem(admin.get(f"/map/trackers/{tile}"), 404, "not_found")
