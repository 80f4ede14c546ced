"""The step `report`: one self-contained HTML page about all experiments: scores, training, rows, samples."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from jinja2 import Environment, PackageLoader, StrictUndefined

from llast.artifacts import read_summary, write_text
from llast.artifacts.comparison import Comparison
from llast.artifacts.corpus import MixSummary
from llast.artifacts.scores import SampleKind
from llast.errors import DataError
from llast.evaluation.faults import KINDS
from llast.evaluation.metrics import METRICS
from llast.languages import EN_X, X_EN, language, split_pair
from llast.results import sections
from llast.results.averages import AVERAGE_NAMES, AVERAGES, Case
from llast.results.checkpoints import Checkpoint, Results, read_results
from llast.results.published import CASES, PublishedSystem, beside_ours, read_published
from llast.results.report import breakdowns, plots
from llast.results.report.audio import clips_of
from llast.results.report.funnel import funnel_steps
from llast.results.report.statistics import read_statistics
from llast.results.samples import SAMPLE_KINDS, SampleRow, gather_samples
from llast.results.tracking.address import without_password
from llast.results.training import read_curve, varying_options


def report(
    runs: Sequence[Path],
    scores: Sequence[Path],
    corpus: Sequence[Path],
    mixes: Sequence[Path],
    output: Path,
    statistics: Path | None = None,
    comparisons: Sequence[Path] = (),
    published: Path | None = None,
    case: Case = "cased",
    title: str = "LLaST",
    note: str = "",
    tracking_uri: str = "sqlite:///results/mlflow.db",
) -> None:
    """Write the report.

    Args:
        runs: `run.json` of every run, trained or not, in the order of the experiments.
        scores: files of the step `score`, of all their checkpoints.
        corpus: summaries of synthesize, resample, join and filter. With one of synthesize among them, the page says
            that its scores mean nothing elsewhere, and leaves published scores out.
        mixes: summaries of mix, one for each training run, in the same order.
        output: HTML file. It needs no network and no other file, and the same input gives the same bytes.
        statistics: `corpus_statistics.csv`; None leaves the section about the corpus out.
        comparisons: files of the step `compare`.
        published: CSV of published CoVoST-2 scores; None leaves them out.
        case: the BLEU that the tables show.
        title: heading of the page.
        note: a remark below it.
        tracking_uri: MLflow store that the closing section points to.

    Raises:
        DataError: an input is missing or broken.
    """
    results = read_results(runs, scores, case)
    curves = [read_curve(run, path) for run, path in zip(results.runs, runs, strict=True)]
    trained = [run for run in results.runs if run.trained]
    of_corpus = {path: read_summary(path) for path in corpus}
    if len(mixes) != len(trained):
        raise DataError(
            f"{len(mixes)} summaries of mix for {len(trained)} trained runs. Name one for each of them."
        )
    # seeds of an experiment differ in the draw of rows only: its first mixture stands for them
    mixtures = {
        run.experiment: MixSummary.read(path)
        for run, path in reversed(list(zip(trained, mixes, strict=True)))
    }
    funnel = funnel_steps(of_corpus.values(), dict(reversed(mixtures.items())))
    best = best_run(results)
    headline = best.checkpoint if best else results.chosen[0]
    samples = {
        kind: gather_samples(results.chosen if kind == "drawn" else [headline], kind) for kind in SAMPLE_KINDS
    }
    synthetic = any(summary.step == "synthesize" for summary in of_corpus.values())
    groups: dict[str, list[PublishedSystem]] = {}
    if published and not synthetic:
        groups = beside_ours(read_published(published, results.official_pairs), sections.own_scores(results))
    compared = [Comparison.read(path) for path in comparisons]
    environment = Environment(
        loader=PackageLoader("llast.results.report", "."), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["pair"] = sections.pair_name
    environment.filters["pair_long"] = _long_name
    page = environment.get_template("template.html.j2").render(
        title=title,
        note=note,
        synthetic=synthetic,
        results=results,
        names=results.names,
        metrics=METRICS,
        best=best,
        headline=results.names[headline.run.key],
        case_name=sections.CASE_NAMES[results.headline],
        marks={
            (checkpoint.run.key, pair): mark
            for checkpoint in results.chosen
            for pair in checkpoint.test
            if (mark := sections.significance([checkpoint], pair, compared))
        },
        compared=compared,
        directions=directions(results),
        average_names=AVERAGE_NAMES,
        average_counts=average_counts(results),
        highest=max([bleu for row in results.checkpoints for bleu in row.bleu.values()] + [1.0]),
        curves_of=curves,
        varying=varying_options(trained),
        signatures=sections.signatures(results),
        transcribed=sections.transcribed(results),
        transcript_signatures=sections.transcript_signatures(results),
        fault_names=KINDS.values(),
        faults={row.run.key: sections.fault_counts(row) for row in results.chosen},
        by_pair=plots.bleu_by_pair(results),
        by_step=plots.bleu_by_step(results),
        curves=plots.training_curves(curves),
        funnel=plots.funnel(funnel),
        stages=funnel,
        statistics=read_statistics(statistics) if statistics else [],
        samples={
            pair: [(kind, samples[kind].get(pair, [])) for kind in SAMPLE_KINDS] for pair in samples["drawn"]
        },
        audio=clips_of(_wanted(samples), of_corpus),
        by_class=breakdowns.bleu_by_class(results.chosen),
        by_seconds=breakdowns.bleu_by_seconds(results.chosen),
        beside=breakdowns.bleu_beside_published(groups, CASES),
        published=groups,
        cases=CASES,
        store=shlex.quote(without_password(tracking_uri, tracking_uri)),
    )
    write_text(output, page)


@dataclass(frozen=True)
class BestRun:
    """The run with the highest average test BLEU over the pairs that every run trained on."""

    checkpoint: Checkpoint
    average: float
    pairs: list[str]
    direction: str


def best_run(results: Results) -> BestRun | None:
    """The best of the chosen checkpoints into English, or out of it where no such pair was trained by all."""
    for direction, candidates in (("into", X_EN), ("out of", EN_X)):
        pairs = [
            pair
            for pair in candidates
            if all(pair in checkpoint.bleu and checkpoint.trained_on(pair) for checkpoint in results.chosen)
        ]
        if pairs:
            averages = [fmean(checkpoint.bleu[pair] for pair in pairs) for checkpoint in results.chosen]
            highest = max(range(len(averages)), key=averages.__getitem__)
            return BestRun(results.chosen[highest], averages[highest], pairs, direction)
    return None


def directions(results: Results) -> list[tuple[str, list[str], list[str]]]:
    """Title, averages and pairs of each direction that was scored."""
    known = [name for name in AVERAGES if results.wide[name].notna().any()]
    found = [
        ("Into English", [name for name in known if name != "avg_en_x"], X_EN),
        ("Out of English", [name for name in known if name == "avg_en_x"], EN_X),
    ]
    return [
        (title, averages, pairs)
        for title, averages, direction in found
        if (pairs := [pair for pair in results.pairs if pair in direction])
    ]


def average_counts(results: Results) -> dict[tuple[str, int], tuple[int, int]] | None:
    """Pairs into and out of English that each run trained on, or None where all trained on the same."""
    trained = {run.key: set(run.trained_pairs) & set(results.pairs) for run in results.runs}
    if len(set(map(frozenset, trained.values()))) == 1:
        return None
    return {key: (len(pairs & set(X_EN)), len(pairs & set(EN_X))) for key, pairs in trained.items()}


def _wanted(samples: dict[SampleKind, dict[str, list[SampleRow]]]) -> list[tuple[str, str]]:
    """Pairs and clips to hear, one of each pair first, then the next of each."""
    clips = {
        pair: [sample.clip for kind in SAMPLE_KINDS for sample in samples[kind].get(pair, [])]
        for pair in samples["drawn"]
    }
    places = max(map(len, clips.values()), default=0)
    return [(pair, own[place]) for place in range(places) for pair, own in clips.items() if place < len(own)]


def _long_name(pair: str) -> str:
    source, target = split_pair(pair)
    return f"{language(source).name} → {language(target).name}"
