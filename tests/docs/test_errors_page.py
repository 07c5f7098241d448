"""The page on errors names every code that the server can answer with."""

from __future__ import annotations

import re

from conftest import ROOT

REPLY = re.compile(r'reply_(?:problem|unavailable)\(\s*\w+,\s*(?:\d+,\s*)?"([a-z_]+)"')
TITLED = re.compile(r'^\s*\{ "([a-z_]+)", "[^"]+", \d{3} \},', re.MULTILINE)
PAGE = ROOT / "docs" / "integrators" / "errors-and-limits.md"


def codes_in_source() -> set[str]:
    codes = set(TITLED.findall((ROOT / "src" / "http" / "problem.c").read_text()))
    for file in (ROOT / "src").rglob("*.c"):
        codes.update(REPLY.findall(file.read_text()))
    return codes


def test_every_code_is_explained() -> None:
    codes = codes_in_source()
    assert {"not_found", "bad_framing", "database_unavailable", "stale"} <= codes
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    explained = set(re.findall(r"`([a-z_]+)`", "\n".join(rows)))
    missing = sorted(codes - explained)
    assert not missing, f"say in {PAGE.relative_to(ROOT)} what a program should do about: {', '.join(missing)}"
