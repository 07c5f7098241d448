"""Limits hold at their edges, and say so with a problem."""

from __future__ import annotations

import time

import pytest
from peer import Server, request

BODY = 100_000
UPLOAD = 400_000
HEADER = 12_288
TARGET = 8192
CONTINUE = "Expect: 100-continue"


def test_body_edges(server: Server) -> None:
    answer = server.ask(request("POST", "/echo", body=b"x" * BODY))
    assert (answer.status, answer.json["body_len"]) == (200, BODY)
    with server.peer() as peer:
        peer.send(request("POST", "/echo", body=b"x" * (BODY + 1)))
        answer = peer.receive()
        assert (answer.status, answer.code) == (413, "body_too_large")
        assert answer.header("Connection") == "close"
        assert peer.is_closed()


def test_chunked_body_edges(server: Server) -> None:
    def send(size: int) -> tuple[int, bytes]:
        chunk = b"%x\r\n%s\r\n" % (1000, b"x" * 1000)
        rest = size % 1000
        body = chunk * (size // 1000) + (b"%x\r\n%s\r\n" % (rest, b"x" * rest) if rest else b"") + b"0\r\n\r\n"
        answer = server.ask(request("POST", "/echo", "Transfer-Encoding: chunked") + body)
        return answer.status, answer.body

    assert send(BODY)[0] == 200
    assert send(BODY + 1)[0] == 413
    assert send(BODY * 20)[0] == 413


def test_upload_is_spooled_and_has_its_own_limit(server: Server) -> None:
    answer = server.ask(request("POST", "/upload", body=b"\x01" * UPLOAD))
    assert answer.json == {"len": UPLOAD, "sum": UPLOAD}
    assert server.ask(request("POST", "/upload", body=b"\x01" * (UPLOAD + 1))).code == "body_too_large"


def test_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    with server.peer() as peer:
        peer.send(request("POST", "/echo", CONTINUE, f"Content-Length: {BODY + 1}"))
        assert peer.receive().status == 413
        assert peer.is_closed()


def test_nothing_is_refused_before_it_is_sent(server: Server) -> None:
    with server.peer() as peer:
        peer.send(request("POST", "/nothing", CONTINUE, "Content-Length: 5"))
        assert peer.receive().status == 404


def test_continue_is_sent_when_the_body_is_welcome(server: Server) -> None:
    with server.peer() as peer:
        peer.send(request("POST", "/echo", CONTINUE, "Content-Length: 5"))
        assert peer.receive().status == 100
        peer.send(b"hello")
        assert peer.receive().json["body"] == "hello"


def test_other_expectations(server: Server) -> None:
    assert server.ask(request("GET", "/echo", "Expect: the-impossible")).code == "expectation_failed"


def test_header_edges(server: Server) -> None:
    def of_size(size: int) -> bytes:
        padding = size - len(request("GET", "/echo", "X-Test: "))
        return request("GET", "/echo", "X-Test: " + "a" * padding)

    assert server.ask(of_size(HEADER)).status == 200
    assert server.ask(of_size(HEADER + 1)).code == "headers_too_large"


def test_endless_headers(server: Server) -> None:
    with server.peer() as peer:
        peer.send(request("GET", "/echo", "X-Test: " + "a" * 200_000))
        assert peer.receive().status == 431


def test_target_edges(server: Server) -> None:
    def of_size(size: int) -> bytes:
        return request("GET", "/echo?a=" + "b" * (size - len("/echo?a=")))

    assert server.ask(of_size(TARGET)).status == 200
    assert server.ask(of_size(TARGET + 1)).code == "target_too_long"
    assert server.ask(of_size(200_000)).status == 414


def test_number_of_headers(server: Server) -> None:
    assert server.ask(request("GET", "/echo", *["X-Test: a"] * 99)).status == 200
    assert server.ask(request("GET", "/echo", *["X-Test: a"] * 100)).code == "too_many_headers"


@pytest.mark.parametrize(
    ("unfinished", "pause"),
    [
        (b"GET /echo HTTP/1.1\r\nHost: " + b"x" * 300, 0.05),
        (b"x" * 300, 0.05),
    ],
    ids=["head", "request line"],
)
def test_slow_head_is_cut_off(unfinished: bytes, pause: float) -> None:
    with Server(request_ms=1000, idle_ms=60_000) as server, server.peer() as peer:
        begin = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for byte in unfinished:
                peer.send(bytes([byte]))
                time.sleep(pause)
        assert time.monotonic() - begin < 8


def test_slow_body_never_reaches_a_handler() -> None:
    with Server(request_ms=4000, handlers=1) as server:
        peers = [server.peer() for _ in range(50)]
        for peer in peers:
            peer.send(request("POST", "/slow", "Content-Length: 1000") + b"x")
        begin = time.monotonic()
        for _ in range(20):
            assert server.ask(request("GET", "/echo")).status == 200
        assert time.monotonic() - begin < 3, "slow bodies held the only handler"
        answer = peers[0].receive()
        assert (answer.status, answer.code) == (408, "request_timeout")
        for peer in peers:
            peer.close()


def test_slow_readers_hold_no_handler() -> None:
    with Server(handlers=1) as server:
        peers = [server.peer() for _ in range(20)]
        for peer in peers:
            peer.send(request("GET", "/big?bytes=8000000"))
        time.sleep(0.5)
        begin = time.monotonic()
        assert server.ask(request("GET", "/echo")).status == 200
        assert time.monotonic() - begin < 5
        for peer in peers:
            peer.close()


def test_idle_connection_is_closed() -> None:
    with Server(idle_ms=1000) as server, server.peer() as peer:
        peer.send(request("GET", "/live"))
        assert peer.receive().status == 200
        begin = time.monotonic()
        assert peer.is_closed()
        assert 0.5 < time.monotonic() - begin < 6


def test_connections_from_one_address() -> None:
    with Server(ip_connections=3) as server:
        peers = [server.peer() for _ in range(3)]
        for peer in peers:
            peer.send(request("GET", "/live"))
            assert peer.receive().status == 200
        with server.peer() as fourth:
            assert fourth.is_closed()
        for peer in peers:
            peer.close()
