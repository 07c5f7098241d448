"""`python -m findmy_sim`: the same as the `findmy-sim` command."""

import sys

from findmy_sim.cli import main

if __name__ == "__main__":
    sys.exit(main())
