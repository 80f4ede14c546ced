"""A folder in the layout of the LLaST README: `tsv/covost_v2.{pair}.{split}.tsv`, `audio/{lang}/clips_16k/*.wav`.

Its split tables are turned back into what they were made from, sentences and one table per pair, so that every later
step works as for any other source.
"""

import hashlib
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from llast.artifacts import atomic_path
from llast.corpus.archive import Release, clip_id, sorted_files
from llast.corpus.tsv import read_tsv_file, tsv_bytes
from llast.errors import DataError
from llast.languages import SPLITS

COLUMNS = ("path", "sentence", "translation", "client_id")


def audio_folder(folder: Path, source: str) -> Path:
    """Where the clips of a language lie."""
    return folder / "audio" / source / "clips_16k"


def inspect_prepared(folder: Path, source: str, pairs: list[str], tables: Path, in_place: bool) -> Release:
    """Read the split tables of all pairs out of a language, and write `tables/covost_v2.{pair}.tsv` for each.

    Where two pairs have different sentences for a clip, the first one holds, and their number is said.

    Raises:
        DataError: a table or the folder of clips is missing.
    """
    sentences: dict[str, tuple[str, str]] = {}
    different: set[str] = set()
    for pair in pairs:
        rows: dict[str, list[str]] = {"path": [], "translation": [], "split": []}
        for split in SPLITS:
            path = folder / "tsv" / f"covost_v2.{pair}.{split}.tsv"
            if not path.exists():
                raise DataError(
                    f"{path} does not exist. A prepared folder has the tables of get_covost_splits.py in tsv/; correct "
                    "source.folder in the corpus's file, or leave the pair out."
                )
            table = read_tsv_file(path, COLUMNS)
            names = [f"{clip_id(name)}.mp3" for name in table["path"]]
            rows["path"] += names
            rows["translation"] += table["translation"]
            rows["split"] += [split] * len(table)
            for name, sentence, speaker in zip(names, table["sentence"], table["client_id"], strict=True):
                if sentences.setdefault(name, (sentence, speaker))[0] != sentence:
                    different.add(name)
        with atomic_path(tables / f"covost_v2.{pair}.tsv") as temporary:
            temporary.write_bytes(tsv_bytes(rows))
    if different:
        print(
            f"fetch: {len(different):,} clips of '{source}' have another sentence in another table, such as "
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
    clips = audio_folder(folder, source)
    digest, total = hashlib.sha256(f"{clips.absolute() if in_place else 'copied'}\n".encode()), 0
    for name in _sorted_files(clips):
        size = os.stat(clips / name).st_size
        total += size
        digest.update(f"{name}\t{size}\n".encode())
    return Release("", validated, total, digest.hexdigest())


def prepared_files(clips: Path, wanted: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Yield id and absolute path of each wanted clip, once each; shorter names first, so `{clip}.wav` is preferred."""
    left = set(wanted)
    for name in _sorted_files(clips):
        if (clip := clip_id(name)) in left:
            left.remove(clip)
            yield clip, (clips / name).absolute()


def _sorted_files(clips: Path) -> list[str]:
    return sorted_files(
        clips,
        "A prepared folder has its clips there, as 16 kHz wav files; correct source.folder in the corpus's file.",
        key=lambda name: (len(name), name),
    )
