"""Damaged rows of `validated.tsv`: set aside and counted in fetch, or named there if a table needs them."""

from pathlib import Path

import pytest

from llast.config.corpus import ResampleOptions
from llast.corpus.join import join
from llast.corpus.resample import resample
from llast.corpus.sources.local import LocalSource
from llast.errors import DataError
from tests.unit.corpus.conftest import fetched

HEADER = b"client_id\tpath\tsentence\tup_votes\tage\n"
SOUND = b"s1\ta.mp3\tbonjour\t2\t\ns2\tb.mp3\tmerci\t2\t\n"
DAMAGE = {
    "a tab too many": b"s3\t%s.mp3\toui\tnon\t2\t\n",
    "a byte that is no UTF-8": b"s3\t%s.mp3\tou\xe9\t2\t\n",
    "such a byte in the name": b"s3\tclips/\xe9/%s.mp3\toui\t2\t\n",
    "a NUL": b"s3\t%s.mp3\toui\0\t2\t\n",
    "a row that ends too soon": b"s3\t%s.mp3\n",
}
HALF = {"half a row": b"s3\t%s.mp"}
LOST_TAB = {"a lost tab": b"s3\t%s.mp3oui\t2\t\n"}


def folder(tmp_path: Path, validated: bytes, needed: str = "a b") -> LocalSource:
    """An unpacked release, whose table needs some clips."""
    (tmp_path / "cv" / "clips").mkdir(parents=True)
    (tmp_path / "cv" / "validated.tsv").write_bytes(validated)
    for clip in needed.split():
        (tmp_path / "cv" / "clips" / f"{clip}.mp3").touch()
    rows = "".join(f"{clip}.mp3\thello\ttrain\n" for clip in needed.split())
    table = tmp_path / "covost_v2.fr_en.tsv"
    table.write_text("path\ttranslation\tsplit\n" + rows)
    return LocalSource(audio=str(tmp_path / "cv"), tables=str(table))


@pytest.mark.parametrize("damage", (DAMAGE | HALF).values(), ids=DAMAGE | HALF)
@pytest.mark.parametrize("last", [False, True])
def test_a_damaged_row_that_no_table_needs_is_set_aside(
    tmp_path: Path, damage: bytes, last: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    row = damage % b"c"
    if not last:
        row = row.removesuffix(b"\n") + b"\n"
    out = tmp_path / "out"
    source = folder(tmp_path, HEADER + (SOUND + row if last else row + SOUND))
    summary = fetched("fr", ["fr_en"], out, source)
    assert summary.details.damaged == 1
    assert (out / "validated.tsv").read_bytes() == HEADER + SOUND
    aside = out / "validated.damaged.tsv"
    assert aside.read_bytes() == HEADER + row.removesuffix(b"\n") + b"\n"
    said = capsys.readouterr().err
    assert "cv (validated.tsv)" in said
    assert f"row {3 if last else 1} " in said
    assert str(aside) in said
    assert resample(out / "summary.json", tmp_path / "resample", ResampleOptions()).rows_in == 2
    joined = join(out / "summary.json", tmp_path / "join")
    assert (joined.rows_out, joined.details.damaged) == (2, 1)


@pytest.mark.parametrize("damage", (DAMAGE | LOST_TAB).values(), ids=DAMAGE | LOST_TAB)
def test_a_damaged_row_that_a_table_needs_stops_fetch(tmp_path: Path, damage: bytes) -> None:
    source = folder(tmp_path, HEADER + SOUND + damage % b"c", "a b c")
    with pytest.raises(DataError, match=r"cv \(validated\.tsv\): data row 3 .*clip c\..*kind: local, audio:"):
        fetched("fr", ["fr_en"], tmp_path / "out", source)
    (tmp_path / "cv" / "validated.tsv").write_bytes(HEADER + SOUND + b"s3\tc.mp3\toui\t2\t\n")
    assert fetched("fr", ["fr_en"], tmp_path / "out", source).details.damaged == 0, "the remedy"


def test_a_whole_table_is_kept_byte_by_byte(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "validated.damaged.tsv").write_text("of the last run")
    validated = (
        b"\xef\xbb\xbf"
        + (HEADER + SOUND).replace(b"\n", b"\r\n")
        + b"\r\ns3\tc.mp3\tslash\\\t2\t\r\ns4\td.mp3\tno age"
    )
    source = folder(tmp_path, validated, "a b c d")
    assert fetched("fr", ["fr_en"], out, source).details.damaged == 0
    assert (out / "validated.tsv").read_bytes() == validated
    assert not (out / "validated.damaged.tsv").exists()
    join(out / "summary.json", tmp_path / "join")
    rows = (tmp_path / "join" / "covost_v2.fr_en.train.tsv").read_text().splitlines()
    assert [row.split("\t")[1] for row in rows[1:]] == ["bonjour", "merci", "slash\\\\", "no age"]


def test_a_table_of_damaged_rows_is_refused(tmp_path: Path) -> None:
    source = folder(tmp_path, HEADER + bytes(3_000_000))
    with pytest.raises(DataError, match=r"cv \(validated\.tsv\).*NUL"):
        fetched("fr", ["fr_en"], tmp_path / "out", source)
