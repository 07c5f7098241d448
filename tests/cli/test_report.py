"""trackerd report decrypt: one line in, one line out, in order, whatever the line holds."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import BINARY

from findmy import Key, b64, encrypt

KEY = Key(0x1234567890ABCDEF)
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
BATTERY = ["full", "medium", "low", "very_low"]


def decrypt(trackerd, text: str | bytes, *args: str, key: Key = KEY):
    done = trackerd("report", "decrypt", "--private-key", b64(key.private), *args, input=text)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_fields(trackerd) -> None:
    payload = encrypt(KEY, 799999999, 498728253, -86511929, accuracy=15, status=0x90, confidence=3)
    done = trackerd("report", "decrypt", "--private-key", b64(KEY.private), input=b64(payload) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        '{"timestamp":"2026-05-09T06:13:19Z","latitude":49.8728253,"longitude":-8.6511929,'
        '"horizontal_accuracy":15,"confidence":3,"status":144,"battery":"low"}\n'
    )


def test_many_in_order_and_both_forms(trackerd) -> None:
    """More than one batch, so that threads share the work."""
    source = random.Random(7)
    want, text = [], []
    for i in range(200):
        lat, lon = source.randint(-900000000, 900000000), source.randint(-1800000000, 1800000000)
        seconds, accuracy, status = source.randrange(2**32), source.randrange(256), source.randrange(256)
        payload = encrypt(KEY, seconds, lat, lon, accuracy, status, i % 256, long_form=bool(i % 2))
        text.append(b64(payload))
        want.append(
            {
                "timestamp": (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "latitude": lat / 1e7,
                "longitude": lon / 1e7,
                "horizontal_accuracy": accuracy,
                "confidence": i % 256,
                "status": status,
                "battery": BATTERY[status >> 6],
            }
        )
    status, rows = decrypt(trackerd, "\n".join(text * 25) + "\n")  # 5,000 lines
    assert status == 0
    assert rows == want * 25


def test_errors_have_codes(trackerd) -> None:
    good = encrypt(KEY, 1, 2, 3)
    off_curve = good[:40] + bytes([good[40] ^ 1]) + good[41:]
    damaged = good[:-1] + bytes([good[-1] ^ 1])
    cases = [
        (b64(good), None),
        ("", "length"),
        ("!", "encoding"),
        ("AAAAA", "encoding"),
        (b64(good[:-1]), "point"),  # 88 bytes: read as the short form
        (b64(good[:-2]), "length"),
        (b64(good + b"\0"), "length"),
        (b64(bytes(300)), "length"),
        (b64(off_curve), "point"),
        (b64(damaged), "auth"),
        (b64(encrypt(Key(99), 1, 2, 3)), "auth"),
        (b64(encrypt(KEY, 1, 900000001, 0)), "range"),
        (b64(encrypt(KEY, 1, 0, -1800000001)), "range"),
        (b64(good), None),
    ]
    status, rows = decrypt(trackerd, "\n".join(text for text, _ in cases))
    assert status == 1
    assert [row.get("error") for row in rows] == [code for _, code in cases]
    assert all(set(row) == {"error"} for row in rows if "error" in row)


def test_spellings_and_line_ends(trackerd) -> None:
    payload = encrypt(KEY, 1, 2, 3, long_form=False)
    url = base64.urlsafe_b64encode(payload).decode()
    lines = [b64(payload) + "\r\n", b64(payload).rstrip("=") + "\n", url + "  \n", url.rstrip("=")]
    status, rows = decrypt(trackerd, "".join(lines))
    assert status == 0
    assert len(rows) == 4


def test_file_and_stdin(trackerd, tmp_path: Path) -> None:
    path = tmp_path / "reports"
    path.write_text(b64(encrypt(KEY, 1, 2, 3)) + "\n")
    assert decrypt(trackerd, "", str(path)) == decrypt(trackerd, path.read_text(), "-")
    assert decrypt(trackerd, "") == (0, [])


def test_negated_key_opens_too(trackerd) -> None:
    from findmy import ORDER

    payload = b64(encrypt(KEY, 1, 2, 3))
    assert decrypt(trackerd, payload, key=Key(ORDER - KEY.number))[0] == 0


@pytest.mark.parametrize("size", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1024 * 1024])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_line_of_any_length_is_one_answer(trackerd, size: int, ending: str) -> None:
    good = b64(encrypt(KEY, 1, 2, 3))
    status, rows = decrypt(trackerd, good + "\n" + "A" * size + "\n" + good + "\n" + "A" * size + ending)
    assert status == 1
    assert [row.get("error") for row in rows] == [None, "length", None, "length"]


def test_binary_rubbish(trackerd) -> None:
    rubbish = random.Random(3).randbytes(20000)
    status, rows = decrypt(trackerd, rubbish)
    assert status == 1
    assert len(rows) == rubbish.count(b"\n") + (not rubbish.endswith(b"\n"))
    assert {row["error"] for row in rows} <= {"encoding", "length"}


def test_answers_come_line_by_line() -> None:
    """A program that writes a payload and waits for its answer gets it."""
    process = subprocess.Popen(
        [BINARY, "report", "decrypt", "--private-key", b64(KEY.private)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        for i in range(3):
            process.stdin.write(b64(encrypt(KEY, i, i, i)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["latitude"] == i / 1e7
    finally:
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("args", [[], ["--private-key"], ["--private-key", b64(KEY.private), "a", "b"], ["--x"]])
def test_usage(trackerd, args: list[str]) -> None:
    done = trackerd("report", "decrypt", *args)
    assert (done.returncode, done.stdout) == (2, "")


def test_unreadable_input(trackerd, tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        done = trackerd("report", "decrypt", "--private-key", b64(KEY.private), str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot" in done.stderr


def test_full_disk_is_noticed() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BINARY, "report", "decrypt", "--private-key", b64(KEY.private)],
            input=b64(encrypt(KEY, 1, 2, 3)).encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert b"cannot write" in done.stderr
