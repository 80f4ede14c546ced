"""Words of the demo's grammar for what happens: verbs, places, means of travel and times, in its six languages."""

from dataclasses import dataclass

from llast.demo.lexicon import table


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
    """Forms stand between slashes. The Japanese polite forms follow from the stem."""
    stem, potential, must = ja.split("/")
    english, french, german, spanish, chinese = (tuple(forms.split("/")) for forms in (en, fr, de, es, zh))
    japanese = (f"{stem}ます", f"{stem}ました", stem, potential, must)
    return Verb(english, french, german, spanish, japanese, chinese)


VERBS = tuple(
    _verb(*row)
    for row in table("""
buys/bought/buy | achète/acheté/acheter | kauft/gekauft/kaufen | compra/compró/comprar |
    かい/かえます/かわ | 买/买了
sells/sold/sell | vend/vendu/vendre | verkauft/verkauft/verkaufen | vende/vendió/vender |
    うり/うれます/うら | 卖/卖了
finds/found/find | trouve/trouvé/trouver | findet/gefunden/finden | encuentra/encontró/encontrar |
    みつけ/みつけられます/みつけ | 找到/找到了
loses/lost/lose | perd/perdu/perdre | verliert/verloren/verlieren | pierde/perdió/perder |
    なくし/なくせます/なくさ | 弄丢/弄丢了
draws/drew/draw | dessine/dessiné/dessiner | zeichnet/gezeichnet/zeichnen | dibuja/dibujó/dibujar |
    かき/かけます/かか | 画/画了
sees/saw/see | voit/vu/voir | sieht/gesehen/sehen | ve/vio/ver |
    み/みられます/み | 看见/看见了
looks for/looked for/look for | cherche/cherché/chercher | sucht/gesucht/suchen | busca/buscó/buscar |
    さがし/さがせます/さがさ | 找/找了
washes/washed/wash | lave/lavé/laver | wäscht/gewaschen/waschen | lava/lavó/lavar |
    あらい/あらえます/あらわ | 洗/洗了
chooses/chose/choose | choisit/choisi/choisir | wählt/gewählt/wählen | elige/eligió/elegir |
    えらび/えらべます/えらば | 选/选了
steals/stole/steal | vole/volé/voler | stiehlt/gestohlen/stehlen | roba/robó/robar |
    ぬすみ/ぬすめます/ぬすま | 偷/偷了
""")
)
GIVING = tuple(
    _verb(*row)
    for row in table("""
gives/gave/give | donne/donné/donner | gibt/gegeben/geben | da/dio/dar |
    あげ/あげられます/あげ | 给{}/给了{}
shows/showed/show | montre/montré/montrer | zeigt/gezeigt/zeigen | muestra/mostró/mostrar |
    みせ/みせられます/みせ | 给{}看/给{}看了
""")
)
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
    """French and German have `where/where to`; the other languages derive it."""
    en_to = f"to {en.split(' ', 1)[1]}"
    fr_at, fr_to = fr.split("/")
    de_at, de_to = de.split("/")
    es_to = f"a{es[1:]}" if es.startswith("el ") else f"a {es}"
    return Place(en, en_to, fr_at, fr_to, de_at, de_to, f"en {es}", es_to, ja, zh, zh[:-1])


PLACES = tuple(
    _place(*row)
    for row in table("""
in the garden | dans le jardin/au jardin | im Garten/in den Garten | el jardín | にわ | 花园里
in the school | à l'école/à l'école | in der Schule/zur Schule | la escuela | がっこう | 学校里
at the market | au marché/au marché | auf dem Markt/zum Markt | el mercado | いちば | 市场里
in the park | dans le parc/au parc | im Park/in den Park | el parque | こうえん | 公园里
in the forest | dans la forêt/dans la forêt | im Wald/in den Wald | el bosque | もり | 森林里
in the hotel | à l'hôtel/à l'hôtel | im Hotel/zum Hotel | el hotel | ホテル | 酒店里
in the museum | au musée/au musée | im Museum/ins Museum | el museo | びじゅつかん | 博物馆里
in the village | dans le village/au village | im Dorf/ins Dorf | el pueblo | むら | 村子里
on the beach | sur la plage/à la plage | am Strand/zum Strand | la playa | うみべ | 海滩上
at the station | à la gare/à la gare | am Bahnhof/zum Bahnhof | la estación | えき | 车站里
in the church | dans l'église/à l'église | in der Kirche/zur Kirche | la iglesia | きょうかい | 教堂里
in the castle | dans le château/au château | im Schloss/zum Schloss | el castillo | おしろ | 城堡里
""")
)


@dataclass(frozen=True)
class Means:
    """A way of travelling."""

    en: str
    fr: str
    de: str
    es: str
    ja: str
    zh: str

    @property
    def ridden(self) -> bool:
        """German tells riding, `fahren`, from walking, `gehen`."""
        return self.en != "on foot"


MEANS = tuple(
    Means(*row)
    for row in table("""
by bus | en bus | mit dem Bus | en autobús | バスで | 坐公交车
by train | en train | mit dem Zug | en tren | でんしゃで | 坐火车
by car | en voiture | mit dem Auto | en coche | くるまで | 开车
by bicycle | à vélo | mit dem Fahrrad | en bicicleta | じてんしゃで | 骑自行车
on foot | à pied | zu Fuß | a pie | あるいて | 走路
""")
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


TIMES = tuple(
    Time(*row)
    for row in table("""
past | yesterday | hier | gestern | ayer | きのう | 昨天
past | last week | la semaine dernière | letzte Woche | la semana pasada | せんしゅう | 上周
past | last night | hier soir | gestern Abend | anoche | ゆうべ | 昨晚
present | every day | tous les jours | jeden Tag | todos los días | まいにち | 每天
present | every week | chaque semaine | jede Woche | cada semana | まいしゅう | 每周
present | every morning | chaque matin | jeden Morgen | cada mañana | まいあさ | 每天早上
future | tomorrow | demain | morgen | mañana | あした | 明天
future | next week | la semaine prochaine | nächste Woche | la próxima semana | らいしゅう | 下周
future | tonight | ce soir | heute Abend | esta noche | こんばん | 今晚
""")
)
