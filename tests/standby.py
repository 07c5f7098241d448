"""A streaming replica of a PostgreSQL of tools/services.py, for tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from services import Postgres


class Standby(Postgres):
    """A streaming copy of another Postgres of tools/services.py."""

    def __init__(self, folder: Path, primary: Postgres) -> None:
        super().__init__(folder, durable=False)
        self.primary = primary

    def initialise(self) -> None:
        self.own(self.folder)
        self.own(self.sockets)
        self.sockets.chmod(0o700)
        if not (self.data / "PG_VERSION").exists():
            # --write-recovery-conf makes it a standby that streams from there
            source = f"host={self.primary.sockets} user=postgres"
            self.run_tool("pg_basebackup", "-D", str(self.data), "-d", source, "-X", "stream", "-c", "fast", "-R")
