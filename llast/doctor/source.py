"""Checks of where a corpus comes from: files that have to be here, and keys, which are never printed."""

import re
from collections.abc import Mapping
from pathlib import Path

from llast.config.corpus import HuggingFaceSource, LocalSource, MdcSource, PreparedSource, SyntheticSource
from llast.config.resolved import ResolvedConfig
from llast.doctor.check import Check
from llast.languages import pairs_from


def check_source(resolved: ResolvedConfig, environment: Mapping[str, str]) -> Check:
    """What the step fetch needs for the languages that it has not fetched yet."""
    options = resolved.corpus.source
    waiting = [
        source for source in resolved.sources if not Path(resolved.corpus_summary("fetch", source)).exists()
    ]
    if isinstance(options, SyntheticSource):
        return Check("corpus", "good", "synthetic: made here")
    if not waiting:
        return Check("corpus", "good", f"{options.kind}: all {len(resolved.sources)} languages fetched")
    found = f"{options.kind}: {len(waiting)} of {len(resolved.sources)} languages to fetch"
    if missing := _missing_files(resolved, waiting):
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        remedy = "put them there, or correct source in the corpus's file"
        return Check("corpus", "BAD", f"{found}; not here: {', '.join(missing[:3])}{more}", remedy)
    needed = _variables(options)
    if unset := [name for name in needed if not environment.get(name, "").strip()]:
        remedy = f"export {' and '.join(unset)} where Snakemake runs"
        if isinstance(options, MdcSource):
            remedy += "; the key is made on https://mozilladatacollective.com, where each data set's terms are accepted"
        return Check("corpus", "BAD", f"{found}; not set: {', '.join(unset)}", remedy)
    if needed:
        found += f"; set: {', '.join(needed)}"
    if isinstance(options, HuggingFaceSource):
        found += f" from {options.repository}, without a token if there is none"
    return Check("corpus", "good", found)


def _missing_files(resolved: ResolvedConfig, waiting: list[str]) -> list[str]:
    options, paths = resolved.corpus.source, []
    for source in waiting:
        pairs = pairs_from(source, resolved.corpus.pairs)
        if isinstance(options, LocalSource):
            paths.append(options.audio.replace("{lang}", source))
        if isinstance(options, PreparedSource):
            paths.append(f"{options.folder}/audio/{source}/clips_16k")
            paths += [f"{options.folder}/tsv/covost_v2.{pair}.train.tsv" for pair in pairs]
        elif not isinstance(options, SyntheticSource) and "://" not in options.tables:
            paths += [options.tables.replace("{pair}", pair) for pair in pairs]
    return [path for path in paths if not Path(path).exists()]


def _variables(options: object) -> list[str]:
    """Environment variables that a source needs."""
    if isinstance(options, MdcSource):
        return ["MDC_API_KEY"]
    addresses = [getattr(options, name, "") for name in ("audio", "tables")]
    return list(dict.fromkeys(re.findall(r"\$\{(\w+)\}", " ".join(addresses))))
