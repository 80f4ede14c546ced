"""Source `mdc`: Common Voice from Mozilla Data Collective.

The interface is that of its Python SDK (`datacollective` 0.7, `download_dataset`), which is not used: it never checks
the digest of what came, adds a whole file to half of one where a server ignores ranges, and does not retry.
"""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from llast.artifacts.corpus import FetchedAudio
from llast.config.base import Language, is_server
from llast.corpus.sources.base import Folders
from llast.corpus.sources.covost import CovostSource, read_release
from llast.errors import ConfigError, DataError
from llast.languages import source_languages

if TYPE_CHECKING:
    from llast.corpus.remote import Remote

SITE = "https://mozilladatacollective.com"
API = f"{SITE}/api"
KEY = "MDC_API_KEY"


class MdcSource(CovostSource):
    """Common Voice from Mozilla Data Collective; its key is in `MDC_API_KEY`, its terms accepted there."""

    kind: Literal["mdc"] = "mdc"
    datasets: dict[Language, Annotated[str, Field(pattern=r"^\w[\w-]*$")]] = Field(
        description="Data set id of each source language: the end of its page's address."
    )

    def check_pairs(self, pairs: Sequence[str]) -> None:
        super().check_pairs(pairs)
        languages = source_languages(list(pairs))
        if missing := [code for code in languages if code not in self.datasets]:
            raise ValueError(f"'source.datasets' has no id for {', '.join(missing)}.")
        ids = [self.datasets[code] for code in languages]
        if same := [code for code in languages if ids.count(self.datasets[code]) > 1]:
            raise ValueError(
                f"'source.datasets' has one id for {', '.join(same)}: each language has one of its own."
            )

    def for_language(self, language: str) -> Self:
        return self.model_copy(update={"datasets": {language: self.datasets[language]}})

    @property
    def downloads(self) -> bool:
        return True

    def variables(self) -> dict[str, str]:
        origin = f"the key is made on {SITE}, where each data set's terms are accepted"
        return {KEY: origin, **super().variables()}

    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        from llast.corpus.download import download

        data_set = self.datasets.get(language)
        if data_set is None:
            raise ConfigError(f"source.datasets has no id for {language}.")
        path = folders.downloads / data_set / f"{language}.tar.gz"
        download(lambda: _locate(data_set, language), path)
        return read_release(path, language)


def _locate(data_set: str, language: str) -> "Remote":
    """Ask the service for a download address, which holds for some hours.

    Args:
        data_set: id of the data set.
        language: the language that it is meant to be, for messages.

    Raises:
        ConfigError: there is no key.
        DataError: the service refuses, or answers what we do not understand.
        TryAgain: it may answer later.
    """
    from llast.corpus.remote import Remote, ask

    key = os.environ.get(KEY, "").strip()
    page = f"{SITE}/datasets/{data_set}"
    if not key:
        raise ConfigError(
            f"Mozilla Data Collective wants a key: log in on {SITE}, make one, and export it as {KEY} where Snakemake "
            f"runs. Accept the terms of {page} there as well."
        )
    api = os.environ.get("MDC_API_URL", API).rstrip("/")
    if not is_server(api):
        raise ConfigError(f"MDC_API_URL holds no address of a server: unset it, or export {API}.")
    shown = f"the data set {data_set} ({language}) of Mozilla Data Collective"
    answer = ask(
        Remote(
            f"{api}/datasets/{data_set}/download",
            shown,
            headers={"Authorization": f"Bearer {key}"},
            remedies={
                401: f"The key in {KEY} is not accepted: make a new one on {SITE} and export that.",
                403: f"Accept its terms first: open {page} in a browser, logged in as the owner of the key.",
                404: f"Correct source.datasets.{language} in the corpus's file: the id is the end of the page's "
                "address.",
                410: f"Look on {SITE} for the release that took its place, and correct source.datasets.{language}.",
            },
        ),
        "POST",
    )
    try:
        url, size = str(answer["downloadUrl"]), int(answer["sizeBytes"])
    except (TypeError, KeyError, ValueError):
        raise DataError(
            f"{shown}: the answer has no downloadUrl or sizeBytes. Its interface may have changed: download the "
            "archive with a browser and use a source of kind local."
        ) from None
    checksum = str(answer.get("checksum") or "").lower().removeprefix("sha256:")
    return Remote(
        url,
        shown,
        size=size,
        sha256=checksum if re.fullmatch(r"[0-9a-f]{64}", checksum) else None,
        expires=True,
    )
