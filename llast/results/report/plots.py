"""Plots of the report as inline SVG: small, with the page's fonts and colours, the same bytes every time."""

import io
import math
import re
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from llast.languages import EN_X, X_EN
from llast.results.checkpoints import Checkpoint, Results
from llast.results.report.funnel import FunnelStep
from llast.results.sections import pair_name
from llast.results.training import TrainingCurve

INK, MUTED, LINE, DROPPED = "#010101", "#020202", "#030303", "#040404"
SERIES = tuple(f"#0500{i:02x}" for i in range(10))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CSS_COLOURS = {
    **{INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)", DROPPED: "var(--dropped)"},
    **{colour: f"var(--series-{i})" for i, colour in enumerate(SERIES)},
}
"""Stand-ins that matplotlib draws with, and the CSS variables that take their place: the page sets light and dark."""

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "text.parse_math": False,  # a name may have dollar signs
    "hatch.linewidth": 0.5,
}
POINTS_PER_LINE = 200


def bleu_by_pair(results: Results) -> str:
    """Bars of the chosen checkpoints' test BLEU with 95 % intervals; pale where a pair was not trained on."""
    groups = [[pair for pair in results.pairs if pair in direction] for direction in (X_EN, EN_X)]
    groups = [group for group in groups if group]
    stacked = sum(map(len, groups)) > 12

    def draw(figure: Figure) -> None:
        grid = (
            {"nrows": len(groups)}
            if stacked
            else {"ncols": len(groups), "width_ratios": [len(group) + 0.6 for group in groups]}
        )
        axes = list(figure.subplots(squeeze=False, sharey=True, **grid).flat)
        for axis, pairs in zip(axes, groups, strict=True):
            for i, checkpoint in enumerate(results.chosen):
                _bars(axis, i, len(results.chosen), checkpoint, pairs, results.headline)
            axis.set_xticks(
                range(len(pairs)), [pair_name(pair) for pair in pairs], rotation=45 if stacked else 0
            )
            axis.set_xlim(-0.6, len(pairs) - 0.4)
            axis.tick_params(axis="x", length=0)
            axis.set_ylabel("BLEU")
            if not stacked:
                axis.label_outer()
        axes[0].set_ylim(bottom=0)  # shared; after all bars, since it ends the scaling of the top

    return svg("pair", "BLEU by pair", (11, 5.6 if stacked else 3.4), draw)


def _bars(
    axis: Axes, index: int, of: int, checkpoint: Checkpoint, pairs: Sequence[str], headline: str
) -> None:
    width = 0.8 / of
    for position, pair in enumerate(pairs):
        value = checkpoint.bleu.get(pair)
        if value is None:
            continue
        low, high = checkpoint.test[pair].scored[headline].interval or (value, value)
        x = position + (index - (of - 1) / 2) * width
        axis.bar(x, value, width * 0.9, color=colour(index), alpha=1 if checkpoint.trained_on(pair) else 0.35)
        if high > low:
            # the interval is centred on the bootstrap mean, which need not be the score itself
            axis.plot(
                [x, x], [max(0, low), high], color=INK, linewidth=min(1.2, 8 * width), solid_capstyle="butt"
            )


def bleu_by_step(results: Results) -> str:
    """Average BLEU of every checkpoint over training: test solid, dev dashed, the chosen checkpoint ringed."""
    panels = [
        (name, title)
        for name, title in (("avg_x_en", "Into English"), ("avg_en_x", "Out of English"))
        if results.wide[name].notna().any()
    ]

    def draw(figure: Figure) -> None:
        for axis, (average, title) in zip(
            figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
        ):
            for i, run in enumerate(results.runs):
                own = [checkpoint for checkpoint in results.checkpoints if checkpoint.run is run]
                test = [(checkpoint.step, checkpoint.averages.get(average)) for checkpoint in own]
                dev = [(checkpoint.step, checkpoint.dev_averages.get(average)) for checkpoint in own]
                chosen = [point for point, checkpoint in zip(test, own, strict=True) if checkpoint.chosen]
                _points(axis, test, color=colour(i), marker=marker(i))
                _points(axis, dev, color=colour(i), linestyle=(0, (3, 2)))
                ring = {"linestyle": "", "marker": "o", "markersize": 11, "markerfacecolor": "none"}
                _points(axis, chosen, markeredgecolor=INK, **ring)
            axis.set_title(title)
            axis.set_xlabel("optimiser step")
            axis.set_ylabel("average BLEU")
            _integer_steps(axis)

    return svg("step", "Average BLEU by training step", (11, 3.4), draw) if panels else ""


