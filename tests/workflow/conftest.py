"""A folder to run the workflow in: the repository's own files, linked, and nothing that an earlier run has made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Workplace:
    """A folder that looks like a fresh clone, and Snakemake in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "profiles", "llast", "tests"):
            (folder / name).symlink_to(ROOT / name)

    def snakemake(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run Snakemake as a user would; standard output and error come together."""
        programs = f"{self.folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}"
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)
