"""Runs a whole system for the browser tests of the user front end and prints its address and ids as one line of JSON.

It ends, with everything that it started, when its standard input is closed. Usage: python serve_app.py TRACKERD
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import app_world
from stack import Stack


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tracker-e2e-") as name:
        folder = Path(name)
        with Stack(folder, sys.argv[1], {"MEDIA_FOLDER": str(folder / "media")}) as stack:
            world = app_world.build(stack)
            print(json.dumps({"url": stack.url} | world), flush=True)
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
