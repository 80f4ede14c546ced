"""Plots that break BLEU down: by resource class, by clip length, and beside published systems."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llast.languages import EN_X, X_EN
from llast.results.checkpoints import Checkpoint
from llast.results.published import PublishedSystem
from llast.results.report.plots import INK, MUTED, colour, marker, svg
from llast.results.sections import pair_name

CLASSES = {"avg_high": "high", "avg_mid": "mid", "avg_low": "low"}
Bounds = tuple[float, float | None]


def bleu_by_class(chosen: Sequence[Checkpoint]) -> str:
    """Bars of average test BLEU into English by resource class of the source language; empty with one class."""
    classes = [name for name in CLASSES if any(name in checkpoint.averages for checkpoint in chosen)]
    if len(classes) < 2:
        return ""

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        width = 0.8 / len(chosen)
        for i, checkpoint in enumerate(chosen):
            for position, name in enumerate(classes):
                value = checkpoint.averages.get(name)
                if value is not None:
                    x = position + (i - (len(chosen) - 1) / 2) * width
                    axis.bar(x, value, width * 0.9, color=colour(i))
                    axis.text(x, value, f"{value:.1f}", ha="center", va="bottom", fontsize=8, color=MUTED)
        axis.set_xticks(range(len(classes)), [f"{CLASSES[name]} resource" for name in classes])
        axis.tick_params(axis="x", length=0)
        axis.set_ylabel("average BLEU")

    return svg("class", "Average BLEU by resource class", (5.4, 3.2), draw)


def bleu_by_seconds(chosen: Sequence[Checkpoint]) -> str:
    """Average test BLEU by length of the clip, over the pairs that all runs trained on and have in every class."""
    panels = []
    for title, direction in (("Into English", X_EN), ("Out of English", EN_X)):
        lines, bounds = _by_length(chosen, direction)
        if len(bounds) > 1:
            panels.append((title, lines, bounds))
    if not panels:
        return ""

    def draw(figure: Figure) -> None:
        for axis, (title, lines, bounds) in zip(
            figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
        ):
            for i, line in enumerate(lines):
                axis.plot(range(len(bounds)), line, color=colour(i), marker=marker(i), linewidth=1.4)
            axis.set_xticks(range(len(bounds)), [_bounds_name(ends) for ends in bounds])
            axis.set_title(title)
            axis.set_xlabel("seconds of speech")
            axis.set_ylabel("average BLEU")

    return svg("seconds", "Average BLEU by length of the clip", (11 if len(panels) > 1 else 5.6, 3.2), draw)


def _by_length(
    chosen: Sequence[Checkpoint], direction: Sequence[str]
) -> tuple[list[list[float]], list[Bounds]]:
    """A line per run; a class counts if it has rows enough in each of the pairs that most classes have."""
    scores: list[dict[tuple[str, Bounds], float]] = []
    for checkpoint in chosen:
        scores.append(
            {
                (pair, (of_length.shortest, of_length.longest)): of_length.bleu
                for pair, own in checkpoint.test.items()
                if pair in direction and checkpoint.trained_on(pair)
                for of_length in own.by_seconds
            }
        )
    common = set.intersection(*map(set, scores)) if scores else set()
    pairs = sorted({pair for pair, _ in common})
    counts = {bounds: sum((pair, bounds) in common for pair in pairs) for _, bounds in common}
    most = max(counts.values(), default=0)
    bounds = sorted((b for b, count in counts.items() if count == most), key=lambda b: b[0])
    whole = [pair for pair in pairs if all((pair, b) in common for b in bounds)]
    if not whole:
        return [], []
    return [[fmean(own[pair, b] for pair in whole) for b in bounds] for own in scores], bounds


def _bounds_name(bounds: Bounds) -> str:
    shortest, longest = bounds
    if longest is None:
        return f"over {shortest:g}"
    return f"under {longest:g}" if shortest == 0 else f"{shortest:g}–{longest:g}"


def bleu_beside_published(groups: Mapping[str, Sequence[PublishedSystem]], titles: Mapping[str, str]) -> str:
    """Our scores over the published ones of the same case, a panel per case; a dot is a system."""
    panels = {
        case: systems
        for case, systems in groups.items()
        if any(system.ours and system.bleu for system in systems)
    }
    if not panels:
        return ""

    def draw(figure: Figure) -> None:
        for axis, (case, systems) in zip(
            figure.subplots(len(panels), 1, squeeze=False).flat, panels.items(), strict=True
        ):
            _dots(axis, systems)
            axis.set_title(titles[case].capitalize())

    return svg("published", "BLEU beside published systems", (11, 3.0 * len(panels)), draw)


def _dots(axis: Axes, systems: Sequence[PublishedSystem]) -> None:
    pairs = [pair for pair in (*X_EN, *EN_X) if any(pair in s.bleu for s in systems)]
    ours = [system for system in systems if system.ours]
    for position, pair in enumerate(pairs):
        values = [s.bleu[pair] for s in systems if pair in s.bleu and not s.ours]
        axis.plot(
            [position] * len(values), values, linestyle="", marker="o", markersize=4, color=MUTED, alpha=0.6
        )
        for i, system in enumerate(ours):
            value = system.bleu.get(pair, math.nan)
            axis.plot(
                [position],
                [value],
                linestyle="",
                marker="D",
                markersize=7,
                color=colour(i),
                markeredgecolor=INK,
            )
    axis.set_xticks(
        range(len(pairs)), [pair_name(pair) for pair in pairs], rotation=45 if len(pairs) > 12 else 0
    )
    axis.set_ylabel("BLEU")
    axis.set_ylim(bottom=0)
