import hashlib
from pathlib import Path

import pytest

from llast.artifacts.corpus import FetchedAudio, FetchSummary
from llast.config.steps import FetchOptions
from llast.corpus.fetch import fetch
from llast.corpus.sources.local import LocalSource
from llast.corpus.sources.synthetic import SyntheticSource
from llast.corpus.sources.url import UrlSource
from llast.errors import DataError
from tests.unit.corpus.conftest import Release, fetched
from tests.unit.corpus.server import Server


def test_local_files_are_used_in_place(tmp_path: Path, release: Release) -> None:
    source = release.write(tmp_path, "cv-corpus-6.1/fr/")
    summary = fetched("fr", ["fr_en"], tmp_path / "out", source)
    audio = tmp_path / "fr.tar.gz"
    assert summary.details.audio == FetchedAudio(
        reader="release",
        path=str(audio),
        bytes=audio.stat().st_size,
        sha256=hashlib.sha256(audio.read_bytes()).hexdigest(),
        root="cv-corpus-6.1/fr",
        example="cv-corpus-6.1/fr/clips/good0.mp3",
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["summary.json", "validated.tsv"]
    assert (tmp_path / "out" / "validated.tsv").read_bytes() == dict(release.files())["validated.tsv"]
    assert summary.details.tables["fr_en"].path == str(tmp_path / "covost_v2.fr_en.tsv.tar.gz")
    assert FetchSummary.read(tmp_path / "out" / "summary.json") == summary
    assert summary.rows_out == 2


def test_what_killed_runs_left_is_deleted_and_nothing_else(tmp_path: Path, release: Release) -> None:
    output = tmp_path / "fetch"
    output.mkdir()
    left = [".validated.llast-b2c3d4.tsv", ".summary.llast-b2c3d4.json", ".covost_v2.fr_en.llast-b2c3d4.tsv"]
    for name in (*left, ".pre-commit-config.yaml"):
        (output / name).write_text("x")
    release.fetch(tmp_path)
    assert sorted(path.name for path in output.glob(".*")) == [".pre-commit-config.yaml"]


def test_missing_files_are_named_with_the_key_to_set(tmp_path: Path, release: Release) -> None:
    source = release.write(tmp_path)
    with pytest.raises(DataError, match=r"covost_v2\.fr_xx.*source\.tables"):
        fetched("fr", ["fr_xx"], tmp_path / "out", source)
    nowhere = LocalSource(audio="/nowhere/{lang}.tar.gz", tables=source.tables)
    with pytest.raises(DataError, match=r"/nowhere/fr\.tar\.gz.*'fr'.*source\.audio"):
        fetched("fr", ["fr_en"], tmp_path / "out", nowhere)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_synthetic_files_lie_beside_their_summary(tmp_path: Path, release: Release) -> None:
    release.write(tmp_path / "synthesize")
    summary = tmp_path / "synthesize" / "summary.json"
    found = fetch(
        "fr",
        ["fr_en"],
        tmp_path / "out",
        FetchOptions(source=SyntheticSource()),
        tmp_path / "downloads",
        summary,
    )
    assert found.details.audio.path == str(tmp_path / "synthesize" / "fr.tar.gz")


def test_downloads_are_kept_and_not_repeated(tmp_path: Path, release: Release, server: Server) -> None:
    release.write(tmp_path)
    for name in ("fr.tar.gz", "covost_v2.fr_en.tsv.tar.gz"):
        server.files[name] = (tmp_path / name).read_bytes()
    options = UrlSource(audio=server.url("{lang}.tar.gz"), tables=server.url("covost_v2.{pair}.tsv.tar.gz"))
    for _ in range(2):
        found = fetch("fr", ["fr_en"], tmp_path / "out", FetchOptions(source=options), tmp_path / "downloads")
    assert len(server.requests) == 2
    audio = Path(found.details.audio.path)
    assert audio.read_bytes() == server.files["fr.tar.gz"]
    audio.write_bytes(server.files["fr.tar.gz"] + b"\0")
    with pytest.raises(DataError, match=f"{audio.name}.*SHA-256"):
        fetch("fr", ["fr_en"], tmp_path / "out", FetchOptions(source=options), tmp_path / "downloads")
