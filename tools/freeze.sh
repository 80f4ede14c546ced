#!/usr/bin/env bash
# Write constraints.txt from an installed environment: tools/freeze.sh VENV. Torch's build (+cpu) is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
{
    echo "# Exact versions of the whole environment (all extras), Python $("$1/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')."
    echo "# To renew: edit pyproject.toml, empty this file, rm -rf .venv, then: make constraints"
    "$1/bin/python" -m pip freeze --exclude-editable | sed 's/^\(torch==[^+]*\)+.*/\1/'
} >.constraints.tmp
mv .constraints.tmp constraints.txt
