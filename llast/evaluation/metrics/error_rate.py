"""Word and character error rates of transcripts, after our normalisation and after Whisper's own."""

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, partial

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import MetricScore
from llast.config.steps import ScoreOptions
from llast.evaluation.metrics.base import Metric
from llast.languages import Language
from llast.normalisation import NORMALISATION, normalised

PUNCTUATION = "punctuation removed except apostrophe and hyphen"
"""As in the CoVoST 2 paper (arXiv 2007.10310): WER; CER for Chinese and Japanese, where spaces do not count."""

KEPT = frozenset("'-")


def error_rate(
    rows: Sequence[Hypothesis], spoken: Language, options: ScoreOptions, whisper: bool = False
) -> MetricScore | None:
    """Errors per 100 words of the references over all rows; of languages without spaces, characters.

    Above 100 is possible; None where the references hold nothing to be recognised.

    Args:
        rows: transcripts with what was said.
        spoken: its language.
        options: of the step score; none of them matters here.
        whisper: texts are normalised as in the paper of Whisper (arXiv 2212.04356, appendix C), not as ours.
    """
    words, signature = _whisper(spoken) if whisper else _ours(spoken)
    errors = units = 0
    for row in rows:
        recognised, said = words(row.hypothesis), words(row.reference)
        errors += edit_distance(recognised, said)
        units += len(said)
    if not units:
        return None
    return MetricScore(
        value=100.0 * errors / units, signature=f"{'wer' if spoken.spaced else 'cer'}|{signature}"
    )


Units = Callable[[str], list[str]]
"""The words of a text, or its characters."""


def _ours(spoken: Language) -> tuple[Units, str]:
    def units(text: str) -> list[str]:
        words = without_punctuation(normalised(text, spoken.code)).split()
        return words if spoken.spaced else list("".join(words))

    return units, f"{NORMALISATION}; {PUNCTUATION}"


@cache
def _whisper(spoken: Language) -> tuple[Units, str]:
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    normalise: Callable[[str], str]
    if spoken.code == "en":
        # Its table of British spellings is a file of Whisper's tokenizer, which a score should not depend on.
        normalise, name = EnglishTextNormalizer({}), "EnglishTextNormalizer without its table of spellings"
    else:
        normalise, name = BasicTextNormalizer(split_letters=not spoken.spaced), "BasicTextNormalizer"
    return lambda text: normalise(text).split(), f"Whisper's {name}"


def without_punctuation(text: str) -> str:
    """A text with a space for each sign of punctuation, but for hyphens and apostrophes that are part of a word."""
    words = "".join(map(_kept, text)).split()
    return " ".join(word for word in words if word.strip("-"))


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that make `b` out of `a` (Levenshtein)."""
    if a == b:
        return 0
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right)))
        above = row
    return above[-1]


@cache
def _kept(character: str) -> str:
    """The character itself, or a space in place of punctuation."""
    punctuation = unicodedata.category(character).startswith("P") and character not in KEPT
    return " " if punctuation else character


def _metrics(name: str, unit: str, spaced: bool) -> tuple[Metric, Metric]:
    """The rate of languages that write spaces, or of those that write none, and that after Whisper's normaliser."""
    metric = partial(
        Metric,
        of="transcripts",
        scale=f"errors per 100 {unit} of the transcript",
        applies=lambda code, options: code.spaced == spaced,
        higher_is_better=False,
    )
    return (
        metric(name.lower(), name, compute=error_rate),
        metric(
            f"{name.lower()}_whisper",
            f"{name}, Whisper's normaliser",
            compute=partial(error_rate, whisper=True),
        ),
    )


WER, WER_WHISPER = _metrics("WER", "words", spaced=True)
CER, CER_WHISPER = _metrics("CER", "characters", spaced=False)
