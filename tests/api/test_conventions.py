"""What all resources have in common: pages, order, filters, search, versions, repetition, deletion."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable

import httpx
import psycopg
import pytest
from helpers import fields, problem, walk

Make = Callable[..., dict]


@pytest.fixture
def tenant(make_client: Make) -> dict:
    return make_client()


@pytest.fixture
def manager(make_user: Callable[..., httpx.Client], tenant: dict) -> httpx.Client:
    return make_user("manager", clients=[tenant["id"]])


@pytest.fixture
def make_brand(admin: httpx.Client, tenant: dict) -> Make:
    numbers = itertools.count(1)

    def make(name: str | None = None, **body: object) -> dict:
        answer = admin.post(
            "/brands", json={"client_id": tenant["id"], "name": name or f"Brand {next(numbers):03}"} | body
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


# ---- pages ----


def test_pages_hold_every_row_once(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    made = [make_brand()["id"] for _ in range(7)]
    for limit in (1, 2, 3, 6, 7, 8):
        rows = walk(admin, "/brands", client_id=tenant["id"], limit=limit)
        assert [row["id"] for row in rows] == made


def test_the_last_full_page_has_no_next(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    for _ in range(3):
        make_brand()
    assert admin.get("/brands", params={"client_id": tenant["id"], "limit": 3}).json()["next_cursor"] is None
    assert admin.get("/brands", params={"client_id": tenant["id"], "limit": 2}).json()["next_cursor"]


def test_pages_are_stable_while_rows_come_and_go(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    made = [make_brand(f"b{i}") for i in range(6)]
    query = {"client_id": tenant["id"], "limit": 2, "sort": "name"}
    first = admin.get("/brands", params=query).json()
    make_brand("a before the cursor")
    assert admin.delete(f"/brands/{made[1]['id']}").status_code == 204  # the row the cursor stands on
    make_brand("b3 between")
    second = admin.get("/brands", params=query | {"cursor": first["next_cursor"]}).json()
    third = admin.get("/brands", params=query | {"cursor": second["next_cursor"]}).json()
    names = [row["name"] for page in (first, second, third) for row in page["items"]]
    assert names == ["b0", "b1", "b2", "b3", "b3 between", "b4"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", ""])
def test_limits_out_of_bounds(admin: httpx.Client, limit: str) -> None:
    answer = admin.get("/brands", params={"limit": limit})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_limit_edges(admin: httpx.Client) -> None:
    assert admin.get("/brands", params={"limit": 500}).status_code == 200
    assert len(admin.get("/brands", params={"limit": 1}).json()["items"]) <= 1


def test_cursors_of_others_are_refused(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    for _ in range(2):
        make_brand()
    cursor = admin.get("/brands", params={"client_id": tenant["id"], "limit": 1}).json()["next_cursor"]
    for path, query in [
        ("/brands", {"sort": "name", "cursor": cursor}),
        ("/brands", {"sort": "-id", "cursor": cursor}),
        ("/clients", {"cursor": cursor}),
        ("/brands", {"cursor": cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")}),
        ("/brands", {"cursor": "garbage"}),
    ]:
        assert fields(problem(admin.get(path, params=query), 422, "validation_failed")) == {"cursor": "invalid_cursor"}


def test_total_only_on_request(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    for _ in range(3):
        make_brand()
    query = {"client_id": tenant["id"], "limit": 1}
    assert "total" not in admin.get("/brands", params=query).json()
    assert admin.get("/brands", params=query | {"count": "true"}).json()["total"] == 3
    assert admin.get("/brands", params=query | {"count": "true", "q": "brand 002"}).json()["total"] == 1


# ---- order ----


@pytest.mark.parametrize("direction", ["", "-"])
def test_ties_are_broken_by_id(
    admin: httpx.Client, db: psycopg.Connection, tenant: dict, make_brand: Make, direction: str
) -> None:
    ids = [make_brand()["id"] for _ in range(5)]
    db.execute("UPDATE brands SET created_at = '2025-01-31' WHERE id = ANY (%s)", (ids,))
    rows = walk(admin, "/brands", client_id=tenant["id"], limit=2, sort=f"{direction}created_at")
    assert [row["id"] for row in rows] == (ids[::-1] if direction else ids)


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_null_is_the_largest_value(admin: httpx.Client, db: psycopg.Connection, tenant: dict, limit: int) -> None:
    ids = []
    for n in range(7):
        answer = admin.post("/trackers", json={"client_id": tenant["id"], "name": f"t{n}"})
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    for n, id_ in enumerate(ids):
        if n % 2 == 0:
            db.execute("UPDATE trackers SET last_report_at = %s WHERE id = %s", (f"2025-01-0{1 + n // 4}T00:00Z", id_))
    up = [row["id"] for row in walk(admin, "/trackers", client_id=tenant["id"], sort="last_report_at", limit=limit)]
    assert up == [ids[0], ids[2], ids[4], ids[6], ids[1], ids[3], ids[5]]
    down = [row["id"] for row in walk(admin, "/trackers", client_id=tenant["id"], sort="-last_report_at", limit=limit)]
    assert down == up[::-1]


def test_pages_over_several_clients_are_merged(
    admin: httpx.Client, make_client: Make, make_user: Callable[..., httpx.Client]
) -> None:
    tenants = [make_client()["id"] for _ in range(3)]
    for n in range(9):
        answer = admin.post("/brands", json={"client_id": tenants[n % 3], "name": f"m{n * 7 % 9}"})
        assert answer.status_code == 201
    reader = make_user("user", clients=tenants[:2])
    for sort in ("name", "-name", "id", "-id", "created_at"):
        rows = walk(reader, "/brands", limit=2, sort=sort)
        assert {row["client_id"] for row in rows} == set(tenants[:2])
        key = sort.lstrip("-")
        assert rows == sorted(rows, key=lambda row: (row[key], row["id"]), reverse=sort.startswith("-"))
        assert len(rows) == 6
    assert len(walk(reader, "/brands", client_id=f"{tenants[0]},{tenants[2]},{tenants[0]}")) == 3
    assert len(walk(admin, "/brands", client_id=f"{tenants[0]},{tenants[2]},{tenants[0]}")) == 6


def test_unknown_order_and_parameters(admin: httpx.Client) -> None:
    assert fields(problem(admin.get("/brands", params={"sort": "description"}), 422, "validation_failed")) == {
        "sort": "unknown_value"
    }
    answer = admin.get("/brands", params={"brand": "1"})
    assert answer.status_code in (400, 422)
    answer = admin.get("/brands", params={"limits": "1"})
    assert answer.status_code in (400, 422)
    assert "limit" in answer.text


# ---- filters ----


def test_filters_take_lists_ranges_and_null(admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    brand = admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}).json()
    run = admin.post("/production-runs", json={"brand_id": brand["id"], "name": "r"}).json()
    one = admin.post("/trackers", json={"production_run_id": run["id"], "name": "one"}).json()
    two = admin.post("/trackers", json={"client_id": tenant["id"], "name": "two"}).json()
    db.execute("UPDATE trackers SET status = 'DELIVERED', created_at = '2025-01-31T00:00Z' WHERE id = %s", (two["id"],))

    def names(**query: object) -> list[str]:
        return [row["name"] for row in walk(admin, "/trackers", client_id=tenant["id"], **query)]

    assert names(status="DELIVERED") == ["two"]
    assert names(status="CREATED,DELIVERED") == ["one", "two"]
    assert names(status="IN_TRANSIT") == []
    assert names(production_run_id=run["id"]) == ["one"]
    assert names(production_run_id="null") == ["two"]
    assert names(brand_id=brand["id"]) == ["one"]
    assert names(brand_id=brand["id"] + 1000000) == []
    assert names(id=two["id"]) == ["two"]
    assert names(id=f"{two['id']},{one['id']},{two['id'] + 1000000}") == ["one", "two"]
    assert names(created_at_from="2025-01-31T00:00:00Z", created_at_to="2025-01-31T00:00:01Z") == ["two"]
    assert names(created_at_to="2025-01-31T00:00:00Z") == []
    assert fields(problem(admin.get("/trackers", params={"status": "LOST"}), 422, "validation_failed")) == {
        "status": "unknown_value"
    }
    assert one["client_id"] == tenant["id"]


@pytest.mark.parametrize(
    "query",
    [
        {"created_at_from": "yesterday"},
        {"production_run_id": "x"},
        {"production_run_id": "1,null"},
        {"production_run_id": "0"},
        {"production_run_id": "9223372036854775808"},
        {"mac_address": "zz"},
        {"status": ""},
        {"archived": "maybe"},
        {"count": "2"},
        {"q": "x" * 201},
        {"client_id": "abc"},
        {"id": "abc"},
        {"id": "null"},
    ],
)
def test_malformed_filters(admin: httpx.Client, query: dict) -> None:
    answer = admin.get("/trackers", params=query)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_search_in_lists(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    make_brand("Grüne Flasche", description="the display of summer")
    make_brand("100% Juice_X")
    make_brand("Ordinary")

    def names(q: str) -> list[str]:
        return [row["name"] for row in walk(admin, "/brands", client_id=tenant["id"], q=q)]

    assert names("flasche") == ["Grüne Flasche"]
    assert names("GRÜNE") == ["Grüne Flasche"]
    assert names("asch") == ["Grüne Flasche"]
    assert names("summer display") == ["Grüne Flasche"]
    assert names("100%") == ["100% Juice_X"]
    assert names("%") == ["100% Juice_X"]
    assert names("e_x") == ["100% Juice_X"]
    assert names("'; DROP TABLE brands; --") == []
    assert names("nothing like it") == []


# ---- versions ----


def test_etags_of_rows(admin: httpx.Client, make_brand: Make) -> None:
    brand = make_brand()
    path = f"/brands/{brand['id']}"
    answer = admin.get(path)
    etag = answer.headers["etag"]
    assert answer.json() == brand

    same = admin.get(path, headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert admin.get(path, headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
    assert admin.get(path, headers={"If-None-Match": "*"}).status_code == 304
    assert admin.get(path, headers={"If-None-Match": '"x"'}).status_code == 200

    changed = admin.patch(path, json={"name": "new"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert admin.get(path).headers["etag"] == changed.headers["etag"]
    assert admin.get(path, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "archive", "restore"])
def test_stale_writes_are_refused(admin: httpx.Client, make_brand: Make, method: str) -> None:
    brand = make_brand()
    path = f"/brands/{brand['id']}"
    old = admin.get(path).headers["etag"]
    admin.patch(path, json={"description": "changed"})

    def write(tag: str) -> httpx.Response:
        headers = {"If-Match": tag}
        if method == "PATCH":
            return admin.patch(path, json={"name": "again"}, headers=headers)
        if method == "DELETE":
            return admin.delete(path, headers=headers)
        return admin.post(f"{path}/{method}", headers=headers)

    now = admin.get(path).headers["etag"]
    for tag in (old, f"W/{now}", '"nonsense"', now.strip('"')):
        body = problem(write(tag), 412, "stale")
        assert "brand" in body["detail"]
    assert admin.get(path).json()["description"] == "changed"
    assert write(f'"77", {now}').status_code in (200, 204)


def test_if_match_of_a_missing_row(admin: httpx.Client) -> None:
    problem(admin.patch("/brands/999999999", json={"name": "x"}, headers={"If-Match": '"1"'}), 404, "not_found")


def test_lists_have_etags_too(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    make_brand()
    query = {"client_id": tenant["id"]}
    etag = admin.get("/brands", params=query).headers["etag"]
    assert admin.get("/brands", params=query, headers={"If-None-Match": etag}).status_code == 304
    make_brand()
    assert admin.get("/brands", params=query, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("resource", ["brands", "storage-locations"])
def test_writes_at_the_same_moment_lose_nothing(admin: httpx.Client, server, tenant: dict, resource: str) -> None:
    """With If-Match, of several writers of one version exactly one wins; without, all of them do, one by one."""
    body = {"client_id": tenant["id"], "name": "contended"}
    if resource == "storage-locations":
        body["center"] = {"latitude": 1, "longitude": 2}
    path = f"/{resource}/{admin.post(f'/{resource}', json=body).json()['id']}"

    def write_together(tag: str | None) -> list[int]:
        statuses: list[int] = []

        def write() -> None:
            headers = dict(admin.headers) | ({"If-Match": tag} if tag else {})
            with httpx.Client(base_url=server.url + "/api/v1", headers=headers) as client:
                statuses.append(client.patch(path, json={"description": uuid.uuid4().hex}).status_code)

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(statuses)

    for _ in range(5):
        assert write_together(admin.get(path).headers["etag"]) == [200, 412, 412, 412]
    before = int(admin.get(path).headers["etag"].strip('"'))
    assert write_together(None) == [200, 200, 200, 200]
    assert admin.get(path).headers["etag"] == f'"{before + 4}"'


# ---- bodies ----


def test_merge_patch(admin: httpx.Client, make_brand: Make) -> None:
    brand = make_brand("one", description="two")
    path = f"/brands/{brand['id']}"
    answer = admin.patch(path, json={"name": "three"})
    assert (answer.json()["name"], answer.json()["description"]) == ("three", "two")
    answer = admin.patch(path, json={"description": None})
    assert (answer.json()["name"], answer.json()["description"]) == ("three", "")
    answer = admin.patch(path, content=b'{"name":"four"}', headers={"Content-Type": "application/merge-patch+json"})
    assert answer.json()["name"] == "four"
    assert fields(problem(admin.patch(path, json={"name": None}), 422, "validation_failed")) == {"name": "not_null"}
    assert admin.patch(path, json={}).status_code == 200
    assert fields(problem(admin.patch(path, json={"client_id": 1}), 422, "validation_failed")) == {"client_id": "fixed"}


def test_all_problems_of_a_body_at_once(admin: httpx.Client) -> None:
    body = problem(
        admin.post("/brands", json={"nmae": "x", "description": 7, "id": 3, "client_id": "1"}), 422, "validation_failed"
    )
    assert fields(body) == {
        "nmae": "unknown_field",
        "description": "wrong_type",
        "id": "read_only",
        "client_id": "wrong_type",
        "name": "required",
    }
    assert any("did you mean name" in error["message"] for error in body["errors"])


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b'{"name":"a","name":"b"}', b'"text"', b"\xff"])
def test_bodies_that_are_no_object(admin: httpx.Client, content: bytes) -> None:
    answer = admin.post("/brands", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text


def test_other_content_types(admin: httpx.Client) -> None:
    answer = admin.post("/brands", content=b"name=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415


def test_names_are_trimmed_and_unique(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    assert make_brand("  Acme ")["name"] == "Acme"
    body = problem(admin.post("/brands", json={"client_id": tenant["id"], "name": "ACME"}), 409, "already_exists")
    assert fields(body) == {"name": "already_exists"}
    other = make_brand("Other")
    problem(admin.patch(f"/brands/{other['id']}", json={"name": "acme"}), 409, "already_exists")


@pytest.mark.parametrize(("length", "status"), [(1, 201), (200, 201), (201, 422), (0, 422)])
def test_lengths_count_characters(admin: httpx.Client, tenant: dict, length: int, status: int) -> None:
    answer = admin.post("/brands", json={"client_id": tenant["id"], "name": "ß" * length})
    assert answer.status_code == status, answer.text


# ---- repetition ----


def test_a_repeated_post_gets_the_first_answer(admin: httpx.Client, db: psycopg.Connection, tenant: dict) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"client_id": tenant["id"], "name": "once"}
    first = admin.post("/brands", json=body, headers=headers)
    assert first.status_code == 201
    admin.patch(f"/brands/{first.json()['id']}", json={"name": "renamed"})
    again = admin.post("/brands", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    for header in ("etag", "location"):
        assert again.headers[header] == first.headers[header]
    assert db.execute("SELECT count(*) FROM brands WHERE client_id = %s", (tenant["id"],)).fetchone() == (1,)


def test_the_same_key_for_something_else(admin: httpx.Client, tenant: dict) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    assert admin.post("/brands", json={"client_id": tenant["id"], "name": "a"}, headers=headers).status_code == 201
    other = admin.post("/brands", json={"client_id": tenant["id"], "name": "b"}, headers=headers)
    problem(other, 422, "idempotency_mismatch")
    other = admin.post("/clients", json={"client_id": tenant["id"], "name": "a"}, headers=headers)
    problem(other, 422, "idempotency_mismatch")


def test_keys_belong_to_their_user(admin: httpx.Client, make_user: Callable[..., httpx.Client], tenant: dict) -> None:
    manager = make_user("manager", clients=[tenant["id"]])
    headers = {"Idempotency-Key": "shared-" + uuid.uuid4().hex}
    one = admin.post("/brands", json={"client_id": tenant["id"], "name": "of admin"}, headers=headers)
    two = manager.post("/brands", json={"client_id": tenant["id"], "name": "of manager"}, headers=headers)
    assert (one.status_code, two.status_code) == (201, 201)


def test_a_refused_post_may_be_tried_again(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    taken = make_brand("taken")
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    body = {"client_id": tenant["id"], "name": "taken"}
    problem(admin.post("/brands", json=body, headers=headers), 409, "already_exists")
    admin.patch(f"/brands/{taken['id']}", json={"name": "free"})
    assert admin.post("/brands", json=body, headers=headers).status_code == 201


def test_repetitions_at_the_same_moment(admin: httpx.Client, server, db: psycopg.Connection, tenant: dict) -> None:
    key = uuid.uuid4().hex
    answers: list[httpx.Response] = []

    def post() -> None:
        with httpx.Client(base_url=server.url + "/api/v1", headers=admin.headers) as client:
            body = {"client_id": tenant["id"], "name": "race"}
            answers.append(client.post("/brands", json=body, headers={"Idempotency-Key": key}))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert any(answer.status_code == 201 for answer in answers)
    for answer in answers:
        if answer.status_code == 409:
            assert int(answer.headers["retry-after"]) >= 1
            problem(answer, 409, "idempotency_in_progress")
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert db.execute("SELECT count(*) FROM brands WHERE client_id = %s", (tenant["id"],)).fetchone() == (1,)


@pytest.mark.parametrize("key", ["", "x" * 256, "with space"])
def test_malformed_keys(admin: httpx.Client, tenant: dict, key: str) -> None:
    answer = admin.post("/brands", json={"client_id": tenant["id"], "name": "k"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


# ---- deletion and archive ----


def test_deletion_names_what_depends(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    brand = make_brand()
    for n in range(2):
        answer = admin.post("/production-runs", json={"brand_id": brand["id"], "name": f"r{n}"})
        assert answer.status_code == 201, answer.text
    body = problem(admin.delete(f"/brands/{brand['id']}"), 409, "in_use")
    assert "2 production-runs" in body["detail"]
    body = problem(admin.delete(f"/clients/{tenant['id']}"), 409, "in_use")
    assert {"brands", "production-runs"} <= fields(body).keys()
    assert admin.get(f"/brands/{brand['id']}").status_code == 200


def test_deletion(admin: httpx.Client, make_brand: Make) -> None:
    brand = make_brand()
    answer = admin.delete(f"/brands/{brand['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(admin.delete(f"/brands/{brand['id']}"), 404, "not_found")
    problem(admin.get(f"/brands/{brand['id']}"), 404, "not_found")


def test_archive_and_restore(admin: httpx.Client, tenant: dict, make_brand: Make) -> None:
    brand = make_brand("kept")
    path = f"/brands/{brand['id']}"
    answer = admin.post(f"{path}/archive")
    assert answer.status_code == 200
    since = answer.json()["archived_at"]
    assert since
    assert admin.post(f"{path}/archive").json()["archived_at"] == since

    def names(**query: object) -> list[str]:
        return [row["name"] for row in walk(admin, "/brands", client_id=tenant["id"], **query)]

    other = make_brand("other")
    assert names() == names(archived="false") == ["other"]
    assert names(archived="true") == ["kept"]
    assert names(archived="all") == ["kept", "other"]
    assert admin.get(path).status_code == 200

    # the name of an archived row is free, until the row comes back
    admin.patch(f"/brands/{other['id']}", json={"name": "Kept"})
    problem(admin.post(f"{path}/restore"), 409, "already_exists")
    admin.patch(f"/brands/{other['id']}", json={"name": "other"})
    assert admin.post(f"{path}/restore").json()["archived_at"] is None
    assert names() == ["kept", "other"]


# ---- tenants ----


def test_rows_of_others_do_not_exist(
    admin: httpx.Client, make_client: Make, make_brand: Make, make_user: Callable[..., httpx.Client]
) -> None:
    brand = make_brand("secret")
    stranger = make_user("manager", clients=[make_client()["id"]])
    path = f"/brands/{brand['id']}"
    problem(stranger.get(path), 404, "not_found")
    problem(stranger.patch(path, json={"name": "x"}), 404, "not_found")
    problem(stranger.delete(path), 404, "not_found")
    problem(stranger.post(f"{path}/archive"), 404, "not_found")
    assert walk(stranger, "/brands") == []
    assert walk(stranger, "/brands", client_id=brand["client_id"]) == []
    body = problem(
        stranger.post("/brands", json={"client_id": brand["client_id"], "name": "x"}), 422, "validation_failed"
    )
    assert fields(body) == {"client_id": "not_found"}
    # a reference into another tenant is no different from one to nothing
    run = stranger.post("/production-runs", json={"brand_id": brand["id"], "name": "x"})
    nothing = stranger.post("/production-runs", json={"brand_id": 999999999, "name": "x"})
    assert (run.status_code, fields(run.json())) == (nothing.status_code, fields(nothing.json()))
    assert admin.get(path).json()["name"] == "secret"


def test_readers_do_not_write(make_user: Callable[..., httpx.Client], tenant: dict, make_brand: Make) -> None:
    brand = make_brand()
    reader = make_user("user", clients=[tenant["id"]])
    assert reader.get(f"/brands/{brand['id']}").status_code == 200
    problem(reader.patch(f"/brands/{brand['id']}", json={"name": "x"}), 403, "forbidden")
    problem(reader.post("/brands", json={"client_id": tenant["id"], "name": "x"}), 403, "forbidden")
    problem(reader.delete(f"/brands/{brand['id']}"), 403, "forbidden")


def test_the_only_client_may_be_left_out(admin: httpx.Client, manager: httpx.Client, tenant: dict) -> None:
    answer = manager.post("/brands", json={"name": "mine"})
    assert (answer.status_code, answer.json()["client_id"]) == (201, tenant["id"])
    assert fields(problem(admin.post("/brands", json={"name": "whose"}), 422, "validation_failed")) == {
        "client_id": "required"
    }


# ---- audit log ----


def test_every_write_is_logged(admin: httpx.Client, manager: httpx.Client, tenant: dict) -> None:
    brand = manager.post("/brands", json={"name": "logged"}).json()
    path = f"/brands/{brand['id']}"
    manager.patch(path, json={"name": "renamed"}, headers={"X-Request-Id": "audit-test-1"})
    manager.post(f"{path}/archive")
    manager.post(f"{path}/restore")
    manager.patch(path, json={"name": ""})  # refused: leaves no trace
    manager.delete(path)
    rows = walk(admin, "/audit-log", resource="brands", resource_id=brand["id"], limit=2)
    assert [row["action"] for row in rows] == ["delete", "restore", "archive", "update", "create"]
    delete, _, archive, update, create = rows
    assert {row["user_id"] for row in rows} == {manager.user["id"]}
    assert {row["client_id"] for row in rows} == {tenant["id"]}
    assert create["before"] is None and create["after"]["name"] == "logged"
    assert (update["before"]["name"], update["after"]["name"]) == ("logged", "renamed")
    assert update["request_id"] == "audit-test-1"
    assert archive["before"]["archived_at"] is None and archive["after"]["archived_at"]
    assert delete["before"]["name"] == "renamed" and delete["after"] is None
    assert rows == walk(manager, "/audit-log", resource="brands", resource_id=brand["id"])


def test_the_audit_log_is_for_managers_of_the_client(
    admin: httpx.Client, make_user: Callable[..., httpx.Client], make_client: Make, tenant: dict, make_brand: Make
) -> None:
    make_brand()
    assert walk(make_user("manager", clients=[make_client()["id"]]), "/audit-log", client_id=tenant["id"]) == []
    problem(make_user("user", clients=[tenant["id"]]).get("/audit-log"), 403, "forbidden")
    entry = admin.get("/audit-log", params={"client_id": tenant["id"], "limit": 1}).json()["items"][0]
    assert admin.get(f"/audit-log/{entry['id']}").json() == entry
    assert admin.delete(f"/audit-log/{entry['id']}").status_code == 405
