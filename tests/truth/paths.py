"""Makes tests/stack.py, tools/services.py and the simulator importable; imported for that alone."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("tests", "sim", "tools")]
