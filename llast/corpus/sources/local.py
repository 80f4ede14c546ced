"""Source `local`: Common Voice that is already here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.sources.base import Amount, Folders
from llast.corpus.sources.covost import AudioAddress, CovostSource, read_release, require, require_language


class LocalSource(CovostSource):
    """Common Voice that is already here. `{lang}` and `{pair}` in paths are filled in."""

    kind: Literal["local"] = "local"
    audio: AudioAddress = Field(
        description="Common Voice archive (tar, .tar.gz, .tar.bz2, .tar.xz or .zip) or unpacked folder of a language: "
        "`cv/{lang}.tar.gz`."
    )

    def check_pairs(self, pairs: Sequence[str]) -> None:
        super().check_pairs(pairs)
        require_language(self.audio, pairs)

    def files(self, language: str, pairs: Sequence[str]) -> list[Path]:
        return [self._audio(language), *super().files(language, pairs)]

    def download_size(self, amount: Amount) -> float:
        return amount.tables_bytes if self.downloads else 0.0

    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        what = f"the Common Voice archive or folder of '{language}'"
        return read_release(require(self._audio(language), what, "source.audio"), language)

    def _audio(self, language: str) -> Path:
        return Path(self.audio.replace("{lang}", language))
