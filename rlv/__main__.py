"""`python -m rlv`: the command line without its entry point on the PATH."""

import sys

from rlv.cli import main

sys.exit(main())
