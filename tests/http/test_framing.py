"""Where a request ends must never be in doubt: whoever leaves it in doubt is refused and cut off."""

from __future__ import annotations

import pytest
from peer import Server, request

SMUGGLED = b"GET /echo?smuggled=1 HTTP/1.1\r\nHost: test\r\n\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /echo HTTP/1.1", b"Host: test", *headers, b"", b""]) + body


def get(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


AMBIGUOUS = {
    "both lengths": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "both, the other order": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    "the same length twice": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5", body=b"hello"),
    "length with a sign": post(b"Content-Length: +5", body=b"hello"),
    "negative length": post(b"Content-Length: -1"),
    "hexadecimal length": post(b"Content-Length: 0x5", body=b"hello"),
    "empty length": post(b"Content-Length: "),
    "length beyond 64 bits": post(b"Content-Length: 18446744073709551621", body=b"hello"),
    "another encoding": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "two encodings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "nearly chunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "space before the colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "space before a harmless colon": post(b"X-Test : a"),
    "continued line": post(b"X-Test: a", b" b"),
    "continued encoding": post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two hosts": get(b"GET /echo HTTP/1.1", b"Host: a", b"Host: b"),
    "no host": get(b"GET /echo HTTP/1.1"),
    "host with a path": get(b"GET /echo HTTP/1.1", b"Host: a/b"),
    "line feeds alone": b"GET /echo HTTP/1.1\nHost: test\n\n",
    "one line feed alone": b"GET /echo HTTP/1.1\r\nHost: test\nX-Test: a\r\n\r\n",
    "carriage return alone": b"GET /echo HTTP/1.1\r\nHost: test\rX-Test: a\r\n\r\n",
    "NUL in a value": get(b"GET /echo HTTP/1.1", b"Host: test", b"X-Test: a\0b"),
    "no name": get(b"GET /echo HTTP/1.1", b"Host: test", b": a"),
    "bad name": get(b"GET /echo HTTP/1.1", b"Host: test", b"X(Test): a"),
    "space before the first name": get(b"GET /echo HTTP/1.1", b" Host: test"),
    "two spaces": get(b"GET  /echo HTTP/1.1", b"Host: test"),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_is_refused_and_closed(server: Server, name: str) -> None:
    with server.peer() as peer:
        peer.send(AMBIGUOUS[name] + SMUGGLED)
        # 413: libmicrohttpd's own answer to a length that no integer holds
        assert peer.receive().status in (400, 413)
        # libmicrohttpd 0.9.75 sends the head of its own answers twice, so this may not be empty
        assert b"HTTP/1.1 200" not in peer.rest(), "what followed was taken for a request"


def test_no_colon_is_refused(server: Server) -> None:
    """libmicrohttpd 0.9.75 answers this itself, or only closes."""
    with server.peer() as peer:
        peer.send(b"GET /echo HTTP/1.1\r\nHost: test\r\nno colon here\r\n\r\n" + SMUGGLED)
        try:
            assert peer.receive().status == 400
        except (EOFError, ConnectionResetError):
            return
        assert b"HTTP/1.1 200" not in peer.rest()


def test_other_versions(server: Server) -> None:
    assert server.ask(b"GET /echo HTTP/2.0\r\nHost: test\r\n\r\n").status in (400, 505)
    assert server.ask(b"GET /echo HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.parametrize(
    "size", [b"", b"g", b"-1", b"0x3", b"ffffffffffffffff1", b"+3"], ids=lambda size: size.decode() or "empty"
)
def test_bad_chunk_size_ends_the_connection(server: Server, size: bytes) -> None:
    with server.peer() as peer:
        peer.send(post(b"Transfer-Encoding: chunked", body=size + b"\r\nabc\r\n0\r\n\r\n") + SMUGGLED)
        try:
            assert peer.receive().status in (400, 413)
        except (EOFError, ConnectionResetError):
            return
        assert b"HTTP/1.1 200" not in peer.rest()


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_chunks_become_one_body(server: Server, piece: int) -> None:
    sent = post(b"Transfer-Encoding: Chunked", body=b"3\r\nabc\r\n0A\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n")
    with server.peer() as peer:
        for at in range(0, len(sent), piece):
            peer.send(sent[at : at + piece])
        assert peer.receive().json["body"] == "abc0123456789!"
        peer.send(request("GET", "/echo?next=1"))
        assert peer.receive().json["query"] == ["next", "1"]


def test_chunk_extensions_are_no_part_of_the_body(server: Server) -> None:
    """libmicrohttpd 0.9 passes over them, 1.0 refuses them."""
    with server.peer() as peer:
        peer.send(post(b"Transfer-Encoding: chunked", body=b"A;name=value\r\n0123456789\r\n0\r\n\r\n"))
        answer = peer.receive()
        assert answer.status == 400 or answer.json["body"] == "0123456789"


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with server.peer() as peer:
        peer.send(
            request("GET", "/slow?ms=200")
            + request("POST", "/echo?n=1", body=b"one")
            + request("GET", "/live")
            + post(b"Transfer-Encoding: chunked", body=b"3\r\ntwo\r\n0\r\n\r\n")
            + request("HEAD", "/echo?n=3")
            + request("GET", "/nothing")
            + request("GET", "/echo?n=4")
        )
        assert peer.receive().status == 204
        assert peer.receive().json["body"] == "one"
        assert peer.receive().body == b"{}"
        assert peer.receive().json["body"] == "two"
        assert peer.receive(head=True).status == 200
        assert peer.receive().status == 404
        assert peer.receive().json["query"] == ["n", "4"]


def test_body_of_a_refused_request_is_not_the_next_one(server: Server) -> None:
    for target in ("/nothing", "/live"):
        with server.peer() as peer:
            peer.send(request("POST", target, body=SMUGGLED) + request("GET", "/echo?next=1"))
            assert peer.receive().status in (404, 405)
            assert peer.receive().json["query"] == ["next", "1"]
