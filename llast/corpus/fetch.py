"""Get hold of a language's Common Voice audio and CoVoST-2 tables, and check that they are whole."""

import time
from pathlib import Path

from llast.artifacts import sha256_of
from llast.artifacts.corpus import FetchDetails, FetchedTable, FetchSummary
from llast.config.steps import STEP_VERSIONS, FetchOptions
from llast.corpus.damage import write_sound_rows
from llast.corpus.download import require_recorded
from llast.corpus.sources.base import Folders
from llast.corpus.tables import SPLIT_OF_LABEL, PairTable, check_sentences, check_table, read_pair
from llast.errors import DataError
from llast.temporary import sweep


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
    later, and the sound rows of `validated.tsv` are written beside the summary. Tables and sentences have to fit: rows
    of the splits that are needed, one of each clip (`llast.corpus.tables`).

    Rows: files.

    Args:
        source: source language.
        pairs: the pairs out of it.
        output: folder of the summary.
        options: where the files come from, and what of them is which split.
        downloads: folder for downloads; what lies there is not downloaded again.
        synthesized: summary of the step synthesize, for a synthetic source.

    Raises:
        ConfigError: a key or variable that a server needs is not set.
        DataError: a file is missing, damaged where it is needed, or not the one that is expected; a split that is
            needed is empty; rows cannot be told apart.
    """
    began = time.monotonic()
    sweep(output)
    found = options.source.fetch(
        source, pairs, Folders(output, downloads, synthesized and synthesized.parent)
    )
    splits = SPLIT_OF_LABEL | options.splits
    tables: dict[str, FetchedTable] = {}
    wanted: dict[str, str] = {}
    for pair, path in found.tables.items():
        table = read_pair(path)
        sha256 = sha256_of(path)
        require_recorded(path, sha256)
        if pair in found.files:
            table = PairTable(table.table, found.files[pair])
        wanted |= check_table(table, splits, options.evaluated)
        for other, earlier in tables.items():
            if earlier.sha256 == sha256:
                raise DataError(
                    f"{earlier.path} of {other} and {path} of {pair} are the same table: one of them translates into "
                    "another language. Put the right one there, or correct source.tables in the corpus's file."
                )
        tables[pair] = FetchedTable(path=str(path), bytes=path.stat().st_size, sha256=sha256)
    sentences = output / "validated.tsv"
    damaged = write_sound_rows(
        found.validated, f"{found.audio.path} (validated.tsv)", wanted.keys(), sentences
    )
    check_sentences(sentences, wanted)
    summary = FetchSummary(
        version=STEP_VERSIONS["fetch"],
        rows_in=1 + len(pairs),
        rows_out=1 + len(pairs),
        seconds=time.monotonic() - began,
        details=FetchDetails(
            source=source,
            audio=found.audio,
            validated=sentences.name,
            damaged=damaged,
            tables=tables,
            splits=splits,
        ),
    )
    summary.write(output / "summary.json")
    return summary
