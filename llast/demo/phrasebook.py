"""Everyday sentences in all 22 languages of CoVoST-2, for the smallest corpus that covers all 36 pairs.

Same interface as `grammar.py`. Japanese is kana, which the synthesizer reads.
"""

import random
from dataclasses import dataclass

from llast.errors import ConfigError
from llast.languages import SPLITS, language

PHRASES: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True)
class Phrase:
    """A sentence of the book by its number."""

    number: int


DEV, TEST = (11, 12, 14, 19), (13, 15, 20, 21)
"""Numbers of the dev and the test phrases; the others are for training."""


def render(meaning: Phrase, lang: str) -> str:
    """The sentence in a language of CoVoST-2.

    Raises:
        ConfigError: unknown language.
    """
    return PHRASES[language(lang).code][meaning.number]


def split_of(meaning: Phrase) -> str:
    """`train`, `dev` or `test`, by a fixed assignment."""
    return "dev" if meaning.number in DEV else "test" if meaning.number in TEST else "train"


def sample_meanings(split: str, count: int, seed: int) -> list[Phrase]:
    """`count` phrases of a split in random order, all of them before any comes again."""
    if split not in SPLITS:
        raise ConfigError(f"unknown split '{split}'. Known: {' '.join(SPLITS)}.")
    phrases = [phrase for phrase in map(Phrase, range(len(PHRASES["en"]))) if split_of(phrase) == split]
    random.Random(f"{split} {seed}").shuffle(phrases)
    return (phrases * (count // len(phrases) + 1))[:count]


def _book(text: str) -> dict[str, tuple[str, ...]]:
    """One paragraph per language: its code, then one phrase a line."""
    paragraphs = [paragraph.splitlines() for paragraph in text.strip().split("\n\n")]
    return {lines[0]: tuple(lines[1:]) for lines in paragraphs}


PHRASES |= _book("""
en
The water is cold.
The coffee is hot.
The house is big.
The dog is small.
I am hungry.
I am tired.
Where is the station?
What is your name?
The cat is black.
Thank you very much.
I do not know.
My brother is a doctor.
My sister is a teacher.
The book is on the table.
It is raining today.
We live in the city.
She is reading a book.
He is drinking water.
They are my friends.
The door is open.
I want to eat bread.
The train is late.
How are you?
I will come tomorrow.

fr
L'eau est froide.
Le café est chaud.
La maison est grande.
Le chien est petit.
J'ai faim.
Je suis fatigué.
Où est la gare ?
Comment t'appelles-tu ?
Le chat est noir.
Merci beaucoup.
Je ne sais pas.
Mon frère est médecin.
Ma sœur est professeure.
Le livre est sur la table.
Il pleut aujourd'hui.
Nous habitons en ville.
Elle lit un livre.
Il boit de l'eau.
Ce sont mes amis.
La porte est ouverte.
Je veux manger du pain.
Le train est en retard.
Comment vas-tu ?
Je viendrai demain.

de
Das Wasser ist kalt.
Der Kaffee ist heiß.
Das Haus ist groß.
Der Hund ist klein.
Ich habe Hunger.
Ich bin müde.
Wo ist der Bahnhof?
Wie heißt du?
Die Katze ist schwarz.
Vielen Dank.
Ich weiß es nicht.
Mein Bruder ist Arzt.
Meine Schwester ist Lehrerin.
Das Buch liegt auf dem Tisch.
Heute regnet es.
Wir wohnen in der Stadt.
Sie liest ein Buch.
Er trinkt Wasser.
Sie sind meine Freunde.
Die Tür ist offen.
Ich möchte Brot essen.
Der Zug hat Verspätung.
Wie geht es dir?
Ich komme morgen.

es
El agua está fría.
El café está caliente.
La casa es grande.
El perro es pequeño.
Tengo hambre.
Estoy cansado.
¿Dónde está la estación?
¿Cómo te llamas?
El gato es negro.
Muchas gracias.
No lo sé.
Mi hermano es médico.
Mi hermana es profesora.
El libro está sobre la mesa.
Hoy llueve.
Vivimos en la ciudad.
Ella está leyendo un libro.
Él está bebiendo agua.
Ellos son mis amigos.
La puerta está abierta.
Quiero comer pan.
El tren llega tarde.
¿Cómo estás?
Vendré mañana.

ca
L'aigua és freda.
El cafè és calent.
La casa és gran.
El gos és petit.
Tinc gana.
Estic cansat.
On és l'estació?
Com et dius?
El gat és negre.
Moltes gràcies.
No ho sé.
El meu germà és metge.
La meva germana és professora.
El llibre és sobre la taula.
Avui plou.
Vivim a la ciutat.
Ella llegeix un llibre.
Ell beu aigua.
Són els meus amics.
La porta és oberta.
Vull menjar pa.
El tren va amb retard.
Com estàs?
Vindré demà.

it
L'acqua è fredda.
Il caffè è caldo.
La casa è grande.
Il cane è piccolo.
Ho fame.
Sono stanco.
Dov'è la stazione?
Come ti chiami?
Il gatto è nero.
Grazie mille.
Non lo so.
Mio fratello è medico.
Mia sorella è insegnante.
Il libro è sul tavolo.
Oggi piove.
Viviamo in città.
Lei legge un libro.
Lui beve acqua.
Sono i miei amici.
La porta è aperta.
Voglio mangiare il pane.
Il treno è in ritardo.
Come stai?
Verrò domani.

ru
Вода холодная.
Кофе горячий.
Дом большой.
Собака маленькая.
Я голоден.
Я устал.
Где вокзал?
Как тебя зовут?
Кошка чёрная.
Большое спасибо.
Я не знаю.
Мой брат врач.
Моя сестра учительница.
Книга лежит на столе.
Сегодня идёт дождь.
Мы живём в городе.
Она читает книгу.
Он пьёт воду.
Они мои друзья.
Дверь открыта.
Я хочу есть хлеб.
Поезд опаздывает.
Как дела?
Я приду завтра.

zh-CN
水很冷。
咖啡很烫。
房子很大。
狗很小。
我饿了。
我累了。
车站在哪里？
你叫什么名字？
猫是黑色的。
非常感谢。
我不知道。
我哥哥是医生。
我姐姐是老师。
书在桌子上。
今天下雨。
我们住在城市里。
她在看书。
他在喝水。
他们是我的朋友。
门开着。
我想吃面包。
火车晚点了。
你好吗？
我明天来。

pt
A água está fria.
O café está quente.
A casa é grande.
O cachorro é pequeno.
Estou com fome.
Estou cansado.
Onde fica a estação?
Qual é o seu nome?
O gato é preto.
Muito obrigado.
Eu não sei.
Meu irmão é médico.
Minha irmã é professora.
O livro está na mesa.
Está chovendo hoje.
Nós moramos na cidade.
Ela está lendo um livro.
Ele está bebendo água.
Eles são meus amigos.
A porta está aberta.
Quero comer pão.
O trem está atrasado.
Como você está?
Eu virei amanhã.

fa
آب سرد است.
قهوه داغ است.
خانه بزرگ است.
سگ کوچک است.
من گرسنه هستم.
من خسته هستم.
ایستگاه کجاست؟
اسم شما چیست؟
گربه سیاه است.
خیلی ممنون.
من نمی‌دانم.
برادر من پزشک است.
خواهر من معلم است.
کتاب روی میز است.
امروز باران می‌بارد.
ما در شهر زندگی می‌کنیم.
او کتاب می‌خواند.
او آب می‌نوشد.
آنها دوستان من هستند.
در باز است.
می‌خواهم نان بخورم.
قطار دیر کرده است.
حال شما چطور است؟
من فردا می‌آیم.

et
Vesi on külm.
Kohv on kuum.
Maja on suur.
Koer on väike.
Mul on kõht tühi.
Ma olen väsinud.
Kus on jaam?
Mis su nimi on?
Kass on must.
Suur tänu.
Ma ei tea.
Mu vend on arst.
Mu õde on õpetaja.
Raamat on laual.
Täna sajab vihma.
Me elame linnas.
Ta loeb raamatut.
Ta joob vett.
Nad on mu sõbrad.
Uks on lahti.
Ma tahan leiba süüa.
Rong hilineb.
Kuidas sul läheb?
Ma tulen homme.

mn
Ус хүйтэн байна.
Кофе халуун байна.
Байшин том байна.
Нохой жижиг байна.
Би өлсөж байна.
Би ядарч байна.
Буудал хаана байна?
Таны нэр хэн бэ?
Муур хар байна.
Маш их баярлалаа.
Би мэдэхгүй.
Миний ах эмч.
Миний эгч багш.
Ном ширээн дээр байна.
Өнөөдөр бороо орж байна.
Бид хотод амьдардаг.
Тэр эмэгтэй ном уншиж байна.
Тэр ус ууж байна.
Тэд миний найзууд.
Хаалга онгорхой байна.
Би талх идмээр байна.
Галт тэрэг хоцорч байна.
Сайн байна уу?
Би маргааш ирнэ.

nl
Het water is koud.
De koffie is heet.
Het huis is groot.
De hond is klein.
Ik heb honger.
Ik ben moe.
Waar is het station?
Hoe heet je?
De kat is zwart.
Hartelijk dank.
Ik weet het niet.
Mijn broer is dokter.
Mijn zus is lerares.
Het boek ligt op de tafel.
Het regent vandaag.
Wij wonen in de stad.
Zij leest een boek.
Hij drinkt water.
Zij zijn mijn vrienden.
De deur is open.
Ik wil brood eten.
De trein heeft vertraging.
Hoe gaat het met je?
Ik kom morgen.

tr
Su soğuk.
Kahve sıcak.
Ev büyük.
Köpek küçük.
Açım.
Yorgunum.
İstasyon nerede?
Adın ne?
Kedi siyah.
Çok teşekkür ederim.
Bilmiyorum.
Erkek kardeşim doktor.
Kız kardeşim öğretmen.
Kitap masanın üzerinde.
Bugün yağmur yağıyor.
Şehirde yaşıyoruz.
O bir kitap okuyor.
O su içiyor.
Onlar benim arkadaşlarım.
Kapı açık.
Ekmek yemek istiyorum.
Tren gecikti.
Nasılsın?
Yarın geleceğim.

ar
الماء بارد.
القهوة ساخنة.
البيت كبير.
الكلب صغير.
أنا جائع.
أنا متعب.
أين المحطة؟
ما اسمك؟
القطة سوداء.
شكرا جزيلا.
لا أعرف.
أخي طبيب.
أختي معلمة.
الكتاب على الطاولة.
إنها تمطر اليوم.
نحن نعيش في المدينة.
هي تقرأ كتابا.
هو يشرب الماء.
هم أصدقائي.
الباب مفتوح.
أريد أن آكل الخبز.
القطار متأخر.
كيف حالك؟
سآتي غدا.

sv-SE
Vattnet är kallt.
Kaffet är varmt.
Huset är stort.
Hunden är liten.
Jag är hungrig.
Jag är trött.
Var ligger stationen?
Vad heter du?
Katten är svart.
Tack så mycket.
Jag vet inte.
Min bror är läkare.
Min syster är lärare.
Boken ligger på bordet.
Det regnar i dag.
Vi bor i staden.
Hon läser en bok.
Han dricker vatten.
De är mina vänner.
Dörren är öppen.
Jag vill äta bröd.
Tåget är försenat.
Hur mår du?
Jag kommer i morgon.

lv
Ūdens ir auksts.
Kafija ir karsta.
Māja ir liela.
Suns ir mazs.
Es esmu izsalcis.
Es esmu noguris.
Kur ir stacija?
Kā tevi sauc?
Kaķis ir melns.
Liels paldies.
Es nezinu.
Mans brālis ir ārsts.
Mana māsa ir skolotāja.
Grāmata ir uz galda.
Šodien līst.
Mēs dzīvojam pilsētā.
Viņa lasa grāmatu.
Viņš dzer ūdeni.
Viņi ir mani draugi.
Durvis ir atvērtas.
Es gribu ēst maizi.
Vilciens kavējas.
Kā tev iet?
Es nākšu rīt.

sl
Voda je mrzla.
Kava je vroča.
Hiša je velika.
Pes je majhen.
Lačen sem.
Utrujen sem.
Kje je postaja?
Kako ti je ime?
Mačka je črna.
Najlepša hvala.
Ne vem.
Moj brat je zdravnik.
Moja sestra je učiteljica.
Knjiga je na mizi.
Danes dežuje.
Živimo v mestu.
Ona bere knjigo.
On pije vodo.
Oni so moji prijatelji.
Vrata so odprta.
Želim jesti kruh.
Vlak zamuja.
Kako si?
Jutri bom prišel.

ta
தண்ணீர் குளிராக இருக்கிறது.
காபி சூடாக இருக்கிறது.
வீடு பெரியது.
நாய் சிறியது.
எனக்குப் பசிக்கிறது.
நான் சோர்வாக இருக்கிறேன்.
நிலையம் எங்கே இருக்கிறது?
உங்கள் பெயர் என்ன?
பூனை கருப்பாக இருக்கிறது.
மிக்க நன்றி.
எனக்குத் தெரியாது.
என் அண்ணன் ஒரு மருத்துவர்.
என் அக்கா ஒரு ஆசிரியர்.
புத்தகம் மேசையின் மேல் இருக்கிறது.
இன்று மழை பெய்கிறது.
நாங்கள் நகரத்தில் வாழ்கிறோம்.
அவள் ஒரு புத்தகம் படிக்கிறாள்.
அவன் தண்ணீர் குடிக்கிறான்.
அவர்கள் என் நண்பர்கள்.
கதவு திறந்திருக்கிறது.
நான் ரொட்டி சாப்பிட விரும்புகிறேன்.
ரயில் தாமதமாக வருகிறது.
நீங்கள் எப்படி இருக்கிறீர்கள்?
நான் நாளை வருவேன்.

ja
みずはつめたいです。
コーヒーはあついです。
いえはおおきいです。
いぬはちいさいです。
おなかがすきました。
わたしはつかれています。
えきはどこですか。
おなまえはなんですか。
ねこはくろいです。
どうもありがとうございます。
わたしはしりません。
あにはいしゃです。
あねはせんせいです。
ほんはつくえのうえにあります。
きょうはあめがふっています。
わたしたちはまちにすんでいます。
かのじょはほんをよんでいます。
かれはみずをのんでいます。
かれらはわたしのともだちです。
ドアはあいています。
わたしはパンをたべたいです。
でんしゃがおくれています。
おげんきですか。
わたしはあしたきます。

id
Airnya dingin.
Kopinya panas.
Rumahnya besar.
Anjingnya kecil.
Saya lapar.
Saya lelah.
Di mana stasiunnya?
Siapa nama Anda?
Kucingnya hitam.
Terima kasih banyak.
Saya tidak tahu.
Kakak laki-laki saya dokter.
Kakak perempuan saya guru.
Bukunya ada di atas meja.
Hari ini hujan.
Kami tinggal di kota.
Dia sedang membaca buku.
Dia sedang minum air.
Mereka teman saya.
Pintunya terbuka.
Saya mau makan roti.
Keretanya terlambat.
Apa kabar?
Saya akan datang besok.

cy
Mae'r dŵr yn oer.
Mae'r coffi yn boeth.
Mae'r tŷ yn fawr.
Mae'r ci yn fach.
Rydw i'n llwglyd.
Rydw i wedi blino.
Ble mae'r orsaf?
Beth yw dy enw di?
Mae'r gath yn ddu.
Diolch yn fawr iawn.
Dydw i ddim yn gwybod.
Mae fy mrawd yn feddyg.
Mae fy chwaer yn athrawes.
Mae'r llyfr ar y bwrdd.
Mae hi'n bwrw glaw heddiw.
Rydyn ni'n byw yn y ddinas.
Mae hi'n darllen llyfr.
Mae e'n yfed dŵr.
Maen nhw'n ffrindiau i mi.
Mae'r drws ar agor.
Rydw i eisiau bwyta bara.
Mae'r trên yn hwyr.
Sut wyt ti?
Bydda i'n dod yfory.
""")
LANGUAGES: tuple[str, ...] = tuple(PHRASES)
