"""Corpora that are odd in one way, a line each: where the steps stop, the exit code, and what the message names.

A line that ends with 0 has all of its rows, or as many as it says. `small.py` has the keywords.
"""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.corpus.small import Edit, Small, run, tar


@dataclass(frozen=True)
class Line:
    """A corpus and what has to become of it.

    Attributes:
        what: about it.
        step: the step that refuses it; `config` is the corpus's file; `filter`, the last one, where all goes well.
        code: exit code.
        names: regular expressions, all of which standard error has to match.
        rows: usable rows of train, dev and test of each pair, where all goes well.
        doctor: regular expression for what `llast doctor` says of it before anything runs; empty: it need not find it.
        odd: keywords of `Small`.
    """

    what: str
    step: str
    code: int
    names: tuple[str, ...]
    rows: tuple[int, ...]
    doctor: str
    odd: dict[str, Any]


def fails(what: str, step: str, *names: str, code: int = 3, doctor: str = "", **odd: Any) -> Line:
    return Line(what, step, code, names, (), doctor, odd)


def works(what: str, *names: str, rows: tuple[int, ...] = (6, 3, 3), **odd: Any) -> Line:
    return Line(what, "filter", 0, names, rows, "", odd)


LINES = [
    works("nothing odd"),
    works("nothing odd, prepared", layout="prepared"),
    works("packed as .tar.gz", pack=".tar.gz"),
    works("two pairs", pairs=("en_de", "en_ja")),
    fails(
        "no table",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "source.tables",
        doctor=r"covost_v2\.de_en\.tsv",
        tables=None,
    ),
    fails(
        "a table without a header",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "path",
        tables=lambda text: text.split("\n", 1)[1],
    ),
    fails("an empty table", "fetch", r"covost_v2\.de_en\.tsv", tables=lambda text: ""),
]

ASIDE = r"1 rows of \S+/de\S* \(validated\.tsv\) are damaged, such as data row 13 .*validated\.damaged\.tsv"
"""Said of a damaged row behind the twelve that are needed."""
NEEDED = (r"\(validated\.tsv\): data row 2 .*common_voice_de_1001", "kind: local, audio:")
"""Said of one that is needed."""


def adds(row: str | bytes) -> Edit:
    """Puts something behind a table."""
    return lambda text: text.encode() + (row.encode() if isinstance(row, str) else row)


def damages(old: str, new: str | bytes) -> Edit:
    """Changes the second row of a table, which is that of a train clip."""

    def edit(text: str) -> bytes:
        lines = text.encode().split(b"\n")
        assert old.encode() in lines[2]
        lines[2] = lines[2].replace(old.encode(), new.encode() if isinstance(new, str) else new)
        return b"\n".join(lines)

    return edit


