"""Words of the demo's grammar for who and what: persons, things, qualities, numbers, in its six languages.

Fields hold inflected forms as they stand in a sentence; `render.py` only puts them together. Japanese is kana
throughout, because the synthesizer reads kana but no kanji.
"""

from dataclasses import dataclass


def table(text: str) -> list[list[str]]:
    """Cells of a table, `|` between cells, one row a line; a line that ends in `|` goes on in the next."""
    return [
        [cell.strip() for cell in line.split("|")] for line in text.replace("|\n", "|").strip().splitlines()
    ]


@dataclass(frozen=True)
class Person:
    """Somebody who acts, or receives: Japanese has another verb for gifts to the speaker's own family."""

    en: str
    fr: str
    fr_of: str
    fr_to: str
    fr_feminine: bool
    de: str
    de_dative: str
    de_genitive: str
    es: str
    es_of: str
    es_to: str
    ja: str
    zh: str
    recipient: bool


def _person(en: str, fr: str, de: str, es: str, ja: str, zh: str, ours: str = "") -> Person:
    """French and Spanish prepositions follow from the article; German has nominative/dative/genitive."""
    article, noun = fr.split(" ", 1) if " " in fr else ("", fr)
    feminine = article in ("la", "ma")
    fr_of, fr_to = (f"du {noun}", f"au {noun}") if article == "le" else (f"de {fr}", f"à {fr}")
    es_of, es_to = (f"d{es}", f"a{es[1:]}") if es.startswith("el ") else (f"de {es}", f"a {es}")
    nominative, dative, genitive = de.split("/")
    return Person(
        en,
        fr,
        fr_of,
        fr_to,
        feminine,
        nominative,
        dative,
        genitive,
        es,
        es_of,
        es_to,
        ja,
        zh,
        recipient=not ours,
    )


PERSONS = tuple(
    _person(*row)
    for row in table("""
my father | mon père | mein Vater/meinem Vater/meines Vaters | mi padre | ちち | 我爸爸 | our own
my mother | ma mère | meine Mutter/meiner Mutter/meiner Mutter | mi madre | はは | 我妈妈 | our own
my grandmother | ma grand-mère | meine Oma/meiner Oma/meiner Oma | mi abuela | そぼ | 我奶奶 | our own
the teacher | le professeur | der Lehrer/dem Lehrer/des Lehrers | el profesor | せんせい | 老师
the doctor | le médecin | der Arzt/dem Arzt/des Arztes | el médico | いしゃ | 医生
the farmer | le fermier | der Bauer/dem Bauern/des Bauern | el granjero | のうか | 农民
the boy | le garçon | der Junge/dem Jungen/des Jungen | el niño | おとこのこ | 男孩
the girl | la fille | das Mädchen/dem Mädchen/des Mädchens | la niña | おんなのこ | 女孩
the woman | la femme | die Frau/der Frau/der Frau | la mujer | おんなのひと | 女人
the man | l'homme | der Mann/dem Mann/des Mannes | el hombre | おとこのひと | 男人
the singer | le chanteur | der Sänger/dem Sänger/des Sängers | el cantante | かしゅ | 歌手
the king | le roi | der König/dem König/des Königs | el rey | おうさま | 国王
the queen | la reine | die Königin/der Königin/der Königin | la reina | じょおう | 女王
""")
)
"""All are definite, so that no article has to be guessed from Japanese or Chinese."""


@dataclass(frozen=True)
class Thing:
    """Something that can be counted. `alive` things are not old, new, expensive, cheap or heavy."""

    alive: bool
    en: str
    en_plural: str
    fr_gender: str
    fr: str
    fr_plural: str
    de_gender: str
    de: str
    de_plural: str
    es_gender: str
    es: str
    es_plural: str
    ja: str
    ja_counter: str
    zh: str
    zh_classifier: str


def _thing(en: str, fr: str, de: str, es: str, ja: str, zh: str, alive: str = "") -> Thing:
    """Each text is `[gender] singular plural`; Japanese `noun counter`; Chinese `noun classifier`."""
    return Thing(bool(alive), *en.split(), *fr.split(), *de.split(), *es.split(), *ja.split(), *zh.split())


