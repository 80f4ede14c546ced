import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from llast.artifacts.corpus import FetchedAudio
from llast.corpus.archive import inspect, read_clips, read_table
from llast.errors import DataError
from tests.unit.corpus.conftest import write_tar

FILES = [
    ("validated.tsv", b"path\tsentence\tclient_id\n"),
    ("clips/a.mp3", b"A"),
    ("clips/b.mp3", b"B"),
    ("other.tsv", b"x"),
]


def release_at(path: Path, root: str = "") -> FetchedAudio:
    """What the step fetch records of an archive."""
    return FetchedAudio(reader="release", path=str(path), root=root, bytes=path.stat().st_size, sha256="")


@pytest.mark.parametrize("archive", ["fr.tar.gz", "fr.tar"])
@pytest.mark.parametrize("root", ["", "cv-corpus-5.1/fr/"])
@pytest.mark.parametrize("last", [False, True])
def test_release_is_found_flat_or_nested_wherever_validated_stands(
    tmp_path: Path, archive: str, root: str, last: bool
) -> None:
    files = [(root + name, data) for name, data in (reversed(FILES) if last else FILES)]
    write_tar(tmp_path / archive, files)
    release, validated = inspect(tmp_path / archive, "fr")
    assert release.root == root.rstrip("/")
    assert validated == FILES[0][1]
    assert release.bytes == (tmp_path / archive).stat().st_size
    assert release.sha256 == hashlib.sha256((tmp_path / archive).read_bytes()).hexdigest()
    assert dict(read_clips(release, {"a", "nowhere"})) == {"a": b"A"}


def test_leading_dot_of_tar_in_a_folder_is_no_other_name(tmp_path: Path) -> None:
    write_tar(tmp_path / "fr.tar", [("./" + name, data) for name, data in FILES])
    release, _ = inspect(tmp_path / "fr.tar", "fr")
    assert release.root == ""
    assert dict(read_clips(release, {"b"})) == {"b": b"B"}


def test_only_clips_of_the_root_count_and_the_first_of_two(tmp_path: Path) -> None:
    files = [
        ("validated.tsv", b""),
        ("old/clips/a.mp3", b"old"),
        ("clips/._a.mp3", b"mac"),
        ("clips/a.mp3", b"1"),
    ]
    write_tar(tmp_path / "fr.tar", [*files, ("clips/a.mp3", b"2"), ("clips/b.mp3", b"B")])
    assert list(read_clips(release_at(tmp_path / "fr.tar"), {"b", "a"})) == [("a", b"1"), ("b", b"B")]


def test_an_unpacked_folder_is_read_like_its_archive(tmp_path: Path) -> None:
    for name, data in FILES:
        path = tmp_path / "cv" / "fr" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    release, validated = inspect(tmp_path / "cv", "fr")
    assert (release.root, validated, release.bytes) == ("fr", FILES[0][1], 2)
    assert list(read_clips(release, {"b", "a"})) == [("a", b"A"), ("b", b"B")]
    path.with_name("c.mp3").write_bytes(b"")
    (tmp_path / "cv" / "fr" / "clips" / "a.mp3").write_bytes(b"longer")
    assert inspect(tmp_path / "cv", "fr")[0].sha256 != release.sha256


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    """As where one language of a release lies on another disk; and a link that leads back ends nothing."""
    for name, data in FILES:
        path = tmp_path / "disk" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "disk" / "clips").rename(tmp_path / "sounds")
    (tmp_path / "disk" / "clips").symlink_to(tmp_path / "sounds")
    (tmp_path / "cv").mkdir()
    (tmp_path / "cv" / "fr").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "back").symlink_to(tmp_path / "cv")
    for place, root in ((tmp_path / "cv", "fr"), (tmp_path / "cv" / "fr", "")):
        release, validated = inspect(place, "fr")
        assert (release.root, validated) == (root, FILES[0][1])
        assert dict(read_clips(release, {"a", "b"})) == {"a": b"A", "b": b"B"}


