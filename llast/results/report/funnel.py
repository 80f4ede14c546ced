"""Rows through the steps of the workflow."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llast.artifacts import Summary

UNITS = {"resample": "clips", "join": "table rows", "filter": "rows", "mix": "training rows"}


@dataclass(frozen=True)
class FunnelStep:
    """Rows through one step, added up over its languages."""

    name: str
    unit: str
    rows_in: int
    rows_out: int
    dropped: dict[str, int]


def funnel_steps(corpus: Iterable[Summary], mixes: Mapping[str, Summary]) -> list[FunnelStep]:
    """resample, join and filter added up over languages, then each experiment's mixture."""
    by_step: dict[str, list[Summary]] = {}
    for summary in corpus:
        by_step.setdefault(summary.step, []).append(summary)
    shared = [_step(step, step, by_step[step]) for step in UNITS if step in by_step]
    return shared + [_step("mix", f"mix: {name}", [summary]) for name, summary in mixes.items()]


def _step(step: str, name: str, summaries: list[Summary]) -> FunnelStep:
    dropped: Counter[str] = Counter()
    for summary in summaries:
        dropped.update(summary.dropped)
    return FunnelStep(
        name=name,
        unit=UNITS[step],
        rows_in=sum(summary.rows_in for summary in summaries),
        rows_out=sum(summary.rows_out for summary in summaries),
        dropped={
            reason: count
            for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
            if count
        },
    )
