"""Write one self-contained HTML page about all experiments: scores, training, rows, samples."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from llast.artifacts import read_summary, write_text
from llast.results.checkpoints import (
    HEADLINES,
    Case,
    read_checkpoints,
    read_runs,
)
from llast.results.published import CASES, System, beside_ours, read_published
from llast.results.samples import Sample, gather_samples
from llast.results.sections import AVERAGE_NAMES, CASE_NAMES, pair_name
from llast.results.table import read_comparisons
from llast.languages import language, split_pair
from llast.results.report import breakdowns, derived, plots
from llast.results.report.audio import clips_of
from llast.results.report.inputs import Row, Run, read_run, read_scores, read_table, stages
from llast.results.report.statistics import read_statistics

KINDS = ("drawn", "worst", "best")


def report(
    table: Path,
    scores: Path,
    runs: list[Path],
    corpus: list[Path],
    mixes: list[Path],
    score_files: list[Path],
    output: Path,
    title: str = "LLaST",
    note: str = "",
    published: Path | None = None,
    statistics: Path | None = None,
    comparisons: Sequence[Path] = (),
    tracking_uri: str = "sqlite:///results/mlflow.db",
    case: Case = "cased",
) -> None:
    """Write the report.

    Args:
        table: `bleu_table.csv`.
        scores: `scores.csv` of the same run of the step `table`.
        runs: `run.json` of every run, trained or not, in the order of the experiments.
        corpus: summaries of synthesize, resample, join and filter. With one of synthesize among them, the page says
            that its scores mean nothing elsewhere, and leaves published scores out.
        mixes: summaries of mix, one for each training run, in the same order.
        score_files: files of the step `score`: their samples, scores by clip length and error rates are shown.
        output: HTML file. It needs no network and no other file, and the same input gives the same bytes.
        title: heading of the page.
        note: a remark below it.
        published: CSV of published CoVoST-2 scores; None leaves them out.
        statistics: `corpus_statistics.csv`; None leaves the section about the corpus out.
        comparisons: files of the step `compare`.
        tracking_uri: MLflow store that the closing section points to.
        case: the BLEU that the tables show.

    Raises:
        DataError: an input is missing or broken.
    """
    every = [row for run in read_runs(runs, score_files, case) for row in read_checkpoints(run)]
    rows, cells = derived.exact(read_table(table), every), read_scores(scores)
    trained = [read_run(path) for path in runs]
    names = run_names(rows)
    chosen = [row for row in rows if row.chosen]
    pairs = list(rows[0].bleu)
    of_corpus = {path: read_summary(path) for path in corpus}
    summaries = list(of_corpus.values())
    synthetic = any(summary.step == "synthesize" for summary in summaries)
    # seeds of an experiment differ in the draw of rows only: one mixture stands for them
    mixtures = {
        run.experiment: read_summary(path)
        for run, path in reversed(list(zip([run for run in trained if run.trained], mixes, strict=True)))
    }
    funnel = stages(summaries, dict(reversed(mixtures.items())))
    best = derived.best_run(chosen, cells)
    chosen_keys = {(*row.run, row.checkpoint) for row in chosen}
    scored = [s for s in every if (s.run.experiment, s.run.seed, s.checkpoint) in chosen_keys]
    headline = [s for s in scored if best and (s.run.experiment, s.run.seed) == best.row.run] or scored[:1]
    samples = {kind: gather_samples(scored if kind == "drawn" else headline, kind) for kind in KINDS}
    published_groups: dict[str, list[System]] = {}
    known = None if synthetic or published is None else read_published(published, pairs)
    if known:
        published_groups = beside_ours(known, derived.own_scores(chosen, cells, names))
    environment = Environment(
        loader=PackageLoader("llast.results.report", "."), undefined=StrictUndefined, autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["pair"] = pair_name
    environment.filters["pair_long"] = _long_name
    dev = {row: derived.dev_averages(row, cells, HEADLINES[case]) for row in rows}
    page = environment.get_template("template.html.j2").render(
        title=title,
        note=note,
        synthetic=synthetic,
        names=names,
        best=best,
        metric=HEADLINES[case],
        case_name=CASE_NAMES[HEADLINES[case]],
        marks=derived.marks(scored, comparisons),
        compared=list(read_comparisons(comparisons).values()),
        rows=rows,
        chosen=chosen,
        cells=cells,
        directions=derived.directions(rows, pairs),
        average_names=AVERAGE_NAMES,
        average_counts=derived.average_counts(chosen, cells),
        highest=max([value for row in rows for value in row.bleu.values() if value is not None] + [1.0]),
        runs=[(names.get(run.key, run.experiment), run, _speed(run)) for run in trained],
        varying=varying_options([run for run in trained if run.trained]),
        pairs=pairs,
        signatures=derived.signatures(cells),
        by_pair=plots.bleu_by_pair(chosen, cells, HEADLINES[case]),
        by_step=plots.bleu_by_step(rows, dev, list(names)),
        curves=plots.training_curves(trained),
        funnel=plots.funnel(funnel),
        stages=funnel,
        statistics=read_statistics(statistics) if statistics else [],
        samples={pair: [(k, samples[k].get(pair, [])) for k in KINDS] for pair in samples["drawn"]},
        headline=names[headline[0].run.experiment, headline[0].run.seed] if headline else "",
        audio=clips_of(_wanted(samples), of_corpus),
        faults=derived.faults(chosen, cells),
        recognition=derived.recognition(scored),
        by_class=breakdowns.bleu_by_class(chosen),
        by_seconds=breakdowns.bleu_by_seconds(scored),
        beside=breakdowns.bleu_beside_published(published_groups, CASES),
        published=published_groups,
        cases=CASES,
        tracking_uri=tracking_uri,
    )
    write_text(output, page)


def run_names(rows: list[Row]) -> dict[tuple[str, int], str]:
    """How runs are called: by experiment, with the seed where there are several."""
    runs = list(dict.fromkeys(row.run for row in rows))
    several = len({seed for _, seed in runs}) > 1
    return {run: f"{run[0]} seed {run[1]}" if several else run[0] for run in runs}


def varying_options(runs: list[Run]) -> dict[str, list[str]]:
    """Options in which the runs differ, by dotted key, with each run's value (a dash where it has none)."""
    flat = [_flatten(run.description["options"]) for run in runs]
    keys = sorted({key for options in flat for key in options})
    values = {key: [options.get(key, "–") for options in flat] for key in keys}
    return {key: row for key, row in values.items() if len(set(row)) > 1}


def _flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat = {}
    for key, item in value.items():
        if isinstance(item, dict) and item:
            flat.update(_flatten(item, f"{prefix}{key}."))
        elif item is None:
            flat[f"{prefix}{key}"] = "none"
        else:
            flat[f"{prefix}{key}"] = ", ".join(map(str, item)) if isinstance(item, list) else str(item)
    return flat


def _wanted(samples: dict[str, dict[str, list[Sample]]]) -> list[tuple[str, str]]:
    """Pairs and clips to hear, one of each pair first, then the next of each."""
    clips = {
        pair: [sample.clip for kind in KINDS for sample in samples[kind].get(pair, [])]
        for pair in samples["drawn"]
    }
    places = max(map(len, clips.values()), default=0)
    return [(pair, own[place]) for place in range(places) for pair, own in clips.items() if place < len(own)]


def _speed(run: Run) -> float | None:
    values = [value for _, value in run.series("target_tokens_per_s")]
    return median(values) if values else None


def _long_name(pair: str) -> str:
    source, target = split_pair(pair)
    return f"{language(source).name} → {language(target).name}"
