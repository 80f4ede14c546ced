"""Get hold of a language's Common Voice audio and CoVoST-2 tables, and check that they are whole."""

import hashlib
import time
from pathlib import Path

from llast.artifacts import Summary, atomic_path, spec_hash
from llast.config.corpus import LocalSource, SyntheticSource, UrlSource
from llast.config.steps import STEP_VERSIONS
from llast.corpus.archive import inspect
from llast.corpus.download import download, recorded_digest
from llast.corpus.join import official_table, read_covost
from llast.errors import DataError

OFFICIAL_TABLES = UrlSource.model_fields["tables"].default


def fetch(
    source: str,
    pairs: list[str],
    output: Path,
    options: LocalSource | UrlSource | SyntheticSource,
    synthesized: Path | None,
    downloads: Path,
) -> Summary:
    """Find or download the files of a source language, read each once, and write the summary.

    Local files are used where they are. The audio archive is read to its end, which shows damage now and not
    hours later, and its `validated.tsv` is written beside the summary.

    Rows: files. Details: `source`; `audio` with `path`, `bytes`, `sha256`, and `root` (folder of
    `validated.tsv` in it); `validated` (name of the file beside the summary); `tables[pair]` with `path`,
    `bytes`, `sha256`.

    Args:
        source: source language.
        pairs: the pairs out of it.
        output: folder of the summary.
        options: where the files come from.
        synthesized: summary of the step synthesize, for a synthetic source.
        downloads: folder for downloads; what lies there is not downloaded again.

    Raises:
        DataError: a file is missing, damaged, or not the one that is expected.
    """
    began = time.monotonic()
    audio = _locate_audio(source, options, synthesized, downloads)
    release = inspect(audio, source)
    _require_recorded(audio, release.sha256, downloads)
    tables = {}
    for pair in pairs:
        path = _locate_table(pair, options, synthesized, downloads)
        read_covost(path)
        content = path.read_bytes()
        tables[pair] = {
            "path": str(path),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        _require_recorded(path, str(tables[pair]["sha256"]), downloads)
    with atomic_path(output / "validated.tsv") as temporary:
        temporary.write_bytes(release.validated)
    summary = Summary(
        step="fetch",
        version=STEP_VERSIONS["fetch"],
        rows_in=1 + len(pairs),
        rows_out=1 + len(pairs),
        seconds=time.monotonic() - began,
        details={
            "source": source,
            "audio": {
                "path": str(audio),
                "bytes": release.bytes,
                "sha256": release.sha256,
                "root": release.root,
            },
            "validated": "validated.tsv",
            "tables": tables,
        },
    )
    summary.write(output / "summary.json")
    return summary


def _locate_audio(
    source: str, options: LocalSource | UrlSource | SyntheticSource, synthesized: Path | None, downloads: Path
) -> Path:
    if isinstance(options, LocalSource):
        path = Path(options.audio.replace("{lang}", source))
        return _require(path, f"the Common Voice archive or folder of '{source}'", "source.audio")
    if isinstance(options, UrlSource):
        url = options.audio.replace("{lang}", source)
        path = _download_path(url, downloads)
        download(url, path)
        return path
    return _beside(synthesized) / f"{source}.tar.gz"


def _locate_table(
    pair: str, options: LocalSource | UrlSource | SyntheticSource, synthesized: Path | None, downloads: Path
) -> Path:
    if isinstance(options, LocalSource):
        path = Path(options.tables.replace("{pair}", pair))
        return _require(path, f"the CoVoST-2 table of '{pair}'", "source.tables")
    if isinstance(options, UrlSource):
        url = options.tables.replace("{pair}", pair)
        path = _download_path(url, downloads)
        official = official_table()[pair] if options.tables == OFFICIAL_TABLES else None
        download(
            url,
            path,
            size=int(official["tsv_tar_gz_bytes"]) if official else None,
            sha256=official["tsv_tar_gz_sha256"] if official else None,
        )
        return path
    return _beside(synthesized) / f"covost_v2.{pair}.tsv.tar.gz"


def _download_path(url: str, downloads: Path) -> Path:
    """Addresses that differ only in a folder or a query must not share a file."""
    name = url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return downloads / spec_hash(url) / name


def _require(path: Path, what: str, key: str) -> Path:
    if not path.exists():
        raise DataError(
            f"{path} does not exist: {what}. Put it there, or set {key} in the corpus's file to where it is."
        )
    return path


def _beside(synthesized: Path | None) -> Path:
    if synthesized is None:
        raise DataError("a synthetic source needs the summary of the step synthesize. Run that step first.")
    return synthesized.parent


def _require_recorded(path: Path, sha256: str, downloads: Path) -> None:
    if not path.is_relative_to(downloads):
        return
    if recorded_digest(path) != sha256:
        raise DataError(
            f"{path} is not the file that was downloaded: its SHA-256 has changed. "
            "Delete it and run the step again."
        )
