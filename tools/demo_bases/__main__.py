"""Pre-train the demo's tiny encoder and LLM, in the root of the repository: `python -m tools.demo_bases --output DIR`.

Half an hour on one core. The committed bases say in their `pretraining.json` by which command they were made: it was
`llast demo base-models` then, with the same arguments.
"""

import argparse
import logging
from pathlib import Path

from tools.demo_bases.build import build_base_models

parser = argparse.ArgumentParser(prog="python -m tools.demo_bases", description=(__doc__ or "").split(",")[0])
parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write")
parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
arguments = parser.parse_args()
logging.basicConfig(level=logging.INFO, format="%(message)s")
build_base_models(arguments.output, arguments.seed)
