"""Clients: their existence is the admin's, their data the manager's."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from helpers import changed, made, problem, refused, walk


def test_a_client_from_beginning_to_end(admin: httpx.Client) -> None:
    client = made(admin.post("/clients", json={"name": "From beginning to end"}))
    path = f"/clients/{client['id']}"
    assert client["description"] == ""
    assert client["archived_at"] is None
    assert admin.get(path).json() == client
    assert changed(admin.patch(path, json={"description": "d"}))["description"] == "d"
    problem(admin.post("/clients", json={"name": "from BEGINNING to end"}), 409, "already_exists")
    assert refused(admin.post("/clients", json={})) == {"name": "required"}
    assert admin.delete(path).status_code == 204
    problem(admin.get(path), 404, "not_found")


def test_managers_edit_their_client_only(
    make_client: Callable[..., dict], make_user: Callable[..., httpx.Client]
) -> None:
    mine, other = make_client(), make_client()
    manager = make_user("manager", clients=[mine["id"]])
    assert changed(manager.patch(f"/clients/{mine['id']}", json={"description": "by me"}))["description"] == "by me"
    problem(manager.patch(f"/clients/{other['id']}", json={"description": "by me"}), 404, "not_found")
    problem(manager.post("/clients", json={"name": "mine too"}), 403, "forbidden")
    problem(manager.delete(f"/clients/{mine['id']}"), 403, "forbidden")
    problem(manager.post(f"/clients/{mine['id']}/archive"), 403, "forbidden")
    assert [row["id"] for row in walk(manager, "/clients")] == [mine["id"]]
    assert [row["id"] for row in walk(manager, "/clients", q=mine["name"])] == [mine["id"]]
    assert walk(manager, "/clients", q=other["name"]) == []


def test_ids_that_name_nothing(admin: httpx.Client) -> None:
    for id_ in ("0", "-1", "x", "1.0", "9223372036854775808", "1%20", "٣"):
        answer = admin.get(f"/clients/{id_}")
        assert answer.status_code == 404, (id_, answer.text)
