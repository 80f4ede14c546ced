"""Check of where a corpus comes from: files that have to be here, and keys, which are never printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from llast.config.resolved import ResolvedConfig
from llast.corpus.sources.base import Readiness
from llast.corpus.tables import SPLIT_OF_LABEL, check_table
from llast.doctor.check import Check
from llast.errors import DataError
from llast.languages import CorpusSplit, pairs_from


def check_source(resolved: ResolvedConfig, environment: Mapping[str, str]) -> Check:
    """What the step fetch needs for the languages that it has not fetched yet."""
    source, languages = resolved.corpus.source, resolved.sources
    if resolved.synthetic:
        return Check("corpus", "good", f"{source.kind}: made here")
    waiting = [code for code in languages if not Path(resolved.corpus_summary("fetch", code)).exists()]
    if not waiting:
        return Check("corpus", "good", f"{source.kind}: all {len(languages)} languages fetched")
    pairs = {code: pairs_from(code, resolved.corpus.pairs) for code in waiting}
    ready = source.check(pairs, environment)
    if not ready.remedy:
        ready = _check_tables(resolved, [pair for own in pairs.values() for pair in own]) or ready
    found = f"{source.kind}: {len(waiting)} of {len(languages)} languages to fetch"
    found += f"; {ready.found}" if ready.found else ""
    return Check("corpus", "BAD" if ready.remedy else "good", found, ready.remedy)


def _check_tables(resolved: ResolvedConfig, pairs: Sequence[str]) -> Readiness | None:
    """What is wrong with the first table here that does not fit; where a pair is trained on, it needs train rows."""
    corpus = resolved.corpus
    trained = {pair for experiment in resolved.trained.values() for pair in experiment.mixture.pairs}
    for pair in pairs:
        needed: list[CorpusSplit] = [*corpus.evaluated, *(("train",) if pair in trained else ())]
        try:
            if table := corpus.source.table(pair):
                check_table(table, SPLIT_OF_LABEL | corpus.splits, needed)
        except DataError as error:
            found, _, remedy = str(error).partition(". ")
            return Readiness(found, remedy)
    return None
