"""What the kinds have in common whose translations are CoVoST-2's own tables, beside audio from elsewhere."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from llast.artifacts.corpus import FetchedAudio
from llast.config.base import is_server
from llast.corpus.official import TABLES, official_table
from llast.corpus.sources.base import Amount, Fetched, Folders, Source
from llast.errors import DataError
from llast.languages import source_languages

if TYPE_CHECKING:
    from llast.corpus.tables import PairTable


def _check_address(text: str, known: tuple[str, ...]) -> str:
    plain = re.sub(r"\$\{\w+\}", "", text)
    for name in re.findall(r"\{(.*?)\}", plain):
        if name not in known:
            names = ", ".join(f"{{{other}}}" for other in known)
            raise ValueError(f"{{{name}}} stands for nothing here; known: {names}.")
    if not text.strip():
        raise ValueError("it is empty. Name a file, a folder or an address.")
    if "://" in text and not text.startswith(("http://", "https://")):
        raise ValueError("an address starts with http:// or https://.")
    if "://" in text and not is_server(re.sub(r"\$?\{\w+\}", "1", text)):
        raise ValueError(
            "no server can have this address: a host is missing, or the port is not from 1 to 65535."
        )
    if re.search(r"//[^/?]*:[^/?@]+@", plain):
        raise ValueError(
            "an address must not hold a password: configurations are kept with the results. "
            "Write ${NAME} for it and export NAME."
        )
    return text


AudioAddress = Annotated[str, AfterValidator(lambda text: _check_address(text, ("lang",)))]
"""File or address of a language's audio; `{lang}` stands for its code."""
Tables = Annotated[
    str,
    AfterValidator(lambda text: _check_address(text, ("pair",))),
    Field(
        description="CoVoST-2 table of a pair: an address, or a file that is here, such as "
        "`covost/covost_v2.{pair}.tsv.tar.gz` or the bare .tsv."
    ),
]


class CovostSource(Source):
    """Audio from somewhere, and CoVoST-2's tables."""

    tables: Tables = TABLES

    @abstractmethod
    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        """Find or download the audio of a language, and read it once: where it is, and its `validated.tsv`."""

    def check_pairs(self, pairs: Sequence[str]) -> None:
        if len(pairs) > 1 and "{pair}" not in self.tables:
            raise ValueError(
                f"'source.tables' is '{self.tables}' for all of {', '.join(pairs)}: each pair has a table of its own. "
                "Write {pair} where the names differ, such as tables/covost_v2.{pair}.tsv."
            )

    @property
    def downloads(self) -> bool:
        return is_address(self.tables)

    def files(self, language: str, pairs: Sequence[str]) -> list[Path]:
        return [] if is_address(self.tables) else [self._table(pair) for pair in pairs]

    def variables(self) -> dict[str, str]:
        return variables_in(self.tables)

    def download_size(self, amount: Amount) -> float:
        local_tables = 0.0 if is_address(self.tables) else amount.tables_bytes
        return super().download_size(amount) - local_tables

    def fetch(self, language: str, pairs: Sequence[str], folders: Folders) -> Fetched:
        audio, validated = self.find_audio(language, folders)
        return Fetched(audio, validated, {pair: self._find_table(pair, folders.downloads) for pair in pairs})

    def table(self, pair: str) -> "PairTable | None":
        from llast.corpus.tables import read_pair

        return None if is_address(self.tables) else read_pair(self._table(pair))

    def _table(self, pair: str) -> Path:
        return Path(self.tables.replace("{pair}", pair))

    def _find_table(self, pair: str, downloads: Path) -> Path:
        if not is_address(self.tables):
            return require(self._table(pair), f"the CoVoST-2 table of '{pair}'", "source.tables")
        address = self.tables.replace("{pair}", pair)
        if self.tables != TABLES:
            return download_address(address, downloads)
        official = official_table()[pair]
        size, digest = int(official["tsv_tar_gz_bytes"]), official["tsv_tar_gz_sha256"]
        return download_address(address, downloads, size, digest)


def require_language(audio: str, pairs: Sequence[str]) -> None:
    """Raise ValueError if audio of several languages would be read from one place."""
    languages = source_languages(list(pairs))
    if len(languages) > 1 and "{lang}" not in audio:
        raise ValueError(
            f"'source.audio' is '{audio}' for all of {', '.join(languages)}: each language has audio of its own. Write "
            "{lang} where the names differ, such as cv/{lang}.tar.gz."
        )


def is_address(place: str) -> bool:
    """Whether a place is on a server; else it is here."""
    return "://" in place


def variables_in(text: str) -> dict[str, str]:
    """The environment variables in an address, for `Source.variables`."""
    return dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "")


def require(path: Path, what: str, key: str) -> Path:
    """Return a path of the configuration.

    Raises:
        DataError: there is no such file or folder.
    """
    if not path.exists():
        raise DataError(
            f"{path} does not exist: {what}. Put it there, or set {key} in the corpus's file to where it is."
        )
    return path


def download_address(
    address: str, downloads: Path, size: int | None = None, sha256: str | None = None
) -> Path:
    """Download what is at an address, unless it is here; addresses that differ in folder or query share no file."""
    from llast.artifacts import spec_hash
    from llast.corpus.download import download
    from llast.corpus.remote import remote_at

    name = address.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    path = downloads / spec_hash(address) / name
    download(lambda: remote_at(address, size, sha256), path)
    return path


def read_release(path: Path, language: str) -> tuple[FetchedAudio, bytes]:
    """Read a Common Voice archive or folder once, for `CovostSource.find_audio`.

    Raises:
        DataError: it is damaged, hostile, or no longer the one that was downloaded.
    """
    from llast.corpus.archive import inspect
    from llast.corpus.download import require_recorded

    audio, validated = inspect(path, language)
    require_recorded(path, audio.sha256)
    return audio, validated