@pytest.mark.parametrize("end", [".zip", ".tar.bz2", ".tar.xz"])
def test_archives_of_other_kinds_are_read_to_their_ends(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"fr{end}"
    files = [*FILES, ("clips/c.mp3", np.random.default_rng(0).bytes(300_000))]
    if end == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files:
                archive.writestr(name, data)
    else:
        write_tar(tmp_path / "fr.tar", files)
        pack = bz2.compress if end == ".tar.bz2" else lzma.compress
        path.write_bytes(pack((tmp_path / "fr.tar").read_bytes()))
    release, validated = inspect(path, "fr")
    assert (release.root, validated) == ("", FILES[0][1])
    assert release.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert dict(read_clips(release, {"c", "a"})) == {"a": b"A", "c": files[-1][1]}
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF  # in the clip that nobody asked for
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=str(path)):
        inspect(path, "fr")


def test_only_what_was_downloaded_is_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "fr.tar.gz"
    write_tar(path, FILES)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError) as mine:
        inspect(path, "fr")
    assert "elete" not in str(mine.value)
    (tmp_path / "fr.tar.gz.sha256").write_text("as download writes it")
    with pytest.raises(DataError, match=rf"{path}.*Delete it and run the step fetch"):
        inspect(path, "fr")


@pytest.mark.slow
def test_of_a_folder_of_many_clips_little_more_than_the_names_is_held(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "validated.tsv").write_bytes(b"")
    for number in range(3000):
        (tmp_path / "clips" / f"{number}.mp3").touch()
    tracemalloc.start()
    try:
        release, _ = inspect(tmp_path, "fr")
        assert list(read_clips(release, {"7"})) == [("7", b"")]
        assert tracemalloc.get_traced_memory()[1] < 3000 * 150
    finally:
        tracemalloc.stop()


def test_of_several_languages_the_one_asked_for_is_read(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "cv.tar", [(f"cv/{code}/validated.tsv", code.encode()) for code in ("de", "fr", "en")]
    )
    assert inspect(tmp_path / "cv.tar", "fr")[1] == b"fr"
    with pytest.raises(DataError, match=r"cv\.tar.*cv/de, cv/en, cv/fr"):
        inspect(tmp_path / "cv.tar", "it")


