"""Checks that no lower layer of src/ includes a higher one. Exit status 1 names each include that does.

The table is the one of the architecture page: a layer may include itself and what stands behind it.
"""

import re
import sys
from pathlib import Path

MAY_USE = {
    "base": set(),
    "store": {"base"},
    "http": {"base"},
    "net": {"base"},
    "findmy": {"base", "net"},
    "geocode": {"base", "store", "net"},
    "media": {"base", "net"},
    "tracking": {"base"},
    "tasks": {"base", "store"},
    "auth": {"base", "store"},
    "api": {"base", "store", "http", "net", "auth", "findmy", "geocode", "media", "tracking", "tasks"},
    "jobs": {"base", "store", "net", "findmy", "geocode", "media", "tracking", "tasks", "auth", "api"},
    "cli": {"base", "store", "http", "net", "findmy", "geocode", "media", "tracking", "tasks", "auth", "api", "jobs"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def main() -> int:
    root = Path(__file__).resolve().parents[1] / "src"
    errors = 0
    for file in sorted(root.rglob("*.[ch]")):
        layer = file.relative_to(root).parts[0]
        for target in INCLUDE.findall(file.read_text()):
            other = target.split("/")[0]
            if "/" not in target or (other != layer and other not in MAY_USE.get(layer, set())):
                print(f"{file.relative_to(root.parent)}: {layer} must not include {target}")
                errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
