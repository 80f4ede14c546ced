"""Checks of where things lie: the shared folder, the disk, MLflow's store, tokens, offline flags."""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from llast.doctor.check import Check
from llast.results.tracking.address import database_of, without_password
from llast.temporary import temporary_folder

SHARED = {
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "fuse.ceph",
    "wekafs",
    "panfs",
    "glusterfs",
    "cifs",
}
SHARED |= {"fuse.glusterfs", "afs", "pvfs2", "virtiofs", "9p", "fuse.juicefs"}
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def check_folder(folder: Path, needs_shared: bool) -> Check:
    """The working folder: whether files can be locked, synced and renamed in it, and whether nodes share it."""
    try:
        with temporary_folder(folder / "doctor") as scratch:
            first = scratch / "first"
            with first.open("w", encoding="utf-8") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.write("x")
                file.flush()
                os.fsync(file.fileno())
            first.rename(scratch / "second")
    except OSError as error:
        remedy = "work in a folder where files can be written, locked and renamed"
        return Check("folder", "BAD", f"{folder}: {error.strerror}", remedy)
    kind = file_system(folder)
    if needs_shared and kind not in SHARED:
        remedy = "all nodes have to see it, .venv included; if they do, all is well"
        return Check("folder", "warn", f"{folder} is on {kind}, which other nodes rarely see", remedy)
    return Check("folder", "good", f"{folder} ({kind})")


def file_system(folder: Path) -> str:
    """Type of the file system that a folder is on, such as `nfs4` or `ext4`."""
    device = folder.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    best = ("", "unknown")
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, rest = line.partition(" - ")
        _, _, number, _, mount, *_ = fields.split()
        mount = mount.encode().decode("unicode_escape")
        inside = folder.resolve().is_relative_to(mount)
        if (number == name or inside) and inside and len(mount) >= len(best[0]):
            best = (mount, rest.split()[0])
    return best[1]


def check_disk(folder: Path, needed_gb: float) -> Check:
    """Free space, against what `llast plan` says is still to be written."""
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:,.0f} GB free, about {needed_gb:,.1f} GB needed"
    if free < needed_gb:
        remedy = "make room, link results/ and resources/ to a larger disk, or keep fewer checkpoints"
        return Check("disk", "BAD", found, remedy)
    if free < 1.2 * needed_gb + 1:
        return Check("disk", "warn", found, "an estimate (llast plan): leave more room")
    return Check("disk", "good", found)


def check_mlflow(uri: str) -> Check:
    """MLflow's store. A store that is down stops nothing: `llast track` brings everything to it later."""
    shown, database = without_password(uri, uri), database_of(uri)
    later = "the workflow runs on without, and llast track brings everything there later"
    if uri.startswith(("http://", "https://")):
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=5):
                return Check("MLflow", "good", f"{shown} answers")
        except urllib.error.HTTPError as error:
            more = "start the server with --allowed-hosts; " if error.code == 403 else ""
            return Check("MLflow", "warn", f"{shown}: {error.code} {error.reason}", more + later)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            found = f"{shown} does not answer: {reason}"
            return Check("MLflow", "warn", found, f"mlflow server, or correct tracking_uri; {later}")
    if database is None:
        return Check("MLflow", "-", f"{shown}: not looked at")
    if not database.exists():
        return Check("MLflow", "good", f"{database} will be made")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=5)) as opened:
            (versions,) = opened.execute("select count(*) from alembic_version").fetchone()
    except sqlite3.Error as error:
        return Check("MLflow", "warn", f"{database}: {error}", f"move it away; {later}")
    return Check("MLflow", "good", f"{database}" + ("" if versions else " (empty)"))


def check_hub(waiting: Sequence[str], gated: Sequence[str], environment: Mapping[str, str]) -> list[Check]:
    """The token of the Hugging Face hub, never printed, and the flags that forbid downloads.

    Args:
        waiting: base models that are not here yet.
        gated: those of them that are given to known users only.
        environment: environment variables.
    """
    where = _token(environment)
    if where:
        token = Check("token", "good", f"Hugging Face: {where}")
    elif gated:
        from llast.hub import LOGIN  # loads the hub's client

        remedy = f"accept the licence on the model's page, then: {LOGIN}"
        token = Check("token", "BAD", f"Hugging Face: none, and {', '.join(gated)} asks for one", remedy)
    else:
        token = Check("token", "-", "Hugging Face: none, and no base model asks for one")
    flags = [name for name in OFFLINE if environment.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}]
    if flags and waiting:
        remedy = f"unset {' '.join(flags)} where Snakemake runs; jobs on compute nodes need no network"
        found = f"{' '.join(flags)} forbid to fetch {', '.join(waiting)}"
        return [token, Check("offline", "BAD", found, remedy)]
    return [
        token,
        Check("offline", "good", f"{' '.join(flags) or 'not set'}; {len(waiting)} base models to fetch"),
    ]


def _token(environment: Mapping[str, str]) -> str:
    """Where a token is; empty if nowhere."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if environment.get(name, "").strip():
            return f"present in ${name}"
    home = environment.get("HF_HOME") or f"{environment.get('XDG_CACHE_HOME', '~/.cache')}/huggingface"
    path = Path(environment.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    try:
        return f"present in {path}" if path.read_text(encoding="utf-8").strip() else ""
    except OSError:
        return ""
