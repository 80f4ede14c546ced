"""The questions that the configuration, `llast doctor`, `llast plan` and the step fetch ask of every kind of source.

The class of a kind holds its options, as a corpus file gives them below `source`, and answers for them. It is imported
wherever a configuration is read, so its methods import what only they need: pyarrow, HTTP, the hub's client.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from llast.artifacts.corpus import FetchedAudio
from llast.config.base import Model

if TYPE_CHECKING:
    from llast.corpus.tables import PairTable


@dataclass(frozen=True)
class Folders:
    """Where the step fetch works.

    Attributes:
        output: its own folder for a source language.
        downloads: what is downloaded, for all languages; what lies there is not downloaded again.
        synthesized: what the step synthesize has made for the language; None for a corpus that is not synthetic.
    """

    output: Path
    downloads: Path
    synthesized: Path | None = None


@dataclass(frozen=True)
class Fetched:
    """The files of a source language, here and read once.

    Attributes:
        audio: where its clips are, and how they are read.
        validated: its sentences: a table like Common Voice's `validated.tsv`.
        tables: CoVoST-2 table of each pair, `.tsv` or `.tar.gz`.
        files: by pair, rows of each file that a table was put together from, for messages; empty: the table's own.
    """

    audio: FetchedAudio
    validated: bytes
    tables: dict[str, Path]
    files: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Readiness:
    """Whether the step fetch can run: it can if there is no `remedy`.

    Attributes:
        found: what is there or missing, without any secret; may be empty.
        remedy: the next thing to do.
    """

    found: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Amount:
    """How much there is of a source language, before any of it is here.

    Attributes:
        rows: of all splits of all its pairs.
        seconds: of audio that these rows refer to.
        archive_bytes: the whole Common Voice archive, as published.
        tables_bytes: the archives of its CoVoST-2 tables, as published.
        mp3_rate: bytes of a second of audio as Common Voice has it.
        row_bytes: of a row of a table.
    """

    rows: int
    seconds: float
    archive_bytes: float
    tables_bytes: float
    mp3_rate: float
    row_bytes: float


class Source(Model, ABC):
    """Where the files of a corpus come from."""

    kind: str

    def check_pairs(self, pairs: Sequence[str]) -> None:
        """Raise ValueError, with the key, if the options leave out a pair, or serve one file as that of several."""

    def for_language(self, language: str) -> Self:
        """The options that decide what fetch finds for a language; others must not make it run again."""
        return self

    @property
    def synthesize_options(self) -> Model | None:
        """Options of the step synthesize, for a corpus which that step makes."""
        return None

    @property
    def downloads(self) -> bool:
        """Whether fetch may download: as many do so at once as the resource `downloads` allows."""
        return False

    @property
    def in_place(self) -> bool:
        """Whether the clips are read where they are for good, and not stored a second time."""
        return False

    # For llast doctor

    def files(self, language: str, pairs: Sequence[str]) -> list[Path]:
        """Files and folders that have to be here before a language can be fetched."""
        return []

    def variables(self) -> dict[str, str]:
        """Environment variables that have to be set, each with where its value comes from (empty: the user knows)."""
        return {}

    def check(self, languages: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Readiness:
        """Whether these source languages, each with its pairs, can be fetched: quickly, and without the network."""
        from llast.corpus.containers import unreadable

        paths = [path for language, pairs in languages.items() for path in self.files(language, pairs)]
        if missing := [str(path) for path in paths if not path.exists()]:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            remedy = "put them there, or correct source in the corpus's file"
            return Readiness(f"not here: {', '.join(missing[:3])}{more}", remedy)
        for path in paths:
            if found := unreadable(path):
                return Readiness(f"{path} {found[0]}", found[1])
        variables = self.variables()
        if unset := [name for name in variables if not environment.get(name, "").strip()]:
            origins = [f"; {variables[name]}" for name in unset if variables[name]]
            remedy = f"export {' and '.join(unset)} where Snakemake runs{''.join(origins)}"
            return Readiness(f"not set: {', '.join(unset)}", remedy)
        return Readiness(f"set: {', '.join(variables)}" if variables else "")

    def table(self, pair: str) -> "PairTable | None":
        """The table of a pair, if it is here and read in seconds.

        Raises:
            DataError: it is broken.
        """
        return None

    # For llast plan

    def rows(self, split: str) -> int | None:
        """Rows of a split of each pair; None: those that CoVoST-2 has published."""
        return None

    def size(self, amount: Amount) -> float:
        """Bytes of the files of a source language that fetch and resample read."""
        return amount.archive_bytes + amount.tables_bytes

    def download_size(self, amount: Amount) -> float:
        """Bytes that fetch downloads of them."""
        return self.size(amount) if self.downloads else 0.0

    # For the step fetch

    @abstractmethod
    def fetch(self, language: str, pairs: Sequence[str], folders: Folders) -> Fetched:
        """Find or download the files of a source language and of the pairs out of it, and read the audio once.

        Raises:
            ConfigError: a key or variable that a server needs is not set.
            DataError: a file is missing, damaged, or not the one that is expected.
        """
