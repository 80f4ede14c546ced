"""Sentences of the demo's grammar in its six languages, from meanings.

One function per language. Each puts inflected words of `lexicon.py` in order; what agrees with what is written out
here: articles, adjective endings, auxiliaries, the places of adjectives, classifiers and counters.
"""

from collections.abc import Callable

from llast.demo.lexicon import ANIMALS, JA_COUNTS, NUMBERS, Adjective, Person, Thing
from llast.demo.meanings import Act, Exist, Give, Goods, Like, Meaning, Modal, Quality, Spot, Travel


def _sentence(words: str, who: Person | None, full_stop: str = ".", question: str = "?") -> str:
    """Capital first letter; a sentence without a subject asks who."""
    return words[0].upper() + words[1:] + (question if who is None else full_stop)


def _english(meaning: Meaning) -> str:
    def goods(some: Goods) -> str:
        noun = some.thing.en if some.number.value == 1 else some.thing.en_plural
        words = f"{some.adjective.en} {noun}" if some.adjective else noun
        article = "an" if words[0] in "aeiou" else "a"
        return f"{article if some.number.value == 1 else some.number.en} {words}"

    def verb(forms: tuple[str, ...], tense: str) -> str:
        return {"present": forms[0], "past": forms[1], "future": f"will {forms[2]}"}[tense]

    match meaning:
        case Exist(some, place):
            be = "is" if some.number.value == 1 else "are"
            return f"There {be} {goods(some)} {place.en}."
        case Quality(owner, thing, degree, adjective):
            return _sentence(f"{owner.en}'s {thing.en} is {degree} {adjective.en}", owner)
    who = meaning.who.en if meaning.who else "who"
    match meaning:
        case Act(_, done, some, time):
            words = f"{verb(done.en, time.tense)} {goods(some)} {time.en}"
        case Spot(_, done, some, place):
            words = f"{done.en[1]} {goods(some)} {place.en}"
        case Modal(_, mode, done, some):
            words = f"{ {'want': 'wants to', 'can': 'can', 'must': 'must'}[mode] } {done.en[2]} {goods(some)}"
        case Give(_, done, some, recipient, time):
            words = f"{verb(done.en, time.tense)} {recipient.en} {goods(some)} {time.en}"
        case Travel(_, means, place, time):
            words = f"{verb(('goes', 'went', 'go'), time.tense)} {place.en_to} {means.en} {time.en}"
        case Like(_, likes, adjective, thing):
            words = f"{'likes' if likes else 'does not like'} {adjective.en} {thing.en_plural}"
    return _sentence(f"{who} {words}", meaning.who)


def _french(meaning: Meaning) -> str:
    def noun_phrase(adjective: Adjective | None, thing: Thing, plural: bool) -> str:
        noun = thing.fr_plural if plural else thing.fr
        if adjective is None:
            return noun
        form = adjective.fr[2 * plural + (thing.fr_gender == "f")]
        if not adjective.fr_before:
            return f"{noun} {form}"
        if noun[0] in "aeiouœ" and not plural and thing.fr_gender == "m" and len(adjective.fr) == 5:
            form = adjective.fr[4]
        return f"{form} {noun}"

    def goods(some: Goods) -> str:
        plural = some.number.value > 1
        article = some.number.fr + ("e" if not plural and some.thing.fr_gender == "f" else "")
        return f"{article} {noun_phrase(some.adjective, some.thing, plural)}"

    def verb(forms: tuple[str, ...], tense: str) -> str:
        return {"present": forms[0], "past": f"a {forms[1]}", "future": f"va {forms[2]}"}[tense]

    match meaning:
        case Exist(some, place):
            return f"Il y a {goods(some)} {place.fr}."
        case Quality(owner, thing, degree, adjective):
            article = "l'" if thing.fr[0] in "aeiouœ" else "la " if thing.fr_gender == "f" else "le "
            be = {"very": "est très", "too": "est trop", "not": "n'est pas"}[degree]
            quality = adjective.fr[thing.fr_gender == "f"]
            return _sentence(f"{article}{thing.fr} {owner.fr_of} {be} {quality}", owner)
    who = meaning.who.fr if meaning.who else "qui"
    match meaning:
        case Act(_, done, some, time):
            words = f"{verb(done.fr, time.tense)} {goods(some)} {time.fr}"
        case Spot(_, done, some, place):
            words = f"a {done.fr[1]} {goods(some)} {place.fr}"
        case Modal(_, mode, done, some):
            words = f"{ {'want': 'veut', 'can': 'peut', 'must': 'doit'}[mode] } {done.fr[2]} {goods(some)}"
        case Give(_, done, some, recipient, time):
            words = f"{verb(done.fr, time.tense)} {goods(some)} {recipient.fr_to} {time.fr}"
        case Travel(traveller, means, place, time):
            gone = "allée" if traveller and traveller.fr_feminine else "allé"
            go = {"present": "va", "past": f"est {gone}", "future": "va aller"}[time.tense]
            words = f"{go} {place.fr_to} {means.fr} {time.fr}"
        case Like(_, likes, adjective, thing):
            feeling = "aime" if likes else "n'aime pas"
            words = f"{feeling} les {noun_phrase(adjective, thing, plural=True)}"
    return _sentence(f"{who} {words}", meaning.who, question=" ?")