THINGS = tuple(
    _thing(*row)
    for row in table("""
book books | m livre livres | n Buch Bücher | m libro libros | ほん さつ | 书 本
table tables | f table tables | m Tisch Tische | f mesa mesas | テーブル つ | 桌子 张
chair chairs | f chaise chaises | m Stuhl Stühle | f silla sillas | いす つ | 椅子 把
car cars | f voiture voitures | n Auto Autos | m coche coches | くるま だい | 汽车 辆
key keys | f clé clés | m Schlüssel Schlüssel | f llave llaves | かぎ つ | 钥匙 把
bag bags | m sac sacs | f Tasche Taschen | m bolso bolsos | かばん つ | 包 个
hat hats | m chapeau chapeaux | m Hut Hüte | m sombrero sombreros | ぼうし つ | 帽子 顶
lamp lamps | f lampe lampes | f Lampe Lampen | f lámpara lámparas | ランプ つ | 灯 盏
watch watches | f montre montres | f Uhr Uhren | m reloj relojes | とけい つ | 手表 块
boat boats | m bateau bateaux | n Boot Boote | m barco barcos | ふね せき | 船 艘
letter letters | f lettre lettres | m Brief Briefe | f carta cartas | てがみ つう | 信 封
cup cups | f tasse tasses | f Tasse Tassen | f taza tazas | コップ つ | 杯子 个
umbrella umbrellas | m parapluie parapluies | m Schirm Schirme | m paraguas paraguas | かさ ほん | 雨伞 把
apple apples | f pomme pommes | m Apfel Äpfel | f manzana manzanas | りんご つ | 苹果 个 | alive
flower flowers | f fleur fleurs | f Blume Blumen | f flor flores | はな ほん | 花 朵 | alive
egg eggs | m œuf œufs | n Ei Eier | m huevo huevos | たまご つ | 鸡蛋 个 | alive
fish fish | m poisson poissons | m Fisch Fische | m pez peces | さかな ひき | 鱼 条 | alive
dog dogs | m chien chiens | m Hund Hunde | m perro perros | いぬ ひき | 狗 只 | alive
cat cats | m chat chats | f Katze Katzen | m gato gatos | ねこ ひき | 猫 只 | alive
horse horses | m cheval chevaux | n Pferd Pferde | m caballo caballos | うま とう | 马 匹 | alive
bird birds | m oiseau oiseaux | m Vogel Vögel | m pájaro pájaros | とり わ | 鸟 只 | alive
cow cows | f vache vaches | f Kuh Kühe | f vaca vacas | うし とう | 牛 头 | alive
""")
)
ANIMALS = frozenset({"fish", "dog", "cat", "horse", "bird", "cow"})
"""Japanese says that animals `いる` and that everything else `ある`."""


@dataclass(frozen=True)
class Adjective:
    """A quality. French has `m f m.plural f.plural [m.before a vowel]`, German a stem and a predicate, Japanese the
    form before a noun. `scale`: it can be `very` or `too`. `living`: it fits what is alive."""

    en: str
    fr: tuple[str, ...]
    fr_before: bool
    de: str
    de_predicate: str
    es: tuple[str, str]
    ja: str
    zh: str
    zh_predicate: str
    scale: bool
    living: bool


def _adjective(en: str, fr: str, de: str, es: str, ja: str, zh: str, kind: str) -> Adjective:
    """`kind` holds b (stands before its French noun), s (has a scale), l (fits what is alive)."""
    stem, predicate = (de.split() * 2)[:2]
    masculine, feminine = (es.split() * 2)[:2]
    attribute, bare = (zh.split() * 2)[:2]
    return Adjective(
        en,
        tuple(fr.split("/")),
        "b" in kind,
        stem,
        predicate,
        (masculine, feminine),
        ja,
        attribute,
        bare,
        "s" in kind,
        "l" in kind,
    )


ADJECTIVES = tuple(
    _adjective(*row)
    for row in table("""
red | rouge/rouge/rouges/rouges | rot | rojo roja | あかい | 红色的 | l
white | blanc/blanche/blancs/blanches | weiß | blanco blanca | しろい | 白色的 | l
black | noir/noire/noirs/noires | schwarz | negro negra | くろい | 黑色的 | l
blue | bleu/bleue/bleus/bleues | blau | azul azul | あおい | 蓝色的 | l
yellow | jaune/jaune/jaunes/jaunes | gelb | amarillo amarilla | きいろい | 黄色的 | l
big | grand/grande/grands/grandes | groß | grande grande | おおきい | 大 | bsl
small | petit/petite/petits/petites | klein | pequeño pequeña | ちいさい | 小 | bsl
beautiful | beau/belle/beaux/belles/bel | schön | bonito bonita | きれいな | 漂亮的 漂亮 | bsl
old | vieux/vieille/vieux/vieilles/vieil | alt | viejo vieja | ふるい | 旧 | bs
new | nouveau/nouvelle/nouveaux/nouvelles/nouvel | neu | nuevo nueva | あたらしい | 新 | bs
expensive | cher/chère/chers/chères | teur teuer | caro cara | たかい | 昂贵的 贵 | s
cheap | bon marché/bon marché/bon marché/bon marché | billig | barato barata | やすい | 便宜的 便宜 | s
heavy | lourd/lourde/lourds/lourdes | schwer | pesado pesada | おもい | 沉重的 重 | s
""")
)


@dataclass(frozen=True)
class Number:
    """A count; `one` is the indefinite article where a language has one."""

    value: int
    en: str
    fr: str
    de: str
    es: str
    zh: str


NUMBERS = (
    Number(1, "a", "un", "ein", "un", "一"),
    Number(2, "two", "deux", "zwei", "dos", "两"),
    Number(3, "three", "trois", "drei", "tres", "三"),
    Number(5, "five", "cinq", "fünf", "cinco", "五"),
    Number(10, "ten", "dix", "zehn", "diez", "十"),
)
JA_COUNTS = {
    "つ": ("ひとつ", "ふたつ", "みっつ", "いつつ", "とお"),
    "さつ": ("いっさつ", "にさつ", "さんさつ", "ごさつ", "じゅっさつ"),
    "だい": ("いちだい", "にだい", "さんだい", "ごだい", "じゅうだい"),
    "せき": ("いっせき", "にせき", "さんせき", "ごせき", "じゅっせき"),
    "つう": ("いっつう", "につう", "さんつう", "ごつう", "じゅっつう"),
    "ほん": ("いっぽん", "にほん", "さんぼん", "ごほん", "じゅっぽん"),
    "ひき": ("いっぴき", "にひき", "さんびき", "ごひき", "じゅっぴき"),
    "とう": ("いっとう", "にとう", "さんとう", "ごとう", "じゅっとう"),
    "わ": ("いちわ", "にわ", "さんわ", "ごわ", "じゅうわ"),
}
