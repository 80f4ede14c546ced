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

import numpy as np
import pytest
import soundfile

from tests.unit.corpus.conftest import tone
from tests.unit.corpus.small import Clips, Edit, Small, run, tar


@dataclass(frozen=True)
class Line:
    """A corpus and what has to become of it.

    Attributes:
        what: about it.
        step: the step that refuses it; `config` is the corpus's file; `filter`, the last one, where all goes well.
        code: exit code.
        names: regular expressions, all of which standard error has to match.
        left: usable rows of train, dev and test of each pair, where all goes well.
        doctor: regular expression for what `llast doctor` says of it before anything runs; empty: it need not find it.
        odd: keywords of `Small`.
    """

    what: str
    step: str
    code: int
    names: tuple[str, ...]
    left: tuple[int, ...]
    doctor: str
    odd: dict[str, Any]


def fails(what: str, step: str, *names: str, code: int = 3, doctor: str = "", **odd: Any) -> Line:
    return Line(what, step, code, names, (), doctor, odd)


def works(what: str, *names: str, left: tuple[int, ...] = (6, 3, 3), **odd: Any) -> Line:
    return Line(what, "filter", 0, names, left, "", odd)


SWAPPED = {"dev": "validation", "test": "tst-COMMON"}
TABLE = r"covost_v2\.de_en\.tsv"


def twice(text: str) -> str:
    """A table whose rows are there twice."""
    header, rows = text.split("\n", 1)
    return f"{header}\n{rows}{rows}"


def same_path(text: str) -> str:
    """Rows that all have the first one's path."""
    return re.sub(r"common_voice_de_\d+", "common_voice_de_1000", text)


def without(split: str) -> Callable[[str], str]:
    """A table without the rows of a split."""
    return lambda text: "".join(
        row for row in text.splitlines(keepends=True) if not row.endswith(f"\t{split}\n")
    )


