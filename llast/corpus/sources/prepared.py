"""Source `prepared`: a folder in the layout of the LLaST README.

Its split tables are turned back into what they were made from, sentences and one table per pair, so that every later
step works as for any other source.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from llast.config.base import Text
from llast.corpus.sources.base import Amount, Fetched, Folders, Source
from llast.errors import DataError
from llast.languages import SPLITS

if TYPE_CHECKING:
    from llast.corpus.tables import PairTable
    from llast.corpus.tsv import Table

COLUMNS = ("path", "sentence", "translation", "client_id")
WAV_RATE = 32_000
"""Bytes of a second of its clips: 16 kHz, 16 bit, mono."""


class PreparedSource(Source):
    """A folder in the layout of the LLaST README: split tables and 16 kHz clips."""

    kind: Literal["prepared"] = "prepared"
    folder: Text = Field(
        description="With `tsv/covost_v2.{pair}.{split}.tsv` and `audio/{lang}/clips_16k/{clip}.wav` or `.mp3.wav`."
    )
    copy_audio: bool = Field(
        False,
        description="Store the clips as FLAC in shards, as for other sources; false: read them where they are.",
    )

    @property
    def in_place(self) -> bool:
        return not self.copy_audio

    def files(self, language: str, pairs: Sequence[str]) -> list[Path]:
        return [self._clips(language), *(self._file(pair, "test") for pair in pairs)]

    def size(self, amount: Amount) -> float:
        return amount.seconds * WAV_RATE + amount.rows * amount.row_bytes

    def fetch(self, language: str, pairs: Sequence[str], folders: Folders) -> Fetched:
        """Where two pairs have different sentences for a clip, the first one holds, and their number is said."""
        from llast.corpus.archive import clip_id
        from llast.corpus.clip_files import inspect
        from llast.corpus.tsv import tsv_bytes, write_tsv

        sentences: dict[str, tuple[str, str, str]] = {}
        different: set[str] = set()
        tables, files = {}, {}
        for pair in pairs:
            table, files[pair] = self._read(pair)
            for path, sentence, speaker in zip(
                table["path"], table["sentence"], table["client_id"], strict=True
            ):
                if sentences.setdefault(clip_id(path), (path, sentence, speaker))[1] != sentence:
                    different.add(path)
            tables[pair] = folders.output / f"covost_v2.{pair}.tsv"
            write_tsv(tables[pair], {name: table[name] for name in ("path", "translation", "split")})
        if different:
            print(
                f"fetch: {len(different):,} clips of '{language}' have another sentence in another table, such as "
                f"{min(different)}; that of the first pair ({pairs[0]}) holds",
                file=sys.stderr,
            )
        paths, texts, speakers = zip(*sentences.values(), strict=True) if sentences else ((), (), ())
        validated = tsv_bytes({"client_id": speakers, "path": paths, "sentence": texts})
        return Fetched(inspect(self._clips(language), self.in_place), validated, tables, files)

    def table(self, pair: str) -> "PairTable":
        from llast.corpus.tables import PairTable

        return PairTable(*self._read(pair))

    def _read(self, pair: str) -> "tuple[Table, dict[str, int]]":
        """The rows of all splits with their split, and how many each file has.

        A table that is missing has none: whether a split is needed is not for its source to say.

        Raises:
            DataError: a table is broken, or all are missing.
        """
        from llast.corpus.tsv import Table, read_tsv_file

        rows: dict[str, list[str]] = {name: [] for name in (*COLUMNS, "split")}
        paths = {split: self._file(pair, split) for split in SPLITS}
        files = {}
        if not any(path.exists() for path in paths.values()):
            raise DataError(
                f"{paths['train']} does not exist, nor the others of this pair. A prepared folder has the tables of "
                "get_covost_splits.py in tsv/; correct source.folder in the corpus's file, or leave the pair out."
            )
        for split, path in paths.items():
            table = read_tsv_file(path, COLUMNS) if path.exists() else Table({name: [] for name in COLUMNS})
            for name in COLUMNS:
                rows[name] += table[name]
            rows["split"] += [split] * len(table)
            files[str(path)] = len(table)
        return Table(rows), files

    def _clips(self, language: str) -> Path:
        return Path(self.folder) / "audio" / language / "clips_16k"

    def _file(self, pair: str, split: str) -> Path:
        return Path(self.folder) / "tsv" / f"covost_v2.{pair}.{split}.tsv"
