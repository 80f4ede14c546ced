"""Source `url`: Common Voice from any server."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.sources.base import Folders
from llast.corpus.sources.covost import (
    AudioAddress,
    CovostSource,
    download_address,
    read_release,
    require_language,
    variables_in,
)


def _check_http(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("an address starts with http:// or https://; files that are here: kind: local.")
    return text


class UrlSource(CovostSource):
    """Common Voice from any server."""

    kind: Literal["url"] = "url"
    audio: Annotated[AudioAddress, AfterValidator(_check_http)] = Field(
        description="Address of the Common Voice archive of a language, with `{lang}`. `${NAME}` is filled in from the "
        "environment when it is used, for keys that no file may hold."
    )

    def check_pairs(self, pairs: Sequence[str]) -> None:
        super().check_pairs(pairs)
        require_language(self.audio, pairs)

    @property
    def downloads(self) -> bool:
        return True

    def variables(self) -> dict[str, str]:
        return variables_in(self.audio) | super().variables()

    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        address = self.audio.replace("{lang}", language)
        return read_release(download_address(address, folders.downloads), language)
