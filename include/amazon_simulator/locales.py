"""How names and addresses look in each country a parcel can go to.

Postal codes keep the country's form; where that is only a few digits they carry the country's
prefix, as on letters from abroad, so that one is not found by chance in unrelated bytes.
Patterns are those of ``Draw.fill``. ``{n}`` is an invented word, ``{h}`` a house number.
An even digit stands before a dash wherever an order id has an odd one: the two never match.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Locale:
    """The conventions of one country."""

    country: str
    script: str
    given: tuple[str, ...]
    name: str
    street: str
    building: str
    city: str
    state: tuple[str, ...]
    postal: str
    phone: str
    company: str
    greeting: str
    instruction: str


def _locale(country: str, script: str, given: str, name: str, lines: tuple[str, ...]) -> Locale:
    street, building, city, state, postal, phone, company, greeting, instruction = lines
    return Locale(
        country, script, tuple(given.split()), name, street, building, city,
        tuple(filter(None, state.split("|"))), postal, phone, company, greeting, instruction,
    )  # fmt: skip


_WEST = "{given} {family}"
_EAST = "{family} {given}"
_ENGLISH = ("Happy birthday, {to}! Love from {sender}", "Please ring twice and ask for {to} at the side door")
_GERMAN = ("Alles Gute zum Geburtstag, {to}! Dein {sender}", "Bitte bei {to} im Hinterhaus klingeln")
_SPANISH = ("¡Feliz cumpleaños, {to}! Un abrazo de {sender}", "Preguntar por {to} en la portería")
_FRENCH = ("Joyeux anniversaire {to} ! Bises, {sender}", "Demander {to} à l'accueil, escalier de gauche")
_PORTUGUESE = ("Feliz aniversário, {to}! Um abraço de {sender}", "Deixar com {to} na portaria")
_ARABIC = ("عيد ميلاد سعيد يا {to} مع تحيات {sender}", "يرجى الاتصال بـ {to} عند الوصول")
_JAPANESE = ("{to}様、お誕生日おめでとうございます。{sender}より", "{to}宛、玄関前に置いてください")
_CHINESE = ("祝{to}生日快乐！{sender}敬上", "请送到前台，收件人{to}")
_KOREAN = ("{to}님 생일 축하합니다. {sender} 드림", "문 앞에 두고 {to}에게 연락 주세요")
_UKRAINIAN = ("З днем народження, {to}! Від {sender}", "Зателефонуйте {to} перед доставкою")
_BULGARIAN = ("Честит рожден ден, {to}! От {sender}", "Моля, потърсете {to} на рецепцията")
_GREEK = ("Χρόνια πολλά, {to}! Από {sender}", "Παρακαλώ ζητήστε {to} στην είσοδο")

_US = "Ann Grace Harold June Walter Opal Desmond Ruth"
_DE = "Jürgen Käthe Björn Anneliese Götz Ursula Heiner Gisela"
_FR = "Éloïse Gaël Zoé François Hélène Théo Maïté Loïc"
_ES = "Begoña Íñigo José Lucía Ramón Inés Álvaro Núria"
_NL = "Joost Femke Sjoerd Anneke Daan Lotte Ruud Mieke"
_PT = "João Conceição Luís Tânia Simão Inês Vinícius Lúcia"
_AR = "أحمد فاطمة يوسف مريم خالد ليلى حسن نورة"
_UA = "Олексій Ганна Юрій Соломія Тарас Їжакевич Євген Леся"

_TABLE = (
    _locale("US", "english", _US, _WEST, ("{h} {n} Avenue", "Apt 4B, {n} House", "{n} Falls",
            "WA|OR|MN|VT|TX",
            "####%-####", "+1 ###-555-#### ext. #####", "{n} Holdings LLC", *_ENGLISH)),
    _locale("CA", "english", _US, _WEST, ("{h} {n} Crescent", "Suite 12, {n} Tower", "{n} Harbour",
            "ON|BC|NS",
            "@#@ #@#", "+1 ###-555-#### ext. #####", "{n} Trading Inc.", *_ENGLISH)),
    _locale("MX", "spanish", _ES, _WEST, ("Calle {n} {h}", "Edificio {n}, piso 3", "San {n}", "JAL|NLE|PUE",
            "C.P. #####", "+52 55 #### ####", "{n} S.A. de C.V.", *_SPANISH)),
    _locale("BR", "portuguese", _PT, _WEST, ("Rua {n}, {h}", "Edifício {n}, apto 45", "Vila {n}", "SP|RJ|MG",
            "####%-###", "+55 11 9####-####", "{n} Comércio Ltda", *_PORTUGUESE)),
    _locale("GB", "english", _US, _WEST, ("{h} {n} Lane", "Flat 3, {n} Court", "{n}ford", "", "@@## #@@",
            "+44 20 #### ####", "{n} & Sons Ltd", *_ENGLISH)),
    _locale("IE", "english", _US, _WEST, ("{h} {n} Quay", "Unit 2, {n} Mews", "Bally {n}", "", "@## @#@#",
            "+353 1 ### ####", "{n} Teoranta", *_ENGLISH)),
    _locale("AU", "english", _US, _WEST, ("{h} {n} Parade", "Unit 7, {n} Gardens", "{n} Creek", "NSW|VIC|QLD",
            "AU-####", "+61 2 #### ####", "{n} Pty Ltd", *_ENGLISH)),
    _locale("SG", "english", _US, _WEST, ("{h} {n} Drive", "#08-12, {n} Residences", "Singapore {n}", "",
            "S(######)", "+65 #### ####", "{n} Pte. Ltd.", *_ENGLISH)),
    _locale("DE", "german", _DE, _WEST, ("{n}straße {h}", "Hinterhaus {n}, 2. OG", "Bad {n}", "", "D-#####",
            "+49 30 ########", "{n} GmbH & Co. KG", *_GERMAN)),
    _locale("AT", "german", _DE, _WEST, ("{n}gasse {h}", "Stiege 2, Hof {n}", "Sankt {n}", "", "A-####",
            "+43 1 #######", "{n} Ges.m.b.H.", *_GERMAN)),
    _locale("FR", "french", _FR, _WEST, ("{h} rue de {n}", "Résidence {n}, bât. C", "Saint-{n}", "",
            "F-#####",
            "+33 1 ## ## ## ##", "Éts {n} SARL", *_FRENCH)),
    _locale("BE", "french", _FR, _WEST, ("Chaussée de {n} {h}", "Résidence {n}, boîte 4", "{n}-lez-Bois", "",
            "B-####", "+32 2 ### ## ##", "{n} SRL", *_FRENCH)),
    _locale("IT", "italian", "Niccolò Bettina Zoè Totò Ilaria Renzo Mafalda Dino", _WEST,
            ("Via {n} {h}", "Palazzo {n}, scala B", "Borgo {n}", "RM|MI|TO", "I-#####", "+39 06 #### ####",
             "{n} S.r.l.", "Buon compleanno {to}! Da {sender}", "Citofonare {to}, secondo piano")),
    _locale("ES", "spanish", _ES, _WEST, ("Calle de {n}, {h}", "Edificio {n}, 3º izda.", "Villa {n}", "",
            "E-#####", "+34 6## ### ###", "{n} S.L.", *_SPANISH)),
    _locale("PT", "portuguese", _PT, _WEST, ("Rua da {n}, {h}", "Edifício {n}, 2.º dto.", "Vale de {n}", "",
            "###%-###", "+351 21 ### ####", "{n} Lda.", *_PORTUGUESE)),
    _locale("NL", "dutch", _NL, _WEST, ("{n}gracht {h}", "Appartement {n}, 2 hoog", "{n}dam", "", "#### @@",
            "+31 20 ### ####", "{n} B.V.", "Gefeliciteerd, {to}! Groeten van {sender}",
            "Aanbellen bij {to}")),
    _locale("SE", "nordic", "Åsa Örjan Märta Göran Signe Håkan Lovisa Sören", _WEST,
            ("{n}vägen {h}", "Lägenhet {n}, 3 tr", "{n}stad", "", "SE-### ##", "+46 8 ### ### ##", "{n} AB",
             "Grattis på födelsedagen, {to}! Från {sender}", "Ring på hos {to}, portkod krävs ej")),
    _locale("PL", "polish", "Łukasz Małgorzata Wojciech Żaneta Paweł Świętosława Józef Bożena", _WEST,
            ("ul. {n} {h}", "Osiedle {n}, m. 5", "{n}owice", "", "PL-##-###", "+48 22 ### ## ##",
            "{n} sp. z o.o.",
             "Wszystkiego najlepszego, {to}! Od {sender}", "Proszę dzwonić do {to} na parterze")),
    _locale("TR", "turkish", "Ayşe İbrahim Gülşen Çağrı Işıl Ömer Şule Uğur", _WEST,
            ("{n} Caddesi No: {h}", "{n} Apartmanı, kat 3", "{n}köy", "", "TR-#####", "+90 212 ### ## ##",
             "{n} Ticaret A.Ş.", "Nice yıllara {to}! {sender}", "Lütfen {to} için zile basın")),
    _locale("UA", "ukrainian", _UA, _WEST, ("вул. {n}, {h}", "корпус {n}, кв. 12", "Нове {n}", "", "UA-#####",
            "+380 44 ### ####", "ТОВ «{n}»", *_UKRAINIAN)),
    _locale("BG", "cyrillic", "Георги Мария Димитър Йорданка Стоян Щерю Юлия Пламен", _WEST,
            ("ул. {n} {h}", "блок {n}, вход Б", "Горно {n}", "", "BG-####", "+359 2 ### ####", "{n} ЕООД",
             *_BULGARIAN)),
    _locale("GR", "greek", "Γιώργος Ελένη Σωτήρης Άννα Δημήτρης Ζωή Θανάσης Φωτεινή", _WEST,
            ("Οδός {n} {h}", "Κτίριο {n}, 2ος όροφος", "Νέα {n}", "", "GR-### ##", "+30 21 #### ####",
            "{n} Α.Ε.",
             *_GREEK)),
    _locale("AE", "arabic", _AR, _WEST, ("شارع {n} {h}", "برج {n}، الطابق ٣", "مدينة {n}", "",
            "P.O. Box ######", "+971 4 ### ####", "شركة {n} للتجارة", *_ARABIC)),
    _locale("SA", "arabic", _AR, _WEST, ("طريق {n} {h}", "عمارة {n}، شقة ٤", "حي {n}", "", "####%-####",
            "+966 11 ### ####", "مؤسسة {n}", *_ARABIC)),
    _locale("IL", "hebrew", "דוד רחל יוסי מרים אבי שרה נועם תמר", _WEST, ("רחוב {n} {h}", "בניין {n}, קומה 2",
            "קרית {n}", "", "IL-#######", "+972 3 ### ####", "{n} בע״מ", "יום הולדת שמח {to}! מאת {sender}",
            "נא להתקשר אל {to} לפני המסירה")),
    _locale("JP", "japanese", "太郎 花子 健一 美咲 翔太 陽子 大輔 結衣", "{family} {given}", ("{n}町{h}番地",
            "{n}ビル３階", "{n}市", "東京都|大阪府|北海道|福岡県", "##%-####", "+81 3-####-####",
            "株式会社{n}",
            *_JAPANESE)),
    _locale("KR", "korean", "민준 서연 지훈 하은 도윤 수아 예준 지우", _EAST, ("{n}로 {h}", "{n}빌딩 5층",
            "{n}시", "",
            "KR-#####", "+82 2-####-####", "주식회사 {n}", *_KOREAN)),
    _locale("CN", "chinese", "伟 芳 娜 敏 静 丽 强 磊", "{family}{given}", ("{n}路{h}号", "{n}大厦１２层",
            "{n}市",
            "浙江省|江苏省|四川省", "CN-######", "+86 10 #### ####", "{n}贸易有限公司", *_CHINESE)),
)  # fmt: skip

LOCALES = {each.country: each for each in _TABLE}
