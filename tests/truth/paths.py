"""Makes tests/stack.py and the simulator importable; imported for that alone."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "sim")]
