import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llast.artifacts.hypotheses import Hypothesis
from llast.config.steps import ScoreOptions
from llast.evaluation.metrics import METRICS
from llast.evaluation.metrics.error_rate import WER, WER_WHISPER, edit_distance
from llast.languages import language
from llast.normalisation import normalised

ALIKE = {
    "accents by themselves": ("L'été à la forêt", unicodedata.normalize("NFD", "L'été à la forêt"), "fr"),
    "full width": ("ABC 123?", "ＡＢＣ　１２３？", "en"),
    "half width": ("ガギグ", "ｶﾞｷﾞｸﾞ", "ja"),
    "ligatures": ("efficient", "eﬃcient", "en"),
    "a hyphen that does not break": ("est-ce que", "est\u2011ce que", "fr"),
    "a soft hyphen": ("Donaudampf", "Donau\u00addampf", "de"),
    "other hyphens": ("a-b a-b a-b", "a\u2010b a–b a−b", "en"),
    "a dash": ("yes - no", "yes — no", "en"),
    "a dash without spaces": ("yes no", "yes—no", "en"),
    "marks of direction": ("שלום abc", "\u200fשלום\u200e \u2066abc\u2069", "ar"),
    "a space of no width": ("word", "\ufeffwo\u200brd", "en"),
    "spaces that do not break": ("a b c", "a\u00a0b\u202fc", "fr"),
    "apostrophes": ("it's it's it's it's", "it’s itʼs it‘s it´s", "en"),
    "Turkish capitals": ("istanbul ışık", "İSTANBUL IŞIK", "tr"),
    "a Turkish capital elsewhere": ("istanbul", "İstanbul", "en"),
    "case of Greek": ("οδος", "ΟΔΟΣ", "en"),
    "forms of Arabic letters": ("السلام", unicodedata.normalize("NFKC", "ﺍﻟﺴﻼﻡ"), "ar"),
    "punctuation": ("it's well-known isn't it", "“It’s „well-known“, isn't it?!”", "en"),
    "Chinese punctuation": ("我们走", "我们、走。", "zh-CN"),
    "separators of lines": ("two lines", "  two\u2028lines  ", "en"),
}
DIFFERENT = {
    "accents": ("ou", "où", "fr"),
    "Turkish i": ("ilik", "ılık", "tr"),
    "a joined Persian word": ("می\u200cروم", "میروم", "fa"),
    "two words": ("well known", "well-known", "en"),
    "kana": ("かき", "がき", "ja"),
}


@pytest.mark.parametrize(("one", "other", "code"), ALIKE.values(), ids=ALIKE)
def test_what_looks_the_same_is_no_error(one: str, other: str, code: str) -> None:
    for recognised, said in ((one, other), (other, one)):
        assert next(iter(rate(code, [recognised], [said]).values())) == 0


@pytest.mark.parametrize(("one", "other", "code"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_looks_different_is_one(one: str, other: str, code: str) -> None:
    assert next(iter(rate(code, [one], [other]).values())) > 0


@given(st.text(), st.sampled_from(["", "tr", "fr"]))
def test_the_normal_form_is_that_of_every_way_to_write_a_text(text: str, code: str) -> None:
    normal = normalised(text, code)
    assert normalised(normal, "" if code == "tr" else code) == normal
    for form in ("NFC", "NFD"):
        assert normalised(unicodedata.normalize(form, text), code) == normal
    assert normal == normal.strip()


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edit_distance_is_a_distance(a: str, b: str, c: str) -> None:
    assert edit_distance(a, a) == 0
    assert (edit_distance(a, b) == 0) is (a == b)
    assert edit_distance(a, b) == edit_distance(b, a) <= max(len(a), len(b))
    assert edit_distance(a, b) >= abs(len(a) - len(b))
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_known_distances() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance(["the", "cat"], ["a", "cat", "sat"]) == 2


def _row(recognised: str, said: str) -> Hypothesis:
    return Hypothesis(task="asr", clip="a", sentence=said, reference=said, hypothesis=recognised, seconds=1.0)


def rate(code: str, hypotheses: list[str], references: list[str]) -> dict[str, float]:
    """The error rates of a language by name, ours first."""
    rows = [_row(recognised, said) for recognised, said in zip(hypotheses, references, strict=True)]
    return {
        metric.name: score.value
        for metric in METRICS.values()
        if metric.of == "transcripts"
        and metric.applies(language(code), ScoreOptions())
        and (score := metric.compute(rows, language(code), ScoreOptions()))
    }


def test_words_over_all_rows_not_a_mean_of_rates() -> None:
    assert rate("en", ["one two three four", "x"], ["one two three four", "y"])["wer"] == 20.0


def test_characters_without_spaces_for_chinese_and_japanese() -> None:
    assert rate("zh-CN", ["我 们走了"], ["我们走吧。"]) == {"cer": 25.0, "cer_whisper": 25.0}
    assert rate("ja", ["ああああ"], ["あ"]) == {"cer": 300.0, "cer_whisper": 300.0}


def test_references_without_a_word_have_no_rate() -> None:
    assert rate("fr", ["a"], ["…"]) == {}


def test_the_second_rate_is_that_of_whispers_normaliser() -> None:
    """Which reads numbers, contractions and fillers in English, and splits at hyphens and apostrophes elsewhere."""
    assert rate("en", ["um it's twenty one dollars"], ["it is $21"]) == {
        "wer": pytest.approx(500 / 3),
        "wer_whisper": 0.0,
    }
    assert rate("fr", ["est ce"], ["est-ce"]) == {"wer": 200.0, "wer_whisper": 0.0}
    signatures = {
        metric.compute([_row("a", "a")], language(code), ScoreOptions()).signature  # type: ignore[union-attr]
        for metric in (WER, WER_WHISPER)
        for code in ("en", "fr")
    }
    assert len(signatures) == 3
