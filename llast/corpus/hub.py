"""CoVoST-2 from the Hugging Face hub: parquet files with the clips of a pair, each language downloaded once."""

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, RepoFile, get_token, hf_hub_url

from llast.artifacts import read_json, write_json
from llast.config.corpus import HuggingFaceSource
from llast.corpus.download import download
from llast.corpus.remote import Remote
from llast.errors import DataError
from llast.hub import HubRepository
from llast.languages import PAIRS, pairs_from


def fetch_parquet(source: str, options: HuggingFaceSource, downloads: Path) -> Path:
    """Download the parquet files of one pair out of a language; returns their folder.

    All pairs out of a language have the same clips, so the first one in CoVoST-2's order stands for all of them,
    whichever the corpus asks for.

    Raises:
        ConfigError: there is no such data set, or this account may not read it.
        DataError: the hub cannot be reached, or what comes is not what it promised.
    """
    pair = pairs_from(source, PAIRS)[0]
    folder = downloads / options.repository.replace("/", "--") / options.revision / pair
    listing = folder / "files.json"
    if not listing.exists():  # a commit does not change: what is here needs no network
        write_json(listing, _list(options, pair))
    for file in read_json(listing):
        path = folder / PurePosixPath(file["path"]).name
        download(partial(_remote, options, file["path"], file["size"], file["sha256"]), path)
    return folder


def _list(options: HuggingFaceSource, pair: str) -> list[dict[str, Any]]:
    """Path, size and digest of each parquet file of a pair."""
    repository = _repository(options)
    with repository.refusals(pair):
        entries = list(
            HfApi().list_repo_tree(
                options.repository, pair, revision=options.revision, repo_type="dataset", token=get_token()
            )
        )
    files = [entry for entry in entries if isinstance(entry, RepoFile) and entry.path.endswith(".parquet")]
    if not files:
        raise DataError(
            f"{repository} has no parquet files in {pair}/: correct source.repository in the corpus's file."
        )
    return [
        {"path": file.path, "size": file.size, "sha256": file.lfs.sha256 if file.lfs else None}
        for file in files
    ]


def _remote(options: HuggingFaceSource, path: str, size: int, sha256: str | None) -> Remote:
    token, repository = get_token(), _repository(options)
    return Remote(
        hf_hub_url(options.repository, path, repo_type="dataset", revision=options.revision),
        f"{repository}/{path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        size=size,
        sha256=sha256,
        remedies=repository.remedies,
    )


def _repository(options: HuggingFaceSource) -> HubRepository:
    named_in = "source.repository and source.revision in the corpus's file"
    return HubRepository("dataset", options.repository, options.revision, named_in)
