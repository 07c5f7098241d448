"""Runs the examples of the documentation against a real server, in the languages they are written in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import psycopg
import pytest
from conftest import ROOT, TRACKERS, Customer
from examples import Program, all_programs, programs

TYPESCRIPT_NODE = (22, 18)  # the first that runs TypeScript without a flag
RUN_SECONDS = 60


@cache
def node() -> str | None:
    """A Node that runs TypeScript: the one that the front ends pin, or the machine's."""
    modules = ROOT / "web" / "node_modules"
    pinned = [modules / ".bin" / "node", *sorted(modules.glob("node-*/bin/node"))]
    for path in [*(str(path) for path in pinned if path.exists()), shutil.which("node")]:
        if not path:
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        numbers = re.match(r"v(\d+)\.(\d+)", version)
        if numbers and tuple(map(int, numbers.groups())) >= TYPESCRIPT_NODE:
            return path
    return None


def command(program: Program, folder: Path) -> list[str]:
    """Write the program down; what runs it. Shells stop at the first failure, like the other languages."""
    if program.language == "sh":
        file = folder / "example.sh"
        file.write_text("set -euo pipefail\n" + program.code)
        return ["bash", str(file)]
    if program.language == "python":
        file = folder / "example.py"
        file.write_text(program.code)
        return [sys.executable, str(file)]
    assert program.language == "ts", f"{program.name}: examples are sh, python or ts"
    if node() is None:
        pytest.skip(f"no Node from {'.'.join(map(str, TYPESCRIPT_NODE))} on")
    file = folder / "example.mts"
    file.write_text(program.code)
    return [node(), str(file)]


def assert_prints(output: str, wanted: list[str]) -> None:
    """The words are there, in their order."""
    position = 0
    for words in wanted:
        found = output.find(words, position)
        assert found >= 0, f"{words!r} is not printed after what came before; all of it:\n{output}"
        position = found + len(words)


def run(program: Program, folder: Path, env: dict[str, str]) -> None:
    """The program ends well and prints what its page says."""
    started = command(program, folder)
    result = subprocess.run(started, env=env, cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert result.returncode == 0, f"{program.code}\n{result.stdout}\n{result.stderr}"
    assert_prints(result.stdout, program.prints)


def named(program: Program) -> str:
    return program.name


PROGRAMS = all_programs(ROOT / "docs")
OPERATORS = [program for program in PROGRAMS if program.page.startswith("operators/")]


@pytest.mark.parametrize("program", [program for program in PROGRAMS if program not in OPERATORS], ids=named)
def test_example_runs(program: Program, customer: Customer) -> None:
    run(program, customer.folder, customer.env())


@pytest.mark.parametrize("program", OPERATORS, ids=named)
def test_operators_example_runs(program: Program, customer: Customer, operator: dict[str, str]) -> None:
    run(program, customer.folder, operator)
    if "$RESTORED_URL" in program.code:
        before, after = rows_of_tables(operator["DATABASE_URL"]), rows_of_tables(operator["RESTORED_URL"])
        assert before["trackers"] >= TRACKERS
        assert after == before


def rows_of_tables(url: str) -> dict[str, int]:
    with psycopg.connect(url) as db:
        tables = db.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables.fetchall()}


def test_quick_start_is_in_three_languages() -> None:
    languages = {program.language for program in PROGRAMS if program.page == "integrators/quickstart.md"}
    assert languages == {"sh", "python", "ts"}


PAGE = """
<!-- run -->
```sh
one
```

=== "Tab"

    <!-- run: prints 2 things -->
    ```sh
    if two; then
        three
    fi
    ```

```sh
not marked
```

<!-- run -->
```python
four
```
"""


def test_fences_of_a_language_are_one_program() -> None:
    shell, python = programs("page.md", PAGE)
    assert shell.code == "one\n\nif two; then\n    three\nfi\n\n"
    assert shell.prints == ["2 things"]
    assert (python.language, python.code, python.prints) == ("python", "four\n\n", [])


@pytest.mark.parametrize(
    "text", ["<!-- run -->\nwords\n", "<!-- run-->\n```sh\nx\n```\n", "<!-- run: show x -->\n```sh\nx\n```\n"]
)
def test_a_mark_without_its_fence_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="1 marks, but 0 fences"):
        programs("page.md", text)


def test_missing_words_are_noticed() -> None:
    assert_prints("a b c", ["a", "c"])
    with pytest.raises(AssertionError, match="'a' is not printed"):
        assert_prints("a b c", ["c", "a"])
