import pytest
from hypothesis import given
from hypothesis import strategies as st

from llast.evaluation.recognition import edit_distance, error_rate, normalised


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


def test_words_over_all_rows_not_a_mean_of_rates() -> None:
    result = error_rate("en", ["one two three four", "x"], ["one two three four", "y"])
    assert (result["metric"], result["value"], result["units"]) == ("wer", 20.0, 5)


def test_characters_without_spaces_for_chinese_and_japanese() -> None:
    result = error_rate("zh-CN", ["我 们走了"], ["我们走吧。"])
    assert (result["metric"], result["value"], result["units"]) == ("cer", 25.0, 4)
    assert error_rate("ja", ["ああああ"], ["あ"])["value"] == 300.0
    assert error_rate("fr", [], [])["value"] == 0.0
