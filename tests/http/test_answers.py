"""What every answer carries, and what the server answers without a handler."""

from __future__ import annotations

import json
import re

import pytest
from peer import Server, request

ORIGIN = "Origin: https://app.example.com"
JSON = "Content-Type: application/json"


def test_head_is_get_without_body(server: Server) -> None:
    get = server.ask(request("GET", "/echo"))
    with server.peer() as peer:
        peer.send(request("HEAD", "/echo") + request("GET", "/live"))
        head = peer.receive(head=True)
        assert head.status == 200
        assert int(head.header("Content-Length")) >= len(get.body)
        assert peer.receive().body == b"{}"


def test_options_and_405_name_the_methods(server: Server) -> None:
    assert server.ask(request("OPTIONS", "/echo")).header("Allow") == "GET, HEAD, POST, DELETE, OPTIONS"
    answer = server.ask(request("PUT", "/echo", body=b""))
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.header("Allow") == "GET, HEAD, POST, DELETE, OPTIONS"
    assert server.ask(request("BREW", "/echo")).status == 405
    assert server.ask(request("GET", "/nothing")).code == "not_found"


@pytest.mark.parametrize(
    "target",
    ["/items/a%2Fb", "/items/%00", "/items/%ff", "/items/%zz", "/items/..", "/items/%2e%2e", "/echo#a", "/ec ho"],
)
def test_unclear_targets(server: Server, target: str) -> None:
    assert server.ask(request("GET", target)).status == 400


def test_targets_are_decoded_once(server: Server) -> None:
    query = server.ask(request("GET", "/echo?a=%2541+b&%C3%A4=&a=%26")).json["query"]
    assert query == ["a", "%41 b", "ä", "", "a", "&"]


def test_literal_segments_win(server: Server) -> None:
    assert server.ask(request("GET", "/items/first")).json["id"] is None
    assert server.ask(request("GET", "/items/12")).json["id"] == "12"
    assert server.ask(request("GET", "/items/twelve")).status == 404


def test_request_id_is_kept_or_made(server: Server) -> None:
    assert server.ask(request("GET", "/echo", "X-Request-Id: abc-1.2_3")).header("X-Request-Id") == "abc-1.2_3"
    for bad in ("a b", 'a"b', "x" * 65, ""):
        made = server.ask(request("GET", "/echo", f"X-Request-Id: {bad}")).header("X-Request-Id")
        assert re.fullmatch(r"[0-9a-f]{24}", made)


def test_security_headers(server: Server) -> None:
    for target in ("/echo", "/nothing"):
        answer = server.ask(request("GET", target))
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert "frame-ancestors 'none'" in answer.header("Content-Security-Policy")


def test_handlers_cannot_split_answers(server: Server) -> None:
    answer = server.ask(request("GET", "/inject"))
    assert answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.header("X-Bad") is None
    assert answer.header("X-Good") == "second"


def test_handlers_mistakes(server: Server) -> None:
    assert server.ask(request("GET", "/forgetful")).code == "internal_error"
    assert server.ask(request("GET", "/twice")).status == 204
    assert server.logged("handler gave no answer")
    assert server.logged("second answer to a request")


def test_conditions(server: Server) -> None:
    for tags, status in (('"7"', 304), ('"6", W/"7"', 304), ("*", 304), ('"6"', 200), ("7", 200)):
        answer = server.ask(request("GET", "/items/5", f"If-None-Match: {tags}"))
        assert (answer.status, answer.header("ETag")) == (status, '"7"'), tags


def test_accept(server: Server) -> None:
    assert server.ask(request("GET", "/page", "Accept: application/json")).code == "not_acceptable"
    assert server.ask(request("GET", "/page", "Accept: text/*;q=0.5")).status == 200
    assert server.ask(request("GET", "/page", "Accept: text/html;q=0, */*")).status == 406


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"a": 1}', 200, None),
        (b'{"a": 1, "a": 2}', 400, "invalid_json"),
        (b'{"a": 9223372036854775807}', 200, None),
        (b'{"a": 9223372036854775808}', 400, "invalid_json"),
        (b'{"a": "\xff"}', 400, "invalid_json"),
        (b'{"a": 1', 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
        (b'{"a":' + b"[" * 31 + b"]" * 31 + b"}", 200, None),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", 400, "invalid_json"),
    ],
)
def test_json_bodies(server: Server, body: bytes, status: int, code: str | None) -> None:
    answer = server.ask(request("POST", "/json", JSON, body=body))
    assert answer.status == status
    assert code is None or answer.code == code


def test_content_type(server: Server) -> None:
    for given, status in (
        (JSON, 200),
        (JSON + "; charset=UTF-8", 200),
        (JSON + "; charset=latin1", 415),
        ("Content-Type: text/plain", 415),
        ("X-Nothing: a", 415),
    ):
        assert server.ask(request("POST", "/json", given, body=b"{}")).status == status, given
    assert server.ask(request("POST", "/json", JSON, "Content-Encoding: gzip", body=b"{}")).status == 415


def test_cross_origin(server: Server) -> None:
    ask = request("OPTIONS", "/items/4", ORIGIN, "Access-Control-Request-Method: PATCH")
    answer = server.ask(ask)
    assert answer.header("Access-Control-Allow-Origin") == "https://app.example.com"
    assert "PATCH" in answer.header("Access-Control-Allow-Methods")
    answer = server.ask(ask.replace(b"app.example", b"evil.example"))
    assert answer.header("Access-Control-Allow-Origin") is None
    answer = server.ask(request("GET", "/echo", ORIGIN))
    assert answer.header("Access-Control-Allow-Origin") == "https://app.example.com"
    assert any("Origin" in value for value in answer.all("Vary"))


def test_forwarded_addresses_need_a_trusted_peer() -> None:
    forwarded = request("GET", "/echo", "X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.5")
    with Server(proxies="10.0.0.0/8") as server:
        assert server.ask(forwarded).json["ip"] == "127.0.0.1"
    with Server(proxies="10.0.0.0/8, 127.0.0.1") as server:
        assert server.ask(forwarded).json["ip"] == "9.9.9.9"


def test_log_lines_and_metrics() -> None:
    with Server(slow_ms=50) as server:
        server.ask(request("POST", "/echo?secret=1", "X-Request-Id: logged", body=b"hello"))
        server.ask(request("POST", "/secret/hunter2", body=b""))
        server.ask(request("GET", "/slow?ms=100"))
        server.ask(request("GET", "/nothing"))
        text = server.ask(request("GET", "/metrics")).body.decode()
        assert 'http_requests_total{method="POST",route="/echo",status="2xx"} 1' in text
        assert 'http_request_seconds_count{method="GET",route="/slow"} 1' in text
        line = next(entry for entry in server.logged("request") if entry["request_id"] == "logged")
        assert line["method"] == "POST"
        assert (line["route"], line["path"], line["status"]) == ("/echo", "/echo", 200)
        assert (line["bytes_in"], line["user"], line["ip"]) == (5, "tester", "127.0.0.1")
        assert [entry["queries"] for entry in server.logged("slow request")] == [["SELECT 1"]]
        everything = json.dumps(server.lines())
        assert "hunter2" not in everything
        assert "secret=1" not in everything
