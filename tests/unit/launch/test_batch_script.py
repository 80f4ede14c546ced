"""The batch script of a training holds what the profile says as text: bash executes nothing of it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llast import cli
from llast.config.steps import Machine
from llast.launch.job import _executor

EVIL = (
    """- x'y"z $(touch EXECUTED) `touch EXECUTED`; touch EXECUTED & | > $HOME \\ *?~#! ü日 {a} #SBATCH --x"""
)
SRUN = """#!/usr/bin/env bash
printf '%s\\0' "$@" > called
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a name that a shell would take apart, and an `srun` that notes its arguments."""
    folder = tmp_path / EVIL
    folder.mkdir()
    (folder / "srun").write_text(SRUN)
    (folder / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("container", ["", f"./{EVIL}.sif"])
def test_bash_executes_nothing_that_the_profile_says(here: Path, container: str) -> None:
    machine = Machine(
        cluster="slurm",
        partition=EVIL,
        account=EVIL,
        extra=f"--qos={shlex.quote(EVIL)} --exclusive",
        container=container,
    )
    slurm: Any = _executor(here / "jobs", "llast-one-seed1", machine)._executor
    script = slurm._make_submission_file_text(slurm._submitit_command_str, "id")
    (here / "script.sh").write_text(script)
    subprocess.run(["bash", "script.sh"], check=True)
    assert [str(path) for path in here.rglob("EXECUTED")] == []
    called = (here / "called").read_text().split("\0")[:-1]
    program = ["apptainer", "exec", "--nv", container, "python"] if container else [sys.executable]
    assert called[-len(program) - 4 :] == [*program, "-u", "-m", "submitit.core._submit", str(here / "jobs")]
    options = [shlex.split(line)[1:] for line in script.splitlines() if line.startswith("#SBATCH")]
    assert all(len(words) == 1 for words in options)
    said = dict(word.removeprefix("--").partition("=")[::2] for (word,) in options)
    assert {said["partition"], said["account"], said["qos"]} == {EVIL}
    assert said["exclusive"] == ""


@pytest.mark.parametrize(
    ("argument", "value", "names"),
    [
        ("--extra", "--qos=a\ntouch EXECUTED", "'extra'"),
        ("--extra", "--qos='a", "'extra'"),
        ("--extra", "-x", "'-x'"),
        ("--extra", "--a;b=1", "'--a;b=1'"),
        ("--extra", "--output=x", "'--output'"),
        ("--extra", "--time=30", "runtime"),
        ("--partition", "a\n#SBATCH --wrap=x", "'partition'"),
        ("--account", "a\x1b[0m", "'account'"),
        ("--container", "-x.sif", "./-x.sif"),
        ("--container", "a\nb.sif", "'container'"),
        ("--nodes", "1.5", "'nodes'"),
        ("--minutes", "1e999", "'minutes'"),
        ("--threads", "9" * 30, "'threads'"),
        ("--experiment", "one\ntouch EXECUTED", "--experiment"),
        ("--experiment", "../one", "--experiment"),
    ],
)
def test_what_a_batch_script_cannot_hold_is_refused(
    argument: str, value: str, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict.fromkeys(("--experiment", "--mix", "--audio", "--encoder", "--llm", "--output"), "x")
    options: dict[str, Any] = {key: {"base": "./base"} for key in ("encoder", "llm")} | {
        "adaptor": {},
        "training": {},
    }
    options["mixture"] = {"pairs": ["fr_en"]}
    given |= {"--seed": "1", "--options": json.dumps(options), argument: value}
    try:
        code = cli.main(["train", *(f"{name}={text}" for name, text in given.items())])
    except SystemExit as leave:  # argparse's own
        code = int(str(leave.code))
    assert code == 2
    assert names in capsys.readouterr().err
