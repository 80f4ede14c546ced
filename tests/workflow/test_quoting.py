"""What a configuration and a profile say is text to the shell, whatever is in it: no rule's command executes it."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from llast import cli
from llast.cli.steps import STEPS
from tests.workflow.conftest import Workplace

PATH = """- x'y"z $(touch EXECUTED) `touch EXECUTED`; touch EXECUTED & | > $HOME \\ *?~#! ü日"""
"""Touches a file where a shell reads it, in any of the usual ways."""

TEXT = f"{PATH} {{a}} {{{{b}}}} %s"

RECORDER = """#!/usr/bin/env bash
# In the place of llast: notes its arguments and leaves the file that the rule declares, and those beside it.
printf '%s\\0' "$@" > "calls/$$"
while [ $# -gt 0 ]; do [ "$1" = --output ] && output=$2; shift; done
mkdir -p "$(dirname "$output")" && touch "$output"
case $output in *bleu_table.csv) touch results/scores.csv results/bleu_seeds.csv results/bleu_table.md ;; esac
"""

CORPUS: dict[str, Any] = {
    "pairs": ["fr_en"],
    "source": {"kind": "local", "audio": f"./{PATH}/{{lang}}", "tables": PATH},
}
TRAINED = {
    "description": TEXT,
    "encoder": {"base": f"./{PATH}/encoder", "lora": {"rank": 1, "alpha": 1, "targets": [TEXT, "--help"]}},
    "llm": {"base": f"./-{PATH}"},
    "mixture": {"pairs": "all"},
    "baseline": "other",
}
CASCADE: dict[str, Any] = {
    "kind": "cascade",
    "whisper": {"base": f"./{PATH}/encoder"},
    "llm": {"base": f"./-{PATH}", "prompt": PATH + "\n{text}"},
}
SITE = {  # Snakemake fills in variables of the environment here
    "slurm_partition": PATH.replace("$HOME", ""),
    "slurm_account": "$(touch EXECUTED)",
    "slurm_extra": "--qos='$(touch EXECUTED)' --exclusive",
    "container_image": f"./{PATH}.sif".replace("$HOME", ""),
}
MACHINE = ("partition", "account", "extra", "container")


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A folder whose name, configuration and profile hold all of it, after a run of the whole workflow."""
    place = Workplace(tmp_path)
    folder = place.folder
    config = {
        "corpus": "small",
        "experiments": ["one", "other"],
        "config_dir": f"./{PATH}",
        "comet_command": shlex.quote(TEXT),
        "comet_model": TEXT,
        "tracking_uri": f"sqlite:///{PATH}.db",
    }
    files: dict[str, Any] = {
        "config/config.yaml": config,
        f"{PATH}/corpora/small.yaml": CORPUS,
        f"{PATH}/experiments/one.yaml": TRAINED,
        f"{PATH}/experiments/other.yaml": CASCADE,
        f"{PATH}/published.csv": {},
        f"{PATH}/encoder/config.json": {},
        f"-{PATH}/config.json": {},
        "site/profile.yaml": {"set-resources": {"train": SITE}},
    }
    for name, values in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump(values), encoding="utf-8")
    (folder / "bin").mkdir()
    (folder / "calls").mkdir()
    (folder / "bin/llast").write_text(RECORDER)
    (folder / "bin/llast").chmod(0o755)
    result = place.snakemake("--cores", "2", "--profile", "site", "--quiet", "host", "reason")
    assert result.returncode == 0, result.stdout[-3000:]
    return place


def calls(place: Workplace) -> dict[str, list[Any]]:
    """The arguments of each call as the command line takes them, by verb."""
    found: dict[str, list[Any]] = {}
    for path in sorted((place.folder / "calls").iterdir()):
        arguments = cli._parser().parse_args(path.read_bytes().decode().split("\0")[:-1])
        found.setdefault(arguments.verb.name, []).append(arguments)
    return found


def test_nothing_of_it_is_executed_and_all_of_it_arrives(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    assert [str(path) for path in place.folder.rglob("EXECUTED")] == []
    found = calls(place)
    made_only = {"synthesize", "fetch-model"}  # of names that are checked
    assert found.keys() == {verb.name for verb in STEPS} - made_only
    (train,) = found["train"]
    assert (train.encoder, train.llm) == (Path(PATH) / "encoder", Path(f"-{PATH}"))
    assert json.loads(train.options)["encoder"]["lora"]["targets"] == [TEXT, "--help"]
    assert {name: getattr(train, field) for name, field in zip(SITE, MACHINE, strict=True)} == SITE
    (described,) = found["describe"]
    assert described.bases == {"whisper": Path(PATH) / "encoder", "llm": Path(f"-{PATH}")}
    assert json.loads(described.options)["experiment"]["llm"]["prompt"] == CASCADE["llm"]["prompt"]
    (fetched,) = found["fetch"]
    assert json.loads(fetched.options)["source"].items() >= CORPUS["source"].items()
    assert {
        (o["comet_command"], o["comet_model"]) for o in (json.loads(s.options) for s in found["score"])
    } == {(shlex.quote(TEXT), TEXT)}
    assert {call.published for verb in ("table", "report") for call in found[verb]} == {
        Path(PATH) / "published.csv"
    }
