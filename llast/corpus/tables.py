"""CoVoST-2 tables of pairs, and what must hold of them before anything is made of them: splits, and a row a clip."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import sha256_of
from llast.artifacts.corpus import FetchedTable
from llast.corpus.archive import clip_id, read_table
from llast.corpus.tsv import Table, read_tsv, read_tsv_file
from llast.errors import DataError
from llast.languages import SPLITS, CorpusSplit

SPLIT_OF_LABEL: dict[str, CorpusSplit] = {
    "train": "train",
    "train_covost": "train",
    "dev": "dev",
    "test": "test",
}
"""Labels that CoVoST-2 (version 2) uses; `dev_covost`, `dev_dup` and the like belong to no split."""

_OTHER_NAMES = {"dev": ("dev", "val", "eval"), "test": ("test", "tst"), "train": ("train", "trn")}
"""How labels begin that other corpora have for a split; to propose, not to guess."""
_WORDS_OF_YAML = {"true", "false", "yes", "no", "on", "off", "null"}


def read_covost(path: Path) -> Table:
    """Read a CoVoST-2 table, `.tsv` or `.tar.gz`: columns path, translation, split.

    Raises:
        DataError: it is missing or broken.
    """
    return read_tsv(io.BytesIO(read_table(path)), str(path), ("path", "translation", "split"))


def read_fetched(table: FetchedTable) -> Table:
    """Read the table that the step fetch has checked; it lies where the user has it.

    Raises:
        DataError: it is missing, or another one by now.
    """
    path = Path(table.path)
    rows = read_covost(path)
    if sha256_of(path) != table.sha256:
        raise DataError(
            f"{path} is not the table that the step fetch has checked: it has changed. Run that step again "
            "(snakemake --forcerun fetch)."
        )
    return rows


@dataclass(frozen=True)
class PairTable:
    """The table of a pair.

    Attributes:
        table: columns path, translation, split.
        files: rows of each file that it was read from, in order; a file that is missing has none.
    """

    table: Table
    files: Mapping[str, int]

    def place(self, row: int) -> str:
        """Where a row stands, which is numbered from 0."""
        for file, rows in self.files.items():
            if row < rows:
                return f"data row {row + 1} of {file}"
            row -= rows
        raise IndexError(row)


def read_pair(path: Path) -> PairTable:
    """Read the table of a pair from the one file that it is; errors as in `read_covost`."""
    table = read_covost(path)
    return PairTable(table, {str(path): len(table)})


def check_table(
    pair: PairTable, splits: Mapping[str, CorpusSplit], needed: Collection[CorpusSplit]
) -> dict[str, str]:
    """Check that a table has rows of each split that is needed, and a clip only once among those of splits.

    Args:
        pair: the table.
        splits: split of each label that counts.
        needed: splits that must not be empty.

    Returns:
        the path that the table has for each clip of a split.

    Raises:
        DataError: with the labels that were found, or two of the rows.
    """
    labels = Counter(pair.table["split"])
    found = {splits[label] for label in labels if label in splits}
    if missing := [split for split in SPLITS if split in needed and split not in found]:
        empty = [file for file, rows in pair.files.items() if not rows]
        name = ", ".join(empty if empty and len(pair.files) > 1 else pair.files)
        raise DataError(f"{name}: no {' and no '.join(missing)} rows. {_what_to_do(labels, splits, missing)}")
    return require_distinct(
        pair.table["path"], (label in splits for label in pair.table["split"]), pair.place
    )


def check_sentences(validated: Path, wanted: Mapping[str, str]) -> None:
    """Check that each clip that a table wants has one sentence, and that any has one.

    Args:
        validated: a `validated.tsv`.
        wanted: the path that a table has for each clip of a split.

    Raises:
        DataError: with two of the rows, or a path of each side.
    """
    paths = read_tsv_file(validated, ("path",))["path"]
    needed = (clip_id(path) in wanted for path in paths)
    found = require_distinct(paths, needed, lambda row: f"data row {row + 1} of {validated}")
    if wanted and not found:
        raise DataError(
            f"{validated} has no sentence of any clip of the tables. "
            f"{one_of_each(next(iter(wanted.values())), *paths[:1])}"
        )


def one_of_each(wanted: str, there: str = "") -> str:
    """Where nothing fits: a path of the tables, one of what there is, and the names by which they would meet."""
    other = f"what is there has '{there}', which is the clip '{clip_id(there)}'" if there else "there is none"
    return (
        f"The tables have '{wanted}', which is the clip '{clip_id(wanted)}'; {other}. They have to be the same: "
        "correct the paths, or name the files of the right release and language."
    )


def require_distinct(
    paths: Sequence[str], counts: Iterable[bool], place: Callable[[int], str]
) -> dict[str, str]:
    """Check that no clip stands in two rows.

    Args:
        paths: of all rows.
        counts: whether a row does; those that nobody needs may be doubled.
        place: where a row stands, for messages.

    Returns:
        the path of each clip.

    Raises:
        DataError: with two of the rows.
    """
    rows: dict[str, int] = {}
    for row, (path, does) in enumerate(zip(paths, counts, strict=True)):
        if not does or (first := rows.setdefault(clip_id(path), row)) == row:
            continue
        both = f"{place(first)} and {place(row)}"
        if paths[first] == path:
            raise DataError(
                f"{both} are both of '{path}', and a clip has one row. Take out the one that is there twice; if these "
                "are segments of one recording, cut it into a file for each, with a path of its own."
            )
        raise DataError(
            f"{both}, '{paths[first]}' and '{path}', would both be the clip '{clip_id(path)}': clips are told apart by "
            "the names of their files, without folder and ending. Give each a name of its own, in the tables and of "
            f"its audio file, such as '{_name_of_its_own(path, row)}'."
        )
    return {clip: paths[row] for clip, row in rows.items()}


def _name_of_its_own(path: str, row: int) -> str:
    """A path that makes another clip: with the folder in the name, or else with the number of the row."""
    flat = path.strip("/").replace("/", "_")
    if clip_id(flat) != clip_id(path):
        return flat
    return f"{clip_id(path)}_{row + 1}{flat.removeprefix(flat.rpartition('.')[0]) if '.' in flat else ''}"


def _what_to_do(
    labels: Mapping[str, int], splits: Mapping[str, CorpusSplit], missing: Sequence[CorpusSplit]
) -> str:
    """The labels that were found and, where there are others than those of splits, how to map them."""
    if not labels:
        return (
            "There is a header and nothing else. Fetch it again, or take the pair out of the corpus's file."
        )
    said = "Its labels are " + ", ".join(f"'{label}' ({count:,})" for label, count in sorted(labels.items()))
    free = [label for label in labels if label not in splits]
    if not free:
        more = (
            ", or set dev_sets: false there: the last checkpoint is then taken"
            if list(missing) == ["dev"]
            else ""
        )
        return f"{said}. Complete it, or take the pair out of the corpus's file{more}."
    mapping = ", ".join(f"{_as_key(label)}: {split}" for split, label in _proposed(missing, free).items())
    return f"{said}. Say in the corpus's file which label is which split, such as splits: {{{mapping}}}."


def _proposed(missing: Sequence[CorpusSplit], labels: Sequence[str]) -> dict[CorpusSplit, str]:
    """A label for each missing split, as far as there are labels; none twice."""
    likely = {
        split: label for split in missing for label in labels if label.lower().startswith(_OTHER_NAMES[split])
    }
    others = [label for label in labels if label not in likely.values()]
    return likely | dict(zip((split for split in missing if split not in likely), others, strict=False))


def _as_key(label: str) -> str:
    """A label as YAML has it, in quotes where it could be taken for a number or a word such as `no`."""
    plain = re.fullmatch(r"[A-Za-z][\w-]+", label) and label.lower() not in _WORDS_OF_YAML
    return label if plain else json.dumps(label, ensure_ascii=False)
