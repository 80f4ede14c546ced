"""Source `huggingface`: CoVoST-2 as parquet files on the Hugging Face hub, each language downloaded once."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from llast.artifacts.corpus import FetchedAudio, HubFile, HubListing
from llast.config.base import check_hub_name
from llast.corpus.sources.base import Amount, Folders, Readiness
from llast.corpus.sources.covost import CovostSource
from llast.errors import DataError
from llast.languages import PAIRS, pairs_from

if TYPE_CHECKING:
    from llast.corpus.remote import Remote
    from llast.hub import HubRepository


class HuggingFaceSource(CovostSource):
    """The clips of CoVoST-2 as parquet on the Hugging Face hub, each language once."""

    kind: Literal["huggingface"] = "huggingface"
    repository: Annotated[str, AfterValidator(check_hub_name)] = Field(
        "fixie-ai/covost2",
        description="With `{pair}/{split}-*.parquet`, columns id, sentence, client_id and audio.",
    )
    revision: str = Field(
        "17c8c81e331e7a6929118121771a58c7ef7331d8",
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of the repository, in full: what is read must not change.",
    )

    @property
    def downloads(self) -> bool:
        return True

    def check(self, languages: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Readiness:
        ready = super().check(languages, environment)
        if ready.remedy:
            return ready
        return Readiness(f"from {self.repository}, without a token if there is none")

    def size(self, amount: Amount) -> float:
        """Of the clips of CoVoST-2 only, not of the whole of Common Voice."""
        return amount.seconds * amount.mp3_rate + amount.tables_bytes

    def find_audio(self, language: str, folders: Folders) -> tuple[FetchedAudio, bytes]:
        """Download the parquet files of one pair out of the language.

        All pairs out of a language have the same clips, so the first one in CoVoST-2's order stands for all of them,
        whichever the corpus asks for.
        """
        from llast.corpus.download import download
        from llast.corpus.parquet import inspect

        pair = pairs_from(language, PAIRS)[0]
        folder = folders.downloads / self.repository.replace("/", "--") / self.revision / pair
        listing = folder / "files.json"
        if not listing.exists():  # a commit does not change: what is here needs no network
            HubListing(files=_list(self, pair)).write(listing)
        for file in HubListing.read(listing).files:
            download(partial(_remote, self, file), folder / PurePosixPath(file.path).name)
        return inspect(folder)


def _list(source: HuggingFaceSource, pair: str) -> list[HubFile]:
    """Path, size and digest of each parquet file of a pair."""
    from huggingface_hub import HfApi, RepoFile, get_token

    repository = _repository(source)
    with repository.refusals(pair):
        entries = list(
            HfApi().list_repo_tree(
                source.repository, pair, revision=source.revision, repo_type="dataset", token=get_token()
            )
        )
    files = [entry for entry in entries if isinstance(entry, RepoFile) and entry.path.endswith(".parquet")]
    if not files:
        raise DataError(
            f"{repository} has no parquet files in {pair}/: correct source.repository in the corpus's file."
        )
    return [
        HubFile(path=file.path, size=file.size, sha256=file.lfs.sha256 if file.lfs else None)
        for file in files
    ]


def _remote(source: HuggingFaceSource, file: HubFile) -> "Remote":
    from huggingface_hub import get_token, hf_hub_url

    from llast.corpus.remote import Remote

    token, repository = get_token(), _repository(source)
    return Remote(
        hf_hub_url(source.repository, file.path, repo_type="dataset", revision=source.revision),
        f"{repository}/{file.path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        size=file.size,
        sha256=file.sha256,
        remedies=repository.remedies,
    )


def _repository(source: HuggingFaceSource) -> "HubRepository":
    from llast.hub import HubRepository

    named_in = "source.repository and source.revision in the corpus's file"
    return HubRepository("dataset", source.repository, source.revision, named_in)
