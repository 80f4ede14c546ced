import csv
import io
import re
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from llast.artifacts.corpus import SynthesizeSummary
from llast.corpus.sources.synthetic import SynthesizeOptions
from llast.demo import grammar
from llast.demo.synthesize import DIRT, synthesize
from llast.errors import ConfigError

for wheel in ("espeakng_loader", "lameenc"):
    pytest.importorskip(wheel, reason="the demo's speech needs pip install 'llast[demo]'")

SMALL = SynthesizeOptions(train=4, dev=2, test=3, seed=3)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def table(content: bytes) -> list[dict[str, str]]:
    text = io.StringIO(content.decode(), newline="\n")
    return list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthesized")
    synthesize("fr", ["fr_en"], folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def release(output: Path) -> dict[str, bytes]:
    return members(output / "fr.tar.gz")


@pytest.fixture(scope="module")
def rows(output: Path) -> list[dict[str, str]]:
    content = members(output / "covost_v2.fr_en.tsv.tar.gz")
    assert list(content) == ["covost_v2.fr_en.tsv"]
    return table(content["covost_v2.fr_en.tsv"])


def test_release_has_common_voice_4_shape(release: dict[str, bytes]) -> None:
    validated = table(release["validated.tsv"])
    assert list(validated[0]) == "client_id path sentence up_votes down_votes age gender accent".split()
    assert len({row["client_id"] for row in validated}) > 3
    assert all(len(row["client_id"]) == 128 for row in validated)
    clean = soundfile.info(io.BytesIO(release["clips/common_voice_fr_00000000.mp3"]))
    assert (clean.samplerate, clean.channels, clean.format) == (48_000, 1, "MP3")
    labels = {row["path"] for split in ("train", "dev", "test") for row in table(release[f"{split}.tsv"])}
    assert labels < {row["path"] for row in validated}


def test_clean_rows_are_as_many_as_asked_for_and_correct(
    release: dict[str, bytes], rows: list[dict[str, str]], output: Path
) -> None:
    dirty = {
        path
        for paths in SynthesizeSummary.read(output / "summary.json").details.dirt.values()
        for path in paths
    }
    sentences = {row["path"]: row["sentence"] for row in table(release["validated.tsv"])}
    assert Counter(row["split"] for row in rows if row["path"] not in dirty) == {
        "train": 4,
        "dev": 2,
        "test": 3,
    }
    for split in ("train", "dev", "test"):
        for meaning, row in zip(
            grammar.sample_meanings(split, 3, 3), [row for row in rows if row["split"] == split], strict=False
        ):
            assert row["translation"] == grammar.render(meaning, "en")
            assert sentences[row["path"]] == grammar.render(meaning, "fr")


def test_every_defect_is_there_and_listed(
    release: dict[str, bytes], rows: list[dict[str, str]], output: Path
) -> None:
    dirt = SynthesizeSummary.read(output / "summary.json").details.dirt
    assert {kind: len(paths) for kind, paths in dirt.items()} == {
        kind: count for kind, (_, count) in DIRT.items()
    }
    sentences = {row["path"]: row["sentence"] for row in table(release["validated.tsv"])}
    translations = {row["path"]: row["translation"] for row in rows}
    labels = {row["path"]: row["split"] for row in rows}

    def clip(path: str) -> bytes:
        return release[f"clips/{path}"]

    for path in dirt["csv_residue"]:
        assert re.fullmatch('"[^"]+"', sentences[path])
    for path in dirt["csv_residue_inner"]:
        assert re.fullmatch('"""[^"]+"""', sentences[path])
    assert {translations[path] for path in dirt["empty_translation"]} == {""}
    assert {translations[path] for path in dirt["remove_translation"]} == {"REMOVE"}
    assert all(clip(path) == b"" for path in dirt["zero_byte"])
    assert all(f"clips/{path}" not in release for path in dirt["missing"])
    for path in dirt["truncated"]:
        whole, _ = soundfile.read(io.BytesIO(clip(dirt["train_covost"][0])))
        cut, _ = soundfile.read(io.BytesIO(clip(path)))
        assert 0 < len(cut) < 0.6 * len(whole)
    for path in dirt["stereo_44k"]:
        info = soundfile.info(io.BytesIO(clip(path)))
        assert (info.samplerate, info.channels) == (44_100, 2)
    for label in ("train_covost", "dev_covost", "test_covost", "dev_dup"):
        assert {labels[path] for path in dirt[label]} == {label}
    assert not set(dirt["unreferenced"]) & set(labels)
    assert set(dirt["unreferenced"]) < set(sentences)


def test_dirt_never_touches_dev_or_test_and_can_be_left_out(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    assert Counter(row["split"] for row in rows)["test"] == 3
    assert Counter(row["split"] for row in rows)["dev"] == 2
    summary = synthesize("fr", ["fr_en"], tmp_path, SMALL.model_copy(update={"dirt": False}))
    assert summary.rows_out == 9
    assert summary.details.dirt == {}


def test_bytes_depend_neither_on_the_run_nor_on_the_workers(tmp_path: Path, output: Path) -> None:
    synthesize("fr", ["fr_en"], tmp_path, SMALL, workers=2)
    for name in ("fr.tar.gz", "covost_v2.fr_en.tsv.tar.gz"):
        assert (tmp_path / name).read_bytes() == (output / name).read_bytes()


def test_another_seed_says_something_else(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    synthesize("fr", ["fr_en"], tmp_path, SMALL.model_copy(update={"seed": 4, "dirt": False}))
    others = table(members(tmp_path / "covost_v2.fr_en.tsv.tar.gz")["covost_v2.fr_en.tsv"])
    assert not {row["translation"] for row in others} & {row["translation"] for row in rows}


def test_one_english_clip_serves_all_targets(tmp_path: Path) -> None:
    options = SynthesizeOptions(grammar="phrasebook", train=2, dev=1, test=1, dirt=False)
    synthesize("en", ["en_mn", "en_ta"], tmp_path, options)
    mongolian = table(members(tmp_path / "covost_v2.en_mn.tsv.tar.gz")["covost_v2.en_mn.tsv"])
    tamil = table(members(tmp_path / "covost_v2.en_ta.tsv.tar.gz")["covost_v2.en_ta.tsv"])
    assert [row["path"] for row in mongolian] == [row["path"] for row in tamil]
    assert [row["translation"] for row in mongolian] != [row["translation"] for row in tamil]
    assert sum(name.endswith(".mp3") for name in members(tmp_path / "en.tar.gz")) == 4


def test_a_pair_of_another_source_and_a_language_outside_the_grammar_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="de_en"):
        synthesize("fr", ["fr_en", "de_en"], tmp_path, SMALL)
    with pytest.raises(ConfigError, match="'cy'"):
        synthesize("cy", ["cy_en"], tmp_path, SMALL)
    assert not list(tmp_path.iterdir())