def _points(axis: Axes, points: Sequence[tuple[float, float | None]], **style: Any) -> None:
    known = [(x, y) for x, y in points if y is not None]
    axis.plot([x for x, _ in known], [y for _, y in known], linewidth=1.4, **style)


def training_curves(runs: Sequence[TrainingCurve]) -> str:
    """Loss, learning rate, gradient norm and speed over optimiser steps, a line per run; long runs averaged down."""
    panels = (
        ("loss", "Training loss (dev loss as points)"),
        ("learning_rate", "Learning rate"),
        ("grad_norm", "Gradient norm, before clipping"),
        ("target_tokens_per_s", "Target tokens a second"),
    )
    if not any(run.series("loss") for run in runs):
        return ""

    def draw(figure: Figure) -> None:
        for axis, (key, title) in zip(figure.subplots(2, 2).flat, panels, strict=True):
            for i, run in enumerate(runs):
                _points(axis, _thinned(run.series(key)), color=colour(i))
                if key == "loss":
                    _points(axis, run.series("dev_loss"), color=colour(i), marker=marker(i), linestyle="")
            axis.set_title(title)
            axis.set_xlabel("optimiser step")
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            _integer_steps(axis)

    return svg("curves", "Training curves", (11, 6.2), draw)


def funnel(stages: Sequence[FunnelStep]) -> str:
    """Bars of the rows that each step kept, and beside them those that it dropped."""

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        largest = max([stage.rows_in for stage in stages] + [1])
        for i, stage in enumerate(stages):
            dropped = stage.rows_in - stage.rows_out
            axis.barh(i, stage.rows_out, 0.62, color=SERIES[0])
            axis.barh(i, dropped, 0.62, left=stage.rows_out, color=DROPPED)
            share = f"  −{dropped:,} ({100 * dropped / stage.rows_in:.1f} %)" if dropped else ""
            axis.text(
                stage.rows_in + largest * 0.01, i, f"{stage.rows_out:,} {stage.unit}{share}", va="center"
            )
        axis.set_yticks(range(len(stages)), [stage.name for stage in stages])
        axis.tick_params(axis="y", length=0)
        axis.invert_yaxis()
        axis.set_xlim(0, largest * 1.4)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.grid(axis="x")
        axis.grid(visible=False, axis="y")

    return svg("funnel", "Rows through the steps", (11, 0.7 + 0.36 * len(stages)), draw) if stages else ""


def colour(index: int) -> str:
    """Stand-in of a run's colour, by the run's place in the table."""
    return SERIES[index % len(SERIES)]


def marker(index: int) -> str:
    """A run's marker."""
    return MARKERS[index % len(MARKERS)]


def _integer_steps(axis: Axes) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS_PER_LINE points, each the mean of its neighbours."""
    size = max(1, math.ceil(len(points) / POINTS_PER_LINE))
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [(fmean(x for x, _ in chunk), fmean(y for _, y in chunk)) for chunk in chunks]


def svg(name: str, title: str, inches: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """A figure as SVG for the page; `name` is unique on it."""
    style: Any = {**STYLE, "svg.hashsalt": name}  # matplotlib's stubs ask for literal keys
    with matplotlib.rc_context(style):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _inline(text.getvalue(), name, title)


def _inline(svg: str, name: str, title: str) -> str:
    """Make matplotlib's file part of a page: no prologue, unique ids, the page's fonts and colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None, "matplotlib writes a viewBox"
    svg = re.sub(
        r"<svg[^>]*>", f'<svg viewBox="{box.group(1)}" role="img" aria-label="{title}">', svg, count=1
    )
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font: (?:\w+ )?([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")
    for stand_in, colour in CSS_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg
