import pytest
from hypothesis import given
from hypothesis import strategies as st

from llast.artifacts.hypotheses import Hypothesis
from llast.config.steps import ScoreOptions
from llast.evaluation.metrics import METRICS
from llast.evaluation.metrics.error_rate import edit_distance, normalised
from llast.languages import language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It’s “well-known”, isn't it?!", "it's well-known isn't it"),
        ("L’été… ÇA ; là", "l'été ça là"),
        ("¿Qué?", "qué"),
        ("  two\u2028lines  ", "two lines"),
        ("我们、走。", "我们 走"),
    ],
)
def test_normalisation(text: str, expected: str) -> None:
    assert normalised(text) == expected


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


def rate(code: str, hypotheses: list[str], references: list[str]) -> tuple[str, float] | None:
    """Name and value of the error rate of a language."""
    rows = [
        Hypothesis(
            task="asr", clip="a", sentence=spoken, reference=spoken, hypothesis=recognised, seconds=1.0
        )
        for recognised, spoken in zip(hypotheses, references, strict=True)
    ]
    computed = [
        (metric.name, score.value)
        for metric in METRICS.values()
        if metric.of == "transcripts"
        and metric.applies(language(code), ScoreOptions())
        and (score := metric.compute(rows, language(code), ScoreOptions()))
    ]
    assert len(computed) <= 1
    return computed[0] if computed else None


def test_words_over_all_rows_not_a_mean_of_rates() -> None:
    assert rate("en", ["one two three four", "x"], ["one two three four", "y"]) == ("wer", 20.0)


def test_characters_without_spaces_for_chinese_and_japanese() -> None:
    assert rate("zh-CN", ["我 们走了"], ["我们走吧。"]) == ("cer", 25.0)
    assert rate("ja", ["ああああ"], ["あ"]) == ("cer", 300.0)


def test_references_without_a_word_have_no_rate() -> None:
    assert rate("fr", ["a"], ["…"]) is None
