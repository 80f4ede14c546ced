"""Source `prepared`: a folder in the layout of the LLaST README.

Its split tables are turned back into what they were made from, sentences and one table per pair, so that every later
step works as for any other source.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from llast.corpus.sources.base import Amount, Fetched, Folders, Source
from llast.errors import DataError
from llast.languages import SPLITS

COLUMNS = ("path", "sentence", "translation", "client_id")
WAV_RATE = 32_000
"""Bytes of a second of its clips: 16 kHz, 16 bit, mono."""


class PreparedSource(Source):
    """A folder in the layout of the LLaST README: split tables and 16 kHz clips."""

    kind: Literal["prepared"] = "prepared"
    folder: str = Field(
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
        tables = [self._table(pair, split) for pair in pairs for split in SPLITS]
        return [self._clips(language), *tables]

    def size(self, amount: Amount) -> float:
        return amount.seconds * WAV_RATE + amount.rows * amount.row_bytes

    def fetch(self, language: str, pairs: Sequence[str], folders: Folders) -> Fetched:
        """Where two pairs have different sentences for a clip, the first one holds, and their number is said."""
        from llast.corpus.archive import clip_id
        from llast.corpus.clip_files import inspect
        from llast.corpus.tsv import read_tsv_file, tsv_bytes, write_tsv

        sentences: dict[str, tuple[str, str]] = {}
        different: set[str] = set()
        tables = {}
        for pair in pairs:
            rows: dict[str, list[str]] = {"path": [], "translation": [], "split": []}
            for split in SPLITS:
                path = self._table(pair, split)
                if not path.exists():
                    raise DataError(
                        f"{path} does not exist. A prepared folder has the tables of get_covost_splits.py in tsv/; "
                        "correct source.folder in the corpus's file, or leave the pair out."
                    )
                table = read_tsv_file(path, COLUMNS)
                names = [f"{clip_id(name)}.mp3" for name in table["path"]]
                rows["path"] += names
                rows["translation"] += table["translation"]
                rows["split"] += [split] * len(table)
                for name, sentence, speaker in zip(names, table["sentence"], table["client_id"], strict=True):
                    if sentences.setdefault(name, (sentence, speaker))[0] != sentence:
                        different.add(name)
            tables[pair] = folders.output / f"covost_v2.{pair}.tsv"
            write_tsv(tables[pair], rows)
        if different:
            print(
                f"fetch: {len(different):,} clips of '{language}' have another sentence in another table, such as "
                f"{min(different)}; that of the first pair ({pairs[0]}) holds",
                file=sys.stderr,
            )
        validated = tsv_bytes(
            {
                "client_id": [speaker for _, speaker in sentences.values()],
                "path": list(sentences),
                "sentence": [sentence for sentence, _ in sentences.values()],
            }
        )
        return Fetched(inspect(self._clips(language), self.in_place), validated, tables)

    def _clips(self, language: str) -> Path:
        return Path(self.folder) / "audio" / language / "clips_16k"

    def _table(self, pair: str, split: str) -> Path:
        return Path(self.folder) / "tsv" / f"covost_v2.{pair}.{split}.tsv"
