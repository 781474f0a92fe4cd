"""``python -m verdict RUN...``: judge stored runs (again)."""

import sys

from verdict.cli import main

if __name__ == "__main__":
    sys.exit(main())
