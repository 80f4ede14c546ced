"""`python -m llast` is `llast`."""

import sys

from llast.cli import main

sys.exit(main())
