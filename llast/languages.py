"""Languages and translation directions of CoVoST-2: codes, names, tokenizers, resource classes.

Codes are those of CoVoST-2 and Common Voice (`zh-CN`, `sv-SE`); the English names are the ones that LLaST's
prompts use. A pair is written `{source}_{target}` and split at the underscore, never at the hyphen.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from llast.errors import ConfigError

ResourceClass = Literal["high", "mid", "low"]


@dataclass(frozen=True)
class Language:
    """A language of CoVoST-2.

    Attributes:
        code: code in CoVoST-2 and Common Voice.
        name: English name, as in LLaST's prompts.
        bleu_tokenizer: sacreBLEU tokenizer for text in this language. `13a` on Chinese or Japanese scores near 0.
        spaced: whether words are separated by spaces (decides between word and character error rate).
        script: Unicode script of ordinary text, as in ISO 15924.
        resource: class by hours of CoVoST-2 X->En training speech, as grouped in XLS-R (arXiv 2111.09296,
            section 5.2: 4 high, 5 mid, 12 low); English, which only occurs as a target there, has none.
    """

    code: str
    name: str
    bleu_tokenizer: str = "13a"
    spaced: bool = True
    script: str = "Latn"
    resource: ResourceClass | None = None

    @property
    def whisper_code(self) -> str:
        """Code in Whisper's language tokens, which know no regions: `zh`, `sv`."""
        return self.code.partition("-")[0]


_ALL = (
    Language("en", "English"),
    Language("fr", "French", resource="high"),
    Language("de", "German", resource="high"),
    Language("es", "Spanish", resource="high"),
    Language("ca", "Catalan", resource="high"),
    Language("it", "Italian", resource="mid"),
    Language("ru", "Russian", script="Cyrl", resource="mid"),
    Language("zh-CN", "Chinese", bleu_tokenizer="zh", spaced=False, script="Hans", resource="mid"),
    Language("pt", "Portuguese", resource="mid"),
    Language("fa", "Persian", script="Arab", resource="mid"),
    Language("et", "Estonian", resource="low"),
    Language("mn", "Mongolian", script="Cyrl", resource="low"),
    Language("nl", "Dutch", resource="low"),
    Language("tr", "Turkish", resource="low"),
    Language("ar", "Arabic", script="Arab", resource="low"),
    Language("sv-SE", "Swedish", resource="low"),
    Language("lv", "Latvian", resource="low"),
    Language("sl", "Slovenian", resource="low"),
    Language("ta", "Tamil", script="Taml", resource="low"),
    Language("ja", "Japanese", bleu_tokenizer="ja-mecab", spaced=False, script="Jpan", resource="low"),
    Language("id", "Indonesian", resource="low"),
    Language("cy", "Welsh", resource="low"),
)
LANGUAGES: dict[str, Language] = {language.code: language for language in _ALL}

X_EN = tuple(f"{language.code}_en" for language in _ALL if language.code != "en")
EN_X = tuple(f"en_{code}" for code in "de tr fa sv-SE mn zh-CN cy ca sl et id ar ta lv ja".split())
PAIRS: tuple[str, ...] = X_EN + EN_X
"""The 36 directions of CoVoST-2: 21 into English, 15 out of it (arXiv 2007.10310, section 2)."""

PAPER_X_EN = ("fr_en", "de_en", "es_en", "it_en", "zh-CN_en", "ja_en")
"""The six X->En directions of LLaST's result table (arXiv 2407.15415)."""

CorpusSplit = Literal["train", "dev", "test"]
SPLITS: tuple[CorpusSplit, ...] = ("train", "dev", "test")


def language(code: str) -> Language:
    """Look a language up by its CoVoST-2 code.

    Raises:
        ConfigError: no language of CoVoST-2 has this code.
    """
    if code not in LANGUAGES:
        raise ConfigError(f"unknown language '{code}'.{_hint(code, LANGUAGES)} Known: {' '.join(LANGUAGES)}.")
    return LANGUAGES[code]


def split_pair(pair: str) -> tuple[str, str]:
    """Source and target code of a CoVoST-2 pair such as `zh-CN_en`.

    Raises:
        ConfigError: CoVoST-2 has no such pair.
    """
    if pair not in PAIRS:
        raise ConfigError(
            f"'{pair}' is not a pair of CoVoST-2.{_hint(pair, PAIRS)} Every pair has en on one side: "
            f"X->En {' '.join(X_EN)}; En->X {' '.join(EN_X)}."
        )
    source, target = pair.split("_")
    return source, target


def source_languages(pairs: list[str] | tuple[str, ...]) -> list[str]:
    """Source languages of the pairs, each once, in the order of first use."""
    return list(dict.fromkeys(split_pair(pair)[0] for pair in pairs))


def pairs_from(source: str, pairs: list[str] | tuple[str, ...]) -> list[str]:
    """Those of the pairs that translate out of `source`, in the order given."""
    return [pair for pair in pairs if split_pair(pair)[0] == source]


def _hint(word: str, known: object) -> str:
    close = get_close_matches(word, list(known), n=1)  # type: ignore[call-overload]
    return f" Did you mean '{close[0]}'?" if close else ""
