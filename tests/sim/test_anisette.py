"""Anisette servers: v3, v1, failover, provisioning that fails, machines that are forgotten."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from apple import DONE, FAILED, LATER, Operator, Simulator

names = (f"machine{n}@example.com" for n in itertools.count())


@contextmanager
def v1_only(sim: Simulator) -> Iterator[str]:
    """A server that speaks v1 alone, from the simulator's v1 answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(404)
                return
            body = httpx.get(sim.anisette, trust_env=False).content
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def dead_server() -> str:
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_v3_keeps_one_machine(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    assert operator.login("a") == DONE
    first = operator.status("a")
    assert (first["anisette"], first["provisioned"]) == ("v3", True)
    assert operator.login("a") == DONE
    assert operator.status("a")["device"] == first["device"]


def test_v1_is_kept_to(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    with v1_only(sim) as url:
        operator.env["ANISETTE_URL"] = url
        assert operator.login("a") == DONE, operator.output[-1]
        assert operator.status("a")["anisette"] == "v1"
        # its machine lives in that server: another one, though willing, is not asked
        operator.env["ANISETTE_URL"] = f"{sim.anisette},{url}"
        assert operator.fetch("a", operator.keys(sim.tag())).returncode == DONE
        operator.env["ANISETTE_URL"] = sim.anisette
        lost = operator.fetch("a", operator.keys(sim.tag()))
        assert lost.returncode == LATER and "not configured" in lost.stderr


def test_failover(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    operator.env["ANISETTE_URL"] = f"{dead_server()},{dead_server()}, {sim.anisette}/"
    assert operator.login("a") == DONE, operator.output[-1]
    operator.env["ANISETTE_URL"] = dead_server()
    gone = operator.fetch("a", operator.keys(sim.tag()))
    assert gone.returncode == LATER and "anisette_unavailable" in gone.stderr


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://user:pw@localhost", ",".join(["http://a"] * 9), "localhost:6969"]
)
def test_bad_addresses(operator: Operator, url: str) -> None:
    operator.add("a", "u", "pw")
    operator.env["ANISETTE_URL"] = url or " "
    done = operator.run("account", "login", "a")
    assert done.returncode == FAILED
    assert "pw@" not in done.stderr


@pytest.mark.parametrize("kind", ["provision_timeout", "invalid_identifier", "start_error", "end_error"])
def test_provisioning_that_fails(sim: Simulator, operator: Operator, kind: str) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    sim.fault(kind)
    assert operator.login("a") == LATER
    assert not operator.status("a")["provisioned"]
    sim.clear_faults()
    assert operator.login("a") == DONE


@pytest.mark.parametrize("endpoint", ["gsa.lookup", "gsa.provisioning"])
@pytest.mark.parametrize("kind", ["503", "not_json", "reset", "empty_body"])
def test_apple_refuses_to_provision(sim: Simulator, operator: Operator, endpoint: str, kind: str) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    sim.fault(kind, endpoint=endpoint)
    assert operator.login("a") == LATER
    assert "anisette_provisioning" in operator.output[-1]
    sim.clear_faults()
    assert operator.login("a") == DONE


def test_hanging_servers_are_left(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    operator.write_profile(sim, anisette={"timeout": "1s", "provision_timeout": "2s", "cache": "0s"})
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, never answers
        operator.env["ANISETTE_URL"] = f"http://127.0.0.1:{mute.getsockname()[1]},{sim.anisette}"
        assert operator.login("a", timeout=20) == DONE, operator.output[-1]


@pytest.mark.parametrize("kind", ["headers_error", "missing_otp", "not_json", "500"])
def test_servers_without_values(sim: Simulator, operator: Operator, kind: str) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    assert operator.login("a") == DONE
    sim.fault(kind, endpoint="anisette")
    assert operator.fetch("a", operator.keys(sim.tag())).returncode == LATER
    sim.clear_faults()
    assert operator.fetch("a", operator.keys(sim.tag())).returncode == DONE


def test_forgotten_machines_are_provisioned_anew(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    assert operator.login("a") == DONE
    device = operator.status("a")["device"]
    sim.call("POST", "/anisette/revoke")
    assert operator.fetch("a", operator.keys(sim.tag())).returncode == DONE
    assert operator.status("a")["device"] == device


def test_stale_passwords_are_not_the_accounts_fault(sim: Simulator, operator: Operator) -> None:
    username = next(names)
    sim.account(username, "pw")
    operator.add("a", username, "pw")
    assert operator.login("a") == DONE
    sim.fault("stale_otp")
    done = operator.fetch("a", operator.keys(sim.tag()))
    assert done.returncode in (LATER, DONE), done.stderr
    sim.clear_faults()
    assert operator.status("a")["phase"] in ("logged_in", "logged_out")
