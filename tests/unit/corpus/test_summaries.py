"""Summaries that do not fit are refused by whoever reads them, with file, field and the step to run again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llast.config.corpus import FilterOptions, ResampleOptions
from llast.config.experiment import MixtureOptions
from llast.corpus.filter import filter_rows
from llast.corpus.join import join
from llast.corpus.resample import resample
from llast.corpus.statistics import statistics
from llast.corpus.store import AudioStore
from llast.errors import DataError
from llast.mixture.mix import mix
from tests.unit.corpus.conftest import Release

Steps = dict[str, Path]


@pytest.fixture
def steps(tmp_path: Path, release: Release) -> Steps:
    """Summaries of all steps up to the filter."""
    found = {step: tmp_path / step / "summary.json" for step in ("fetch", "join", "resample", "filter")}
    release.fetch(tmp_path)
    join(found["fetch"], tmp_path / "join")
    resample(found["fetch"], tmp_path / "resample", ResampleOptions())
    filter_rows(found["join"], found["resample"], tmp_path / "filter", FilterOptions(max_missing=1))
    return found


READERS: list[tuple[str, str, Any, Callable[[Steps, Path], object]]] = [
    ("fetch", "details.audio.bytes", "many", lambda steps, out: join(steps["fetch"], out)),
    ("fetch", "details.tables", None, lambda steps, out: resample(steps["fetch"], out, ResampleOptions())),
    ("filter", "step", "dream", lambda steps, out: statistics(list(steps.values()), out / "statistics.csv")),
    ("fetch", "format", 1, lambda steps, out: join(steps["fetch"], out)),
    ("resample", "details.store", 7, lambda steps, out: AudioStore.open(steps["resample"])),
    (
        "resample",
        "details.seconds",
        float("nan"),
        lambda steps, out: statistics(list(steps.values()), out / "statistics.csv"),
    ),
    (
        "join",
        "details.lost.fr_en.train",
        float("inf"),
        lambda steps, out: filter_rows(steps["join"], steps["resample"], out, FilterOptions()),
    ),
    ("join", "rows_in", 1, lambda steps, out: statistics(list(steps.values()), out / "statistics.csv")),
    (
        "filter",
        "details.pairs.fr_en.verify",
        {},
        lambda steps, out: mix([steps["filter"]], out, MixtureOptions(pairs=["fr_en"]), 1),
    ),
]


@pytest.mark.parametrize(("step", "field", "value", "read"), READERS, ids=[reader[1] for reader in READERS])
def test_a_summary_that_does_not_fit_is_named_with_its_field_and_step(
    tmp_path: Path, steps: Steps, step: str, field: str, value: Any, read: Callable[[Steps, Path], object]
) -> None:
    read(steps, tmp_path / "good")
    changed = json.loads(steps[step].read_text())
    *keys, last = field.split(".")
    place = changed
    for key in keys:
        place = place[key]
    place[last] = value
    steps[step].write_text(json.dumps(changed))
    with pytest.raises(DataError) as caught:
        read(steps, tmp_path / "out")
    message = str(caught.value)
    assert str(steps[step]) in message
    assert ("1 in" if field == "rows_in" else field) in message
    assert f"the step {step} " in message


def test_clips_that_nothing_reads_are_those_of_another_version(tmp_path: Path, steps: Steps) -> None:
    changed = json.loads(steps["fetch"].read_text())
    changed["details"]["audio"]["reader"] = "tape"
    steps["fetch"].write_text(json.dumps(changed))
    with pytest.raises(DataError, match="'tape'"):
        resample(steps["fetch"], tmp_path / "out", ResampleOptions())
