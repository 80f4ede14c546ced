"""Languages and directions against the official list, and what a mistyped one is told."""

import csv
from importlib.resources import files

import pytest

from llast.errors import ConfigError
from llast.languages import EN_X, LANGUAGES, PAIRS, PAPER_X_EN, X_EN, language, source_languages, split_pair


def test_the_pairs_are_those_of_covost2() -> None:
    text = files("llast.corpus").joinpath("official_counts.tsv").read_text(encoding="utf-8")
    official = [row["pair"] for row in csv.DictReader(text.splitlines(), delimiter="\t")]
    assert sorted(PAIRS) == sorted(official)
    assert (len(X_EN), len(EN_X), len(LANGUAGES)) == (21, 15, 22)
    assert set(PAPER_X_EN) <= set(X_EN)


def test_a_pair_is_split_at_the_underscore() -> None:
    assert split_pair("zh-CN_en") == ("zh-CN", "en")
    assert split_pair("en_sv-SE") == ("en", "sv-SE")
    assert source_languages(["fr_en", "en_de", "en_ja", "de_en"]) == ["fr", "en", "de"]


def test_resource_classes_are_those_of_the_literature() -> None:
    """XLS-R (arXiv 2111.09296), section 5.2."""
    classes: dict[str, set[str]] = {"high": set(), "mid": set(), "low": set()}
    for code, known in LANGUAGES.items():
        if known.resource:
            classes[known.resource].add(code)
    assert classes["high"] == {"fr", "de", "es", "ca"}
    assert classes["mid"] == {"fa", "it", "ru", "pt", "zh-CN"}
    assert len(classes["low"]) == 12


def test_tokenizers_fit_the_writing() -> None:
    assert {
        code: known.bleu_tokenizer for code, known in LANGUAGES.items() if known.bleu_tokenizer != "13a"
    } == {
        "zh-CN": "zh",
        "ja": "ja-mecab",
    }
    assert {code for code, known in LANGUAGES.items() if not known.spaced} == {"zh-CN", "ja"}


@pytest.mark.parametrize("pair", ["fr_de", "en_fr", "zh_en", "fr-en", "sv_en", ""])
def test_a_pair_that_does_not_exist(pair: str) -> None:
    with pytest.raises(ConfigError, match=f"'{pair}'"):
        split_pair(pair)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(ConfigError, match="'zh-CN_en'"):
        split_pair("zh-cn_en")
    with pytest.raises(ConfigError, match="'sv-SE'"):
        language("sv-Se")
