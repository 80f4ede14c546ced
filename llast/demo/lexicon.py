"""Words of the demo's grammar: persons, objects, places, verbs and times in its seven written forms.

Fields hold inflected forms as they stand in a sentence; `grammar.py` only puts them together. Japanese is kana
throughout, because the synthesizer reads kana but no kanji.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody who acts. Feminine in French where `fr_feminine`. A recipient must not belong to the speaker."""

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
    recipient: bool = True


def _person(en: str, fr: str, de: str, es: str, ja: str, zh: str, recipient: bool = True) -> Person:
    """French and Spanish prepositions follow from the article; German gives nominative, dative and genitive."""
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
        f"{es_of}",
        f"{es_to}",
        ja,
        zh,
        recipient,
    )


PERSONS = (
    _person(
        "my father", "mon père", "mein Vater/meinem Vater/meines Vaters", "mi padre", "ちち", "我爸爸", False
    ),
    _person(
        "my mother",
        "ma mère",
        "meine Mutter/meiner Mutter/meiner Mutter",
        "mi madre",
        "はは",
        "我妈妈",
        False,
    ),
    _person(
        "my grandmother",
        "ma grand-mère",
        "meine Oma/meiner Oma/meiner Oma",
        "mi abuela",
        "そぼ",
        "我奶奶",
        False,
    ),
    _person(
        "the teacher", "le professeur", "der Lehrer/dem Lehrer/des Lehrers", "el profesor", "せんせい", "老师"
    ),
    _person("the doctor", "le médecin", "der Arzt/dem Arzt/des Arztes", "el médico", "いしゃ", "医生"),
    _person("the farmer", "le fermier", "der Bauer/dem Bauern/des Bauern", "el granjero", "のうか", "农民"),
    _person("the boy", "le garçon", "der Junge/dem Jungen/des Jungen", "el niño", "おとこのこ", "男孩"),
    _person("the girl", "la fille", "das Mädchen/dem Mädchen/des Mädchens", "la niña", "おんなのこ", "女孩"),
    _person("the woman", "la femme", "die Frau/der Frau/der Frau", "la mujer", "おんなのひと", "女人"),
    _person("the man", "l'homme", "der Mann/dem Mann/des Mannes", "el hombre", "おとこのひと", "男人"),
    _person(
        "the singer", "le chanteur", "der Sänger/dem Sänger/des Sängers", "el cantante", "かしゅ", "歌手"
    ),
    _person("the king", "le roi", "der König/dem König/des Königs", "el rey", "おうさま", "国王"),
    _person("the queen", "la reine", "die Königin/der Königin/der Königin", "la reina", "じょおう", "女王"),
)
"""All are definite, so that no article has to be guessed from Japanese or Chinese."""


@dataclass(frozen=True)
class Thing:
    """Something that can be counted. `alive` things are not old, new, expensive, cheap or heavy."""

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
    alive: bool = False


def _thing(en: str, fr: str, de: str, es: str, ja: str, zh: str, alive: bool = False) -> Thing:
    """Each text is `[gender] singular plural`; Japanese `noun counter`; Chinese `noun classifier`."""
    fields = [*en.split(), *fr.split(), *de.split(), *es.split(), *ja.split(), *zh.split()]
    return Thing(*fields, alive=alive)  # type: ignore[arg-type]


