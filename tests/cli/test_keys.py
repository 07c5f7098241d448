"""trackerd keys: what it prints, what it refuses, and that it keeps secrets to itself."""

from __future__ import annotations

import base64
import csv
import io
import json
import plistlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from findmy import ORDER, Key, b64, rolling_key

FIELDS = ["private_key", "advertisement_key", "hashed_advertisement_key", "mac_address"]


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def number(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big")


# ---- generate ----


def test_generate_json_lines(trackerd) -> None:
    done = trackerd("keys", "generate", "--count", "20")
    assert (done.returncode, done.stderr) == (0, "")
    keys = lines(done.stdout)
    assert len({key["private_key"] for key in keys}) == 20
    for key in keys:
        assert list(key) == FIELDS
        assert key == Key(number(key["private_key"])).fields()


def test_generate_is_one_key_by_default(trackerd) -> None:
    assert len(lines(trackerd("keys", "generate").stdout)) == 1


def test_generate_csv(trackerd) -> None:
    rows = list(csv.DictReader(io.StringIO(trackerd("keys", "generate", "--count=3", "--format=csv").stdout)))
    assert len(rows) == 3
    for row in rows:
        assert list(row) == FIELDS
        assert row == Key(number(row["private_key"])).fields()


def test_generate_keys_file_is_read_back(trackerd, tmp_path: Path) -> None:
    text = trackerd("keys", "generate", "--count", "3", "--format", "keys").stdout
    assert [line.split(": ")[0] for line in text.splitlines()] == [
        "Private key",
        "Advertisement key",
        "Hashed adv key",
    ] * 3
    path = tmp_path / "a.keys"
    path.write_text(text)
    done = trackerd("keys", "read", "--format", "keys", str(path))
    assert done.stdout == text
    assert trackerd("keys", "read", "--format", "keys", "-", input=text).stdout == text


@pytest.mark.parametrize(
    "args",
    [
        ["--count", "0"],
        ["--count", "-1"],
        ["--count", "1000001"],
        ["--count", "x"],
        ["--count", "1.5"],
        ["--count"],
        ["--format", "xml"],
        ["--format", ""],
        ["extra"],
        ["--unknown"],
    ],
)
def test_generate_usage(trackerd, args: list[str]) -> None:
    done = trackerd("keys", "generate", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert "trackerd keys generate: " in done.stderr


# ---- derive ----


@pytest.mark.parametrize("value", [1, 2, 255, 2**215, ORDER - 1, ORDER - 2, secrets.randbelow(ORDER - 1) + 1])
def test_derive(trackerd, value: int) -> None:
    key = Key(value)
    for text in (b64(key.private), b64(key.private).rstrip("="), key.private.hex(), key.private.hex().upper()):
        done = trackerd("keys", "derive", "--private-key", text)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == key.fields()
        assert done.stdout.count("\n") == 1


def test_derive_pads_an_advertisement_key_that_starts_with_zero(trackerd) -> None:
    value = next(n for n in range(1, 10000) if Key(n).adv[0] == 0)
    assert (
        json.loads(trackerd("keys", "derive", "--private-key", b64(Key(value).private)).stdout) == Key(value).fields()
    )


BAD_KEYS = {
    "zero": b64(bytes(28)),
    "order": b64(ORDER.to_bytes(28, "big")),
    "short": b64(b"\x11" * 27),
    "long": b64(b"\x11" * 32),
    "symbol": "a6C9bgy4H/bpZ7vGtVBdO3/UyNjan2/3a7U*4w==",
    "cut": "a6C9bgy4H/bpZ7vGtVBdO3/UyNjan2/3a7UW4",
    "empty": "",
}


@pytest.mark.parametrize("text", BAD_KEYS.values(), ids=BAD_KEYS.keys())
@pytest.mark.parametrize("command", [("keys", "derive"), ("report", "decrypt")])
def test_bad_private_key_is_bad_usage_and_not_repeated(trackerd, command: tuple[str, str], text: str) -> None:
    done = trackerd(*command, "--private-key", text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--private-key: the private key" in done.stderr
    assert len(text) < 9 or text[:8] not in done.stderr


def test_misplaced_key_is_not_repeated(trackerd) -> None:
    key = b64(secrets.token_bytes(28))
    for args in (
        ["keys", "derive", f"--private_key={key}"],
        ["keys", "derive", key],
        ["report", "decrypt", f"--key={key}"],
    ):
        done = trackerd(*args)
        assert done.returncode == 2
        assert key[:8] not in done.stderr + done.stdout


def test_private_key_leaves_the_process_list(trackerd, tmp_path: Path) -> None:
    """While it works, the arguments no longer hold the key: the program waits for input here."""
    import subprocess

    from conftest import BINARY

    key = b64(Key(12345).private)
    process = subprocess.Popen(
        [BINARY, "report", "decrypt", "--private-key", key], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b'{"error":"length"}\n'  # it is past its arguments
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"--private-key" in arguments
        assert key.encode()[:8] not in arguments
    finally:
        process.stdin.close()
        process.wait(10)


# ---- derive-rolling ----

MASTER, SKN, SKS = bytes([0x2A] * 28), bytes(32), bytes(range(32))
PAIRED = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def rolling_args(start: datetime, end: datetime, *more: str) -> list[str]:
    times = ["--paired-at", stamp(PAIRED), "--from", stamp(start), "--to", stamp(end)]
    secret = ["--master-key", b64(MASTER), "--skn", b64(SKN), "--sks", b64(SKS)]
    return ["keys", "derive-rolling", *secret, *times, *more]


def expected(kind: str, index: int) -> dict:
    fields = rolling_key(MASTER, SKN if kind == "primary" else SKS, index).fields()
    return {
        "index": index,
        "kind": kind,
        "advertisement_key": fields["advertisement_key"],
        "hashed_advertisement_key": fields["hashed_advertisement_key"],
    }


def rolling_set(primary: range, secondary: range) -> list[dict]:
    return [expected("primary", i) for i in primary] + [expected("secondary", i) for i in secondary]


def test_rolling_keys_of_an_hour(trackerd) -> None:
    done = trackerd(*rolling_args(PAIRED, PAIRED + timedelta(hours=1)))
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout) == rolling_set(range(0, 5), range(1, 3))


def test_rolling_keys_over_midnight_of_the_tag(trackerd) -> None:
    start = PAIRED + timedelta(minutes=15 * 95)
    assert lines(trackerd(*rolling_args(start, start + timedelta(minutes=15))).stdout) == rolling_set(
        range(95, 97), range(1, 4)
    )


def test_rolling_keys_with_alignment_and_slack(trackerd) -> None:
    known = PAIRED + timedelta(days=10)
    args = rolling_args(known, known, "--aligned-at", stamp(known), "--aligned-index", "500", "--slack", "2")
    assert lines(trackerd(*args).stdout) == rolling_set(range(498, 503), range(6, 8))


def test_no_rolling_keys_before_pairing(trackerd) -> None:
    done = trackerd(*rolling_args(PAIRED - timedelta(days=2), PAIRED - timedelta(days=1), "--slack", "9"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_rolling_keys_accept_hex_and_offsets(trackerd) -> None:
    args = ["--master-key", MASTER.hex(), "--skn", SKN.hex(), "--sks", SKS.hex()]
    times = ["--paired-at", "2026-01-01T02:00:00+02:00", "--from", stamp(PAIRED), "--to", stamp(PAIRED)]
    assert lines(trackerd("keys", "derive-rolling", *args, *times).stdout) == rolling_set(range(0, 1), range(1, 3))


def test_a_year_of_pairing_is_quick(trackerd) -> None:
    start = PAIRED + timedelta(days=400)
    rows = lines(trackerd(*rolling_args(start, start)).stdout)
    assert [row["index"] for row in rows] == [38400, 401, 402]


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("--master-key", "AAAA", "--master-key"),
        ("--master-key", b64(bytes(28)), "--master-key"),
        ("--skn", b64(bytes(28)), "--skn"),
        ("--sks", "?", "--sks"),
        ("--paired-at", "yesterday", "--paired-at"),
        ("--from", "2026-13-01T00:00:00Z", "--from"),
        ("--to", "2025-01-01T00:00:00Z", "--to"),
        ("--to", "9999-01-01T00:00:00Z", "--to"),
        ("--slack", "97", "--slack"),
        ("--slack", "-1", "--slack"),
        ("--aligned-at", "2026-01-01T00:00:00Z", "--aligned-index"),
        ("--aligned-index", "5", "--aligned-at"),
    ],
)
def test_rolling_usage(trackerd, option: str, value: str, named: str) -> None:
    done = trackerd(*rolling_args(PAIRED, PAIRED, option, value))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"trackerd keys derive-rolling: {named}" in done.stderr


@pytest.mark.parametrize("option", ["--master-key", "--skn", "--sks", "--paired-at", "--from", "--to"])
def test_rolling_needs_each_option(trackerd, option: str) -> None:
    args = rolling_args(PAIRED, PAIRED)
    at = args.index(option)
    done = trackerd(*args[:at], *args[at + 2 :])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option} is missing" in done.stderr


# ---- read ----


def test_read_device_list(trackerd, tmp_path: Path) -> None:
    keys = [Key(n) for n in (11, 12, 13)]
    path = tmp_path / "devices.json"
    path.write_text(
        json.dumps(
            [
                {
                    "id": 1,
                    "name": "Käfer",
                    "privateKey": b64(keys[0].private),
                    "additionalKeys": [b64(keys[1].private)],
                },
                {"id": 2, "name": "b", "privateKey": b64(keys[2].private), "additionalKeys": None},
            ]
        )
    )
    rows = lines(trackerd("keys", "read", str(path)).stdout)
    assert rows == [{"name": name, **key.fields()} for name, key in zip(["Käfer", "Käfer", "b"], keys, strict=True)]


def test_read_accessory_feeds_derive_rolling(trackerd) -> None:
    text = json.dumps(
        {
            "type": "accessory",
            "master_key": MASTER.hex(),
            "skn": SKN.hex(),
            "sks": SKS.hex(),
            "paired_at": PAIRED.isoformat(),
            "name": "AirTag",
            "identifier": "X",
            "alignment_date": PAIRED.isoformat(),
            "alignment_index": 7,
        }
    )
    (row,) = lines(trackerd("keys", "read", "-", input=text).stdout)
    assert row == {
        "name": "AirTag",
        "identifier": "X",
        "serial": None,
        "master_key": b64(MASTER),
        "skn": b64(SKN),
        "sks": b64(SKS),
        "paired_at": stamp(PAIRED),
        "aligned_at": stamp(PAIRED),
        "aligned_index": 7,
    }
    assert trackerd("keys", "read", "--format", "csv", "-", input=text).returncode == 2


def encrypted_record(key: bytes) -> bytes:
    """An alignment record as macOS stores it: nonce, tag and ciphertext in a binary property list."""
    record = {"beaconIdentifier": "B", "lastIndexObserved": 7, "lastIndexObservationDate": datetime(2026, 1, 1)}
    nonce = secrets.token_bytes(16)
    seal = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    text = seal.update(plistlib.dumps(record, fmt=plistlib.FMT_BINARY)) + seal.finalize()
    return plistlib.dumps([nonce, seal.tag, text], fmt=plistlib.FMT_BINARY)


def test_read_encrypted_record(trackerd) -> None:
    key = secrets.token_bytes(32)
    record = encrypted_record(key)
    for text in (b64(key), key.hex()):
        done = trackerd("keys", "read", "--record-key", text, "-", input=record)
        assert lines(done.stdout) == [{"identifier": "B", "aligned_at": stamp(PAIRED), "aligned_index": 7}]
    for wrong, status, message in (
        (b64(bytes(32)), 1, "does not open with this key"),
        (b64(bytes(31)), 2, "--record-key is not base64 of 32 bytes"),
    ):
        done = trackerd("keys", "read", "--record-key", wrong, "-", input=record)
        assert (done.returncode, done.stdout) == (status, "")
        assert message in done.stderr
    assert "BeaconStore" in trackerd("keys", "read", "-", input=record).stderr


def test_read_record_that_is_not_encrypted(trackerd) -> None:
    key = b64(secrets.token_bytes(32))
    for value in ({"a": 1}, [], [b"", b"", b""], [bytes(16), bytes(16), "text"], [bytes(12), bytes(16), bytes(5)]):
        done = trackerd("keys", "read", "--record-key", key, "-", input=plistlib.dumps(value))
        assert done.returncode == 1
        assert "no encrypted record" in done.stderr


def test_read_public_keys_only(trackerd) -> None:
    keys = [Key(5), Key(6)]
    done = trackerd("keys", "read", "-", input=bytes([2]) + keys[0].adv + keys[1].adv)
    assert lines(done.stdout) == [key.fields() | {"private_key": None} for key in keys]
    # such a file must not be written as if it had private keys
    assert trackerd("keys", "read", "--as", "keyfile-bin", "-", input=b"\2" + keys[0].adv).returncode == 1


def test_read_refuses_a_wrong_file_as_a_whole(trackerd, tmp_path: Path) -> None:
    path = tmp_path / "bad.keys"
    secret = b64(Key(77).private)
    path.write_text(
        f"Private key: {b64(Key(76).private)}\nPrivate key: {secret}\nAdvertisement key: {b64(Key(1).adv)}\n"
    )
    done = trackerd("keys", "read", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 2: the advertisement key does not belong to the private key" in done.stderr
    assert secret[:8] not in done.stderr


@pytest.mark.parametrize("args", [[], ["a", "b"], ["--as", "pem", "a"], ["--format", "xml", "a"]])
def test_read_usage(trackerd, args: list[str]) -> None:
    assert trackerd("keys", "read", *args).returncode == 2


def test_read_missing_file(trackerd, tmp_path: Path) -> None:
    done = trackerd("keys", "read", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "cannot open" in done.stderr


# ---- help ----


@pytest.mark.parametrize("args", [["keys"], ["keys", "nix"], ["keys", "--nix"], ["report"], ["report", "nix"]])
def test_unknown_part(trackerd, args: list[str]) -> None:
    done = trackerd(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"trackerd {args[0]}: " in done.stderr


@pytest.mark.parametrize("command", ["keys", "report"])
def test_help_names_every_part_and_option(trackerd, command: str) -> None:
    whole = trackerd(command, "--help")
    assert whole.returncode == 0
    parts = set(re.findall(rf"^Usage: trackerd {command} ([a-z-]+) ", whole.stdout, re.M))
    assert parts >= {"keys": {"generate", "derive", "derive-rolling", "read"}, "report": {"decrypt"}}[command]
    for part in parts:
        done = trackerd(command, part, "--help")
        assert done.returncode == 0
        assert done.stdout in whole.stdout
        assert done.stdout.startswith(f"Usage: trackerd {command} {part} ")
