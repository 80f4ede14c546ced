"""Files between steps that do not fit: every reader says which file and which field, and ends with exit code 3."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llast.cli import main

PAIRS = ("fr_en", "en_ja")


@pytest.fixture(scope="module")
def whole(results: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two experiments with their files."""
    return results(tmp_path_factory.mktemp("whole") / "results", PAIRS, {"a": PAIRS, "b": PAIRS}, rows=12)


@pytest.fixture
def tree(whole: Any) -> Iterator[Any]:
    """The same for each test: what it changes is put back."""
    kept = {path: path.read_bytes() for path in whole.folder.rglob("*") if path.is_file()}
    yield whole
    for path, data in kept.items():
        path.write_bytes(data)


def arguments(tree: Any, verb: str) -> list[str]:
    """A call of a verb that reads all that is there."""
    runs, scores = ["--runs", *map(str, tree.runs)], ["--scores", *map(str, tree.scores)]
    translated = [str(path) for path in tree.samples if "/a/" in str(path) and "checkpoint1" in str(path)]
    out = tree.folder.parent
    return {
        "score": ["--translated", *translated, "--split", "test", "--output", f"{out}/score.json"],
        "compare": [*runs, *scores, "--translated", *map(str, tree.samples), "--output", f"{out}/compare.json",
                    "--experiment", "a", "--baseline", "b"],
        "table": [*runs, *scores, "--output", f"{out}/table/bleu_table.csv"],
        "report": [*runs, *scores, "--corpus", *map(str, tree.corpus), "--mixes", *map(str, tree.mixes),
                   "--output", f"{out}/report.html"],
        "track": [*runs, *scores, "--artifacts", str(tree.runs[0]), "--output", f"{out}/track.json",
                  "--tracking-uri", f"sqlite:///{out}/mlflow.db"],
    }[verb]  # fmt: skip


def edit(path: Path, keys: tuple[str, ...], value: Any) -> None:
    """Set a value deep in a JSON file; without keys, the whole of it."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    if keys:
        inner[keys[-1]] = value
    path.write_text(json.dumps(whole if keys else value), encoding="utf-8")


BLEU = ("pairs", "fr_en", "metrics", "bleu", "value")
READERS = ("compare", "table", "report", "track")
CASES = {
    "a score that is text": ("scores", BLEU, "31.5", READERS),
    "a score that is not a number": ("scores", BLEU, float("nan"), READERS),
    "an interval that is not a number": ("scores", (*BLEU[:-1], "interval"), [float("nan"), 1.0], READERS),
    "an infinite score": ("scores", BLEU, float("inf"), READERS),
    "rows that are null": ("scores", ("pairs", "fr_en", "rows"), None, READERS),
    "scores of another form": ("scores", ("format",), 1, READERS),
    "scores that are a list": ("scores", (), [], READERS),
    "a pair that is none": ("scores", ("pairs", "fr_eng"), {"metrics": {}, "rows": 0, "expected": 0}, READERS),
    "rows below zero": ("scores", ("pairs", "fr_en", "rows"), -5, READERS),
    "rows without a score": ("scores", ("pairs", "fr_en", "metrics"), {}, READERS),
    "a score beyond its scale": ("scores", BLEU, 3100.0, READERS),
    "a metric that nobody knows": ("scores", (*BLEU[:3], "xyz"), {"value": 1.0, "signature": ""}, READERS),
    "a trained pair that is none": ("runs", ("trained_pairs",), ["fr_eng"], READERS),
    "a trained run without a folder": ("runs", ("folder",), None, READERS),
    "a folder elsewhere": ("runs", ("folder",), "../../other", READERS),
    "a run that is a list": ("runs", (), [1, 2], READERS),
    "a run without its pairs": ("runs", ("trained_pairs",), "fr_en", READERS),
    "a run of no known kind": ("runs", ("options", "kind"), "dream", READERS),
    "a summary whose rows are text": (
        "samples", ("details", "pairs", "fr_en", "test", "rows"), "12", ("score", "compare")
    ),
    "a summary that is null": ("samples", (), None, ("score", "compare")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_message_with_file_and_field(case: str, tree: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files, keys, value, verbs = CASES[case]
    path = next(path for path in getattr(tree, files) if "/a/" in str(path) and "dev" not in path.name)
    edit(path, keys, value)
    for verb in verbs:
        assert main([verb, *arguments(tree, verb)]) == 3, verb
        error = capsys.readouterr().err
        said = [line for line in error.splitlines() if line.startswith(f"llast {verb}: ")]
        assert len(said) == 1, error
        assert str(path) in said[0]
        assert not keys or any(key in said[0] for key in keys[-2:])
        assert "Traceback" not in error
    assert not (tree.folder.parent / "table").exists()


@pytest.mark.parametrize("text", [b"{", b"", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_json(text: bytes, tree: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tree.scores[1], tree.runs[0]):
        kept = path.read_bytes()
        path.write_bytes(text)
        for verb in READERS:
            assert main([verb, *arguments(tree, verb)]) == 3
            assert str(path) in capsys.readouterr().err
        path.write_bytes(kept)


@pytest.mark.parametrize(
    ("column", "value"), [("hours", "many"), ("rows", ""), ("hours", "nan"), ("speakers", "inf")]
)
def test_statistics_that_were_edited(
    column: str, value: str, tree: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from llast.corpus.statistics import COLUMNS

    line = dict.fromkeys(COLUMNS, "0") | {"pair": "fr_en", "split": "dev", "official": ""}
    path = tmp_path / "corpus_statistics.csv"
    for changed in ({}, {column: value}):
        row = line | changed
        path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
        call = ["report", *arguments(tree, "report"), "--statistics", str(path)]
        assert main(call) == (3 if changed else 0)
    said = capsys.readouterr().err
    assert str(path) in said
    assert column in said
