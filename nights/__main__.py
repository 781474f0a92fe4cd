"""``python -m nights``: see :mod:`nights.cli`."""

import sys

from nights.cli import main

if __name__ == "__main__":
    sys.exit(main())