def _member(kind: bytes, name: str = "clips/a.mp3", target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


@pytest.mark.parametrize("root", ["", "cv-corpus-6.1/fr/"], ids=["flat", "nested"])
@pytest.mark.parametrize(
    "member",
    [
        _member(tarfile.REGTYPE, "/etc/cron.d/a"),
        _member(tarfile.REGTYPE, "clips/../../a.mp3"),
        _member(tarfile.REGTYPE, "/" + "long/" * 40 + "a.mp3"),
        _member(tarfile.SYMTYPE, target="/etc/passwd"),
        _member(tarfile.LNKTYPE, target="clips/b.mp3"),
        _member(tarfile.CHRTYPE),
        _member(tarfile.BLKTYPE),
        _member(tarfile.FIFOTYPE),
    ],
    ids=[
        "absolute",
        "dots",
        "absolute in an extended header",
        "symlink",
        "hardlink",
        "device",
        "disk",
        "fifo",
    ],
)
def test_hostile_members_are_refused_by_name(tmp_path: Path, member: tarfile.TarInfo, root: str) -> None:
    path = tmp_path / "fr.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in FILES:
            info = tarfile.TarInfo(root + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        archive.addfile(member)
    with pytest.raises(DataError, match=member.name):
        inspect(path, "fr")
    with pytest.raises(DataError, match=member.name):
        list(read_clips(release_at(path, root.rstrip("/")), {"nowhere"}))


def test_a_clip_that_claims_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    member = tarfile.TarInfo("clips/a.mp3")
    member.size = 1
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 36)}
    with tarfile.open(tmp_path / "fr.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"a"))
    with pytest.raises(DataError, match=r"fr\.tar\.gz.*'clips/a\.mp3'.*67,108,864"):
        list(read_clips(release_at(tmp_path / "fr.tar.gz"), {"a"}))


def test_giant_headers_are_refused_unread(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 1 << 33
    (tmp_path / "fr.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match=r"fr\.tar.*8,589,934,592"):
        inspect(tmp_path / "fr.tar", "fr")


@pytest.mark.parametrize("in_header", [False, True], ids=["its own", "an extended header's"])
def test_a_member_that_claims_more_than_there_is_in_the_world_ends_nothing(
    tmp_path: Path, in_header: bool
) -> None:
    member = tarfile.TarInfo("clips/a.mp3")
    if in_header:
        member.pax_headers = {"size": str(1 << 80)}
        with tarfile.open(tmp_path / "fr.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(member)
    else:
        member.size = 1 << 80
        (tmp_path / "fr.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DataError, match=rf"'clips/a\.mp3'.*{1 << 80:,}"):
        inspect(tmp_path / "fr.tar", "fr")


@pytest.mark.parametrize(
    "headers",
    [
        {"GNU.sparse.map": "0,x"},
        {"GNU.sparse.map": "0,1", "GNU.sparse.size": "x"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    ],
)
def test_headers_with_numbers_that_are_none_are_a_message(tmp_path: Path, headers: dict[str, str]) -> None:
    member = tarfile.TarInfo("clips/a.mp3")
    member.size = 512
    member.pax_headers = headers
    with tarfile.open(tmp_path / "fr.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"x" * 512))
    with pytest.raises(DataError, match=str(tmp_path / "fr.tar")):
        inspect(tmp_path / "fr.tar", "fr")


def test_global_headers_do_not_add_up(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "fr.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("validated.tsv"))
    members = (tmp_path / "fr.tar").read_bytes()[:512]
    headers = [
        tarfile.TarInfo.create_pax_global_header({f"comment{number}": "x" * 60_000}) for number in range(500)
    ]
    (tmp_path / "fr.tar").write_bytes(b"".join(header + members for header in headers) + bytes(1024))
    tracemalloc.start()
    try:
        inspect(tmp_path / "fr.tar", "fr")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_chain_of_headers_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 1
    (tmp_path / "fr.tar").write_bytes((header.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 5000)
    with pytest.raises(DataError, match=str(tmp_path / "fr.tar")):
        inspect(tmp_path / "fr.tar", "fr")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_noticed(tmp_path: Path, keep: float) -> None:
    random = np.random.default_rng(0)
    write_tar(tmp_path / "fr.tar.gz", [*FILES, *((f"clips/{n}.mp3", random.bytes(9_999)) for n in range(20))])
    data = (tmp_path / "fr.tar.gz").read_bytes()
    (tmp_path / "fr.tar.gz").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match=r"fr\.tar\.gz"):
        inspect(tmp_path / "fr.tar.gz", "fr")


def test_an_archive_is_digested_and_checked_to_its_very_end(tmp_path: Path) -> None:
    path = tmp_path / "fr.tar"
    write_tar(path, FILES)
    padded = path.read_bytes() + bytes(300_000)
    path.write_bytes(padded)
    assert inspect(path, "fr")[0].sha256 == hashlib.sha256(padded).hexdigest()
    path.write_bytes(gzip.compress(padded)[:-4])
    with pytest.raises(DataError, match=str(tmp_path / "fr.tar")):
        inspect(path, "fr")


@pytest.mark.parametrize("files", [[], [("clips/a.mp3", b"")]])
def test_an_archive_of_something_else_is_refused(tmp_path: Path, files: list[tuple[str, bytes]]) -> None:
    write_tar(tmp_path / "fr.tar.gz", files)
    with pytest.raises(DataError, match=r"fr\.tar\.gz.*validated\.tsv"):
        inspect(tmp_path / "fr.tar.gz", "fr")


def test_tables_are_read_plain_or_archived(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"path\n")
    write_tar(tmp_path / "a.tsv.tar.gz", [("._a.tsv", b"mac"), ("a.tsv", b"path\n")])
    assert read_table(tmp_path / "a.tsv") == read_table(tmp_path / "a.tsv.tar.gz") == b"path\n"
    write_tar(tmp_path / "empty.tar.gz", [])
    with pytest.raises(DataError, match=r"empty\.tar\.gz.*\b0 \.tsv"):
        read_table(tmp_path / "empty.tar.gz")
