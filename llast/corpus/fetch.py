"""Get hold of a language's Common Voice audio and CoVoST-2 tables, and check that they are whole."""

import time
from pathlib import Path

from llast.artifacts import sha256_of, sweep
from llast.artifacts.corpus import FetchDetails, FetchedTable, FetchSummary
from llast.config.steps import STEP_VERSIONS, FetchOptions
from llast.corpus.damage import needed_clips, write_sound_rows
from llast.corpus.download import require_recorded
from llast.corpus.join import read_covost
from llast.corpus.sources.base import Folders


def fetch(
    source: str,
    pairs: list[str],
    output: Path,
    options: FetchOptions,
    downloads: Path,
    synthesized: Path | None = None,
) -> FetchSummary:
    """Find or download the files of a source language, read each once, and write the summary.

    What is here is used where it is. Audio and tables are read to their ends, which shows damage now and not hours
    later, and the sound rows of `validated.tsv` are written beside the summary.

    Rows: files.

    Args:
        source: source language.
        pairs: the pairs out of it.
        output: folder of the summary.
        options: where the files come from.
        downloads: folder for downloads; what lies there is not downloaded again.
        synthesized: summary of the step synthesize, for a synthetic source.

    Raises:
        ConfigError: a key or variable that a server needs is not set.
        DataError: a file is missing, damaged where it is needed, or not the one that is expected.
    """
    began = time.monotonic()
    for name in ("summary", "validated", "covost_v2"):  # not all hidden files: the folder may be a user's
        sweep(output, name)
    found = options.source.fetch(
        source, pairs, Folders(output, downloads, synthesized and synthesized.parent)
    )
    tables = {}
    needed: set[str] = set()
    for pair, path in found.tables.items():
        needed |= needed_clips(read_covost(path))
        sha256 = sha256_of(path)
        require_recorded(path, sha256)
        tables[pair] = FetchedTable(path=str(path), bytes=path.stat().st_size, sha256=sha256)
    damaged = write_sound_rows(
        found.validated, f"{found.audio.path} (validated.tsv)", needed, output / "validated.tsv"
    )
    summary = FetchSummary(
        version=STEP_VERSIONS["fetch"],
        rows_in=1 + len(pairs),
        rows_out=1 + len(pairs),
        seconds=time.monotonic() - began,
        details=FetchDetails(
            source=source, audio=found.audio, validated="validated.tsv", damaged=damaged, tables=tables
        ),
    )
    summary.write(output / "summary.json")
    return summary
