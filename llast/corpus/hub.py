"""CoVoST-2 from the Hugging Face hub: parquet files with the clips of a pair, each language downloaded once."""

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, RepoFile, get_token, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from llast.artifacts import read_json, write_json
from llast.config.corpus import HuggingFaceSource
from llast.corpus.download import download
from llast.corpus.remote import Remote
from llast.errors import ConfigError, DataError
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
    where, remedies = _name(options), _remedies(options)
    try:
        entries = list(
            HfApi().list_repo_tree(
                options.repository, pair, revision=options.revision, repo_type="dataset", token=get_token()
            )
        )
    except GatedRepoError:
        raise ConfigError(f"{where}: {remedies[403]}") from None
    except RevisionNotFoundError:
        raise ConfigError(f"{where} does not exist: correct source.revision in the corpus's file.") from None
    except EntryNotFoundError:
        raise ConfigError(
            f"{where} has no folder {pair}: correct source.repository in the corpus's file."
        ) from None
    except RepositoryNotFoundError:
        raise ConfigError(
            f"the hub has no data set '{options.repository}', or it is private: then hf auth login "
            "(or export HF_TOKEN)."
        ) from None
    except OfflineModeIsEnabled:
        raise DataError(f"HF_HUB_OFFLINE forbids to fetch {where}: unset it where Snakemake runs.") from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        raise DataError(
            f"{where}: the hub answered HTTP {code}. {remedies.get(code, 'Run the step again later.')}"
        ) from None
    except Exception as error:
        # The client lets the errors of its HTTP library through, and that library's name changes (now httpx2).
        if not any(
            kind.__module__.startswith(("httpx", "httpcore", "requests")) for kind in type(error).__mro__
        ):
            raise
        raise DataError(
            f"{where}: the hub cannot be reached ({error}). Run the step again where the network is."
        ) from None
    files = [entry for entry in entries if isinstance(entry, RepoFile) and entry.path.endswith(".parquet")]
    if not files:
        raise DataError(
            f"{where} has no parquet files in {pair}/: correct source.repository in the corpus's file."
        )
    return [
        {"path": file.path, "size": file.size, "sha256": file.lfs.sha256 if file.lfs else None}
        for file in files
    ]


def _remote(options: HuggingFaceSource, path: str, size: int, sha256: str | None) -> Remote:
    token = get_token()
    return Remote(
        hf_hub_url(options.repository, path, repo_type="dataset", revision=options.revision),
        f"{_name(options)}/{path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        size=size,
        sha256=sha256,
        remedies=_remedies(options),
    )


def _name(options: HuggingFaceSource) -> str:
    return f"{options.repository}@{options.revision[:8]}"


def _remedies(options: HuggingFaceSource) -> dict[int, str]:
    page = f"https://huggingface.co/datasets/{options.repository}"
    return {
        401: "Log in to the hub: hf auth login (or export HF_TOKEN).",
        403: f"Accept its terms on {page}, then: hf auth login (or export HF_TOKEN).",
    }