THINGS = (
    _thing("book books", "m livre livres", "n Buch Bücher", "m libro libros", "ほん さつ", "书 本"),
    _thing("table tables", "f table tables", "m Tisch Tische", "f mesa mesas", "テーブル つ", "桌子 张"),
    _thing("chair chairs", "f chaise chaises", "m Stuhl Stühle", "f silla sillas", "いす つ", "椅子 把"),
    _thing("car cars", "f voiture voitures", "n Auto Autos", "m coche coches", "くるま だい", "汽车 辆"),
    _thing("key keys", "f clé clés", "m Schlüssel Schlüssel", "f llave llaves", "かぎ つ", "钥匙 把"),
    _thing("bag bags", "m sac sacs", "f Tasche Taschen", "m bolso bolsos", "かばん つ", "包 个"),
    _thing("hat hats", "m chapeau chapeaux", "m Hut Hüte", "m sombrero sombreros", "ぼうし つ", "帽子 顶"),
    _thing("lamp lamps", "f lampe lampes", "f Lampe Lampen", "f lámpara lámparas", "ランプ つ", "灯 盏"),
    _thing("watch watches", "f montre montres", "f Uhr Uhren", "m reloj relojes", "とけい つ", "手表 块"),
    _thing("boat boats", "m bateau bateaux", "n Boot Boote", "m barco barcos", "ふね せき", "船 艘"),
    _thing("letter letters", "f lettre lettres", "m Brief Briefe", "f carta cartas", "てがみ つう", "信 封"),
    _thing("cup cups", "f tasse tasses", "f Tasse Tassen", "f taza tazas", "コップ つ", "杯子 个"),
    _thing(
        "umbrella umbrellas",
        "m parapluie parapluies",
        "m Schirm Schirme",
        "m paraguas paraguas",
        "かさ ほん",
        "雨伞 把",
    ),
    _thing(
        "apple apples", "f pomme pommes", "m Apfel Äpfel", "f manzana manzanas", "りんご つ", "苹果 个", True
    ),
    _thing("flower flowers", "f fleur fleurs", "f Blume Blumen", "f flor flores", "はな ほん", "花 朵", True),
    _thing("egg eggs", "m œuf œufs", "n Ei Eier", "m huevo huevos", "たまご つ", "鸡蛋 个", True),
    _thing("fish fish", "m poisson poissons", "m Fisch Fische", "m pez peces", "さかな ひき", "鱼 条", True),
    _thing("dog dogs", "m chien chiens", "m Hund Hunde", "m perro perros", "いぬ ひき", "狗 只", True),
    _thing("cat cats", "m chat chats", "f Katze Katzen", "m gato gatos", "ねこ ひき", "猫 只", True),
    _thing(
        "horse horses", "m cheval chevaux", "n Pferd Pferde", "m caballo caballos", "うま とう", "马 匹", True
    ),
    _thing("bird birds", "m oiseau oiseaux", "m Vogel Vögel", "m pájaro pájaros", "とり わ", "鸟 只", True),
    _thing("cow cows", "f vache vaches", "f Kuh Kühe", "f vaca vacas", "うし とう", "牛 头", True),
)
ANIMALS = frozenset({"fish", "dog", "cat", "horse", "bird", "cow"})
"""Japanese says that animals `いる` and that everything else `ある`."""


@dataclass(frozen=True)
class Adjective:
    """A quality. French gives `masculine feminine m.plural f.plural [m.before a vowel]`, German the stem before an
    ending and the predicative form, Spanish masculine and feminine, Japanese the attributive form and the stem of
    its predicate. `scale`: it can be `very` or `too`. `living`: it fits what is alive."""

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


