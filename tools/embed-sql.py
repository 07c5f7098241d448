"""Writes the SQL below db/ as a C table, so that `trackerd migrate` needs no files beside the binary.

Usage: embed-sql.py FOLDER OUTPUT.c DEPFILE

The table holds migrations/*.sql and timeseries/FORM/*.sql, named by their path below FOLDER and sorted by it.
"""

import sys
from pathlib import Path

PATTERNS = ("migrations/*.sql", "timeseries/*/*.sql")


def literal(text: bytes) -> str:
    """One C string literal; octal escapes have three digits, so that a digit may follow."""
    out = []
    for byte in text:
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif 0x20 <= byte < 0x7F and char != "?":  # two question marks could begin a trigraph
            out.append(char)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def table_row(name: str, text: bytes) -> str:
    if b"\0" in text:
        sys.exit(f"{name} holds a NUL byte")
    lines = "\n".join("      " + literal(line) for line in text.splitlines(keepends=True)) or '      ""'
    return f"    {{ {literal(name.encode())},\n{lines} }},"


def main() -> None:
    folder, output, depfile = (Path(arg) for arg in sys.argv[1:4])
    files = sorted(file for pattern in PATTERNS for file in folder.glob(pattern))
    rows = [table_row(file.relative_to(folder).as_posix(), file.read_bytes()) for file in files]
    output.write_text(
        "/* Made by tools/embed-sql.py. */\n"
        '#include "store/migration_set.h"\n\n'
        "const struct embedded_sql embedded_sql[] = {\n" + "\n".join(rows) + "\n    { 0 },\n};\n"
    )
    # The folders are named, too: a new file changes them.
    seen = [*files, *{file.parent for file in files}, *(folder / name for name in ("migrations", "timeseries"))]
    depfile.write_text(f"{output}: " + " ".join(str(path).replace(" ", "\\ ") for path in dict.fromkeys(seen)) + "\n")


main()
