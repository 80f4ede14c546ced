"""Get hold of a language's Common Voice audio and CoVoST-2 tables, and check that they are whole."""

import time
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import Summary, atomic_path, sha256_of, spec_hash, sweep
from llast.config.corpus import (
    OFFICIAL_TABLES,
    CorpusSource,
    HuggingFaceSource,
    LocalSource,
    MdcSource,
    PreparedSource,
    SyntheticSource,
    UrlSource,
)
from llast.config.steps import STEP_VERSIONS
from llast.corpus import collective, prepared
from llast.corpus.archive import Release, inspect
from llast.corpus.download import download, require_recorded
from llast.corpus.join import official_table, read_covost
from llast.corpus.remote import remote_at
from llast.errors import ConfigError, DataError


@dataclass(frozen=True)
class _Audio:
    """Where the clips of a language are, and what is known of them (see `llast.corpus.fetched`)."""

    kind: str
    path: Path
    release: Release
    in_place: bool = False


def fetch(
    source: str,
    pairs: list[str],
    output: Path,
    options: CorpusSource,
    synthesized: Path | None,
    downloads: Path,
) -> Summary:
    """Find or download the files of a source language, read each once, and write the summary.

    What is here is used where it is. The audio is read to its end, which shows damage now and not hours later, and its
    `validated.tsv` is written beside the summary.

    Rows: files. Details: `source`; `audio` with `kind`, `path`, `bytes`, `sha256`, `root` and `in_place` (see
    `llast.corpus.fetched.Fetched`); `validated` (name of the file beside the summary); `tables[pair]` with `path`,
    `bytes`, `sha256`.

    Args:
        source: source language.
        pairs: the pairs out of it.
        output: folder of the summary.
        options: where the files come from.
        synthesized: summary of the step synthesize, for a synthetic source.
        downloads: folder for downloads; what lies there is not downloaded again.

    Raises:
        ConfigError: a key or variable that a server needs is not set.
        DataError: a file is missing, damaged, or not the one that is expected.
    """
    began = time.monotonic()
    for name in (
        "summary",
        "validated",
        "covost_v2",
    ):  # nobody else's hidden files: the folder may be a user's
        sweep(output, name)
    audio = _audio(source, pairs, output, options, synthesized, downloads)
    tables = {}
    for pair in pairs:
        path = _table(pair, output, options, synthesized, downloads)
        read_covost(path)
        sha256 = sha256_of(path)
        require_recorded(path, sha256)
        tables[pair] = {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256}
    with atomic_path(output / "validated.tsv") as temporary:
        temporary.write_bytes(audio.release.validated)
    summary = Summary(
        step="fetch",
        version=STEP_VERSIONS["fetch"],
        rows_in=1 + len(pairs),
        rows_out=1 + len(pairs),
        seconds=time.monotonic() - began,
        details={
            "source": source,
            "audio": {
                "kind": audio.kind,
                "path": str(audio.path),
                "bytes": audio.release.bytes,
                "sha256": audio.release.sha256,
                "root": audio.release.root,
                "in_place": audio.in_place,
            },
            "validated": "validated.tsv",
            "tables": tables,
        },
    )
    summary.write(output / "summary.json")
    return summary


def _audio(
    source: str,
    pairs: list[str],
    output: Path,
    options: CorpusSource,
    synthesized: Path | None,
    downloads: Path,
) -> _Audio:
    if isinstance(options, HuggingFaceSource):
        from llast.corpus.hub import fetch_parquet
        from llast.corpus.parquet import inspect_parquet

        folder = fetch_parquet(source, options, downloads)
        return _Audio("parquet", folder, inspect_parquet(folder))
    if isinstance(options, PreparedSource):
        folder, in_place = Path(options.folder), not options.copy_audio
        release = prepared.inspect_prepared(folder, source, pairs, output, in_place)
        return _Audio("prepared", prepared.audio_folder(folder, source), release, in_place)
    path = _release(source, options, synthesized, downloads)
    release = inspect(path, source)
    require_recorded(path, release.sha256)
    return _Audio("release", path, release)


def _release(
    source: str,
    options: LocalSource | UrlSource | MdcSource | SyntheticSource,
    synthesized: Path | None,
    downloads: Path,
) -> Path:
    """The Common Voice archive or folder of a language."""
    if isinstance(options, LocalSource):
        path = Path(options.audio.replace("{lang}", source))
        return _require(path, f"the Common Voice archive or folder of '{source}'", "source.audio")
    if isinstance(options, UrlSource):
        return _download(options.audio.replace("{lang}", source), downloads)
    if isinstance(options, MdcSource):
        data_set = options.datasets.get(source)
        if data_set is None:
            raise ConfigError(f"source.datasets has no id for {source}.")
        path = downloads / data_set / f"{source}.tar.gz"
        download(lambda: collective.locate(data_set, source), path)
        return path
    return _beside(synthesized) / f"{source}.tar.gz"


def _table(pair: str, output: Path, options: CorpusSource, synthesized: Path | None, downloads: Path) -> Path:
    name = f"covost_v2.{pair}.tsv"
    if isinstance(options, PreparedSource):
        return output / name
    if isinstance(options, SyntheticSource):
        return _beside(synthesized) / f"{name}.tar.gz"
    place = options.tables.replace("{pair}", pair)
    if "://" not in place:
        return _require(Path(place), f"the CoVoST-2 table of '{pair}'", "source.tables")
    if options.tables != OFFICIAL_TABLES:
        return _download(place, downloads)
    official = official_table()[pair]
    return _download(place, downloads, int(official["tsv_tar_gz_bytes"]), official["tsv_tar_gz_sha256"])


def _download(address: str, downloads: Path, size: int | None = None, sha256: str | None = None) -> Path:
    """Addresses that differ only in a folder or a query must not share a file."""
    name = address.split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    path = downloads / spec_hash(address) / name
    download(lambda: remote_at(address, size, sha256), path)
    return path


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
