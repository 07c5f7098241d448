"""More work than there are handlers, peers that leave, and stops in the middle of it."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from peer import PATIENCE, Answer, Peer, Server, request


def metric(server: Server, name: str) -> float:
    text = server.ask(request("GET", "/metrics")).body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.split(" ")[0].split("{")[0] == name)


def wait_for(server: Server, name: str, value: float) -> None:
    until = time.monotonic() + PATIENCE
    while metric(server, name) != value:
        assert time.monotonic() < until, f"{name} never became {value}"
        time.sleep(0.02)


def close_all(peers: list[Peer]) -> None:
    for peer in peers:
        peer.close()


def test_full_queue_answers_at_once() -> None:
    with Server(handlers=2, queue=3) as server:
        accepted = [server.peer() for _ in range(5)]
        for i, peer in enumerate(accepted):
            peer.send(request("GET", "/slow?ms=2500"))
            # the first ones must have left the queue before it is filled
            wait_for(server, "http_handlers_busy", min(i + 1, 2))
            wait_for(server, "http_queue_waiting", max(0, i - 1))
        begin = time.monotonic()
        answer = server.ask(request("GET", "/echo"))
        assert (answer.status, answer.code) == (503, "overloaded")
        assert int(answer.header("Retry-After")) >= 1
        assert server.ask(request("GET", "/live")).status == 200, "the network thread needs no handler"
        assert server.ask(request("GET", "/echo?cached=1")).body == b"cached"
        assert time.monotonic() - begin < 2
        assert [peer.receive().status for peer in accepted] == [204] * 5
        close_all(accepted)
        assert server.ask(request("GET", "/echo")).status == 200


def test_peers_that_leave_are_forgotten() -> None:
    # Long before the request timeout of 30 s
    with Server(handlers=2) as server:
        for _ in range(20):
            with server.peer() as peer:
                peer.send(request("GET", "/slow?ms=50"))
            with server.peer() as peer:
                peer.send(request("POST", "/echo", "Content-Length: 1000") + b"half")
            with server.peer() as peer:
                peer.send(request("GET", "/big?bytes=8000000"))
        wait_for(server, "http_requests_in_flight", 1)  # the one that asks
        wait_for(server, "http_connections", 1)


def test_keep_alive_and_close(server: Server) -> None:
    with server.peer() as peer:
        for n in range(200):
            peer.send(request("POST", f"/echo?n={n}", body=b"x" * n))
            answer = peer.receive()
            assert answer.header("Connection") != "close"
            assert (answer.json["query"], answer.json["body_len"]) == (["n", str(n)], n)
        peer.send(request("GET", "/echo", "Connection: close") + request("GET", "/echo"))
        assert peer.receive().header("Connection").lower() == "close"
        assert peer.is_closed()
    with server.peer() as peer:
        peer.send(b"GET /echo HTTP/1.0\r\n\r\n")
        assert peer.receive().status == 200
        assert peer.is_closed()


HANDOVER_SECONDS = 0.5  # HANDOVER_TIME of src/http/server.c


def test_stop_finishes_what_was_accepted() -> None:
    with Server(handlers=1) as server:
        working = [server.peer() for _ in range(3)]
        for peer in working:
            peer.send(request("GET", "/slow?ms=700"))
        with server.peer() as receiving, server.peer() as idle, server.peer() as late:
            receiving.send(request("POST", "/echo", "Content-Length: 5") + b"he")
            for peer in (idle, late):
                peer.send(request("GET", "/live"))
                assert peer.receive().status == 200
            wait_for(server, "http_requests_in_flight", 5)
            server.process.send_signal(signal.SIGTERM)
            # reset: it stood in the listener's backlog when that was closed
            with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
                for _ in range(200):
                    server.peer().close()
                    time.sleep(0.01)
            # a proxy that had this connection open may have been about to use it
            idle.send(request("GET", "/echo"))
            time.sleep(HANDOVER_SECONDS + 0.2)
            late.send(request("GET", "/echo"))
            answer = late.receive()
            assert (answer.status, answer.code, answer.header("Connection")) == (503, "shutting_down", "close")
            answer = idle.receive()
            assert (answer.status, answer.header("Connection")) == (200, "close")
            receiving.send(b"llo")
            assert receiving.receive().json["body"] == "hello"
        for peer in working:
            answer = peer.receive()
            assert (answer.status, answer.header("Connection")) == (204, "close")
            assert peer.is_closed()
        close_all(working)
        assert server.process.wait(PATIENCE) == 0


def test_stop_does_not_wait_for_ever() -> None:
    with Server(stop_ms=500) as server, server.peer() as peer:
        peer.send(request("GET", "/slow?ms=8000"))
        wait_for(server, "http_handlers_busy", 1)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 3
        assert 0.3 < time.monotonic() - begin < 5
        server.process.returncode = 0  # as it should be here


def test_stop_under_load_loses_no_answer() -> None:
    """Everything that is answered is answered whole: 204, or 503 with the end of the connection."""
    with Server(handlers=4, queue=64) as server:
        answers: list[Answer] = []
        torn: list[str] = []

        def ask() -> None:
            try:
                with server.peer() as peer:
                    while True:
                        peer.send(request("GET", "/slow?ms=5"))
                        answer = peer.receive()
                        answers.append(answer)
                        if answer.header("Connection") == "close":
                            return
            except EOFError as err:  # between two requests it may close, in the middle of an answer not
                if "after b''" not in str(err):
                    torn.append(str(err))
            except OSError:
                return

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        for thread in threads:
            thread.join()
        assert torn == []
        assert len(answers) > 100
        assert {answer.status for answer in answers} <= {204, 503}


def test_a_thousand_idle_connections() -> None:
    with Server(quiet=1) as server:
        before = server.memory()
        peers = [server.peer() for _ in range(1000)]
        for peer in peers:  # one after the other: a thousand at once do not fit the queue
            peer.send(request("GET", "/echo"))
            assert peer.receive().status == 200
        wait_for(server, "http_connections", 1001)
        # 16 KiB of headers and 4 KiB for the answer are reserved for each; sanitizers add theirs
        assert server.memory() - before < 64 * 1024 * 1024
        for peer in peers[::100]:
            peer.send(request("GET", "/live"))
            assert peer.receive().status == 200
        close_all(peers)
        wait_for(server, "http_connections", 1)
