import re
from typing import Any

import pytest

from llast.demo import grammar, lexicon, lexicon_events, phrasebook
from llast.demo.grammar import LANGUAGES, render, sample_meanings, split_of
from llast.demo.meanings import Act, Exist, Give, Goods, Like, Meaning, Modal, Quality, Spot, Travel
from llast.errors import ConfigError
from llast.languages import LANGUAGES as COVOST_LANGUAGES
from llast.languages import SPLITS


def by_en(items: Any, english: str) -> Any:
    """The one word of the lexicon whose English (of a verb: the base form) is `english`."""
    (found,) = [item for item in items if english in (item.en, item.en[-1])]
    return found


def person(english: str) -> Any:
    return by_en(lexicon.PERSONS, english)


def goods(number: int, adjective: str, thing: str) -> Goods:
    (count,) = [item for item in lexicon.NUMBERS if item.value == number]
    quality = by_en(lexicon.ADJECTIVES, adjective) if adjective else None
    return Goods(count, quality, by_en(lexicon.THINGS, thing))


def verb(english: str) -> Any:
    return by_en(lexicon_events.VERBS + lexicon_events.GIVING, english)


def time(english: str) -> Any:
    return by_en(lexicon_events.TIMES, english)


def place(english: str) -> Any:
    return by_en(lexicon_events.PLACES, english)


WRITTEN_BY_HAND: list[tuple[Meaning, dict[str, str]]] = [
    (
        Act(person("the girl"), verb("buy"), goods(2, "red", "apple"), time("yesterday")),
        {
            "en": "The girl bought two red apples yesterday.",
            "fr": "La fille a acheté deux pommes rouges hier.",
            "de": "Das Mädchen hat gestern zwei rote Äpfel gekauft.",
            "es": "La niña compró dos manzanas rojas ayer.",
            "ja": "おんなのこはきのうあかいりんごをふたつかいました。",
            "zh-CN": "女孩昨天买了两个红色的苹果。",
        },
    ),
    (
        Act(None, verb("see"), goods(1, "beautiful", "bird"), time("next week")),
        {
            "en": "Who will see a beautiful bird next week?",
            "fr": "Qui va voir un bel oiseau la semaine prochaine ?",
            "de": "Wer wird nächste Woche einen schönen Vogel sehen?",
            "es": "¿Quién va a ver un pájaro bonito la próxima semana?",
            "ja": "だれがらいしゅうきれいなとりをみますか。",
            "zh-CN": "谁下周会看见一只漂亮的鸟？",
        },
    ),
    (
        Spot(person("my mother"), verb("lose"), goods(1, "expensive", "watch"), place("on the beach")),
        {
            "en": "My mother lost an expensive watch on the beach.",
            "fr": "Ma mère a perdu une montre chère sur la plage.",
            "de": "Meine Mutter hat am Strand eine teure Uhr verloren.",
            "es": "Mi madre perdió un reloj caro en la playa.",
            "ja": "はははうみべでたかいとけいをなくしました。",
            "zh-CN": "我妈妈在海滩上弄丢了一块昂贵的手表。",
        },
    ),
    (
        Modal(person("the man"), "want", verb("sell"), goods(3, "old", "book")),
        {
            "en": "The man wants to sell three old books.",
            "fr": "L'homme veut vendre trois vieux livres.",
            "de": "Der Mann will drei alte Bücher verkaufen.",
            "es": "El hombre quiere vender tres libros viejos.",
            "ja": "おとこのひとはふるいほんをさんさつうりたがっています。",
            "zh-CN": "男人想卖三本旧书。",
        },
    ),
    (
        Give(
            person("the farmer"), verb("give"), goods(5, "", "egg"), person("the king"), time("every morning")
        ),
        {
            "en": "The farmer gives the king five eggs every morning.",
            "fr": "Le fermier donne cinq œufs au roi chaque matin.",
            "de": "Der Bauer gibt dem König jeden Morgen fünf Eier.",
            "es": "El granjero le da cinco huevos al rey cada mañana.",
            "ja": "のうかはまいあさおうさまにたまごをいつつあげます。",
            "zh-CN": "农民每天早上给国王五个鸡蛋。",
        },
    ),
    (
        Give(None, verb("show"), goods(1, "new", "umbrella"), person("the farmer"), time("last night")),
        {
            "en": "Who showed the farmer a new umbrella last night?",
            "fr": "Qui a montré un nouveau parapluie au fermier hier soir ?",
            "de": "Wer hat dem Bauern gestern Abend einen neuen Schirm gezeigt?",
            "es": "¿Quién le mostró un paraguas nuevo al granjero anoche?",
            "ja": "だれがゆうべのうかにあたらしいかさをみせましたか。",
            "zh-CN": "谁昨晚给农民看了一把新雨伞？",
        },
    ),
    (
        Exist(goods(10, "black", "horse"), place("in the forest")),
        {
            "en": "There are ten black horses in the forest.",
            "fr": "Il y a dix chevaux noirs dans la forêt.",
            "de": "Im Wald gibt es zehn schwarze Pferde.",
            "es": "Hay diez caballos negros en el bosque.",
            "ja": "もりにくろいうまがじゅっとういます。",
            "zh-CN": "森林里有十匹黑色的马。",
        },
    ),
    (
        Travel(
            person("the queen"),
            by_en(lexicon_events.MEANS, "on foot"),
            place("in the church"),
            time("last week"),
        ),
        {
            "en": "The queen went to the church on foot last week.",
            "fr": "La reine est allée à l'église à pied la semaine dernière.",
            "de": "Die Königin ist letzte Woche zu Fuß zur Kirche gegangen.",
            "es": "La reina fue a la iglesia a pie la semana pasada.",
            "ja": "じょおうはせんしゅうあるいてきょうかいへいきました。",
            "zh-CN": "女王上周走路去了教堂。",
        },
    ),
    (
        Quality(
            person("the teacher"), by_en(lexicon.THINGS, "bag"), "not", by_en(lexicon.ADJECTIVES, "beautiful")
        ),
        {
            "en": "The teacher's bag is not beautiful.",
            "fr": "Le sac du professeur n'est pas beau.",
            "de": "Die Tasche des Lehrers ist nicht schön.",
            "es": "El bolso del profesor no es bonito.",
            "ja": "せんせいのかばんはきれいではありません。",
            "zh-CN": "老师的包不漂亮。",
        },
    ),
    (
        Like(person("the doctor"), False, by_en(lexicon.ADJECTIVES, "blue"), by_en(lexicon.THINGS, "flower")),
        {
            "en": "The doctor does not like blue flowers.",
            "fr": "Le médecin n'aime pas les fleurs bleues.",
            "de": "Der Arzt mag keine blauen Blumen.",
            "es": "Al médico no le gustan las flores azules.",
            "ja": "いしゃはあおいはながすきではありません。",
            "zh-CN": "医生不喜欢蓝色的花。",
        },
    ),
]


