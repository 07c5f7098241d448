"""GET /geocoding/…, and locations that have an address and no position: offline, and through Nominatim and Photon."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import on_web


def search(client, q: str, **more) -> list[dict]:
    answer = client.get("/geocoding/search", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def names(items: list[dict]) -> list[tuple[str, str | None]]:
    return [(item["name"], item["country_code"]) for item in items]


@pytest.fixture
def tenant(admin) -> int:
    return admin.post("/clients", json={"name": f"Client {uuid.uuid4().hex}"}).json()["id"]


def location(client, tenant: int, **body):
    return client.post("/storage-locations", json={"client_id": tenant, "name": uuid.uuid4().hex, **body})


# ---- offline


def test_search_finds_towns_in_any_language(admin):
    item = search(admin, "München")[0]
    assert item == {
        "position": {"latitude": 48.13743, "longitude": 11.57549}, "label": "Munich, Bavaria, DE", "name": "Munich", "region": "Bavaria",
        "country_code": "DE", "kind": "town", "exact": True,
    }  # fmt: skip
    assert names(search(admin, "new york")) == [("New York City", "US")]
    assert names(search(admin, "ham")) == [("Hamburg", "DE")]  # while typing
    assert search(admin, "Xanadu") == []
    assert search(admin, "12345") == []


def test_search_prefers_what_the_rest_of_the_address_confirms(admin):
    assert names(search(admin, "Paris")) == [("Paris", "FR"), ("Paris", "US")]
    assert names(search(admin, "Paris, Texas"))[0] == ("Paris", "US")
    assert names(search(admin, "paris, us", limit=1)) == [("Paris", "US")]
    assert search(admin, "Altona, Hamburg")[0]["name"] == "Altona"


def test_the_town_of_a_street_address_is_not_exact(admin):
    item = search(admin, "Lange Reihe 5, 20099 Hamburg")[0]
    assert (item["name"], item["exact"]) == ("Hamburg", False)
    assert search(admin, "20099 Hamburg")[0]["exact"]


def test_reverse_names_the_nearest_town(admin):
    def reverse(latitude, longitude):
        answer = admin.get("/geocoding/reverse", params={"latitude": latitude, "longitude": longitude})
        assert answer.status_code == 200, answer.text
        return answer.json()

    body = reverse(53.55, 9.934)  # in Altona, which is a part of Hamburg
    assert body["provider"] == "offline" and "GeoNames" in body["attribution"]
    assert body["place"]["label"] == "Hamburg, DE"
    assert body["place"]["position"] == {"latitude": 53.55, "longitude": 9.934}
    assert not body["place"]["exact"]
    assert reverse(48.24, 11.65)["place"]["name"] == "Garching"
    assert reverse(0, 0)["place"] is None
    assert reverse(90, 180)["place"] is None


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("search", {}, "q"),
        ("search", {"q": ""}, "q"),
        ("search", {"q": "x" * 501}, "q"),
        ("search", {"q": "x", "limit": 11}, "limit"),
        ("search", {"q": "x", "limit": 0}, "limit"),
        ("search", {"q": "x", "lang": "de"}, "lang"),
        ("reverse", {"latitude": 1}, "longitude"),
        ("reverse", {"latitude": 90.0001, "longitude": 0}, "latitude"),
        ("reverse", {"latitude": "nan", "longitude": 0}, "latitude"),
        ("reverse", {"latitude": 0, "longitude": -180.1}, "longitude"),
    ],
)
def test_parameters_are_checked(admin, path, parameters, field):
    answer = admin.get(f"/geocoding/{path}", params=parameters)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_longest_and_strangest_queries(admin):
    for q in ("x" * 500, "'; DROP TABLE places; --", "a & b | !c:*", "<->", "\\", "\n,\n", "ÄÖ " * 100, "%_"):
        assert isinstance(search(admin, q), list), q


def test_a_location_takes_its_position_from_its_address(admin, tenant):
    made = location(admin, tenant, address="München")
    assert made.status_code == 201, made.text
    assert made.json()["center"] == {"latitude": 48.13743, "longitude": 11.57549}
    assert made.json()["radius_m"] == 200
    # A street is not known offline: no fence around the middle of the town.
    refused = location(admin, tenant, address="Lange Reihe 5, 20099 Hamburg")
    assert refused.status_code == 422
    assert ("address", "not_found") in [(e["field"], e["code"]) for e in refused.json()["errors"]]
    # With a position the address is only a text.
    center = {"latitude": 1, "longitude": 2}
    assert location(admin, tenant, address="München", center=center).json()["center"] == center
    assert location(admin, tenant, address="").status_code == 422


def test_a_new_address_moves_a_location_only_when_asked_to(admin, tenant):
    row = location(admin, tenant, center={"latitude": 1, "longitude": 2}).json()
    path = f"/storage-locations/{row['id']}"
    kept = admin.patch(path, json={"address": "Berlin"}).json()
    assert (kept["address"], kept["center"]) == ("Berlin", {"latitude": 1, "longitude": 2})
    moved = admin.patch(path, json={"address": "Lyon", "center": None})
    assert moved.status_code == 200, moved.text
    assert moved.json()["center"] == {"latitude": 45.74846, "longitude": 4.84671}
    assert admin.patch(path, json={"address": "Xanadu", "center": None}).status_code == 422


def test_without_a_geocoder(api_with, tenant):
    client = api_with({"GEOCODER": "none"})
    answer = client.get("/geocoding/search", params={"q": "Berlin"})
    assert answer.status_code == 503 and answer.json()["code"] == "geocoder_unavailable"
    refused = location(client, tenant, address="Berlin")
    assert [e["field"] for e in refused.json()["errors"]] == ["center"]


# ---- on the web


@pytest.mark.parametrize("kind", ["nominatim", "photon"])
def test_web_geocoders(api_with, stand_in, tenant, kind):
    client = api_with(on_web(stand_in, kind, GEOCODER_EMAIL="ops@example.com", GEOCODER_LANGUAGE="de"))
    item = search(client, f"Hamburg {kind}")[0]
    assert (item["name"], item["region"], item["country_code"], item["kind"]) == ("Hamburg", "Hamburg", "DE", "town")
    answer = client.get("/geocoding/reverse", params={"latitude": 48.24, "longitude": 11.65}).json()
    assert (answer["place"]["name"], answer["provider"]) == ("Garching", kind)
    assert "OpenStreetMap" in answer["attribution"]
    assert client.get("/geocoding/reverse", params={"latitude": 0, "longitude": 0}).json()["place"] is None
    assert location(client, tenant, address=f"Berlin {kind}").json()["center"]["latitude"] == 52.52437

    # Asked for again: answered from what is known.
    asked = len(stand_in.requests)
    assert search(client, f" hamburg  {kind}, ", limit=1) == [item]
    client.get("/geocoding/reverse", params={"latitude": 48.24, "longitude": 11.65})
    assert len(stand_in.requests) == asked == 4
    assert all(agent.startswith("trackerd/") for agent in stand_in.agents)
    assert stand_in.too_often == 0
    if kind == "nominatim":
        assert {q["email"] for _, _, q in stand_in.requests} == {"ops@example.com"}
        assert {q["accept-language"] for _, _, q in stand_in.requests} == {"de"}


def test_a_server_that_fails_is_left_alone(api_with, stand_in, db):
    client = api_with(on_web(stand_in, "nominatim", GEOCODER_TIMEOUT="500ms"))

    def ask(q: str) -> tuple[int, str]:
        answer = client.get("/geocoding/search", params={"q": q})
        return answer.status_code, answer.json().get("code", "")

    def forgive() -> None:
        db.execute("UPDATE geocoding_providers SET failures = 0, next_allowed_at = now()")

    forgive()
    stand_in.faults.append((400, {}, b"{}"))
    assert search(client, "broken question") == []  # it makes nothing of it, and works
    for fault in [(503, {}, b""), (500, {}, b""), "cut", "hang"]:
        forgive()
        stand_in.faults.append(fault)
        assert ask(f"fault {fault}") == (503, "geocoder_unavailable"), fault
        asked = len(stand_in.requests)
        assert ask("next")[0] == 503
        assert len(stand_in.requests) == asked, "asked during the pause"
    forgive()
    stand_in.faults.append((429, {"Retry-After": "1800"}, b""))
    answer = client.get("/geocoding/search", params={"q": "too many"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1800")
    assert answer.json()["code"] == "geocoder_busy"
    left = db.execute(
        "SELECT extract(epoch FROM next_allowed_at - now()) FROM geocoding_providers WHERE name = 'nominatim'"
    )
    assert 1700 < float(left.fetchone()[0]) <= 1800
    forgive()
    assert names(search(client, "Berlin after all")) == [("Berlin", "DE")]


def test_askers_queue_for_the_limit(api_with, stand_in, db):
    """Eight at once, ten a second are allowed: all are answered, one after the other."""
    client = api_with(on_web(stand_in, "nominatim"))
    db.execute("DELETE FROM geocoding_providers")
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: search(client, f"Hamburg {n} queue"), range(8)))
    assert all(names(items) == [("Hamburg", "DE")] for items in answers)
    assert time.monotonic() - began >= 0.6
    assert stand_in.too_often == 0 and len(stand_in.requests) == 8
