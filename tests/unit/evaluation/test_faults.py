"""Faults of hypotheses, on the demo's phrases in all 22 languages."""

import pytest

from llast.artifacts.hypotheses import Hypothesis
from llast.demo.phrasebook import PHRASES
from llast.evaluation.faults import count_faults, loops, other_language, profiles, wrong_script
from llast.languages import PAIRS, split_pair

KNOWN = profiles(PHRASES)


def record(clip: str, reference: str, hypothesis: str) -> Hypothesis:
    return Hypothesis(clip=clip, sentence="", reference=reference, hypothesis=hypothesis, seconds=1.0)


def records(pair: str, hypotheses: list[str]) -> list[Hypothesis]:
    references = PHRASES[split_pair(pair)[1]]
    return [
        record(f"clip{i}", references[i % len(references)], hypothesis)
        for i, hypothesis in enumerate(hypotheses)
    ]


@pytest.mark.parametrize("pair", PAIRS)
def test_the_source_instead_of_its_translation_is_found(pair: str) -> None:
    source, target = split_pair(pair)
    counts = count_faults(pair, records(pair, list(PHRASES[source])), KNOWN)
    found = counts["wrong_script"] + counts["wrong_language"]
    long_enough = sum(len(text.split()) >= 4 for text in PHRASES[source])
    assert found >= 0.8 * (len(PHRASES[source]) if counts["wrong_script"] else long_enough), counts
    right = count_faults(pair, records(pair, list(PHRASES[target])[::-1]), KNOWN)
    assert right == dict.fromkeys(right, 0), (
        "good sentences of the target language, none of them the reference"
    )


def test_another_target_language_is_found() -> None:
    counts = count_faults("en_ca", records("en_ca", list(PHRASES["sl"])), KNOWN)
    assert counts["wrong_language"] >= 0.8 * sum(len(text.split()) >= 4 for text in PHRASES["sl"])


@pytest.mark.parametrize(
    ("text", "code", "looping"),
    [
        ("the old house the old house the old house the old house", "en", True),
        ("it is on the on the on the on the table", "en", True),
        ("no no no no", "en", False),
        ("no no no no no no no no", "en", True),
        ("the old house and the new house and the red house and the blue house", "en", False),
        ("我们我们我们我们我们", "zh-CN", True),
        ("哈哈哈哈", "zh-CN", False),
        ("", "en", False),
    ],
)
def test_loops(text: str, code: str, looping: bool) -> None:
    assert loops(text, code) is looping


def test_a_loop_that_stands_in_the_reference_is_none() -> None:
    chant = "row row row row row row row row the boat"
    assert count_faults("fr_en", [record("a", chant, chant + "s")], {})["loops"] == 0
    assert count_faults("fr_en", [record("a", "Row the boat.", chant)], {})["loops"] == 1


@pytest.mark.parametrize(
    ("text", "code", "wrong"),
    [
        ("это дом", "en", True),
        ("это дом", "mn", False),
        ("the house", "ru", True),
        ("NATO и ЕС", "ru", True),
        ("ЕС и НАТО (NATO)", "ru", False),
        ("船は川のそばで待っています", "zh-CN", True),
        ("船在河边等着", "zh-CN", False),
        ("船は川のそばで待っています", "ja", False),
        ("123 – 45 %", "ar", False),
        ("Ñandú ç ß", "de", False),
    ],
)
def test_scripts(text: str, code: str, wrong: bool) -> None:
    assert wrong_script(text, code) is wrong


def test_nothing_is_said_of_short_texts_or_unknown_languages() -> None:
    assert other_language("guten Morgen", "en", KNOWN) is None
    assert other_language(PHRASES["de"][0], "en", {}) is None


def test_each_hypothesis_counts_once() -> None:
    texts = ["", "   ", "да да да да да да да да", "это старый дом у реки"]
    counts = count_faults("fr_en", records("fr_en", texts), KNOWN)
    assert counts == {"empty": 2, "loops": 1, "wrong_script": 1, "wrong_language": 0}
