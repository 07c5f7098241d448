"""Writes the vector files: `python -m findmy_sim.vectors FOLDER [--check]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from findmy_sim.vectors import answers, keys, login, reports

MAKERS: tuple[Callable[[], dict[str, Any]], ...] = (
    keys.keys,
    keys.keys_invalid,
    keys.advertisements,
    keys.rolling,
    keys.alignment,
    keys.keyfiles,
    reports.reports,
    reports.reports_parse,
    reports.ecdh,
    reports.kdf,
    reports.gcm,
    reports.pbkdf2,
    login.srp_file,
    login.gsa_file,
    login.anisette,
    answers.requests,
    answers.responses,
)


def main() -> int:
    """0 = written, or (with --check) nothing to write; 1 = a file differs."""
    parser = argparse.ArgumentParser(prog="python -m findmy_sim.vectors", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not what would be made")
    options = parser.parse_args()
    stale = 0
    for make in MAKERS:
        content = make()
        path = options.folder / content["file"]
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if not options.check:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: {content['count']} cases")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            print(f"{path} is not what the generator makes", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
