"""`llast doctor` under real conditions: broken packages, full disks, servers that are down, secrets."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llast.doctor.places import check_disk, check_folder, check_hub, check_mlflow, file_system
from llast.doctor.software import check_packages

ROOT = Path(__file__).parents[3]
PROFILE = ("--profile", "profiles/slurm")
GATED = "meta-llama/Llama-2-13b-chat-hf@main"
SECRET = "hf_0123456789secret"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("config", "profiles", "llast", "constraints.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def doctor(folder: Path, *arguments: object, **environment: str) -> tuple[int, dict[str, str], str]:
    """Exit code, line by name of check, and everything that was printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    result = subprocess.run(
        [sys.executable, "-m", "llast", "doctor", *map(str, arguments)],
        cwd=folder,
        env={**kept, "HF_HOME": str(folder / "hf"), **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    lines = {line.split()[1]: line for line in result.stdout.splitlines()}
    return result.returncode, lines, result.stdout + result.stderr


@pytest.fixture
def without_slurm(tmp_path: Path) -> str:
    """A PATH with what Python needs and nothing else."""
    (tmp_path / "empty-bin").mkdir()
    return str(tmp_path / "empty-bin")


@pytest.mark.slow
def test_the_demo_is_well_here(clone: Path) -> None:
    code, lines, text = doctor(clone)
    assert code == 0, text
    checks = "Python packages torch NCCL DeepSpeed Slurm folder names site disk corpus MLflow token offline"
    assert list(lines) == checks.split()
    assert not re.search("^BAD", text, re.MULTILINE)
    assert lines["packages"].startswith("good ")
    assert lines["DeepSpeed"].startswith("good ")
    assert lines["Slurm"].startswith("- ")


@pytest.mark.slow
def test_a_cluster_without_slurm_or_room_or_a_token_fails_with_remedies(
    clone: Path, without_slurm: str
) -> None:
    if shutil.disk_usage(clone).free > 300e9:
        pytest.skip("this disk has room for all of the paper's experiments")
    code, lines, text = doctor(clone, *PROFILE, PATH=without_slurm)
    assert code == 2
    bad = [name for name, line in lines.items() if line.startswith("BAD ")]
    assert bad[-5:] == ["Slurm", "accounting", "disk", "corpus", "token"]
    assert ", ".join(bad) in text.splitlines()[-1], "the error names all of them"
    assert re.search(r"sbatch.* -> .*module load slurm", lines["Slurm"])
    assert re.search(r"\d+ GB .*3\d\d\.\d GB .* -> ", lines["disk"])
    assert re.search(r"meta-llama/Llama-2-13b-chat-hf@\w+ .* -> ", lines["token"])


@pytest.mark.parametrize("where", ["variable", "file"])
def test_a_token_is_seen_and_never_printed(tmp_path: Path, where: str) -> None:
    environment = {"HF_HOME": str(tmp_path)} | ({"HF_TOKEN": SECRET} if where == "variable" else {})
    if where == "file":
        assert check_hub([GATED], [GATED], environment)[0].status == "BAD"
        (tmp_path / "token").write_text(SECRET)
    token, _ = check_hub([GATED], [GATED], environment)
    assert token.status == "good"
    assert ("$HF_TOKEN" if where == "variable" else str(tmp_path / "token")) in token.found
    assert SECRET not in token.line()


def test_offline_flags_are_in_the_way_until_everything_is_fetched(tmp_path: Path) -> None:
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "0"}
    _, offline = check_hub([GATED], [], environment)
    assert re.match(f"BAD +offline +HF_HUB_OFFLINE .*{GATED} -> unset HF_HUB_OFFLINE", offline.line())
    _, offline = check_hub([], [], environment)
    assert offline.status == "good"
    assert "HF_HUB_OFFLINE" in offline.found


def test_packages_that_cannot_be_imported_are_named_with_their_own_words(clone: Path) -> None:
    for name in ("torch", "deepspeed"):
        (clone / "broken" / name).mkdir(parents=True)
        (clone / "broken" / name / "__init__.py").write_text(
            "raise ImportError('libcudart.so.12: cannot open shared object file')"
        )
    code, lines, text = doctor(clone, PYTHONPATH=str(clone / "broken"))
    assert code == 2
    for name in ("torch", "DeepSpeed"):
        assert "ImportError: libcudart.so.12: cannot open" in lines[name]
    assert [name for name, line in lines.items() if line.startswith("BAD ")] == ["torch", "NCCL", "DeepSpeed"]
    assert "torch, NCCL, DeepSpeed" in text.splitlines()[-1]


def test_a_version_that_is_not_the_pinned_one_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==1.0.0\nno-such-extra==1.0\n")
    check = check_packages(tmp_path / "constraints.txt")
    assert check.status == "warn"
    assert re.search(r"constraints.txt.*numpy.*1\.0\.0", check.found)


def test_a_folder_has_to_take_files_and_one_that_nodes_do_not_share_is_a_warning(tmp_path: Path) -> None:
    assert check_folder(Path("/proc"), needs_shared=False).status == "BAD"
    assert check_folder(tmp_path, needs_shared=False).status == "good"
    assert file_system(Path("/proc")) == "proc"
    if file_system(Path("/dev/shm")) == "tmpfs":
        check = check_folder(Path("/dev/shm"), needs_shared=True)
        assert check.status == "warn"
        assert "tmpfs" in check.found


def test_the_disk_needs_room_for_what_is_planned(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free / 1e9
    assert [check_disk(tmp_path, share * free).status for share in (0.1, 0.95, 1.5)] == [
        "good",
        "warn",
        "BAD",
    ]


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
    ]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(
        [*command, "--port", str(port), "--workers", "1"], stdout=log, stderr=log, start_new_session=True
    )
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((tmp_path / "server.log").read_text())
        yield uri
    finally:
        os.killpg(process.pid, 15)
        process.wait()
        log.close()


@pytest.mark.slow
def test_mlflow_is_asked_and_a_store_that_is_down_stops_nothing(tmp_path: Path, mlflow_server: str) -> None:
    up = check_mlflow(mlflow_server)
    assert up.status == "good"
    assert mlflow_server in up.found
    assert check_mlflow(f"sqlite:///{tmp_path}/mlflow.db").status == "good"
    down = check_mlflow("http://me:hunter2@127.0.0.1:9")
    assert re.match(r"warn +MLflow +http://me:\*\*\*@127.0.0.1:9 .*llast track", down.line())
    assert "hunter2" not in down.line()
    (tmp_path / "text.db").write_text("no database, whatever its name says")
    broken = check_mlflow(f"sqlite:///{tmp_path}/text.db")
    assert broken.status == "warn"
    assert "text.db" in broken.line()
