"""Source `local`: Common Voice that is already here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.sources.base import Amount, Folders, Readiness
from llast.corpus.sources.covost import AudioAddress, CovostSource, read_release, require, require_language
from llast.errors import DataError


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

    def check(self, languages: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Readiness:
        from llast.corpus.archive import find_root

        ready = super().check(languages, environment)
        for language in languages if not ready.remedy else ():
            if (folder := self._audio(language)).is_dir():
                try:
                    find_root(folder, language)
                except DataError as error:
                    found, _, remedy = str(error).partition(". ")
                    return Readiness(found, f"name the folder of a release in source.audio: {remedy}")
        return ready

    def download_size(self, amount: Amount) -> float:
        return amount.tables_bytes if self.downloads else 0.0

    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        what = f"the Common Voice archive or folder of '{language}'"
        return read_release(require(self._audio(language), what, "source.audio"), language)

    def _audio(self, language: str) -> Path:
        return Path(self.audio.replace("{lang}", language))
