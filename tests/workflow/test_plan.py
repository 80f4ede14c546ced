"""Every shipped configuration is planned whole, and a bad one ends in one message and its exit code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llast.config.yaml_file import read_yaml
from tests.workflow.conftest import ROOT, Workplace

COVOST2 = {
    **{"fetch": 22, "fetch_model": 4, "resample": 22, "join": 22, "filter": 22},
    **{
        "mix": 3,
        "train": 3,
        "describe": 2,
        "decode": 109,
        "score": 10,
        "table": 1,
        "statistics": 1,
        "report": 1,
        "track": 1,
        "all": 1,
    },
}
SMOKE = {
    **{"fetch": 1, "fetch_model": 2, "resample": 1, "join": 1, "filter": 1},
    **{
        "mix": 1,
        "train": 1,
        "decode": 2,
        "score": 4,
        "table": 1,
        "statistics": 1,
        "report": 1,
        "track": 1,
        "all": 1,
    },
}
DEMO = {
    **{"synthesize": 6, "fetch": 6, "resample": 6, "join": 6, "filter": 6},
    **{
        "mix": 2,
        "train": 2,
        "decode": 24,
        "score": 8,
        "compare": 1,
        "table": 1,
        "statistics": 1,
        "report": 1,
        "track": 1,
        "all": 1,
    },
}
TINY36 = {
    **{"synthesize": 22, "fetch": 22, "resample": 22, "join": 22, "filter": 22},
    **{
        "mix": 1,
        "train": 1,
        "decode": 44,
        "score": 4,
        "table": 1,
        "statistics": 1,
        "report": 1,
        "track": 1,
        "all": 1,
    },
}


@pytest.fixture
def clone(workplace: Workplace) -> Workplace:
    (workplace.folder / "config").symlink_to(ROOT / "config")
    return workplace


def counts(output: str) -> dict[str, int]:
    rows = re.findall(r"^(\w+) +(\d+)$", output.split("Job stats:")[-1], re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "total"}


def estimated(clone: Workplace, arguments: list[str]) -> dict[str, int]:
    """Jobs per rule, as `llast plan` sees them."""
    command = [sys.executable, "-m", "llast", "plan", *arguments]
    output = subprocess.run(command, cwd=clone.folder, capture_output=True, text=True, timeout=60).stdout
    rows = re.findall(r"^(\w+) +(\d+) +0 ", output.split("left")[0], re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "all"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], DEMO),
        (["--configfile", "config/covost2.yaml"], COVOST2),
        (["--profile", "profiles/slurm"], COVOST2),
        (["--configfile", "config/covost2-smoke.yaml"], SMOKE),
        (["--profile", "profiles/slurm", "--configfile", "config/covost2-smoke.yaml"], SMOKE),
        (["--configfile", "tests/workflow/config36/config.yaml"], TINY36),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_shipped_configuration_is_planned_whole(
    clone: Workplace, arguments: list[str], expected: dict[str, int]
) -> None:
    result = clone.snakemake("--dry-run", *arguments)
    assert result.returncode == 0, result.stdout
    assert counts(result.stdout) == expected
    assert estimated(clone, arguments) == {rule: count for rule, count in expected.items() if rule != "all"}


def test_the_slurm_profile_sets_machines_and_the_default_one_does_not(clone: Workplace) -> None:
    smoke = [
        "results/llast-smoke/seed1/train/run.json",
        "--dry-run",
        "--printshellcmds",
        "--configfile",
        "config/covost2-smoke.yaml",
    ]
    local = clone.snakemake(*smoke).stdout
    slurm = clone.snakemake(*smoke, "--profile", "profiles/slurm").stdout
    assert "--cluster local --nodes 1 --tasks-per-node 2 --gpus-per-node 0" in local
    assert "--cluster slurm --nodes 1 --tasks-per-node 8 --gpus-per-node 8" in slurm


@pytest.mark.parametrize("name", ["covost2.yaml", "covost2-smoke.yaml"])
def test_no_value_of_the_demo_leaks_into_another_configuration(name: str) -> None:
    assert read_yaml(ROOT / "config" / name).keys() == read_yaml(ROOT / "config/config.yaml").keys()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (
            ["experiments=[llast-2bb]"],
            ["'llast-2bb'", "config/experiments/llast-2bb.yaml", "'llast-2b' or 'llast-8b'"],
        ),
        (["expermients=[llast-2b]"], ["--config", "'expermients'", "'experiments'"]),
        (["corpus=covost"], ["'covost'", "config/corpora/covost.yaml"]),
        (
            ["corpus=covost2-ja", "experiments=[llast-2b]"],
            ["config/experiments/llast-2b.yaml", "'mixture.pairs'", "fr_en, es_en", "ja_en"],
        ),
    ],
    ids=str,
)
def test_a_bad_configuration_is_one_message_and_exit_code_2(
    clone: Workplace, arguments: list[str], names: list[str]
) -> None:
    result = clone.snakemake("--dry-run", "--config", *arguments)
    assert result.returncode == 2
    (message,) = [line for line in result.stdout.splitlines() if line.startswith("llast: ")]
    assert re.search(".*".join(map(re.escape, names)), message)
    assert "Traceback" not in result.stdout


def test_a_configuration_that_snakemake_cannot_read_is_one_message(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("corpus: c\ncase: 2020-13-01\n")
    result = place.snakemake("--dry-run")
    assert result.returncode == 2
    assert "\nllast: config/config.yaml:2: '2020-13-01'" in result.stdout
    assert "Traceback" not in result.stdout


def test_a_step_that_lacks_its_data_ends_the_workflow_with_its_message_and_exit_code(
    clone: Workplace,
) -> None:
    archive = "data/cv-corpus-4-2019-12-10/ja.tar.gz"
    fetched = "resources/covost2-ja/fetch/ja/summary.json"
    result = clone.snakemake(fetched, "--configfile", "config/covost2-smoke.yaml")
    assert result.returncode == 3
    assert re.search(rf"^llast fetch: {archive} ", result.stdout, re.MULTILINE)
    assert "Traceback" not in result.stdout
    assert not (clone.folder / fetched).exists()
    again = clone.snakemake(fetched, "--configfile", "config/covost2-smoke.yaml")
    assert again.returncode == 3, "nothing is left locked"