ADJECTIVES = (
    _adjective("red", "rouge/rouge/rouges/rouges", "rot", "rojo roja", "あかい", "红色的", "l"),
    _adjective("white", "blanc/blanche/blancs/blanches", "weiß", "blanco blanca", "しろい", "白色的", "l"),
    _adjective("black", "noir/noire/noirs/noires", "schwarz", "negro negra", "くろい", "黑色的", "l"),
    _adjective("blue", "bleu/bleue/bleus/bleues", "blau", "azul azul", "あおい", "蓝色的", "l"),
    _adjective("yellow", "jaune/jaune/jaunes/jaunes", "gelb", "amarillo amarilla", "きいろい", "黄色的", "l"),
    _adjective("big", "grand/grande/grands/grandes", "groß", "grande grande", "おおきい", "大", "bsl"),
    _adjective("small", "petit/petite/petits/petites", "klein", "pequeño pequeña", "ちいさい", "小", "bsl"),
    _adjective(
        "beautiful", "beau/belle/beaux/belles/bel", "schön", "bonito bonita", "きれいな", "漂亮的 漂亮", "bsl"
    ),
    _adjective("old", "vieux/vieille/vieux/vieilles/vieil", "alt", "viejo vieja", "ふるい", "旧", "bs"),
    _adjective(
        "new", "nouveau/nouvelle/nouveaux/nouvelles/nouvel", "neu", "nuevo nueva", "あたらしい", "新", "bs"
    ),
    _adjective("expensive", "cher/chère/chers/chères", "teur teuer", "caro cara", "たかい", "昂贵的 贵", "s"),
    _adjective(
        "cheap",
        "bon marché/bon marché/bon marché/bon marché",
        "billig",
        "barato barata",
        "やすい",
        "便宜的 便宜",
        "s",
    ),
    _adjective("heavy", "lourd/lourde/lourds/lourdes", "schwer", "pesado pesada", "おもい", "沉重的 重", "s"),
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


@dataclass(frozen=True)
class Verb:
    """Something done: `present past base` (en), `present participle infinitive` (fr, de), `present past infinitive`
    (es), `present past want-stem potential must-stem` (ja), `bare completed` (zh)."""

    en: tuple[str, ...]
    fr: tuple[str, ...]
    de: tuple[str, ...]
    es: tuple[str, ...]
    ja: tuple[str, ...]
    zh: tuple[str, ...]


def _verb(en: str, fr: str, de: str, es: str, ja: str, zh: str) -> Verb:
    return Verb(*(tuple(forms.split("/")) for forms in (en, fr, de, es, ja, zh)))


VERBS = (
    _verb("buys/bought/buy", "achète/acheté/acheter", "kauft/gekauft/kaufen", "compra/compró/comprar",
          "かいます/かいました/かい/かえます/かわ", "买/买了"),
    _verb("sells/sold/sell", "vend/vendu/vendre", "verkauft/verkauft/verkaufen", "vende/vendió/vender",
          "うります/うりました/うり/うれます/うら", "卖/卖了"),
    _verb("finds/found/find", "trouve/trouvé/trouver", "findet/gefunden/finden", "encuentra/encontró/encontrar",
          "みつけます/みつけました/みつけ/みつけられます/みつけ", "找到/找到了"),
    _verb("loses/lost/lose", "perd/perdu/perdre", "verliert/verloren/verlieren", "pierde/perdió/perder",
          "なくします/なくしました/なくし/なくせます/なくさ", "弄丢/弄丢了"),
    _verb("draws/drew/draw", "dessine/dessiné/dessiner", "zeichnet/gezeichnet/zeichnen", "dibuja/dibujó/dibujar",
          "かきます/かきました/かき/かけます/かか", "画/画了"),
    _verb("sees/saw/see", "voit/vu/voir", "sieht/gesehen/sehen", "ve/vio/ver",
          "みます/みました/み/みられます/み", "看见/看见了"),
    _verb("looks for/looked for/look for", "cherche/cherché/chercher", "sucht/gesucht/suchen", "busca/buscó/buscar",
          "さがします/さがしました/さがし/さがせます/さがさ", "找/找了"),
    _verb("washes/washed/wash", "lave/lavé/laver", "wäscht/gewaschen/waschen", "lava/lavó/lavar",
          "あらいます/あらいました/あらい/あらえます/あらわ", "洗/洗了"),
    _verb("chooses/chose/choose", "choisit/choisi/choisir", "wählt/gewählt/wählen", "elige/eligió/elegir",
          "えらびます/えらびました/えらび/えらべます/えらば", "选/选了"),
    _verb("steals/stole/steal", "vole/volé/voler", "stiehlt/gestohlen/stehlen", "roba/robó/robar",
          "ぬすみます/ぬすみました/ぬすみ/ぬすめます/ぬすま", "偷/偷了"),
)  # fmt: skip
GIVING = (
    _verb("gives/gave/give", "donne/donné/donner", "gibt/gegeben/geben", "da/dio/dar",
          "あげます/あげました/あげ/あげられます/あげ", "给{}/给了{}"),
    _verb("shows/showed/show", "montre/montré/montrer", "zeigt/gezeigt/zeigen", "muestra/mostró/mostrar",
          "みせます/みせました/みせ/みせられます/みせ", "给{}看/给{}看了"),
)  # fmt: skip
"""Verbs with a recipient, for whom Chinese leaves a gap."""


@dataclass(frozen=True)
class Place:
    """Where something is, and the way there."""

    en: str
    en_to: str
    fr: str
    fr_to: str
    de: str
    de_to: str
    es: str
    es_to: str
    ja: str
    zh: str
    zh_to: str


def _place(en: str, fr: str, de: str, es: str, ja: str, zh: str) -> Place:
    """Each text is `where/where to`; Spanish and Chinese derive one from the noun."""
    en_at, en_to = en.split("/")
    fr_at, fr_to = fr.split("/")
    de_at, de_to = de.split("/")
    es_to = f"a{es[1:]}" if es.startswith("el ") else f"a {es}"
    zh_noun, zh_in = zh[:-1], zh
    return Place(en_at, en_to, fr_at, fr_to, de_at, de_to, f"en {es}", es_to, ja, zh_in, zh_noun)


PLACES = (
    _place("in the garden/to the garden", "dans le jardin/au jardin", "im Garten/in den Garten", "el jardín", "にわ", "花园里"),
    _place("in the school/to the school", "à l'école/à l'école", "in der Schule/zur Schule", "la escuela", "がっこう", "学校里"),
    _place("at the market/to the market", "au marché/au marché", "auf dem Markt/zum Markt", "el mercado", "いちば", "市场里"),
    _place("in the park/to the park", "dans le parc/au parc", "im Park/in den Park", "el parque", "こうえん", "公园里"),
    _place("in the forest/to the forest", "dans la forêt/dans la forêt", "im Wald/in den Wald", "el bosque", "もり", "森林里"),
    _place("in the hotel/to the hotel", "à l'hôtel/à l'hôtel", "im Hotel/zum Hotel", "el hotel", "ホテル", "酒店里"),
    _place("in the museum/to the museum", "au musée/au musée", "im Museum/ins Museum", "el museo", "びじゅつかん", "博物馆里"),
    _place("in the village/to the village", "dans le village/au village", "im Dorf/ins Dorf", "el pueblo", "むら", "村子里"),
    _place("on the beach/to the beach", "sur la plage/à la plage", "am Strand/zum Strand", "la playa", "うみべ", "海滩上"),
    _place("at the station/to the station", "à la gare/à la gare", "am Bahnhof/zum Bahnhof", "la estación", "えき", "车站里"),
    _place("in the church/to the church", "dans l'église/à l'église", "in der Kirche/zur Kirche", "la iglesia", "きょうかい", "教堂里"),
    _place("in the castle/to the castle", "dans le château/au château", "im Schloss/zum Schloss", "el castillo", "おしろ", "城堡里"),
)  # fmt: skip


@dataclass(frozen=True)
class Means:
    """A way of travelling. `ridden`: German `fahren`, else `gehen`."""

    en: str
    fr: str
    de: str
    es: str
    ja: str
    zh: str
    ridden: bool = True


MEANS = (
    Means("by bus", "en bus", "mit dem Bus", "en autobús", "バスで", "坐公交车"),
    Means("by train", "en train", "mit dem Zug", "en tren", "でんしゃで", "坐火车"),
    Means("by car", "en voiture", "mit dem Auto", "en coche", "くるまで", "开车"),
    Means("by bicycle", "à vélo", "mit dem Fahrrad", "en bicicleta", "じてんしゃで", "骑自行车"),
    Means("on foot", "à pied", "zu Fuß", "a pie", "あるいて", "走路", ridden=False),
)


@dataclass(frozen=True)
class Time:
    """When. It decides the tense: `past`, `present` (a habit) or `future`."""

    tense: str
    en: str
    fr: str
    de: str
    es: str
    ja: str
    zh: str


TIMES = (
    Time("past", "yesterday", "hier", "gestern", "ayer", "きのう", "昨天"),
    Time(
        "past", "last week", "la semaine dernière", "letzte Woche", "la semana pasada", "せんしゅう", "上周"
    ),
    Time("past", "last night", "hier soir", "gestern Abend", "anoche", "ゆうべ", "昨晚"),
    Time("present", "every day", "tous les jours", "jeden Tag", "todos los días", "まいにち", "每天"),
    Time("present", "every week", "chaque semaine", "jede Woche", "cada semana", "まいしゅう", "每周"),
    Time("present", "every morning", "chaque matin", "jeden Morgen", "cada mañana", "まいあさ", "每天早上"),
    Time("future", "tomorrow", "demain", "morgen", "mañana", "あした", "明天"),
    Time(
        "future",
        "next week",
        "la semaine prochaine",
        "nächste Woche",
        "la próxima semana",
        "らいしゅう",
        "下周",
    ),
    Time("future", "tonight", "ce soir", "heute Abend", "esta noche", "こんばん", "今晚"),
)
