"""No secret in what the program writes: output, logs at debug level, state files, arguments of the process."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apple import CODE_DUE, DONE, Operator, Simulator

PASSWORD = "Sup3r-geheim-🔑-Pässwort"


def spellings(secret: str) -> set[bytes]:
    """Forms in which a secret may leak: as it is, in base64, in hex, hashed, as JSON escapes."""
    raw = secret.encode()
    digest = hashlib.sha256(raw)
    forms = {raw, raw.hex().encode(), digest.hexdigest().encode(), digest.digest(), json.dumps(secret)[1:-1].encode()}
    return forms | {base64.b64encode(raw).rstrip(b"=")[:-1], base64.b64encode(digest.digest()).rstrip(b"=")}


class Wire:
    """A forwarder that keeps a copy of all that passes, so that tests know the tokens of the day."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.seen = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def tokens(self) -> set[str]:
        """Everything secret that passed: credentials, identity tokens, one-time passwords, codes."""
        text = self.seen.decode("utf-8", "replace")
        found = set(re.findall(r"Authorization: Basic (\S+)", text))
        found |= {base64.b64decode(pair).decode().split(":", 1)[1] for pair in found}
        found |= set(re.findall(r"X-Apple-Identity-Token: (\S+)", text))
        found |= set(re.findall(r"<key>searchPartyToken</key>\s*<string>([^<]+)", text))
        found |= set(re.findall(r"X-Apple-I-MD(?:-M)?: (\S+)", text))
        return found


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    wire = Wire(port)
    yield wire
    wire.listener.close()


def assert_absent(secrets: set[bytes], content: bytes, where: str) -> None:
    for secret in secrets:
        assert secret not in content, f"a secret stands in {where}"


def test_nothing_leaks(sim: Simulator, operator: Operator, tmp_path: Path) -> None:
    username = "leak@example.com"
    sim.account(username, PASSWORD, second_factor="trusted_device")
    with wire_to(sim.apple_port) as wire:
        operator.profile.write_text(operator.profile.read_text().replace(f":{sim.apple_port}/", f":{wire.port}/"))
        secrets = use_everything(sim, operator, username, tmp_path / "tape")
        tokens = wire.tokens()
    assert len(tokens) >= 8, tokens
    secrets |= {form for token in tokens for form in spellings(token)}
    check(operator, username, secrets, tmp_path / "tape")


def use_everything(sim: Simulator, operator: Operator, username: str, tape: Path) -> set[bytes]:
    """Each command, with success and failure; gives the secrets that went in."""
    operator.add("a", username, PASSWORD)
    assert operator.login("a") == CODE_DUE
    code = sim.code(username)
    assert operator.run("account", "2fa", "a", "-", input=code + "\n").returncode == DONE
    tag = sim.tag()
    keys = operator.keys(tag)
    assert operator.fetch("a", keys, "--record", str(tape)).returncode == DONE
    # failures too, since errors are where things leak
    for kind in ("401", "503", "not_json", "cut_body"):
        sim.fault(kind, endpoint="fetch", count=3)
        operator.fetch("a", keys)
        sim.clear_faults()
    for kind in ("bad_m2", "wrong_password", "locked"):
        sim.fault(kind, account=username, count=1)
        operator.login("a")
        sim.clear_faults()
    operator.login("a", "--json")
    operator.run("account", "status", "--json")
    operator.run("account", "profile")

    secrets = spellings(PASSWORD) | spellings(operator.master_key) | {tag["private_key"].encode()}
    return secrets | {base64.b64decode(tag["private_key"]).hex().encode(), code.encode() + b'"', b"Basic "}


def check(operator: Operator, username: str, secrets: set[bytes], tape: Path) -> None:
    written = "".join(operator.output).encode()
    assert_absent(secrets, written, "output or logs")
    assert_absent({b"searchPartyToken", b"GsIdmsToken", b'adi_pb":'}, written, "output or logs")
    plain_words = {username.encode(), b"logged_in", b"search_party_token", b"machine_state", b"payload"}
    for path in [*Path(operator.env["ACCOUNT_FOLDER"]).iterdir(), tape]:
        content = path.read_bytes()
        assert_absent(secrets | plain_words, content, str(path))
        assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"


def test_password_is_never_an_argument(operator: Operator) -> None:
    process = operator.start("account", "add", "a", "--username", "u@example.com")
    arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    process.communicate(PASSWORD + "\n")
    assert process.returncode == DONE
    assert PASSWORD.encode() not in arguments + environment


def test_state_opens_only_with_its_key_and_name(sim: Simulator, operator: Operator) -> None:
    """A sealed state opens only with its key and under its name."""
    sim.account("seal@example.com", "pw")
    operator.add("a", "seal@example.com", "pw")
    folder = Path(operator.env["ACCOUNT_FOLDER"])
    (folder / "b.account").write_bytes((folder / "a.account").read_bytes())
    assert operator.run("account", "status", "b").returncode == 1
    assert operator.run("account", "status", "a", MASTER_KEY="A" * 43 + "=").returncode == 1
    damaged = bytearray((folder / "a.account").read_bytes())
    damaged[-1] ^= 1
    (folder / "a.account").write_bytes(damaged)
    assert operator.run("account", "status", "a").returncode == 1
