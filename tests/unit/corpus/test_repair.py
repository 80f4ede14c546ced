import pytest

from llast.corpus.repair import repair_sentence


@pytest.mark.parametrize(
    ("raw", "repaired"),
    [
        ('"She\'ll be all right."', "She'll be all right."),
        (
            '"These data serve as the ""building blocks"" of exchanges."',
            'These data serve as the "building blocks" of exchanges.',
        ),
        ('"""Cepatlah berangkat!"" ia berujar padaku."', '"Cepatlah berangkat!" ia berujar padaku.'),
        ('""', ""),
        ('""""', '"'),
        ('"""a"""', '"a"'),
    ],
)
def test_csv_fields_are_undone(raw: str, repaired: str) -> None:
    assert repair_sentence(raw) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "Morgenstund' hat Gold im Mund.",
        '"Hurry and go!" he said to me.',
        '"Hi" and "bye"',
        '"',
        '"""',
        'a "b"',
        '"a',
        '"x""" y"',
        "",
    ],
)
def test_real_text_stays(text: str) -> None:
    assert repair_sentence(text) == text