LINES += [
    works("a needless row with a tab too many", ASIDE, sentences=adds("spk\ta.wav\tIch\tdu\n")),
    works("a needless row with a bad byte", ASIDE, sentences=adds(b"spk\ta.wav\tf\xfcr\n"), pack=".tar.gz"),
    works("a needless row with a NUL", ASIDE, sentences=adds("spk\ta.wav\t\0\n")),
    works("a needless row without a sentence", ASIDE, sentences=adds("spk\ta.wav\n")),
    works("half a row at the end", ASIDE, sentences=adds("spk\tcommon_voi")),
    works("a megabyte of zeros at the end", "are damaged", sentences=adds(bytes(1 << 20))),
    fails("a needed row with a tab too many", "fetch", *NEEDED, sentences=damages("Satz", "Satz\t")),
    fails("a needed row with a tab too few", "fetch", *NEEDED, sentences=damages(".wav\t", ".wav ")),
    fails("a needed row with a bad byte", "fetch", *NEEDED, sentences=damages("Satz", b"S\xe4tze")),
    fails("a needed row with a NUL", "fetch", *NEEDED, sentences=damages("Satz", "\0")),
    works("a sentence that ends in a backslash", sentences=damages(".", ".\\")),
    works("a speaker that ends in a backslash", sentences=damages("spk1", "spk1\\")),
    works("lines that end as on Windows", sentences=lambda text: text.replace("\n", "\r\n")),
    works("lines that end as on an old Mac", sentences=lambda text: text.replace("\n", "\r")),
    works("a byte order mark", sentences=lambda text: "\ufeff" + text, tables=lambda text: "\ufeff" + text),
    works("blank lines", sentences=lambda text: text.replace("\n", "\n\n")),
    fails(
        "sentences in UTF-16",
        "fetch",
        r"\(validated\.tsv\).*header",
        sentences=lambda text: text.encode("utf-16"),
    ),
    fails(
        "sentences without a header",
        "fetch",
        r"\(validated\.tsv\).*path",
        sentences=lambda text: text.split("\n", 1)[1],
    ),
    fails("no sentences at all", "fetch", r"\(validated\.tsv\)", sentences=lambda text: ""),
    fails(
        "sentences that are zeros", "fetch", r"\(validated\.tsv\).*NUL", sentences=lambda text: bytes(1 << 20)
    ),
    fails(
        "a translation with a tab too many",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "row 2 ",
        tables=damages("is", "is\t"),
    ),
    fails(
        "a translation with a bad byte",
        "fetch",
        r"covost_v2\.de_en\.tsv",
        "row 2 ",
        tables=damages("is", b"\xff"),
    ),
    fails(
        "a translation with a NUL", "fetch", r"covost_v2\.de_en\.tsv", "row 2 ", tables=damages("is", "\0")
    ),
    works("a translation that ends in a backslash", tables=damages(".\t", ".\\\t")),
]


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED, name: Callable[[str], str] = str) -> bytes:
    """A zip of a folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for path in sorted(filter(Path.is_file, folder.rglob("*"))):
            archive.write(path, name(path.relative_to(folder).as_posix()))
    return content.getvalue()


def plain_tar(folder: Path) -> bytes:
    return gzip.decompress(tar(folder))


def with_link(folder: Path) -> bytes:
    (folder / "clips" / "a.wav").symlink_to("/etc/passwd")
    return tar(folder)


def with_password(folder: Path) -> bytes:
    """What a program that locks zips sets: a flag of the first member, in both of its headers."""
    data = bytearray(zipped(folder))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    return bytes(data)


def damaged_inside(archive: bytes) -> bytes:
    """A byte in the middle is another one."""
    middle = len(archive) // 2
    return archive[:middle] + bytes([archive[middle] ^ 0xFF]) + archive[middle + 1 :]


def giant_table(folder: Path) -> bytes:
    """A member of 6 GiB of zeros, of which the archive has the header only."""
    member = tarfile.TarInfo("validated.tsv")
    member.size = 6 << 30
    return member.tobuf() + bytes(1024)


def foreign(beginning: bytes) -> Callable[[Path], bytes]:
    return lambda folder: beginning + bytes(1000)


def halves(archive: bytes) -> bytes:
    return archive[: len(archive) // 2]


KEPT = r"(?s)^(?!.*[Dd]elete).*de\S* .*name another one"
"""The user's own archive is not to be deleted."""
OTHER = r"de\.\S+ is packed with \w+.*\.tar\.gz"


