#!/usr/bin/env bash
# Install the pinned environment: tools/install.sh VENV EXTRAS, for example `tools/install.sh .venv demo,dev`.
#
# LLAST_TORCH=cpu|cuda says which build of torch to take; by default: CUDA where an NVIDIA driver is, else CPU.
# (On a login node without a GPU whose compute nodes have some: LLAST_TORCH=cuda.)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
extras=$2
torch_cpu_index=https://download.pytorch.org/whl/cpu

python=
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "install: no Python >= 3.11 found. Install one, or name it: PYTHON=/path/to/python3 make" >&2
    exit 2
fi

if ! [ -x "$venv/bin/pip" ]; then
    echo "install: creating $venv with $("$python" --version)"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "install: '$python -m venv' failed. On Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 2
    fi
fi
pip=("$venv/bin/python" -m pip install --disable-pip-version-check --constraint constraints.txt)

build=${LLAST_TORCH:-}
if [ -z "$build" ]; then
    if [ -e /proc/driver/nvidia/version ] || command -v nvidia-smi >/dev/null; then build=cuda; else build=cpu; fi
fi
if [ "$build" = cpu ]; then
    # The CPU build (0.2 GB instead of 3 GB) is on PyTorch's own index; taken only if that answers soon, and for
    # torch alone. Otherwise the configured index gives what it has.
    if "$python" - "$torch_cpu_index/torch/" 2>/dev/null <<'PROBE'; then
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=3)
PROBE
        echo "install: no NVIDIA driver, torch for CPU from $torch_cpu_index"
        "${pip[@]}" --extra-index-url "$torch_cpu_index" torch
    else
        echo "install: no NVIDIA driver; $torch_cpu_index does not answer, torch from the configured index"
    fi
fi
if [ "$build" = cuda ]; then extras+=,gpu; fi
"${pip[@]}" --editable ".[$extras]"
