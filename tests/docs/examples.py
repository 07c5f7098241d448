"""Finds the runnable examples of the documentation: fences of code behind a comment `<!-- run -->`.

The marked fences of one language on one page are one program, in their order, so that a later one may use what an
earlier one has defined. `<!-- run: prints WORDS -->` also says what the program must print, in this order.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

MARK = re.compile(r"^\s*<!--\s*run\b", re.MULTILINE)  # on a line of its own
EXAMPLE = re.compile(
    r"^(?P<indent> *)<!-- run(?:: prints (?P<words>[^\n]+?))? -->\n\n?(?P=indent)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Program:
    """What the examples of one language on one page amount to."""

    page: str
    language: str
    code: str = ""
    prints: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.page}:{self.language}"


def programs(page: str, text: str) -> list[Program]:
    """The programs of a page, by language. A mark that stands before no fence is an error, not a comment."""
    found: dict[str, Program] = {}
    count = 0
    for match in EXAMPLE.finditer(text):
        program = found.setdefault(match["language"], Program(page, match["language"]))
        program.code += textwrap.dedent(match["code"]) + "\n"
        if match["words"]:
            program.prints.append(match["words"])
        count += 1
    marks = len(MARK.findall(text))
    if marks != count:
        raise ValueError(f"{page}: {marks} marks, but {count} fences that follow one")
    return list(found.values())


def all_programs(docs: Path) -> list[Program]:
    pages = sorted(docs.rglob("*.md"))
    return [program for page in pages for program in programs(str(page.relative_to(docs)), page.read_text())]