@pytest.mark.parametrize(("meaning", "sentences"), WRITTEN_BY_HAND, ids=lambda value: type(value).__name__)
def test_sentences_are_those_written_by_hand(meaning: Meaning, sentences: dict[str, str]) -> None:
    assert {lang: render(meaning, lang) for lang in LANGUAGES} == sentences


def test_no_sentence_occurs_in_two_splits_in_any_language() -> None:
    meanings = {
        split: sample_meanings(split, count, 5)
        for split, count in zip(SPLITS, (20_000, 5000, 5000), strict=True)
    }
    for lang in LANGUAGES:
        sentences = {split: {render(meaning, lang) for meaning in meanings[split]} for split in SPLITS}
        assert [len(sentences[split]) for split in SPLITS] == [20_000, 5000, 5000], (
            f"two meanings sound alike in {lang}"
        )
        assert not sentences["train"] & (sentences["dev"] | sentences["test"])
        assert not sentences["dev"] & sentences["test"]


def test_splits_are_8_to_1_to_1_and_stable() -> None:
    meanings = [meaning for split in SPLITS for meaning in sample_meanings(split, 50, 1)]
    assert [split_of(meaning) for meaning in meanings] == ["train"] * 50 + ["dev"] * 50 + ["test"] * 50
    drawn = [split_of(WRITTEN_BY_HAND[0][0])]
    assert drawn == ["train"], "the split of a sentence must never change: models have been trained on it"


def test_sampling_is_deterministic_distinct_and_a_prefix() -> None:
    many = sample_meanings("test", 300, 3)
    assert len(set(many)) == 300
    assert sample_meanings("test", 100, 3) == many[:100]
    assert sample_meanings("test", 100, 4) != many[:100]


def test_japanese_is_kana_and_sentences_end_in_punctuation() -> None:
    for meaning in sample_meanings("train", 2000, 9):
        assert re.fullmatch(r"[ぁ-んァ-ヶー]+。", render(meaning, "ja"))
        assert re.fullmatch(r"[一-鿿]+[。？]", render(meaning, "zh-CN"))
        for lang in ("en", "fr", "de", "es"):
            assert re.fullmatch(r"(¿?[A-Z]\w*|L'homme)[\w' -]*[.?]", render(meaning, lang)), render(
                meaning, lang
            )


def test_an_unknown_language_or_split_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'cy'.*grammar: phrasebook"):
        render(WRITTEN_BY_HAND[0][0], "cy")
    for module in (grammar, phrasebook):
        with pytest.raises(ConfigError, match="'valid'"):
            module.sample_meanings("valid", 1, 1)


def test_phrasebook_has_every_phrase_in_all_languages_in_one_split() -> None:
    assert set(phrasebook.LANGUAGES) == set(COVOST_LANGUAGES)
    phrases = {split: set(phrasebook.sample_meanings(split, 100, 1)) for split in SPLITS}
    assert [len(phrases[split]) for split in SPLITS] == [16, 4, 4]
    for lang in COVOST_LANGUAGES:
        sentences = {
            split: {phrasebook.render(phrase, lang) for phrase in phrases[split]} for split in SPLITS
        }
        assert len(set.union(*sentences.values())) == 24, f"a phrase is missing or doubled in {lang}"
        assert not sentences["train"] & (sentences["dev"] | sentences["test"])


def test_phrasebook_repeats_only_when_it_has_to() -> None:
    phrases = phrasebook.sample_meanings("test", 6, 1)
    assert len(set(phrases[:4])) == 4
    assert phrases[4:] == phrases[:2]