def _german(meaning: Meaning) -> str:
    def goods(some: Goods) -> str:
        """The accusative."""
        gender, plural = some.thing.de_gender, some.number.value > 1
        noun = some.thing.de_plural if plural else some.thing.de
        article = some.number.de if plural else {"m": "einen", "f": "eine", "n": "ein"}[gender]
        ending = "e" if plural else {"m": "en", "f": "e", "n": "es"}[gender]
        return f"{article} {some.adjective.de}{ending} {noun}" if some.adjective else f"{article} {noun}"

    def clause(forms: tuple[str, ...], tense: str, middle: str, auxiliary: str = "hat") -> str:
        """The finite verb comes second, what is left of the verb last."""
        if tense == "present":
            return f"{forms[0]} {middle}"
        return f"{auxiliary} {middle} {forms[1]}" if tense == "past" else f"wird {middle} {forms[2]}"

    match meaning:
        case Exist(some, place):
            return f"{place.de[0].upper()}{place.de[1:]} gibt es {goods(some)}."
        case Quality(owner, thing, degree, adjective):
            article = {"m": "der", "f": "die", "n": "das"}[thing.de_gender]
            measure = {"very": "sehr", "too": "zu", "not": "nicht"}[degree]
            return _sentence(
                f"{article} {thing.de} {owner.de_genitive} ist {measure} {adjective.de_predicate}", owner
            )
    who = meaning.who.de if meaning.who else "wer"
    match meaning:
        case Act(_, done, some, time):
            words = clause(done.de, time.tense, f"{time.de} {goods(some)}")
        case Spot(_, done, some, place):
            words = clause(done.de, "past", f"{place.de} {goods(some)}")
        case Modal(_, mode, done, some):
            words = f"{ {'want': 'will', 'can': 'kann', 'must': 'muss'}[mode] } {goods(some)} {done.de[2]}"
        case Give(_, done, some, recipient, time):
            words = clause(done.de, time.tense, f"{recipient.de_dative} {time.de} {goods(some)}")
        case Travel(_, means, place, time):
            go = ("fährt", "gefahren", "fahren") if means.ridden else ("geht", "gegangen", "gehen")
            words = clause(go, time.tense, f"{time.de} {means.de} {place.de_to}", auxiliary="ist")
        case Like(_, likes, adjective, thing):
            words = f"mag {'' if likes else 'keine '}{adjective.de}{'e' if likes else 'en'} {thing.de_plural}"
    return _sentence(f"{who} {words}", meaning.who)


def _spanish(meaning: Meaning) -> str:
    def noun_phrase(adjective: Adjective | None, thing: Thing, plural: bool) -> str:
        noun = thing.es_plural if plural else thing.es
        if adjective is None:
            return noun
        form = adjective.es[thing.es_gender == "f"]
        if plural:
            form += "s" if form[-1] in "aeo" else "es"
        return f"{noun} {form}"

    def goods(some: Goods) -> str:
        plural = some.number.value > 1
        article = some.number.es + ("a" if not plural and some.thing.es_gender == "f" else "")
        return f"{article} {noun_phrase(some.adjective, some.thing, plural)}"

    def verb(forms: tuple[str, ...], tense: str) -> str:
        return {"present": forms[0], "past": forms[1], "future": f"va a {forms[2]}"}[tense]

    match meaning:
        case Exist(some, place):
            return f"Hay {goods(some)} {place.es}."
        case Quality(owner, thing, degree, adjective):
            article, quality = ("la", adjective.es[1]) if thing.es_gender == "f" else ("el", adjective.es[0])
            be = {"very": "es muy", "too": "es demasiado", "not": "no es"}[degree]
            return _sentence(f"{article} {thing.es} {owner.es_of} {be} {quality}", owner)
    who = meaning.who.es if meaning.who else "quién"
    match meaning:
        case Act(_, done, some, time):
            words = f"{verb(done.es, time.tense)} {goods(some)} {time.es}"
        case Spot(_, done, some, place):
            words = f"{done.es[1]} {goods(some)} {place.es}"
        case Modal(_, mode, done, some):
            words = f"{ {'want': 'quiere', 'can': 'puede', 'must': 'debe'}[mode] } {done.es[2]} {goods(some)}"
        case Give(_, done, some, recipient, time):
            words = f"le {verb(done.es, time.tense)} {goods(some)} {recipient.es_to} {time.es}"
        case Travel(_, means, place, time):
            words = f"{verb(('va', 'fue', 'ir'), time.tense)} {place.es_to} {means.es} {time.es}"
        case Like(liker, likes, adjective, thing):
            who = liker.es_to if liker else "a quién"
            article = "las" if thing.es_gender == "f" else "los"
            words = (
                f"{'le' if likes else 'no le'} gustan {article} {noun_phrase(adjective, thing, plural=True)}"
            )
    sentence = _sentence(f"{who} {words}", meaning.who)
    return sentence if meaning.who else f"¿{sentence}"