LINES += [
    works("packed as .tar", pack=".tar", packed=plain_tar),
    works("packed as .zip", pack=".zip", packed=zipped),
    works("stored in a .zip", pack=".zip", packed=partial(zipped, method=zipfile.ZIP_STORED)),
    works(
        "a .zip that Windows wrote",
        pack=".zip",
        packed=partial(zipped, name=lambda name: name.replace("/", "\\")),
    ),
    works(
        "a .zip with a folder in it",
        pack=".zip",
        packed=partial(zipped, name=lambda name: f"cv-corpus-5/de/{name}"),
    ),
    works("packed as .tar.bz2", pack=".tar.bz2", packed=lambda folder: bz2.compress(plain_tar(folder))),
    works(
        "packed as .tar.xz", pack=".tar.xz", packed=lambda folder: lzma.compress(plain_tar(folder), preset=0)
    ),
    works(
        "another end of the name",
        pack=".tgz.1",
        packed=lambda folder: lzma.compress(plain_tar(folder), preset=0),
    ),
    fails("half a .tar.gz", "fetch", KEPT, pack=".tar.gz", archive=halves),
    fails("half a .tar", "fetch", KEPT, pack=".tar", packed=plain_tar, archive=halves),
    fails("half a .zip", "fetch", KEPT, pack=".zip", packed=zipped, archive=halves),
    fails(
        "half a .tar.bz2",
        "fetch",
        KEPT,
        pack=".tar.bz2",
        packed=lambda folder: bz2.compress(plain_tar(folder)),
        archive=halves,
    ),
    fails(
        "half a .tar.xz",
        "fetch",
        KEPT,
        pack=".tar.xz",
        packed=lambda folder: lzma.compress(plain_tar(folder), preset=0),
        archive=halves,
    ),
    fails("a damaged .zip", "fetch", KEPT, pack=".zip", packed=zipped, archive=damaged_inside),
    fails(
        "a damaged .tar.bz2",
        "fetch",
        KEPT,
        pack=".tar.bz2",
        packed=lambda folder: bz2.compress(plain_tar(folder)),
        archive=damaged_inside,
    ),
    fails(
        "a damaged .tar.xz",
        "fetch",
        KEPT,
        pack=".tar.xz",
        packed=lambda folder: lzma.compress(plain_tar(folder), preset=0),
        archive=damaged_inside,
    ),
    fails(
        "a .zip with a password",
        "fetch",
        r"de\.zip has a password.*folder",
        pack=".zip",
        packed=with_password,
    ),
    fails(
        "packed with zstd", "fetch", OTHER, doctor=OTHER, pack=".tar.zst", packed=foreign(b"\x28\xb5\x2f\xfd")
    ),
    fails("packed with 7z", "fetch", OTHER, doctor=OTHER, pack=".7z", packed=foreign(b"7z\xbc\xaf\x27\x1c")),
    fails("packed with rar", "fetch", OTHER, doctor=OTHER, pack=".rar", packed=foreign(b"Rar!\x1a\x07")),
    fails(
        "an empty archive",
        "fetch",
        r"de\.tar\.gz is empty",
        doctor="is empty",
        pack=".tar.gz",
        packed=foreign(b""),
        archive=lambda archive: b"",
    ),
    fails("a web page for an archive", "fetch", KEPT, pack=".tar.gz", packed=foreign(b"<html>login</html>")),
    fails(
        "a link in an archive", "fetch", r"de\.tar\.gz.*clips/a\.wav.*link", pack=".tar.gz", packed=with_link
    ),
    fails(
        "6 GiB of zeros for sentences",
        "fetch",
        r"de\.tar.*validated\.tsv.*6,442,450,944",
        pack=".tar",
        packed=giant_table,
    ),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.what.replace(" ", "-"))
def test_an_odd_corpus_stops_with_a_remedy_or_keeps_its_rows(line: Line, tmp_path: Path) -> None:
    small = Small(**line.odd)
    ended = run(tmp_path, small)
    assert (ended.step, ended.code) == (line.step, line.code), ended.said
    for name in line.names:
        assert re.search(name, ended.said), ended.said
    if line.code == 0:
        assert {tuple(splits.values()) for splits in ended.rows.values()} == {line.rows}
        assert set(ended.rows) == set(small.pairs)
        assert not ended.doctor
    else:
        assert "Traceback" not in ended.said
    assert re.search(line.doctor, ended.doctor), ended.doctor
