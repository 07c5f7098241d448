"""Key files for the tests of imports, made by the program itself."""

from __future__ import annotations

import csv
import io
import json
import subprocess

from stack import Stack

HEADER = ["ID/Name", "Advertisement Key", "Private Key", "Hashed Adv Key", "MAC Address"]


def fresh_keys(server: Stack, count: int) -> list[dict[str, str]]:
    """Keys with private_key, advertisement_key, hashed_advertisement_key and mac_address."""
    out = subprocess.run(
        [server.binary, "keys", "generate", "--count", str(count)], capture_output=True, text=True, check=True
    ).stdout
    return [json.loads(line) for line in out.splitlines()]


def row_of(name: str, key: dict[str, str]) -> list[str]:
    return [
        name,
        key["advertisement_key"],
        key["private_key"],
        key["hashed_advertisement_key"],
        key["mac_address"],
    ]


def as_csv(rows: list[list[str]], header: list[str] | None = None, **options: str) -> str:
    out = io.StringIO()
    csv.writer(out, **options).writerows([header or HEADER, *rows])
    return out.getvalue()
