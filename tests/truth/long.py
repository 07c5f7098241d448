"""The long forms of the truth and permutation tests, on a private PostgreSQL that is removed afterwards.

python tests/truth/long.py truth [--trackers 1000] [--days 30]        # some 10 minutes
python tests/truth/long.py permutations [--orders 50]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from system import System
from test_permutations import permutations, prepared
from test_truth import truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", choices=("truth", "permutations"))
    parser.add_argument("--trackers", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--seed", default="long")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trackerd-truth-") as folder:
        system = System(Path(folder))
        started = time.monotonic()
        try:
            if options.test == "truth":
                n = truth(system, options.trackers or 1000, options.days or 30, parts=30, edits=40, seed=options.seed)
                print(f"{n} rows and events equal the oracle's")
            else:
                scene = prepared(system, options.trackers or 20, options.days or 8, options.seed)
                deaths = permutations(system, scene, options.orders)
                print(
                    f"{options.orders} orders of {len(scene.arrivals)} reports give one history; {deaths} judges were killed"
                )
        finally:
            system.close()
        print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
