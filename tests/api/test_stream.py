"""Live updates: who sees what, resuming, and what happens when Redis loses everything or rights are taken away."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from conftest import ApiClient
from helpers import problem, refused
from live import BUS, PATIENCE, Bus, Reader
from stack import die_with_parent, free_port


@pytest.fixture
def bus(server) -> Iterator[Bus]:
    bus = Bus(server.redis.socket)
    yield bus
    bus.redis.close()


@pytest.fixture
def tenant(make_client: Callable[..., dict]) -> int:
    return make_client()["id"]


@pytest.fixture
def user(make_user: Callable[..., ApiClient], tenant: int) -> ApiClient:
    return make_user("user", clients=[tenant])


def test_events_arrive_with_their_id_kind_and_data(bus: Bus, user: ApiClient, tenant: int) -> None:
    with Reader(user) as reader:
        sent = bus.publish("status", tenant, tracker=7, tracker_id=7, status="DELIVERED")
        event = reader.next()
        assert (event.id, event.kind, event.data) == (sent, "status", {"tracker_id": 7, "status": "DELIVERED"})


def test_each_sees_their_own_clients_only(
    bus: Bus, admin: ApiClient, user: ApiClient, tenant: int, make_user: Callable, make_client: Callable
) -> None:
    other = make_client()["id"]
    with Reader(user) as reader, Reader(admin) as staff, Reader(make_user("manager", clients=[other])) as stranger:
        for n, client in enumerate((tenant, other, 0)):
            bus.publish("position", client, n=n)
        bus.publish("status", tenant, n="end")
        bus.publish("status", other, n="end")
        assert [reader.next().data["n"] for _ in range(2)] == [0, "end"]
        assert [stranger.next().data["n"] for _ in range(2)] == [1, "end"]
        assert [staff.next().data["n"] for _ in range(5)] == [0, 1, 2, "end", "end"]


def test_notifications_are_their_readers_alone_and_tasks_admins_too(
    bus: Bus, admin: ApiClient, user: ApiClient, tenant: int, make_user: Callable
) -> None:
    colleague = make_user("manager", clients=[tenant])
    me = user.user["id"]
    with Reader(user) as reader, Reader(admin) as staff, Reader(colleague) as other:
        bus.publish("notification", tenant, user=me, n=1)
        bus.publish("task", tenant, user=me, n=2)
        bus.publish("task", 0, user=me, n=3)  # a task about no client
        bus.publish("notification", tenant + 10**6, user=me, n=4)  # about a client that is not theirs any more
        bus.publish("status", tenant, n=5)
        assert [reader.next().data["n"] for _ in range(4)] == [1, 2, 3, 5]
        assert [staff.next().data["n"] for _ in range(3)] == [2, 3, 5]
        assert other.next().data["n"] == 5


def test_internal_and_unknown_kinds_stay_inside(bus: Bus, admin: ApiClient, tenant: int) -> None:
    with Reader(admin) as reader:
        bus.redis.xadd(BUS, {"kind": "status", "client": "x"})  # not what we write
        bus.publish("expire", tenant)
        bus.publish("surprise", tenant)
        bus.publish("status", tenant, n=1)
        assert reader.next().data == {"n": 1}


def test_filters_narrow(bus: Bus, admin: ApiClient, tenant: int) -> None:
    streams = [
        Reader(admin, topics="status,task"),
        Reader(admin, client_id=tenant),
        Reader(admin, production_run_id=5, topics="position"),
        Reader(admin, tracker_id=9),
    ]
    for stream in streams:
        assert stream.marked.wait(PATIENCE)
    bus.publish("position", tenant, tracker=9, run=5, n=1)
    bus.publish("status", tenant, tracker=8, run=5, n=2)
    bus.publish("position", tenant + 1, tracker=8, run=6, n=3)
    bus.publish("status", tenant, tracker=9, run=5, n="end")
    bus.publish("position", tenant, tracker=9, run=5, n="end")
    seen = []
    for stream in streams:
        seen.append([])
        while not seen[-1] or seen[-1][-1] != "end":
            seen[-1].append(stream.next().data["n"])
        stream.close()
    assert seen == [[2, "end"], [1, 2, "end"], [1, "end"], [1, "end"]]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"topics": "status,weather"}, "topics"),
        ({"topics": ""}, "topics"),
        ({"tracker_id": "x"}, "tracker_id"),
        ({"client_id": 0}, "client_id"),
        ({"production_run_id": -1}, "production_run_id"),
        ({"trackers": "1"}, "trackers"),
    ],
)
def test_bad_parameters_are_refused(user: ApiClient, params: dict, field: str) -> None:
    assert field in refused(user.get("/stream", params=params))


def test_nobody_without_a_login_gets_in(anonymous: ApiClient) -> None:
    problem(anonymous.get("/stream"), 401, "unauthenticated")


# ---- resuming


def test_a_reader_that_comes_back_gets_what_it_missed(bus: Bus, user: ApiClient, tenant: int) -> None:
    with Reader(user) as reader:
        first = bus.publish("status", tenant, n=0)
        assert reader.next().id == first
    missed = [bus.publish("status", tenant, n=n) for n in range(1, 700)]  # more than one batch
    bus.publish("status", tenant + 10**6, n="not theirs")
    with Reader(user, last=first) as reader:
        bus.publish("status", tenant, n="new")
        events = [reader.next() for _ in range(700)]
        assert [event.id for event in events[:-1]] == missed
        assert events[-1].data == {"n": "new"}


def test_an_idle_reader_resumes_from_where_it_began(bus: Bus, user: ApiClient, tenant: int) -> None:
    bus.publish("status", tenant, n="before")
    with Reader(user) as reader:
        begun = reader.last_id
    bus.publish("status", tenant, n="missed")
    with Reader(user, last=begun) as reader:
        assert reader.next().data == {"n": "missed"}


@pytest.mark.parametrize("last", ["1-1", "0-0", "nonsense", "9999999999999-0", "-", "1-1-1"])
def test_who_comes_from_an_unknown_place_is_told_to_read_again(
    bus: Bus, user: ApiClient, tenant: int, last: str
) -> None:
    bus.publish("status", tenant, n="old")
    with Reader(user, last=last) as reader:
        assert reader.next().kind == "reset"
        sent = bus.publish("status", tenant, n="new")
        assert reader.next().id == sent


def test_who_missed_too_much_is_told_to_read_again(bus: Bus, user: ApiClient, tenant: int) -> None:
    first = bus.publish("status", tenant, n=0)
    for n in range(200):
        bus.publish("status", tenant, n=n, text="x" * 1000)
    with Reader(user, last=first) as reader:
        while (event := reader.next()).kind != "reset":
            assert event.data["n"] < 200
        sent = bus.publish("status", tenant, n="new")
        assert reader.next().id == sent


def test_no_event_is_lost_or_doubled_between_catching_up_and_live(bus: Bus, user: ApiClient, tenant: int) -> None:
    """Streams are opened while events are published all the time."""
    last = bus.publish("status", tenant, n=-1)
    seen: list[int] = []
    for begin in range(0, 400, 40):
        for n in range(begin, begin + 20):
            bus.publish("status", tenant, n=n)
        with Reader(user, last=last) as reader:
            for n in range(begin + 20, begin + 40):
                bus.publish("status", tenant, n=n)
            while not seen or seen[-1] < begin + 30:
                event = reader.next()
                seen.append(event.data["n"])
                last = event.id
    assert seen == list(range(len(seen)))


# ---- Redis


def test_flushed_redis_makes_readers_read_again(bus: Bus, user: ApiClient, tenant: int) -> None:
    bus.publish("status", tenant, n=1)
    with Reader(user) as reader:
        bus.redis.flushall()
        assert reader.next().kind == "reset"
        bus.publish("status", tenant, n=2)
        assert reader.next().data == {"n": 2}


def test_redis_that_was_away_makes_readers_read_again(server, bus: Bus, user: ApiClient, tenant: int) -> None:
    bus.publish("status", tenant, n=1)
    with Reader(user) as reader:
        server.redis.stop()
        with Reader(user) as meanwhile:
            server.redis.start()
            assert reader.next().kind == "reset"
            assert meanwhile.next().kind == "reset"
        bus.publish("status", tenant, n=2)
        while (event := reader.next()).kind == "reset":
            pass
        assert event.data == {"n": 2}


# ---- rights


def closes(reader: Reader) -> None:
    began = time.monotonic()
    assert reader.ended()
    assert time.monotonic() - began < 30, "within seconds, on a busy machine"


def test_signing_out_closes_the_stream(user: ApiClient, make_user: Callable, tenant: int) -> None:
    with Reader(user) as reader, Reader(make_user("user", clients=[tenant])) as other:
        assert user.post("/auth/logout-all").status_code == 204
        closes(reader)
        assert other.nothing()


def test_a_withdrawn_client_closes_the_stream(admin: ApiClient, user: ApiClient, make_client: Callable) -> None:
    with Reader(user) as reader:
        body = {"client_ids": [make_client()["id"]]}
        assert admin.patch(f"/users/{user.user['id']}", json=body).status_code == 200
        closes(reader)


def test_a_session_that_ends_by_the_clock_closes_the_stream(db, user: ApiClient) -> None:
    with Reader(user) as reader:
        db.execute(
            "UPDATE sessions SET expires_at = now() + interval '1 second' WHERE user_id = %s", (user.user["id"],)
        )
        closes(reader)


def test_an_api_key_that_is_revoked_closes_the_stream(
    server, bus: Bus, user: ApiClient, tenant: int, anonymous: ApiClient
) -> None:
    key = user.post("/api-keys", json={"name": "live", "scopes": ["stream:read"]}).json()
    anonymous.headers["X-API-Key"] = key["key"]
    with Reader(anonymous) as reader:
        bus.publish("status", tenant, n=1)
        assert reader.next().data == {"n": 1}
        assert user.post(f"/api-keys/{key['id']}/revoke").status_code == 200
        closes(reader)


def test_an_api_key_needs_the_scope(user: ApiClient, anonymous: ApiClient) -> None:
    key = user.post("/api-keys", json={"name": "narrow", "scopes": ["trackers:read"]}).json()
    problem(anonymous.get("/stream", headers={"X-API-Key": key["key"]}), 403, "insufficient_scope")


# ---- readers


def test_a_reader_that_does_not_read_is_dropped_and_others_are_not(
    server, bus: Bus, user: ApiClient, tenant: int
) -> None:
    token = user.headers["Authorization"]
    with socket.socket() as slow, Reader(user) as reader:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        for n in range(8000):
            bus.publish("status", tenant, n=n, text="x" * 1000)
            if n % 40 == 39:  # at the pace of the one that reads
                assert [reader.next().data["n"] for _ in range(40)] == list(range(n - 39, n + 1))
        slow.settimeout(PATIENCE)
        received = 0
        while chunk := receive(slow):
            received += len(chunk)
        assert received < 8000 * 1000


def receive(peer: socket.socket) -> bytes:
    try:
        return peer.recv(65536)
    except ConnectionResetError:
        return b""


def test_open_streams_are_counted(server, user: ApiClient) -> None:
    def count() -> float:
        text = httpx.get(f"{server.url}/metrics").text
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith("tracker_live_streams "))

    def reaches(wanted: float) -> bool:
        deadline = time.monotonic() + PATIENCE
        while count() != wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        return count() == wanted

    assert reaches(0)
    with Reader(user), Reader(user):
        assert reaches(2)
    assert reaches(0)


def test_a_process_that_stops_ends_its_streams(server, user: ApiClient, tmp_path) -> None:
    port = free_port()
    with open(tmp_path / "other.log", "wb") as log:
        other = subprocess.Popen(
            [server.binary, "api"],
            env=server.env() | {"HTTP_PORT": str(port)},
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(death_signal=signal.SIGKILL),
        )
    with ApiClient(f"http://127.0.0.1:{port}") as caller:
        caller.headers["Authorization"] = user.headers["Authorization"]
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                assert caller.get("/users/me").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, (tmp_path / "other.log").read_text()
                time.sleep(0.05)
        with Reader(caller) as reader, Reader(user) as elsewhere:
            other.terminate()
            assert reader.ended()
            assert other.wait(PATIENCE) == 0
            assert elsewhere.nothing()