def _japanese(meaning: Meaning) -> str:
    def noun_phrase(adjective: Adjective | None, thing: Thing) -> str:
        return f"{adjective.ja if adjective else ''}{thing.ja}"

    def count(some: Goods) -> str:
        return "" if some.number.value == 1 else JA_COUNTS[some.thing.ja_counter][NUMBERS.index(some.number)]

    def goods(some: Goods) -> str:
        return f"{noun_phrase(some.adjective, some.thing)}を{count(some)}"

    def verb(forms: tuple[str, ...], tense: str) -> str:
        return forms[tense == "past"]

    match meaning:
        case Exist(some, place):
            be = "います" if some.thing.en in ANIMALS else "あります"
            return f"{place.ja}に{noun_phrase(some.adjective, some.thing)}が{count(some)}{be}。"
        case Quality(owner, thing, degree, adjective):
            stem, na = adjective.ja[:-1], adjective.ja.endswith("な")
            is_, is_not = ("です", "ではありません") if na else ("いです", "くないです")
            quality = {"very": f"とても{stem}{is_}", "too": f"{stem}すぎます", "not": f"{stem}{is_not}"}[
                degree
            ]
            return f"{owner.ja}の{thing.ja}は{quality}。"
    who = f"{meaning.who.ja}は" if meaning.who else "だれが"
    match meaning:
        case Act(_, done, some, time):
            words = f"{time.ja}{goods(some)}{verb(done.ja, time.tense)}"
        case Spot(_, done, some, place):
            words = f"{place.ja}で{goods(some)}{done.ja[1]}"
        case Modal(_, mode, done, some):
            ending = {
                "want": f"{done.ja[2]}たがっています",
                "can": done.ja[3],
                "must": f"{done.ja[4]}なければなりません",
            }
            words = f"{goods(some)}{ending[mode]}"
        case Give(_, done, some, recipient, time):
            words = f"{time.ja}{recipient.ja}に{goods(some)}{verb(done.ja, time.tense)}"
        case Travel(_, means, place, time):
            words = f"{time.ja}{means.ja}{place.ja}へ{verb(('いきます', 'いきました'), time.tense)}"
        case Like(_, likes, adjective, thing):
            words = f"{noun_phrase(adjective, thing)}が{'すきです' if likes else 'すきではありません'}"
    return f"{who}{words}{'。' if meaning.who else 'か。'}"


def _chinese(meaning: Meaning) -> str:
    def goods(some: Goods) -> str:
        quality = some.adjective.zh if some.adjective else ""
        return f"{some.number.zh}{some.thing.zh_classifier}{quality}{some.thing.zh}"

    def verb(forms: tuple[str, ...], tense: str) -> str:
        return {"present": forms[0], "past": forms[1], "future": f"会{forms[0]}"}[tense]

    match meaning:
        case Exist(some, place):
            return f"{place.zh}有{goods(some)}。"
        case Quality(owner, thing, degree, adjective):
            quality = {"very": "非常{}", "too": "太{}了", "not": "不{}"}[degree].format(
                adjective.zh_predicate
            )
            return f"{owner.zh}的{thing.zh}{quality}。"
    who = meaning.who.zh if meaning.who else "谁"
    match meaning:
        case Act(_, done, some, time):
            words = f"{time.zh}{verb(done.zh, time.tense)}{goods(some)}"
        case Spot(_, done, some, place):
            words = f"在{place.zh}{done.zh[1]}{goods(some)}"
        case Modal(_, mode, done, some):
            words = f"{ {'want': '想', 'can': '能', 'must': '必须'}[mode] }{done.zh[0]}{goods(some)}"
        case Give(_, done, some, recipient, time):
            words = f"{time.zh}{verb(done.zh, time.tense).format(recipient.zh)}{goods(some)}"
        case Travel(_, means, place, time):
            go = (f"{means.zh}去", f"{means.zh}去了")
            words = f"{time.zh}{verb(go, time.tense)}{place.zh_to}"
        case Like(_, likes, adjective, thing):
            words = f"{'喜欢' if likes else '不喜欢'}{adjective.zh}{thing.zh}"
    return f"{who}{words}{'。' if meaning.who else '？'}"


RENDERERS: dict[str, Callable[[Meaning], str]] = {
    "en": _english,
    "fr": _french,
    "de": _german,
    "es": _spanish,
    "ja": _japanese,
    "zh-CN": _chinese,
}
