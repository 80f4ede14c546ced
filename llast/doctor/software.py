"""Checks of what is installed: Python, the packages, torch with CUDA and NCCL, DeepSpeed."""

import importlib.metadata
import json
import platform
import re
import sys
from pathlib import Path

from llast.doctor.check import Check, ask

REINSTALL = "tools/install.sh .venv demo"
IMPORT_S = 180  # from a cold network file system

_TORCH = """
import json, torch
found = {"version": torch.__version__, "cuda": torch.version.cuda, "gpus": [], "error": "", "nccl": ""}
found["gloo"] = torch.distributed.is_available() and torch.distributed.is_gloo_available()
if torch.cuda.is_available():
    found["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    try:
        for i in range(torch.cuda.device_count()):
            ones = torch.ones(64, 64, device=f"cuda:{i}")
            assert float((ones @ ones).sum()) == 64.0**3
    except Exception as error:
        found["error"] = f"GPU {i}: {str(error).splitlines()[0]}"
if torch.version.cuda and torch.distributed.is_nccl_available():
    found["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))
print(json.dumps(found))
"""


def check_python() -> Check:
    """The interpreter; older ones than 3.11 do not get this far."""
    return Check("Python", "good", f"{platform.python_version()} ({sys.executable})")


def check_packages(constraints: Path) -> Check:
    """The packages that llast needs: whether they are there, and in the versions that its tests were run with."""
    needed = [text for text in importlib.metadata.requires("llast") or [] if "extra ==" not in text]
    missing = [name for name in (re.split(r"[^\w.-]", text)[0] for text in needed) if not _version(name)]
    if missing:
        return Check("packages", "BAD", f"missing: {', '.join(missing)}", REINSTALL)
    if not constraints.is_file():
        return Check(
            "packages", "good", f"all {len(needed)} there; {constraints} is not, to compare versions with"
        )
    other = _unlike(constraints)
    if other:
        found = f"not as in {constraints}: {', '.join(other[:5])}" + (", ..." if len(other) > 5 else "")
        return Check("packages", "warn", found, "tests were run with those versions; " + REINSTALL)
    return Check("packages", "good", f"as in {constraints}")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unlike(constraints: Path) -> list[str]:
    """Installed packages whose version is not the pinned one."""
    pins = re.findall(r"^([\w.-]+)==(\S+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    found = [(name, _version(name), pinned) for name, pinned in pins]
    return [
        f"{name} {version} instead of {pinned}"
        for name, version, pinned in found
        if version and version.partition("+")[0] != pinned  # those of an extra need not be there
    ]


def check_torch(needs_gpu: bool, elsewhere: bool) -> list[Check]:
    """torch and CUDA, with a product on every GPU; then what processes talk with.

    Args:
        needs_gpu: the profile trains on GPUs.
        elsewhere: those are on other machines, reached through Slurm.
    """
    good, said = ask([sys.executable, "-c", _TORCH], IMPORT_S)
    if not good:
        return [
            Check("torch", "BAD", f"cannot be imported: {said}", REINSTALL),
            Check("NCCL", "BAD", "unknown without torch", REINSTALL),
        ]
    found = json.loads(said.splitlines()[-1])
    build = f"{found['version']}, " + (f"CUDA {found['cuda']}" if found["cuda"] else "for CPU")
    cuda = "rm -rf .venv; LLAST_TORCH=cuda make install (as much for a login node without a GPU)"
    if found["error"]:
        torch = Check(
            "torch", "BAD", f"{build}: {found['error']}", "nvidia-smi says more; the driver may be too old"
        )
    elif found["gpus"]:
        names = ", ".join(f"{found['gpus'].count(gpu)} x {gpu}" for gpu in dict.fromkeys(found["gpus"]))
        torch = Check("torch", "good", f"{build}; {names}")
    elif needs_gpu and not found["cuda"]:
        torch = Check("torch", "BAD", f"{build}, and the profile trains on GPUs", cuda)
    elif needs_gpu and elsewhere:
        torch = Check("torch", "good", f"{build}; no GPU here, where only jobs are submitted")
    elif needs_gpu:
        torch = Check("torch", "BAD", f"{build}; no GPU", "nvidia-smi shows whether there is one")
    else:
        torch = Check("torch", "good", f"{build}; no GPU, training on CPU")
    if found["nccl"]:
        return [torch, Check("NCCL", "good", found["nccl"])]
    if found["cuda"] or needs_gpu:
        return [torch, Check("NCCL", "BAD", "not in this build of torch", cuda)]
    if not found["gloo"]:
        return [torch, Check("NCCL", "BAD", "no GPU, and this torch has no gloo either", REINSTALL)]
    return [torch, Check("NCCL", "-", "not needed: processes on CPU talk through gloo")]


def check_deepspeed() -> Check:
    """The training engine, imported as a training does."""
    program = "import deepspeed; print(); print(deepspeed.__version__)"
    good, said = ask([sys.executable, "-c", program], IMPORT_S)
    if good:
        return Check("DeepSpeed", "good", said.splitlines()[-1])
    return Check("DeepSpeed", "BAD", f"cannot be imported: {said}", REINSTALL)
