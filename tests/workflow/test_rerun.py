"""What runs again after a change: the jobs that read the changed thing, and what follows from them."""

import re
from pathlib import Path

import pytest

from tests.workflow.conftest import Workplace

# Snakemake decides by files, params and rules, and never looks into what a step has written: for its decisions a
# program does that leaves the declared files behind.
PROGRAM = """#!/bin/sh
echo "$@" >> calls.txt
while [ $# -gt 0 ]; do [ "$1" = --output ] && output=$2; shift; done
echo "{}" > "$output"
case $output in *bleu_table.csv)
  touch results/scores.csv results/bleu_seeds.csv results/bleu_table.md;;
esac
"""
END = {"table", "report", "track"}


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    for folder in ("bin", "config/corpora", "config/experiments", "base"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin/llast").write_text(PROGRAM)
    (tmp_path / "bin/llast").chmod(0o755)
    (tmp_path / "base/config.json").write_text("{}")
    write(tmp_path, "config.yaml", "corpus: small\nexperiments: [one, two]\ndev_rows: 5")
    write(
        tmp_path,
        "corpora/small.yaml",
        "pairs: [fr_en, en_de]\nsource: {kind: synthetic}\nfilter: {max_seconds: 20}",
    )
    write(
        tmp_path,
        "experiments/one.yaml",
        "encoder: {base: ./base}\nllm: {base: ./base}\nmixture: {pairs: [fr_en]}\ndecoding: {num_beams: 1}",
    )
    write(tmp_path, "experiments/two.yaml", "extends: one\ntraining: {warmup: 0.1}")
    return place


def write(folder: Path, name: str, text: str) -> None:
    (folder / "config" / name).write_text(text)


def replace(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "config" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def ran(place: Workplace, *arguments: str) -> set[str]:
    """Run the workflow; the verbs that ran, each with the experiment it was for."""
    calls = place.folder / "calls.txt"
    calls.unlink(missing_ok=True)
    result = place.snakemake("--quiet", "all", "--cores", "4", *arguments)
    assert result.returncode == 0, result.stdout
    lines = calls.read_text().splitlines() if calls.exists() else []
    found = set()
    for line in lines:
        experiment = re.search(r"--output results/(\w+)/seed", line)
        found.add(" ".join([line.split()[0], *(experiment.groups() if experiment else ())]))
    return found


def both(*verbs: str) -> set[str]:
    return {f"{verb} {experiment}" for verb in verbs for experiment in ("one", "two")}


def test_a_change_reruns_what_reads_it(workplace: Workplace) -> None:
    folder = workplace.folder
    everything = {
        "synthesize",
        "fetch",
        "resample",
        "join",
        "filter",
        *both("mix", "train", "decode", "score"),
    }
    assert ran(workplace) == everything | END | {"statistics"}
    assert ran(workplace) == set(), "nothing changed"
    assert ran(workplace, "--set-resources", "train:tasks_per_node=4", "--set-threads", "train=1") == set()
    assert ran(workplace, "--config", "tracking_uri=http://server:5000") == set()

    replace(folder, "config.yaml", "dev_rows: 5", "dev_rows: 5\ncase: lower")
    assert ran(workplace) == END, "scores hold both cases"
    replace(folder, "experiments/two.yaml", "extends: one", "extends: one\nbaseline: one")
    assert ran(workplace) == {"compare two"} | END
    replace(folder, "config.yaml", "case: lower", "case: cased")
    assert ran(workplace) == {"compare two"} | END
    replace(folder, "experiments/two.yaml", "baseline: one", "baseline: null")
    assert ran(workplace) == END

    replace(folder, "experiments/two.yaml", "warmup: 0.1", "warmup: 0.2")
    assert ran(workplace) == {"train two", "decode two", "score two"} | END

    replace(folder, "experiments/one.yaml", "num_beams: 1", "num_beams: 2")
    assert ran(workplace) == both("decode", "score") | END, "two extends one; neither trains again"

    write(folder, "experiments/three.yaml", "extends: two\ndecoding: {num_beams: 3}")
    replace(folder, "config.yaml", "[one, two]", "[one, two, three]")
    assert ran(workplace) == {f"{verb} three" for verb in ("mix", "train", "decode", "score")} | END

    replace(folder, "config.yaml", "[one, two, three]", "[one, two]")
    replace(folder, "corpora/small.yaml", "max_seconds: 20", "max_seconds: 15")
    follows = {"filter", "statistics", *both("mix", "train", "decode", "score")}
    assert ran(workplace) == follows | END
