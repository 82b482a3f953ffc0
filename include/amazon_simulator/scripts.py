"""Invented words in many scripts: 128 syllables each, so that a word is a number written out.

A word that is a number cannot occur anywhere by chance, and two numbers never share one.
"""

LETTERS: dict[str, tuple[str, str]] = {
    # sixteen onsets, eight endings
    "english": ("b d f g h j k l m n r th v w z qu", "a e i o u ay oo ea"),
    "german": ("b d f g h k l m n r s t v z br kr", "a e i o u ä ö ü"),
    "french": ("b d f g j l m n p r s t v z ch ç", "a e i o u é è ou"),
    "spanish": ("b c d f g h l m n ñ p r t v z ch", "a e i o á é í ó"),
    "portuguese": ("b c d f g l m n p r t v z lh nh x", "a e i o ã á é õ"),
    "italian": ("b c d f g l m n p r t v z gn sp br", "a e i o u à ò ì"),
    "dutch": ("b d f g h k l m n r s t v w z sch", "a e i o aa ee oe ij"),
    "nordic": ("b d f g h j k l m n r s t v sk br", "a e i o u å ä ö"),
    "polish": ("b c d g k l ł m n p r ś t w ż cz", "a e i o u y ą ę"),
    "turkish": ("b c ç d g h k l m n r s ş t v z", "a e ı i o ö u ü"),
    "cyrillic": ("б в г д ж з к л м н п р с т х ш", "а е и о у я ю ъ"),
    "ukrainian": ("б в г д ж з к л м н п р с т х ш", "а е і о у я ї є"),
    "greek": ("β γ δ ζ θ κ λ μ ν ξ π ρ σ τ φ χ", "α ε η ι ο ω ά ό"),
    "arabic": ("ب ت ج ح د ر ز س ش ص ط ع ف ق ك ل", "ا و ي ان ور ين ام يل"),
    "hebrew": ("ב ג ד ה ז ח ט כ ל מ נ פ צ ק ר ש", "א ו י ון ור ים את יל"),
}
KANJI = (
    "山川田中村木林森石井上下原野松竹梅桜藤高橋本島崎坂谷池沼岡浜江海岸波津浦湖泉滝沢水火土金銀銅鉄玉宝"
    "鏡剣弓矢車船帆旗門戸屋宮寺塔城里町市京都国州県郡南北東西春夏秋冬朝昼夜夕月日星空雲雨雪風雷虹光影青赤"
    "白黒緑紫黄桃花草葉根枝実種稲麦米豆羽鳥鶴亀虎馬龍鹿魚貝畑堀"
)
HANZI = (
    "安柏蔡岑常陈程崔戴邓丁董杜段范方冯傅高葛龚顾关郭韩何贺侯胡华黄霍贾江姜蒋金康孔赖黎李梁廖林刘柳龙卢陆"
    "罗吕马毛孟莫牛潘彭齐钱秦邱任邵沈施石史宋苏孙谭汤唐陶田万汪王韦魏文吴武夏萧谢辛邢熊徐许薛严颜杨姚叶易"
    "殷尹于余俞袁岳曾詹张赵郑钟周朱祝庄邹左凌骆裴祁饶尚舒涂温"
)


def _hangul() -> tuple[str, ...]:
    onsets, vowels = (0, 2, 3, 5, 6, 7, 9, 11, 12, 14, 15, 16, 17, 18, 1, 4), (0, 1, 4, 5, 8, 13, 18, 20)
    return tuple(chr(0xAC00 + (onset * 21 + vowel) * 28) for onset in onsets for vowel in vowels)


def _syllables() -> dict[str, tuple[str, ...]]:
    tables = {
        script: tuple(onset + ending for onset in onsets.split() for ending in endings.split())
        for script, (onsets, endings) in LETTERS.items()
    }
    return tables | {"japanese": tuple(KANJI[:128]), "chinese": tuple(HANZI[:128]), "korean": _hangul()}


SYLLABLES = _syllables()


def word(script: str, number: int, syllables: int) -> str:
    """Write the low ``7 * syllables`` bits of a number as one capitalized word."""
    table = SYLLABLES[script]
    parts = []
    for _ in range(syllables):
        parts.append(table[number & 127])
        number >>= 7
    text = "".join(parts)
    return text[0].upper() + text[1:]