LINES = [
    works("nothing odd"),
    works("nothing odd, prepared", layout="prepared"),
    works("nothing odd, prepared and copied", layout="prepared", source={"copy_audio": True}),
    works("packed as .tar.gz", pack=".tar.gz"),
    works("two pairs", pairs=("en_de", "en_ja")),
    # splits
    fails("no table", "fetch", TABLE, "source.tables", doctor=TABLE, tables=None),
    fails("a table without a header", "fetch", TABLE, "path", tables=lambda text: text.split("\n", 1)[1]),
    fails("an empty table", "fetch", TABLE, tables=lambda text: ""),
    fails(
        "a table with only a header",
        "fetch",
        TABLE,
        "dev",
        "test",
        doctor=TABLE,
        tables=lambda text: text.split("\n")[0],
    ),
    fails(
        "one of two tables with only a header",
        "fetch",
        r"covost_v2\.en_ja\.tsv",
        doctor=r"en_ja\.tsv",
        pairs=("en_de", "en_ja"),
        tables={"en_ja": lambda text: text.split("\n")[0] + "\n"},
    ),
    fails(
        "half a table",
        "fetch",
        TABLE,
        "no dev and no test",
        "'train'",
        doctor="no dev",
        tables=lambda text: text[: len(text) // 3],
    ),
    fails("no dev rows", "fetch", "no dev", "dev_sets: false", doctor="dev_sets", tables=without("dev")),
    fails("no test rows", "fetch", "no test", "pair", doctor="no test", tables=without("test")),
    works(
        "no dev rows, and none asked for", left=(6, 0, 3), tables=without("dev"), corpus={"dev_sets": False}
    ),
    works("no train rows, for what is only evaluated", left=(0, 3, 3), tables=without("train")),
    fails(
        "other labels",
        "fetch",
        r"validation: dev",
        r"tst-COMMON: test",
        doctor="validation: dev, tst-COMMON: test",
        labels=SWAPPED,
    ),
    works(
        "other labels, mapped", labels=SWAPPED, corpus={"splits": {"validation": "dev", "tst-COMMON": "test"}}
    ),
    fails("one label is another", "fetch", "no dev", r"\{validation: dev\}", labels={"dev": "validation"}),
    fails("labels in capitals", "fetch", r"Dev: dev", r"TEST: test", labels={"dev": "Dev", "test": "TEST"}),
    fails("labels that are numbers", "fetch", '"1": dev', '"2": test', labels={"dev": "1", "test": "2"}),
    works(
        "labels that are numbers, mapped",
        labels={"dev": "1", "test": "2"},
        corpus={"splits": {"1": "dev", "2": "test"}},
    ),
    fails(
        "one label for dev and test",
        "fetch",
        "no dev and no test",
        "heldout: dev",
        labels={"dev": "heldout", "test": "heldout"},
    ),
    fails("no labels", "fetch", "no dev", '"": dev', labels={"dev": "", "test": "also"}),
    fails(
        "a label for a split that is none",
        "config",
        "splits",
        "valid",
        code=2,
        corpus={"splits": {"validation": "valid"}},
    ),
    works(
        "rows of other labels beside",
        "1 label",
        left=(5, 3, 3),
        tables=lambda text: text.replace("1000.\ttrain", "1000.\tdev_dup"),
    ),
    fails(
        "a prepared folder without dev tables",
        "fetch",
        r"de_en\.dev\.tsv",
        "dev_sets",
        doctor=r"dev\.tsv",
        layout="prepared",
        rows={"train": 6, "test": 3},
    ),
    works(
        "a prepared folder without dev tables, as asked for",
        left=(6, 0, 3),
        layout="prepared",
        rows={"train": 6, "test": 3},
        corpus={"dev_sets": False},
    ),
    fails(
        "a prepared folder with an empty test table",
        "fetch",
        r"de_en\.test\.tsv",
        doctor=r"test\.tsv",
        layout="prepared",
        rows={"train": 6, "dev": 3, "test": 0},
    ),
    # rows of one clip
    fails(
        "a table that is there twice",
        "fetch",
        "data row 1 ",
        "data row 13 ",
        "1000",
        doctor="data row 13",
        tables=twice,
    ),
    fails(
        "segments of one recording",
        "fetch",
        "data row 1 ",
        "data row 2 ",
        r"'ted_0\.wav'",
        doctor="data row 2",
        name="ted_0",
    ),
    fails(
        "sentences that are there twice", "fetch", "data row 1 ", "data row 13 ", "validated", sentences=twice
    ),
    fails("sentences of one path", "fetch", "data row 1 ", "data row 2 ", "validated", sentences=same_path),
    works("sentences that nobody needs, twice", sentences=lambda text: text + 2 * "spk\tother.wav\tEgal.\n"),
    works("rows of no split, twice", tables=lambda text: text + 2 * "other.wav\tNo matter.\tdev_dup\n"),
    fails(
        "a clip in train and test",
        "fetch",
        "data row 1 ",
        "data row 13 ",
        tables=lambda text: text + "common_voice_de_1000.wav\tAgain.\ttest\n",
    ),
    fails(
        "names that are unique in their folder only",
        "fetch",
        "'train/000.wav'",
        "'dev/000.wav'",
        doctor="'dev/000.wav'",
        name="{split}/00{i}",
    ),
    fails(
        "the same, prepared",
        "fetch",
        r"data row 1 of \S+train\.tsv and data row 1 of \S+dev\.tsv",
        doctor="'dev/000.wav'",
        name="{split}/00{i}",
        in_audio="00{i}.wav",
        layout="prepared",
    ),
    fails(
        "one name in capitals of its ending",
        "fetch",
        r"'a\.wav'",
        r"'a\.MP3'",
        r"such as 'a_14\.MP3'",
        tables=lambda text: text + "a.wav\tOne.\ttrain\na.MP3\tTwo.\ttrain\n",
    ),
    fails(
        "the same table for two pairs",
        "fetch",
        r"en_de\.tsv",
        r"en_ja\.tsv",
        pairs=("en_de", "en_ja"),
        tables=lambda text: text.replace("en_ja", "en_de"),
    ),
    fails(
        "tables without {pair}",
        "config",
        r"source\.tables",
        r"\{pair\}",
        code=2,
        pairs=("en_de", "en_ja"),
        source={"tables": "covost_v2.en_de.tsv"},
    ),
    works("a table without {pair}, of the only pair", source={"tables": "{data}/covost_v2.de_en.tsv"}),
    fails(
        "audio without {lang}",
        "config",
        r"source\.audio",
        r"\{lang\}",
        code=2,
        pairs=("de_en", "fr_en"),
        source={"audio": "de.tar.gz"},
    ),
    fails(
        "one data set for two languages",
        "config",
        r"source\.datasets",
        "de, fr",
        code=2,
        pairs=("de_en", "fr_en"),
        source={"kind": "mdc", "datasets": {"de": "a", "fr": "a"}, "audio": None},
    ),
    works("a release in folders", pack=".tar.gz", packed=partial(tar, root="cv-corpus-5/de/")),
    fails(
        "a release of another language",
        "fetch",
        r"de\.tar\.gz",
        "'fr'",
        pack=".tar.gz",
        packed=partial(tar, root="cv-corpus-5/fr/"),
    ),
    # one key
    works("sentences without an ending", in_sentences="{name}"),
    works("sentences with another ending", in_sentences="{name}.mp3"),
    works("sentences with a folder", in_sentences="clips/{name}.wav"),
    works("tables without an ending", in_tables="{name}"),
    works("tables with another ending in capitals", in_tables="{name}.WAV"),
    works("tables with a folder", in_tables="audio/de/{name}.flac"),
    works("audio with two endings", in_audio="{name}.mp3.wav"),
    works("audio in folders", in_audio="{split}/{name}.wav"),
    works("audio in folders, packed", in_audio="{split}/{name}.wav", pack=".tar.gz"),
    works("audio in folders, prepared", in_audio="{split}/{name}.wav", layout="prepared"),
    works("paths with folders on all sides", name="talk/{split}/{n}"),
    works("ids with dots", name="talk.1.{n}", in_sentences="{name}", in_tables="{name}"),
    works("ids with dots, prepared", name="talk.1.{n}", in_tables="{name}", layout="prepared"),
    works("ids with spaces", name="talk {n}"),
    works(
        "ids with an umlaut, composed and decomposed",
        name="Gespr\u00e4ch_{n}",
        in_audio="Gespra\u0308ch_{n}.wav",
    ),
    works("decomposed sentences", name="Gespr\u00e4ch_{n}", in_sentences="Gespra\u0308ch_{n}.wav"),
    works("decomposed tables", name="Gespr\u00e4ch_{n}", in_tables="Gespra\u0308ch_{n}.wav", pack=".tar.gz"),
    fails(
        "sentences of other clips",
        "fetch",
        r"'common_voice_de_1000\.wav'",
        r"'other_1000\.wav'",
        in_sentences="other_{n}.wav",
    ),
    fails(
        "no sentences",
        "fetch",
        r"'common_voice_de_1000\.wav'",
        "validated",
        sentences=lambda text: text.split("\n")[0],
    ),
    fails(
        "audio of other clips",
        "resample",
        r"'common_voice_de_1000\.wav'",
        r"'other_1000\.wav'",
        in_audio="other_{n}.wav",
    ),
    fails(
        "audio of other clips, packed",
        "resample",
        r"1000\.wav'",
        r"other_10\d\d\.wav'",
        in_audio="other_{n}.wav",
        pack=".tar.gz",
    ),
    fails(
        "audio of other clips, prepared",
        "resample",
        r"1000\.wav'",
        r"other_1000\.wav'",
        in_audio="other_{n}.wav",
        layout="prepared",
    ),
    fails("no audio", "resample", r"1000\.wav'", "'other'", clips=lambda clips: {"other": b""}),
    fails(
        "audio of one name in two folders",
        "resample",
        r"a/common_voice_de_1000\.wav",
        clips=lambda clips: clips | {"a/common_voice_de_1000.wav": b"RIFF"},
    ),
    fails(
        "audio of one name in two folders, packed",
        "resample",
        r"a/common_voice_de_1000\.wav",
        pack=".tar.gz",
        clips=lambda clips: clips | {"a/common_voice_de_1000.wav": b"RIFF"},
    ),
    fails(
        "half of the dev clips",
        "filter",
        "de_en dev: 2 of 3",
        "max_missing",
        clips=lambda clips: dict(list(clips.items())[:7]),
        corpus={"filter": {"max_missing": 0.5}},
    ),
]

ASIDE = r"de\S* \(validated\.tsv\): rows that are damaged: 1, such as data row 13 .*validated\.damaged\.tsv"
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
    works("a megabyte of zeros at the end", "are damaged: ", sentences=adds(bytes(1 << 20))),
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


def clip(content: bytes, number: int = 1001) -> Callable[[Clips], Clips]:
    """One clip is another one: of a train row where no number is given; 1006 is of dev."""
    return lambda clips: clips | {f"common_voice_de_{number}.wav": content}


def wave(rate: int, samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


FIVE = (5, 3, 3)
ALLOWED = {"filter": {"max_missing": 0.5}}

LINES += [
    works("a wav of 1 Hz", left=FIVE, clips=clip(wave(1, np.full(150_000, 0.1)))),
    works("a wav of two hours", left=FIVE, clips=clip(wave(4_000, np.full(4_000 * 7_200, 1e-3)))),
    works("a silent train clip", left=FIVE, clips=clip(wave(16_000, np.zeros(16_000)))),
    fails(
        "a silent dev clip", "filter", "de_en dev: 1 of 3", clips=clip(wave(16_000, np.zeros(16_000)), 1006)
    ),
    works(
        "a silent dev clip, allowed",
        left=(6, 2, 3),
        clips=clip(wave(16_000, np.zeros(16_000)), 1006),
        corpus=ALLOWED,
    ),
    works("an empty clip", left=FIVE, clips=clip(b"")),
    works("a clip that is a web page", left=FIVE, clips=clip(b"<html></html>")),
    works("half a wav", left=FIVE, clips=clip(tone(2.0, 16_000, kind="WAV")[:32_000])),
    works("half an mp3", left=FIVE, clips=clip(tone(2.0)[:9_000])),
    works(
        "half an mp3 without a frame count",
        left=FIVE,
        clips=clip(tone(2.0)[tone(2.0).index(tone(2.0)[:2], 100) : 9_000]),
    ),
    works("a wav of 384 kHz with two channels", clips=clip(tone(1.0, 384_000, 2, "WAV"))),
    works(
        "an mp3, an ogg and a flac in the place of wavs",
        clips=lambda clips: (
            clips
            | dict(zip(clips, (tone(1.0), tone(1.0, kind="OPUS"), tone(1.0, kind="FLAC")), strict=False))
        ),
    ),
]


def pipe(what: object) -> None:
    """A named pipe in its place."""


LINES += [
    fails(
        "a table that is a pipe",
        "fetch",
        TABLE + " is no regular file",
        doctor="no regular file",
        tables=pipe,
    ),
    fails("sentences that are a pipe", "fetch", r"validated\.tsv is no regular file", sentences=pipe),
    fails(
        "an archive that is a pipe",
        "fetch",
        r"de\.tar is no regular file",
        doctor="no regular file",
        pack=".tar",
        archive=pipe,
    ),
    fails(
        "a prepared table that is a pipe",
        "fetch",
        r"\.tsv is no regular file",
        doctor="no regular file",
        layout="prepared",
        tables=pipe,
    ),
    works("a clip that is a pipe", left=FIVE, clips=lambda clips: clips | {"common_voice_de_1001.wav": None}),
    works(
        "a clip that is a folder",
        left=FIVE,
        clips=lambda clips: {
            **{n: c for n, c in clips.items() if "1001" not in n},
            "common_voice_de_1001.wav/x": b"",
        },
    ),
    fails(
        "a table that is a folder",
        "fetch",
        r"data/de is a folder.*source",
        doctor=r"data/de is a folder.*source",
        tables=None,
        source={"tables": "{data}/de"},
    ),
    fails(
        "a folder of something else",
        "fetch",
        r"de/clips holds no validated\.tsv",
        doctor="holds no validated.*source.audio",
        source={"audio": "{data}/{lang}/clips"},
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
        assert {tuple(splits.values()) for splits in ended.rows.values()} == {line.left}
        assert set(ended.rows) == set(small.pairs)
        assert not ended.doctor
    else:
        assert "Traceback" not in ended.said
    assert re.search(line.doctor, ended.doctor), ended.doctor
