"""Check of where a corpus comes from: files that have to be here, and keys, which are never printed."""

from collections.abc import Mapping
from pathlib import Path

from llast.config.resolved import ResolvedConfig
from llast.doctor.check import Check
from llast.languages import pairs_from


def check_source(resolved: ResolvedConfig, environment: Mapping[str, str]) -> Check:
    """What the step fetch needs for the languages that it has not fetched yet."""
    source, languages = resolved.corpus.source, resolved.sources
    if resolved.synthetic:
        return Check("corpus", "good", f"{source.kind}: made here")
    waiting = [code for code in languages if not Path(resolved.corpus_summary("fetch", code)).exists()]
    if not waiting:
        return Check("corpus", "good", f"{source.kind}: all {len(languages)} languages fetched")
    ready = source.check({code: pairs_from(code, resolved.corpus.pairs) for code in waiting}, environment)
    found = f"{source.kind}: {len(waiting)} of {len(languages)} languages to fetch"
    found += f"; {ready.found}" if ready.found else ""
    return Check("corpus", "BAD" if ready.remedy else "good", found, ready.remedy)
